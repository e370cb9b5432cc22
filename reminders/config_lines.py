"""On which line of a configuration a setting stands, as the TOML reader does not tell it."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def line_of(text: str, setting: Sequence[str]) -> int:
    """Return the 1-based line of a setting, given by its keys from the outermost one.

    Where it is not written, that of the innermost table that it would stand in; else the first.
    """
    wanted, table = tuple(setting), tuple[str, ...]()
    nearest, depth = 1, 0
    for line, statement, said in _statements(text):
        if statement.lstrip().startswith("["):
            table = _path(said)
            if depth < len(table) and wanted[: len(table)] == table:
                nearest, depth = line, len(table)
        elif wanted[: len(table)] == table and _has(said, wanted[len(table) :]):
            return line
    return nearest


def _statements(text: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield each statement with the line that it begins on: so many lines as are TOML together."""
    begun, first = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        begun = f"{begun}\n{line}" if begun else line
        try:
            said = tomllib.loads(begun)
        except tomllib.TOMLDecodeError:
            continue
        if said:
            yield first, begun, said
        begun, first = "", number + 1


def _path(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of a table's head."""
    keys: list[str] = []
    inner: Any = said
    while isinstance(inner, dict) and inner:
        key, inner = next(iter(inner.items()))
        keys.append(key)
    return tuple(keys)


def _has(said: Mapping[str, Any], keys: Sequence[str]) -> bool:
    inner: Any = said
    for key in keys:
        if not isinstance(inner, dict) or key not in inner:
            return False
        inner = inner[key]
    return True
