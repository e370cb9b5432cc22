"""What a staged file would change: each patient of it against what is known."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reminders.domain.brought import (
    NOBODY,
    Category,
    IncomingVisit,
    KnownVisit,
    PatientChange,
    VisitChange,
)
from reminders.domain.merge import merge
from reminders.engine import forecast, former
from reminders.engine.fingerprint import Fingerprint
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.bookings import Problem, ProblemCode
from reminders.intake.columns import Field, PersonColumns
from reminders.store import besides, import_pages, imports, incoming, staging
from reminders.store.database import Connection
from reminders.store.import_changes import Change
from reminders.store.zeros import NONE_AGAIN, Recognised

CHUNK = 500
MOST_LISTED = 200
"""So many visits are listed of each kind of change: a first file has all of a clinic's."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be taken. `confirmations` None: yes, if the clinic has bookings already."""

    full: bool = False
    cancel_missing: bool = False
    exported_at: datetime | None = None
    older_ok: bool = False
    strict: bool = False
    confirmations: bool | None = None
    cancel_only: frozenset[str] | None = None
    """Of the missing bookings, those to cancel; None: all, if `cancel_missing`."""


@dataclass(frozen=True, slots=True)
class Move:
    """A visit with a new time. Both are in UTC."""

    ref: str
    before: datetime
    after: datetime


@dataclass(slots=True)
class Difference:
    """What a file would change, or has changed, and what will be sent for it."""

    run_id: int
    clinic: str
    confirmations: bool
    first_import: bool
    unread: tuple[str, ...] = ()
    """The file's columns that are not read."""
    assumed: tuple[Field, ...] = ()
    """What no column tells: KIND, all are taken for video visits; STATUS, for booked."""
    file_time: datetime | None = None
    """The file's own time on the disk, where that is yet to come: it is taken as exported now."""
    of_anybody: tuple[int, ...] = ()
    """Lines that tell of nobody in particular: no contact of anybody's goes because of them."""
    known_again: Recognised = NONE_AGAIN
    """How many references and patient numbers are read as known ones with other zeros."""
    counts: dict[Category, int] = field(default_factory=lambda: dict.fromkeys(Category, 0))
    renumbered: int = 0
    """So many are the same patient's as before, under another number."""
    passed: int = 0
    """So many go from one patient to another."""
    twins: int = 0
    """So many new ones are at a time at which the patient has another."""
    first: dict[Category, list[Change]] = field(default_factory=lambda: defaultdict(list))
    """Of each kind of change the first MOST_LISTED visits."""
    moved: list[tuple[int, Move]] = field(default_factory=list)
    cancelled: list[tuple[int, str]] = field(default_factory=list)
    kept: list[tuple[int, str]] = field(default_factory=list)
    missing: list[besides.MissingVisit] = field(default_factory=list)
    cancels_missing: bool = False
    cancel_only: frozenset[str] | None = None
    problems: list[Problem] = field(default_factory=list)
    sends: forecast.Forecast = field(default_factory=forecast.Forecast)
    missing_sends: forecast.Forecast = field(default_factory=forecast.Forecast)
    """What cancelling all the missing bookings would send besides."""
    changes_mark: str = ""
    """A digest of all that is shown but what time alone can make untrue."""
    fingerprint: str = ""
    """A digest of all that is shown: the same one means that nothing of it has changed."""
    applied: bool = False

    @classmethod
    def empty(cls, staged: "Staged") -> "Difference":
        """Return a difference to which nothing has been counted."""
        return cls(
            run_id=staged.run_id,
            clinic=staged.clinic,
            confirmations=staged.confirmations,
            first_import=staged.first_import,
            unread=staged.unread,
            assumed=staged.assumed,
            file_time=staged.file_time,
            of_anybody=staged.of_anybody,
            known_again=staged.known_again,
            problems=list(staged.problems),
        )

    def count(self, change: PatientChange) -> None:
        """Count what becomes of one patient's bookings."""
        for visit in change.visits:
            self.counts[visit.category] += 1
            self._list(visit)
            if visit.category in imports.WRITTEN:
                self.renumbered += visit.renumbered
                self.passed += visit.passed
                self.twins += visit.twin
            new, known = visit.visit, visit.known
            if visit.category is Category.MOVED and known:
                move = Move(new.ref, known.truth.starts_at, new.truth.starts_at)
                self.moved.append((new.line, move))
            elif visit.category is Category.CANCELLED:
                self.cancelled.append((new.line, new.ref))
            elif visit.category is Category.KEPT:
                self.kept.append((new.line, new.ref))

    def _list(self, visit: VisitChange) -> None:
        there = self.first[visit.category]
        if visit.category is Category.UNCHANGED or len(there) >= MOST_LISTED:
            return
        now = visit.visit.truth.starts_at
        before = visit.known.truth.starts_at if visit.known else None
        moved = visit.category is Category.MOVED
        at = before if visit.category is Category.CANCELLED and before else now
        there.append(Change(visit.visit.ref, at, before if moved else None))

    def add(self, part: "Difference") -> None:
        """Add what a part of the file has changed."""
        for category, number in part.counts.items():
            self.counts[category] += number
        self.renumbered += part.renumbered
        self.passed += part.passed
        self.twins += part.twins
        self.moved += part.moved
        self.cancelled += part.cancelled
        self.kept += part.kept
        self.missing += part.missing
        self.cancels_missing = self.cancels_missing or part.cancels_missing
        self.applied = part.applied

    @property
    def cancelling(self) -> list[besides.MissingVisit]:
        """Return the missing bookings that are cancelled."""
        only = self.cancel_only
        return [v for v in self.missing if self.cancels_missing and (only is None or v.ref in only)]

    def mark(self, seen: Fingerprint) -> str:
        """Return the digest of what has been seen of the file, and of the whole."""
        seen.add([visit.ref for visit in self.missing])
        seen.add([(p.line, p.column, p.code) for p in self.problems])
        seen.add((self.confirmations, self.of_anybody))
        return seen.digest()

    @property
    def moves(self) -> list[Move]:
        """Return the visits that get a new time, in the file's order."""
        return [move for _, move in sorted(self.moved, key=lambda item: item[0])]

    @property
    def cancellations(self) -> list[str]:
        """Return the references of visits that are cancelled, in the file's order."""
        return [ref for _, ref in sorted(self.cancelled)]

    @property
    def kept_refs(self) -> list[str]:
        """Return the references of visits that stay as staff have put them, in the file's order."""
        return [ref for _, ref in sorted(self.kept)]

    @property
    def changes_anything(self) -> bool:
        """Tell whether applying it would write anything but its problems."""
        return self.cancels_missing or any(self.counts[c] for c in imports.WRITTEN)


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that has been read whole, and waits for a yes.

    `first_import`: the clinic has no bookings yet.
    """

    run_id: int
    clinic: str
    problems: tuple[Problem, ...]
    confirmations: bool
    first_import: bool
    unread: tuple[str, ...] = ()
    assumed: tuple[Field, ...] = ()
    file_time: datetime | None = None
    people: tuple[PersonColumns, ...] = ()
    """Whose addresses its columns have."""
    of_anybody: tuple[int, ...] = ()
    """Lines that may tell of anybody at all."""
    known_again: Recognised = NONE_AGAIN
    """Names that are read as known ones with other zeros."""


def changes_of(
    conn: Connection, runtime: Runtime, staged: Staged, clinic_id: int, now: datetime
) -> Iterator[PatientChange]:
    """Yield what the file changes for each of its patients, in the order of their keys."""
    last = ""
    while keys := staging.keys_after(conn, staged.run_id, last, CHUNK):
        yield from changes_for(conn, runtime, staged, clinic_id, keys, now)
        last = keys[-1]


def changes_for(
    conn: Connection,
    runtime: Runtime,
    staged: Staged,
    clinic_id: int,
    keys: Sequence[str],
    now: datetime,
) -> Iterator[PatientChange]:
    """Yield what the file changes for these patients."""
    default = runtime.clinic(staged.clinic).imports.default_consent
    practice = runtime.practices[staged.clinic]
    brought = incoming.load(conn, staged.run_id, keys)
    exported_at = imports.exported_at(conn, staged.run_id)
    known = imports.known_patients(conn, clinic_id, keys, exported_at)
    refs = [visit.ref for patient in brought for visit in patient.visits]
    visits = _known_visits(conn, clinic_id, refs, exported_at)
    was = former.find(conn, staged.run_id, brought, known, visits, exported_at)
    changes = [
        merge(
            patient,
            known.get(patient.key),
            visits,
            default,
            now,
            was.get(patient.key, NOBODY),
            lambda born: practice.own_login(born, now),
        )
        for patient in brought
        if patient.visits or patient.key in known
    ]
    heard_on = {patient.key: patient.heard_on for patient in brought if patient.heard_on}
    yield from _with_twins(
        conn, staged.run_id, _with_unread(conn, staged.run_id, changes, heard_on, now), now
    )


def _with_twins(
    conn: Connection, run_id: int, found: Iterable[PatientChange], now: datetime
) -> Iterator[PatientChange]:
    """Yield the changes, in which a new visit knows that the patient has another at its time."""
    changes = list(found)
    ids = [c.id for c in changes if c.id is not None and any(map(_is_new, c.visits))]
    others = besides.coming(conn, run_id, ids, now) if ids else {}
    for change in changes:
        booked = [v.visit.truth for v in change.visits if v.category not in _NOT_HERE]
        booked += [visit.truth for visit in others.get(change.id or 0, {}).values()]
        times = Counter(truth.starts_at for truth in booked)
        if len(times) == len(booked):
            yield change
            continue
        visits = (
            replace(v, twin=_is_new(v) and times[v.visit.truth.starts_at] > 1)
            for v in change.visits
        )
        yield replace(change, visits=tuple(visits))


_NOT_HERE = frozenset({Category.CANCELLED, Category.IGNORED, Category.HELD_BACK, Category.KEPT})


def _is_new(change: VisitChange) -> bool:
    return change.category is Category.NEW and change.known is None


def _with_unread(
    conn: Connection,
    run_id: int,
    changes: Sequence[PatientChange],
    heard_on: Mapping[str, int],
    now: datetime,
) -> Iterator[PatientChange]:
    """Yield the changes, with the visits of which the file tells only that something is otherwise.

    That is those to come of a patient who is changed by a row that cannot be taken.
    """
    ids = [c.id for c in changes if c.id is not None and c.differs and c.key in heard_on]
    unread = besides.coming(conn, run_id, ids, now) if ids else {}
    for change in changes:
        more = tuple(
            VisitChange(Category.UPDATED, _as_known(ref, visit, heard_on[change.key]), visit)
            for ref, visit in unread.get(change.id or 0, {}).items()
        )
        yield replace(change, visits=(*change.visits, *more)) if more else change


def _as_known(ref: str, visit: KnownVisit, line: int) -> IncomingVisit:
    return IncomingVisit(ref, line, visit.kind, True, visit.truth, visit.clinician)


def _known_visits(
    conn: Connection, clinic_id: int, refs: list[str], exported_at: datetime
) -> Mapping[str, KnownVisit]:
    found: dict[str, KnownVisit] = {}
    for start in range(0, len(refs), CHUNK):
        found.update(
            imports.known_visits(conn, clinic_id, refs[start : start + CHUNK], exported_at)
        )
    return found


def whole_days(first: datetime, last: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when the day of the first begins, and that of the last ends (UTC)."""
    day, end = first.astimezone(zone).date(), last.astimezone(zone).date() + _DAY
    begins, ends = (datetime.combine(one, time(), zone) for one in (day, end))
    return begins.astimezone(UTC), ends.astimezone(UTC)


def find_missing(
    conn: Connection,
    runtime: Runtime,
    difference: Difference,
    clinic_id: int,
    options: Options,
    now: datetime,
) -> None:
    """List the bookings that a full file lacks, within the days it covers and from now on."""
    span = staging.span(conn, difference.run_id)
    if span is None or not (options.full or options.cancel_missing):
        return
    first, end = whole_days(*span, runtime.clinic(difference.clinic).zone)
    difference.missing = besides.missing(conn, clinic_id, difference.run_id, max(first, now), end)
    nameless = _nameless(conn, difference, clinic_id) if options.cancel_missing else []
    if nameless:
        raise RefusedFileError(
            "Line %(line)s has no readable booking reference, so it is not known which bookings are"
            " missing. Correct the file, or import it without cancelling those that are missing"
            " (--cancel-missing).",
            tuple(nameless),
            line=nameless[0].line,
        )
    difference.cancels_missing = options.cancel_missing and bool(difference.missing)
    difference.cancel_only = options.cancel_only


def _nameless(conn: Connection, difference: Difference, clinic_id: int) -> list[Problem]:
    """Return the problems of rows of which it is not known which booking they are of.

    Where the cells of a row cannot be told apart, that is any with a reference that is not known.
    """
    broken = [p.ref for p in difference.problems if p.ref and p.code is ProblemCode.BROKEN_ROW]
    known = import_pages.known_refs(conn, clinic_id, broken) if broken else set[str]()
    return [
        problem
        for problem in difference.problems
        if problem.ref is None
        or (problem.code is ProblemCode.BROKEN_ROW and problem.ref not in known)
    ]
