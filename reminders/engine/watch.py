"""The watched folder: exports put there are imported, unless they would change too much.

A file is moved away only when it has been applied, refused, or set aside for a person. A process
that dies before leaves it where it is: it is read again, and the same file changes nothing.
"""

import fcntl
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from reminders.config import WatchConfig
from reminders.config_rules import parse_duration
from reminders.domain.brought import Category
from reminders.engine import aside, folders, importing
from reminders.engine.aside import Code, End, Why
from reminders.engine.difference import Difference, Options
from reminders.engine.exported import spelled
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.problems import Problem
from reminders.store.database import DatabaseFault, ValueFault

log = structlog.get_logger()

ENDINGS = frozenset({".csv", ".txt", ".xlsx", ".ods"})
LOCK = ".reminders.lock"
ACTOR = "watched folder"
"""Who imports what is put there."""
FEW = 5
"""So many changed bookings are an ordinary day, whatever share of the file they are."""

UNEXPECTED = Why(
    Code.UNEXPECTED,
    "The program could not manage this file, and the fault is its own. Put a new export in the"
    " folder; if that is refused too, tell the maintainers which error the log names.",
)


@dataclass(frozen=True, slots=True)
class _Look:
    size: int
    changed: int
    since: datetime


@dataclass(frozen=True, slots=True)
class _Taken:
    """What has become of a file. `why` is None of one that is done."""

    end: End
    why: Why | None
    problems: list[Problem]
    counts: dict[str, int]

    def told(self) -> dict[str, Any]:
        """Return it for the report."""
        why = {"why": self.why.said} if self.why else {}
        return {"end": self.end.value, **why, **self.counts, "problems": _told(self.problems)}


class Watcher:
    """Looks into the clinics' folders, now and then. It remembers how files were the last time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._seen: dict[Path, _Look] = {}
        self._unmoved: dict[Path, tuple[Path, dict[str, Any]]] = {}
        self.stopping = False
        self.away: frozenset[str] = frozenset()
        """The clinics whose folder the last look could not reach."""

    @property
    def settle(self) -> float:
        """Return in how many seconds every file that does not change is settled."""
        waits = [parse_duration(watch.settle) for _, watch, _ in self._folders()]
        return max((wait.total_seconds() for wait in waits), default=0.0)

    def look(self, now: datetime) -> dict[End, int]:
        """Take the files that have settled, the oldest first; return what became of them."""
        ends = dict.fromkeys(End, 0)
        found: set[Path] = set()
        away: dict[str, OSError] = {}
        for clinic, watch, folder in self._folders():
            try:
                with _alone(folder) as alone:
                    for path in _files(folder) if alone else ():
                        found.add(path)
                        if end := self._pass(clinic, watch, path, now):
                            ends[end] += 1
            except OSError as error:
                away[clinic] = error
        self._seen = {path: look for path, look in self._seen.items() if path in found}
        self._tell_away(away, now)
        return ends

    def _folders(self) -> Iterator[tuple[str, WatchConfig, Path]]:
        for key, folder in folders.watched(self._runtime).items():
            yield key, self._runtime.clinic(key).watch, folder

    def _tell_away(self, away: Mapping[str, OSError], now: datetime) -> None:
        """Log which folders have gone, and which are back; keep it, for people to be told."""
        for clinic in away.keys() - self.away:
            log.warning("watched_folder_away", clinic=clinic, error=away[clinic].strerror)
        for clinic in self.away - away.keys():
            log.warning("watched_folder_back", clinic=clinic)
        self.away = frozenset(away)
        folders.record(self._runtime, away, now)

    def _pass(self, clinic: str, watch: WatchConfig, path: Path, now: datetime) -> End | None:
        """Take a file that has settled, or move one that is done with; return what it came to."""
        if self.stopping or not self._settled(path, watch, now):
            return None
        if path not in self._unmoved:
            return self._try(clinic, watch, path, now)
        self._move(path, *self._unmoved[path])
        return None

    def _settled(self, path: Path, watch: WatchConfig, now: datetime) -> bool:
        try:
            state = path.stat()
        except OSError:
            return False
        before = self._seen.get(path)
        if before is None or (before.size, before.changed) != (state.st_size, state.st_mtime_ns):
            self._seen[path] = _Look(state.st_size, state.st_mtime_ns, now)
            self._unmoved.pop(path, None)
            return False
        return now - before.since >= parse_duration(watch.settle)

    def _try(self, clinic: str, watch: WatchConfig, path: Path, now: datetime) -> End | None:
        """Take a file; return what became of it. Whatever is wrong with it, others have their turn.

        Raise DatabaseFault, if it is the database that is away.
        """
        try:
            return self._take(clinic, watch, path, now)
        except Exception as error:  # noqa: BLE001 - the others have their turn
            _raise_if_away(error)
            if path.exists():  # else somebody has taken it out of the folder
                log.error("watched_file_failed", clinic=clinic, error=type(error).__name__)  # noqa: TRY400 - its text may hold values
            return None

    def _take(self, clinic: str, watch: WatchConfig, path: Path, now: datetime) -> End:
        try:
            taken = self._import(clinic, watch, path, now)
        except RefusedFileError as error:
            named = [problem for problem in error.problems if isinstance(problem, Problem)]
            taken = _Taken(End.REFUSED, aside.why_refused(error), named, {})
        except Exception as error:  # noqa: BLE001 - whatever it is, a person is told
            _raise_if_away(error)
            log.error("watched_file_unexpected", clinic=clinic, error=type(error).__name__)  # noqa: TRY400 - its text may hold values
            taken = _Taken(End.REFUSED, UNEXPECTED, [], {})
        name = f"{now:%Y%m%dT%H%M%S} {aside.fitting(spelled(path.name))}"
        if taken.why is not None:
            why, problems = taken.why, taken.problems
            self._runtime.in_transaction(
                aside.keep, clinic, path, name, taken.end, why, problems, now
            )
        report = {"clinic": clinic, "at": now.isoformat(timespec="seconds"), **taken.told()}
        log.info("watched_file", clinic=clinic, end=taken.end.value)
        self._move(path, path.parent / taken.end.value / name, report)
        return taken.end

    def _move(self, path: Path, to: Path, report: dict[str, Any]) -> None:
        """Move a file that is done with. Where it cannot be, it is not read again for that."""
        try:
            _put_away(path, to, report)
        except OSError as error:
            if path not in self._unmoved:
                advice = "see to it that the folder can be written to; it is tried again meanwhile"
                log.error("watched_file_not_moved", error=error.strerror, advice=advice)  # noqa: TRY400 - a path may name a patient
            self._unmoved[path] = to, report
        else:
            self._unmoved.pop(path, None)

    def _import(self, clinic: str, watch: WatchConfig, path: Path, now: datetime) -> _Taken:
        options = options_of(watch)
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
        counts["missing"] = len(shown.missing)
        return _Taken(End.WAITING if why else End.DONE, why, shown.problems, counts)


def options_of(watch: WatchConfig) -> Options:
    """Return how the files of a watched folder are taken."""
    return Options(full=watch.full or watch.cancel_missing, cancel_missing=watch.cancel_missing)


def too_much(shown: Difference, watch: WatchConfig) -> Why | None:
    """Return why a person has to look at a file first; None if it may be applied by itself."""
    if watch.strict and shown.problems:
        return Why(Code.STRICT, "The file has problems, and the clinic's setting is strict.")
    counts = shown.counts
    changed = counts[Category.MOVED] + counts[Category.CANCELLED] + counts[Category.UPDATED]
    changed += len(shown.missing) if shown.cancels_missing else 0
    known = changed + counts[Category.UNCHANGED]
    if changed <= FEW or changed * 100 <= known * watch.most_changed:
        return None
    return Why(
        Code.TOO_MUCH,
        f"The file would move, cancel or correct {changed} of the {known} known bookings that it"
        f" speaks of: more than {watch.most_changed} %. Import it on the page, if it is right.",
        {"changed": changed, "known": known, "most": watch.most_changed},
    )


def _told(problems: list[Problem]) -> list[dict[str, Any]]:
    keys = ("line", "column", "code", "message")
    return [{key: asdict(problem)[key] for key in keys} for problem in problems]


def _raise_if_away(error: Exception) -> None:
    """Raise it again, if it is no fault of the file."""
    if isinstance(error, DatabaseFault) and not isinstance(error, ValueFault):
        raise error


def _files(folder: Path) -> list[Path]:
    """Return the files to look at, the oldest first."""
    found: list[tuple[int, Path]] = []
    for path in folder.iterdir():
        if path.suffix.casefold() in ENDINGS and not path.name.startswith("."):
            with suppress(FileNotFoundError):  # somebody has just taken it away
                state = path.lstat()
                if stat.S_ISREG(state.st_mode):
                    found.append((state.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Tell whether this process alone looks into a folder now. Raise OSError if it is away."""
    with (folder / LOCK).open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _put_away(path: Path, to: Path, report: dict[str, Any]) -> None:
    """Write the report, then move the file: a file that is moved has its report."""
    to.parent.mkdir(exist_ok=True)
    aside.write_report(to, report)
    path.replace(to)
