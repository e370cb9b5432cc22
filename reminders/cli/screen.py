"""What people and scripts see: text in columns, JSON, questions. JSON has stdout to itself."""

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import typer
from rich.cells import cell_len, set_cell_size

WIDTH = 80
GAP = "  "
NARROWEST = 6
YES = frozenset({"y", "yes", "j", "ja"})


def say(text: str = "") -> None:
    """Print for the person or script that asked."""
    typer.echo(text)


def tell(text: str) -> None:
    """Print beside the result: progress, hints, errors. Long lines are wrapped to the page."""
    typer.echo("\n".join(map(_wrapped, text.split("\n"))), err=True)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a result for scripts."""
    say(json.dumps(value, ensure_ascii=False, indent=2))


def iso(at: datetime | None, zone: ZoneInfo) -> str | None:
    """Return an instant for scripts, with the clinic's offset."""
    return at.astimezone(zone).isoformat(timespec="seconds") if at else None


def local(at: datetime | None, zone: ZoneInfo) -> str:
    """Return an instant for people, in the clinic's time."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "-"


def language() -> str:
    """Return the language that reasons are told in: 'sv' or 'en'."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    chosen = next((name for name in names if name), "")
    return "sv" if chosen.startswith("sv") else "en"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return '1 visit', '2 visits'."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"


def printable(text: str) -> str:
    """Return text without what would steer a terminal: references come from files."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def indented(text: str, indent: int, hang: int | None = None, *, cut: bool = True) -> str:
    """Return a text wrapped to the page, `indent` in; its further lines `hang` in.

    `cut`: a word that is longer than the page is cut; else it is left whole, to be copied.
    """
    return textwrap.fill(
        printable(text),
        width(),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent if hang is None else hang),
        break_on_hyphens=False,
        break_long_words=cut,
    )


def folded(line: str, hang: str) -> str:
    """Return a line that goes on below, after `hang`, where it is longer than the page is wide."""
    if cell_len(line) <= width():
        return line
    return textwrap.fill(
        line,
        width(),
        subsequent_indent=hang,
        break_on_hyphens=False,
        break_long_words=False,  # a path or an address is copied whole
    )


def _wrapped(line: str) -> str:
    """Return a line folded under itself, twice as far in."""
    return folded(line, " " * 2 * (len(line) - len(line.lstrip())))


def width() -> int:
    """Return the width of the page: the terminal's, but never more than 80 columns."""
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table, with what is to be said below it."""

    cells: tuple[str, ...]
    note: str = ""


def table(headers: Sequence[str], lines: Sequence[Line]) -> str:
    """Return aligned columns that fit the page; the widest give way, and end in '…'."""
    rows = [tuple(headers), *(tuple(map(printable, line.cells)) for line in lines)]
    sizes = _fitted([max(map(cell_len, column)) for column in zip(*rows, strict=True)])
    notes = ["", *(line.note for line in lines)]
    done: list[str] = []
    for row, note in zip(rows, notes, strict=True):
        cells = [_cell(cell, size) for cell, size in zip(row, sizes, strict=True)]
        done.append(GAP.join(cells).rstrip())
        if note:
            done.append(indented(note, 4))
    return "\n".join(done)


def _fitted(sizes: list[int]) -> list[int]:
    room = width() - len(GAP) * (len(sizes) - 1)
    fitted = list(sizes)
    while sum(fitted) > room and max(fitted) > NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _cell(text: str, size: int) -> str:
    if cell_len(text) <= size:
        return set_cell_size(text, size)
    return set_cell_size(text, size - 1) + "…"


def ask(question: str, *, yes: bool) -> bool:
    """Tell whether the person agrees. Without a terminal only `yes` does."""
    if yes:
        return True
    if not sys.stdin.isatty():
        tell("There is no terminal to ask on, so nothing was changed. Add --yes to go ahead.")
        return False
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().casefold() in YES:
        return True
    tell("Nothing was changed.")
    return False
