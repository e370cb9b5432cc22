"""What the intake tests share: a clinic's format, a moment, and short ways to read a file."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from reminders.errors import RefusedFileError
from reminders.intake.bookings import Doubt, Format, Item, Problem, ProblemCode, Row, read

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 11, 30, 11, tzinfo=UTC)
"""Noon in Stockholm on the day before the visits."""

FORM = Format(
    zone=STOCKHOLM,
    pseudonym=lambda number: f"pseudonym-{sum(map(ord, number))}",
    video_kinds=("Videobesök", "Video"),
)
HEADER = "ref;starts_at;mobil;e-post"
ROW = "A1;2026-12-01 09:00;070-174 06 05;"
FILE = f"{HEADER}\n{ROW}\n"


def items(text: str | bytes | Path, form: Format = FORM) -> list[Item]:
    """Return all that a file says; text is taken as UTF-8."""
    source = text.encode() if isinstance(text, str) else text
    return list(read(source, form, NOW))


def results(text: str | bytes | Path, form: Format = FORM) -> list[Row | Problem]:
    """Return a file's rows and problems."""
    return [item for item in items(text, form) if not isinstance(item, Doubt)]


def doubts(text: str | bytes | Path, form: Format = FORM) -> list[Doubt]:
    """Return what is heard of a file's rows beside what is taken."""
    return [item for item in items(text, form) if isinstance(item, Doubt)]


def rows(text: str | bytes | Path, form: Format = FORM) -> list[Row]:
    """Return a file's rows."""
    return [result for result in results(text, form) if isinstance(result, Row)]


def problems(text: str | bytes | Path, form: Format = FORM) -> list[Problem]:
    """Return a file's problems."""
    return [result for result in results(text, form) if isinstance(result, Problem)]


def codes(text: str | bytes | Path, form: Format = FORM) -> list[ProblemCode]:
    """Return the codes of a file's problems."""
    return [problem.code for problem in problems(text, form)]


def table(**columns: str) -> str:
    """Return a file of one booking, with these columns beside or instead of the usual."""
    cells = {"ref": "A1", "starts_at": "2026-12-01 09:00", "mobil": "070-174 06 05"} | columns
    return ";".join(cells) + "\n" + ";".join(cells.values()) + "\n"


def one(**columns: str) -> Row:
    """Return the row of `table`, which has no problems."""
    (row,) = results(table(**columns))
    assert isinstance(row, Row)
    return row


def refusal(source: str | bytes | Path, form: Format = FORM) -> RefusedFileError:
    """Return the error that refuses a file."""
    try:
        results(source, form)
    except RefusedFileError as error:
        return error
    raise AssertionError("The file was not refused.")


def refused(source: str | bytes | Path) -> list[tuple[ProblemCode, int]]:
    """Return the code and line of each problem that a file is refused for."""
    found = refusal(source).problems
    return [(p.code, p.line) for p in found if isinstance(p, Problem)]
