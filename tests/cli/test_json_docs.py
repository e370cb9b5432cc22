"""docs/cli.md tells of every JSON key that a command prints."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cli.conftest import Installation, booking
from tests.house.test_cli_docs import COMMON, SECTIONS

BY_NAME = frozenset({"by_rule", "detail", "consent"})
"""Keys below which stand names of the clinic's own, or of channels."""

MESSAGE = frozenset(
    {
        "id", "clinic", "ref", "rule", "contact", "channel", "state", "due_at", "not_after", "sent_at",
        "reason", "covered_by", "version", "occasion", "attempts",
    }
)  # fmt: skip
"""The keys of a message, which stand with `show` for all commands that print some."""

LENT: Mapping[tuple[str, ...], str] = {("show",): SECTIONS["contact", "list"]}
"""Commands that print what another one does."""

PRINTED = (
    "import {file} --dry-run",
    "simulate {file}",
    "show B1",
    "timeline --hours 100",
    "worklist",
    "contact list B1",
    "resend B1 day_before",
    "help B1",
    "move B1 --to 2026-12-03T10:00+01:00",
    "optout add a@example.org",
    "optout list",
    "optout remove a@example.org",
    "cancel --day 2026-12-03",
    "cancel B1",
    "tick",
    "status",
    "doctor",
)


def keys_of(value: Any) -> Iterator[str]:
    """Yield the keys of what was printed, at every depth."""
    if isinstance(value, list):
        for item in value:
            yield from keys_of(item)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield key
            if key not in BY_NAME:
                yield from keys_of(below)


@pytest.fixture
def printed(here: Installation) -> dict[tuple[str, ...], set[str]]:
    """Return the keys that each command prints, one after the other in one installation."""
    file = here.file(booking("B1", email="a@example.org"), booking("B2", phone="070-mamma"))
    here.run("import", file, "--yes")
    found: dict[tuple[str, ...], set[str]] = {}
    for line in PRINTED:
        words = [str(file) if word == "{file}" else word for word in line.split()]
        name = next(n for n in (tuple(words[:2]), tuple(words[:1])) if n in SECTIONS)
        result = here.run(*words, "--json")
        assert result.exit_code in {0, 1}, result.output
        found.setdefault(name, set()).update(keys_of(json.loads(result.stdout)))
    return found


def test_each_json_key_is_documented(printed: dict[tuple[str, ...], set[str]]):
    """A key that a command prints stands in its section, or with what all commands have."""
    missing = {
        f"{' '.join(name)}: {key}"
        for name, keys in printed.items()
        for key in keys - documented(SECTIONS[name] + COMMON) - documented(LENT.get(name, ""))
        if key not in MESSAGE or "messages" not in keys
    }
    assert not missing, "\n".join(sorted(missing))


def test_the_keys_of_import_are_those_that_are_documented(
    printed: dict[tuple[str, ...], set[str]],
):
    """What the page promises of an import is printed: all of it, but for a refused file's error."""
    _, _, promised = SECTIONS["import",].partition("JSON keys:")
    promised = promised.partition("\n\n")[0].replace('`environment = "test"`', "")
    assert documented(promised) - {"error", "ref", "from", "to"} <= printed["import",]


def documented(text: str) -> set[str]:
    """Return the words that stand in a text as code."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", prose))))
