"""Files of the watched folder that a person has to see to: why, where they lie, what is done."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from reminders.engine import folders
from reminders.engine.exported import OlderFileError, spelled
from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, RefusedFileError
from reminders.intake.problems import Problem
from reminders.store import aside, clinics
from reminders.store.aside import Aside, BadLine, NewAside
from reminders.store.database import Connection

log = structlog.get_logger()

MOST_LINES = 200
"""So many lines with problems are kept of a file; its report has them all."""


LONGEST_NAME = 200
"""So many bytes of a file's name are kept: any disk takes it, with a time and an ending."""


class End(StrEnum):
    """What becomes of a file, which is the folder that it is moved to."""

    DONE = "done"
    WAITING = "waiting"
    REFUSED = "refused"


class Code(StrEnum):
    """Why a file waits, or is refused."""

    TOO_MUCH = "too_much"
    STRICT = "strict"
    OLDER = "older"
    UNUSABLE = "unusable"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Why:
    """Why a file is set aside: a code and its numbers, and in English."""

    code: Code
    said: str
    numbers: Mapping[str, int] = field(default_factory=dict)


def why_refused(error: RefusedFileError) -> Why:
    """Return why a file is refused."""
    older = isinstance(error, OlderFileError)
    return Why(Code.OLDER if older else Code.UNUSABLE, str(error))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that nobody has seen to. `there`: it still lies where it was put."""

    entry: Aside
    there: bool

    @property
    def can_be_read(self) -> bool:
        """Tell whether a person may look at it, and import it."""
        return self.there and self.entry.file.ending == End.WAITING


def keep(
    conn: Connection,
    clinic: str,
    path: Path,
    kept_as: str,
    end: End,
    why: Why,
    problems: Sequence[Problem],
    now: datetime,
) -> None:
    """Record a file that is about to be moved away, so that it stands on the pages."""
    lines = [BadLine(p.line, p.column, p.code.value, p.message) for p in problems[:MOST_LINES]]
    file = NewAside(
        spelled(path.name), kept_as, written_at(path, now), end.value, why.code.value, why.numbers,
        why.said, lines,
    )  # fmt: skip
    aside.keep(conn, clinics.clinic_id(conn, clinic), file, now)


def fitting(name: str, most: int = LONGEST_NAME) -> str:
    """Return a file's name, cut to so many bytes before its ending."""
    stem, dot, ending = name.rpartition(".")
    room = most - len(f"{dot}{ending}".encode())
    return f"{stem.encode()[: max(room, 0)].decode(errors='ignore')}{dot}{ending}"


def written_at(path: Path, now: datetime) -> datetime:
    """Return when a file was written; never later than now."""
    return min(datetime.fromtimestamp(path.stat().st_mtime, UTC), now)


def waiting(conn: Connection, runtime: Runtime, clinic: str) -> list[Waiting]:
    """Return a clinic's files that nobody has seen to, the newest first."""
    return [Waiting(one, _lies(runtime, one)) for one in aside.open_files(conn, clinic)]


def items(conn: Connection, clinic: str | None) -> Iterator[Item]:
    """Yield these files as the worklist has them."""
    for one in aside.open_files(conn, clinic):
        said = f"{one.file.file_name}: {' '.join(one.file.said.split())}"
        yield Item("file", one.clinic, None, None, None, one.file.why, said)


def require(conn: Connection, clinic: str, aside_id: int) -> Aside:
    """Return one of them. Raise NotFoundError if somebody has seen to it."""
    found = aside.find(conn, clinic, aside_id)
    if found is None:
        raise NotFoundError("That file does not wait any more: somebody has seen to it.")
    return found


def close(conn: Connection, runtime: Runtime, clinic: str, aside_id: int, now: datetime) -> Aside:
    """Record that somebody has seen to a file, and return it. It stays where it lies."""
    found = require(conn, clinic, aside_id)
    aside.close(conn, found.id, runtime.actor, now)
    return found


def place(runtime: Runtime, entry: Aside) -> Path | None:
    """Return where a file lies; None if no folder is watched any more."""
    folder = folders.watched(runtime).get(entry.clinic)
    return folder / entry.file.ending / entry.file.kept_as if folder else None


def _lies(runtime: Runtime, entry: Aside) -> bool:
    path = place(runtime, entry)
    return path is not None and path.is_file() and not path.is_symlink()


def put_away(runtime: Runtime, entry: Aside, end: End, now: datetime) -> bool:
    """Move a file that a person has imported, or refused, with a report that says who did.

    Return whether it was there and could be moved. What the person decided holds all the same.
    """
    path = place(runtime, entry)
    if path is None or not path.is_file():
        return False
    to = path.parent.parent / end.value / path.name
    try:
        to.parent.mkdir(exist_ok=True)
        report = _report(report_of(path)) | {
            "end": end.value,
            "decided_by": runtime.actor,
            "decided_at": now.isoformat(timespec="seconds"),
        }
        write_report(to, report)
        path.replace(to)
        report_of(path).unlink(missing_ok=True)
    except OSError as error:
        log.warning("file_not_put_away", error=error.strerror)
        return False
    return True


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write the report of a file beside where it is, or is going to be."""
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    report_of(path).write_text(text, "utf-8")


def _report(path: Path) -> dict[str, Any]:
    """Return what a report says; nothing if it is gone, or somebody has changed it."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def report_of(path: Path) -> Path:
    """Return where the report of a file lies."""
    return path.with_name(f"{path.name}.report.json")
