"""The watched folder: exports put there are imported, unless they would change too much.

A file is moved away only when it has been applied, refused, or set aside for a person. A process
that dies before leaves it where it is: it is read again, and the same file changes nothing.
"""

import fcntl
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from reminders.config import WatchConfig
from reminders.config_rules import parse_duration
from reminders.domain.merge import Category
from reminders.engine import importing
from reminders.engine.difference import Difference, Options
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.problems import Problem

log = structlog.get_logger()

ENDINGS = frozenset({".csv", ".txt", ".xlsx", ".ods"})
LOCK = ".reminders.lock"
FEW = 5
"""So many moved or cancelled bookings are an ordinary day, whatever share of the file they are."""


class End(StrEnum):
    """What becomes of a file, which is the folder that it is moved to."""

    DONE = "done"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class _Look:
    size: int
    changed: int
    since: datetime


class Watcher:
    """Looks into the clinics' folders, now and then. It remembers how files were the last time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen: dict[Path, _Look] = {}
        self.stopping = False

    @property
    def settle(self) -> float:
        """Return in how many seconds every file that does not change is settled."""
        waits = [parse_duration(watch.settle) for _, watch, _ in self._folders()]
        return max((wait.total_seconds() for wait in waits), default=0.0)

    def look(self, now: datetime) -> dict[End, int]:
        """Take the files that have settled, the oldest first; return what became of them."""
        ends = dict.fromkeys(End, 0)
        found: set[Path] = set()
        for clinic, watch, folder in self._folders():
            with _alone(folder) as alone:
                for path in _files(folder) if alone else ():
                    found.add(path)
                    if not self.stopping and self._settled(path, watch, now):
                        ends[self._take(clinic, watch, path, now)] += 1
        self._seen = {path: look for path, look in self._seen.items() if path in found}
        return ends

    def _folders(self) -> Iterator[tuple[str, WatchConfig, Path]]:
        config = self._runtime.config
        for key, clinic in config.clinics.items():
            if clinic.watch.folder is not None:
                yield key, clinic.watch, config.path(clinic.watch.folder)

    def _settled(self, path: Path, watch: WatchConfig, now: datetime) -> bool:
        try:
            state = path.stat()
        except OSError:
            return False
        before = self._seen.get(path)
        if before is None or (before.size, before.changed) != (state.st_size, state.st_mtime_ns):
            self._seen[path] = _Look(state.st_size, state.st_mtime_ns, now)
            return False
        return now - before.since >= parse_duration(watch.settle)

    def _take(self, clinic: str, watch: WatchConfig, path: Path, now: datetime) -> End:
        report: dict[str, Any] = {"clinic": clinic, "at": now.isoformat(timespec="seconds")}
        try:
            end, more = self._import(clinic, watch, path, now)
        except RefusedFileError as error:
            named = [problem for problem in error.problems if isinstance(problem, Problem)]
            end, more = End.REFUSED, {"why": str(error), "problems": _told(named)}
        _put_away(path, end, report | {"end": end.value} | more, now)
        log.info("watched_file", clinic=clinic, end=end.value)
        return end

    def _import(
        self, clinic: str, watch: WatchConfig, path: Path, now: datetime
    ) -> tuple[End, dict[str, Any]]:
        options = Options(
            full=watch.full or watch.cancel_missing, cancel_missing=watch.cancel_missing
        )
        staged = importing.stage(self._runtime, clinic, path, options, now)
        try:
            shown = importing.look(self._runtime, staged, options, now)
            why = too_much(shown, watch)
            if why is None:
                importing.apply(self._runtime, staged, options, now)
        except BaseException:
            importing.forget(self._runtime, staged)
            raise
        if why is not None:
            importing.forget(self._runtime, staged)
        counts = {category.value: number for category, number in shown.counts.items()}
        told: dict[str, Any] = {
            **counts,
            "missing": len(shown.missing),
            "problems": _told(shown.problems),
        }
        return (End.DONE, told) if why is None else (End.WAITING, {"why": why, **told})


def too_much(shown: Difference, watch: WatchConfig) -> str | None:
    """Return why a person has to look at a file first; None if it may be applied by itself."""
    if watch.strict and shown.problems:
        return "The file has problems, and the clinic's setting is strict."
    counts = shown.counts
    changed = counts[Category.MOVED] + counts[Category.CANCELLED]
    changed += len(shown.missing) if shown.cancels_missing else 0
    known = changed + counts[Category.UPDATED] + counts[Category.UNCHANGED]
    if changed <= FEW or changed * 100 <= known * watch.most_changed:
        return None
    return (
        f"The file would move or cancel {changed} of the {known} known bookings that it speaks of:"
        f" more than {watch.most_changed} %. Import it on the page, if it is right."
    )


def _told(problems: list[Problem]) -> list[dict[str, Any]]:
    keys = ("line", "column", "code", "message")
    return [{key: asdict(problem)[key] for key in keys} for problem in problems]


def _files(folder: Path) -> list[Path]:
    """Return the files to look at, the oldest first."""
    found: list[tuple[int, Path]] = []
    for path in folder.iterdir():
        if path.suffix.casefold() in ENDINGS and not path.name.startswith("."):
            state = path.lstat()
            if stat.S_ISREG(state.st_mode):
                found.append((state.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Tell whether the folder is there, and this process alone looks into it now."""
    try:
        file = (folder / LOCK).open("a", encoding="ascii")
    except OSError as error:
        log.warning("watched_folder_away", error=error.strerror)
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def _put_away(path: Path, end: End, report: dict[str, Any], now: datetime) -> None:
    """Write the report, then move the file: a file that is moved has its report."""
    folder = path.parent / end.value
    folder.mkdir(exist_ok=True)
    name = f"{now:%Y%m%dT%H%M%S} {path.name}"
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    (folder / f"{name}.report.json").write_text(text, "utf-8")
    path.replace(folder / name)
