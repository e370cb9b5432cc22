"""Importing: stage a file, show what it would change and send, and apply it in one transaction.

The shortest path: rows → staging → `merge` for each patient → difference, or the writes. Until
`apply`, nothing that the planner or a patient could see has changed.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reminders.domain.contact import Channel
from reminders.domain.merge import Category, KnownVisit, PatientChange, merge
from reminders.engine import forecast
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.bookings import Format, Person, Problem, Row, read
from reminders.store import clinics, desk, imports, staging
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write

CHUNK = 500
ABANDONED_AFTER = timedelta(days=1)
_DAY = timedelta(days=1)

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be taken. `confirmations` None: yes, except in a clinic's first import."""

    full: bool = False
    cancel_missing: bool = False
    exported_at: datetime | None = None
    older_ok: bool = False
    strict: bool = False
    confirmations: bool | None = None


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
    counts: dict[Category, int] = field(default_factory=lambda: dict.fromkeys(Category, 0))
    moves: list[Move] = field(default_factory=list)
    cancellations: list[str] = field(default_factory=list)
    missing: list[imports.MissingVisit] = field(default_factory=list)
    cancels_missing: bool = False
    problems: list[Problem] = field(default_factory=list)
    sends: forecast.Forecast = field(default_factory=forecast.Forecast)
    applied: bool = False

    @property
    def changes_anything(self) -> bool:
        """Tell whether applying it would write anything but its problems."""
        return self.cancels_missing or any(self.counts[c] for c in imports.WRITTEN)


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that has been read whole, and waits for a yes."""

    run_id: int
    clinic: str
    problems: tuple[Problem, ...]
    confirmations: bool
    first_import: bool


def stage(
    runtime: Runtime,
    clinic_key: str,
    path: Path,
    options: Options,
    now: datetime,
    progress: Progress | None = None,
) -> Staged:
    """Read a file into the staging area, in short transactions.

    Raise RefusedFileError, with nothing changed, for a file that is not whole, is older than what
    was imported before, or (strict) has any problem.
    """
    digest = _file_digest(path)
    exported_at = options.exported_at or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    run_id, clinic_id, first = runtime.in_transaction(
        _begin, runtime, clinic_key, path.name, digest, exported_at, options, now
    )
    problems: list[Problem] = []
    try:
        reader = read(path, format_for(runtime, clinic_key), now, progress)
        for rows, faults in _chunks(reader):
            problems += faults
            runtime.in_transaction(_add, run_id, clinic_id, rows, faults, now)
        if options.strict:
            _refuse_problems(path.name, problems)
    except BaseException:
        runtime.in_transaction(staging.forget, run_id)
        raise
    confirmations = options.confirmations if options.confirmations is not None else not first
    return Staged(run_id, clinic_key, tuple(problems), confirmations, first)


def _refuse_problems(name: str, problems: list[Problem]) -> None:
    if problems:
        raise RefusedFileError(
            f"{name}: {len(problems)} rows have problems, and --strict was asked for.",
            tuple(problems),
        )


def _begin(
    conn: Connection,
    runtime: Runtime,
    clinic_key: str,
    name: str,
    digest: str,
    exported_at: datetime,
    options: Options,
    now: datetime,
) -> tuple[int, int, bool]:
    for run_id in staging.abandoned(conn, now - ABANDONED_AFTER):
        staging.forget(conn, run_id)
    clinic_id = clinics.clinic_id(conn, clinic_key)
    newest = imports.last_export(conn, clinic_id)
    if newest is not None and exported_at < newest and not options.older_ok:
        zone = runtime.clinic(clinic_key).zone
        raise RefusedFileError(
            f"{name}: this file was exported {exported_at.astimezone(zone):%Y-%m-%d %H:%M}, before"
            f" the one imported last ({newest.astimezone(zone):%Y-%m-%d %H:%M}). Import a newer"
            " export; if this one is right all the same, add --older-ok."
        )
    run_id = staging.begin(conn, clinic_id, name, digest, exported_at, now, runtime.actor)
    return run_id, clinic_id, newest is None


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RefusedFileError(f"{path}: cannot be read ({error.strerror}).") from None


def format_for(runtime: Runtime, clinic_key: str) -> Format:
    """Return how a clinic's files are to be read."""
    clinic = runtime.clinic(clinic_key)
    return Format(
        zone=clinic.zone,
        columns=clinic.imports.columns,
        video_kinds=clinic.imports.video_kinds,
        cancelled_words=clinic.imports.cancelled_words,
        region=clinic.imports.region,
        pseudonym=lambda number: runtime.digest(f"identity {clinic_key} {number}"),
    )


def _chunks(reader: Iterator[Row | Problem]) -> Iterator[tuple[list[Row], list[Problem]]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    for item in reader:
        if isinstance(item, Row):
            rows.append(item)
        else:
            problems.append(item)
        if len(rows) + len(problems) >= CHUNK:
            yield rows, problems
            rows, problems = [], []
    yield rows, problems


def _add(
    conn: Connection,
    run_id: int,
    clinic_id: int,
    rows: list[Row],
    problems: list[Problem],
    now: datetime,
) -> None:
    visits = [_visit_values(row) for row in rows]
    people = [_person_values(row, person) for row in rows if row.video for person in row.people]
    staging.add(conn, run_id, visits, people)
    values = [
        {
            "line": problem.line,
            "column": problem.column,
            "code": problem.code.value,
            "message": problem.message,
            "ref": problem.ref,
            "created_at": now,
        }
        for problem in problems
    ]
    staging.add_problems(conn, run_id, clinic_id, values)


def _patient_key(row: Row) -> str:
    """Return the patient's own key, or one that makes the booking stand for itself."""
    return f"patient:{row.patient_key}" if row.patient_key else f"visit:{row.ref}"


def _visit_values(row: Row) -> tuple[object, ...]:
    return (
        row.line,
        row.ref,
        row.kind,
        row.video,
        row.starts_at,
        row.status.value,
        _patient_key(row),
        row.birth_date,
        row.protected,
        row.own_login.value,
        row.clinician,
    )


def _person_values(row: Row, person: Person) -> tuple[object, ...]:
    sms, email = (person.consents.get(channel) for channel in (Channel.SMS, Channel.EMAIL))
    return (
        row.line,
        row.ref,
        _patient_key(row),
        person.role.value,
        person.phone,
        person.email,
        person.language,
        sms.value if sms else None,
        email.value if email else None,
    )


def look(runtime: Runtime, staged: Staged, options: Options, now: datetime) -> Difference:
    """Return what applying a staged file would change and send. Writes nothing."""
    with runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, staged.clinic)
        if clinic_id is None:
            raise RefusedFileError("The import is no longer there. Read the file again.")
        difference = _empty(staged)
        forecaster = forecast.Forecaster(conn, runtime, staged.clinic, now)
        for change in _changes(conn, runtime, staged, clinic_id, now):
            _count(difference, change)
            forecaster.add(change, confirm=staged.confirmations)
        _find_missing(conn, runtime, difference, clinic_id, options, now)
        if difference.cancels_missing:
            forecaster.add_cancelled([visit.id for visit in difference.missing])
        difference.sends = forecaster.result()
        return difference


def apply(runtime: Runtime, staged: Staged, options: Options, now: datetime) -> Difference:
    """Write what a staged file changes, in one transaction, and return it."""
    return runtime.in_transaction(_apply, runtime, staged, options, now)


def _apply(
    conn: Connection, runtime: Runtime, staged: Staged, options: Options, now: datetime
) -> Difference:
    clinic_id = clinics.clinic_id(conn, staged.clinic)
    difference = _empty(staged)
    facts: list[Fact] = []
    changes = list(_changes(conn, runtime, staged, clinic_id, now))
    for change in changes:
        _count(difference, change)
    written = imports.write_patients(conn, clinic_id, changes, now, confirm=staged.confirmations)
    for visit_id, category in written:
        detail = {"import": staged.run_id, "as": category.value}
        facts.append(Fact("imported", visit_id, None, detail))
    _find_missing(conn, runtime, difference, clinic_id, options, now)
    if difference.cancels_missing:
        ids = [visit.id for visit in difference.missing]
        desk.cancel_visits(conn, ids, now)
        facts += [Fact("missing_cancelled", i, None, {"import": staged.run_id}) for i in ids]
    imports.settle_problems(conn, clinic_id, staged.run_id, now)
    counts = {category.value: number for category, number in difference.counts.items()}
    counts["problems"] = len(staged.problems)
    counts["missing"] = len(difference.missing)
    staging.applied(conn, staged.run_id, counts, now)
    staging.clear(conn, staged.run_id)
    write(conn, now, runtime.actor, facts)
    difference.applied = True
    return difference


def forget(runtime: Runtime, staged: Staged) -> None:
    """Throw a staged file away."""
    runtime.in_transaction(staging.forget, staged.run_id)


def _empty(staged: Staged) -> Difference:
    return Difference(
        run_id=staged.run_id,
        clinic=staged.clinic,
        confirmations=staged.confirmations,
        first_import=staged.first_import,
        problems=list(staged.problems),
    )


def _changes(
    conn: Connection, runtime: Runtime, staged: Staged, clinic_id: int, now: datetime
) -> Iterator[PatientChange]:
    default = runtime.clinic(staged.clinic).imports.default_consent
    keys = staging.patient_keys(conn, staged.run_id)
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        incoming = staging.load(conn, staged.run_id, chunk)
        known = imports.known_patients(conn, clinic_id, chunk)
        refs = [visit.ref for patient in incoming for visit in patient.visits]
        visits = _known_visits(conn, clinic_id, refs)
        for patient in incoming:
            yield merge(patient, known.get(patient.key), visits, default, now)


def _known_visits(conn: Connection, clinic_id: int, refs: list[str]) -> Mapping[str, KnownVisit]:
    found: dict[str, KnownVisit] = {}
    for start in range(0, len(refs), CHUNK):
        found.update(imports.known_visits(conn, clinic_id, refs[start : start + CHUNK]))
    return found


def _count(difference: Difference, change: PatientChange) -> None:
    for visit in change.visits:
        difference.counts[visit.category] += 1
        if visit.category is Category.MOVED and visit.known:
            move = Move(visit.visit.ref, visit.known.truth.starts_at, visit.visit.truth.starts_at)
            difference.moves.append(move)
        elif visit.category is Category.CANCELLED:
            difference.cancellations.append(visit.visit.ref)


def _find_missing(
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
    zone = runtime.clinic(difference.clinic).zone
    first = span[0].astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    last = span[1].astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    end = datetime.combine(last.date() + _DAY, last.time(), zone)
    since = max(first.astimezone(UTC), now)
    difference.missing = imports.missing(
        conn, clinic_id, difference.run_id, since, end.astimezone(UTC)
    )
    nameless = [problem.line for problem in difference.problems if problem.ref is None]
    if options.cancel_missing and nameless:
        raise RefusedFileError(
            f"Line {nameless[0]} has no readable booking reference, so it is not known which"
            " bookings are missing. Correct the file, or import it without --cancel-missing."
        )
    difference.cancels_missing = options.cancel_missing and bool(difference.missing)
