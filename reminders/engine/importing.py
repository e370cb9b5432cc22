"""Importing: stage a file, show what it would change and send, and apply it in one transaction.

The shortest path: rows → staging → `merge` for each patient → difference, or the writes. Until
`apply`, nothing that the planner or a patient could see has changed.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from pathlib import Path

from reminders.domain.brought import NAMELESS
from reminders.domain.contact import Channel, canonical
from reminders.engine import forecast
from reminders.engine.applying import apply_some, apply_whole, begin_parts, has_many
from reminders.engine.contradictions import birth_dates
from reminders.engine.difference import Difference, Move, Options, Staged, changes_of, find_missing
from reminders.engine.exported import digest_of, export_of, refuse_older, spelled
from reminders.engine.fingerprint import DifferenceChangedError, Fingerprint
from reminders.engine.over import without_over
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.bookings import Columns, Doubt, Format, Item, Person, Problem, Row, read
from reminders.interrupts import held
from reminders.store import clearing, clinics, doubts, imports, staging, statistics
from reminders.store import problems as store
from reminders.store.database import Connection
from reminders.store.problems import Mark, PutRight
from reminders.store.wishes import wish_values
from reminders.store.zeros import NONE_AGAIN, Recognised, recognise

__all__ = [
    "Difference",
    "HowFar",
    "Move",
    "Options",
    "Staged",
    "apply",
    "forget",
    "how_far",
    "look",
    "resume",
    "stage",
]

CHUNK = 2000
STRICT = "%(name)s: %(count)s rows have problems, and --strict was asked for."
STRICT_ONE = "%(name)s: %(count)s row has problems, and --strict was asked for."

HURRIED = 2
"""So many interrupts leave the rest of a large file to whoever goes on with it."""

Progress = Callable[[float], None]


class HowFar(Enum):
    """How far applying a file has come. What is begun goes on, whoever does it."""

    NOT_BEGUN = auto()
    BEGUN = auto()
    APPLIED = auto()


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
    digest = digest_of(path)
    name = spelled(path.name)
    exported = export_of(path, options.exported_at, runtime.clinic(clinic_key).zone, now)
    run_id, clinic_id, first = runtime.in_transaction(
        _begin, runtime, clinic_key, name, digest, exported.at, options, now
    )
    problems: list[Problem] = []
    seen: list[Columns] = []
    form = format_for(runtime, clinic_key)
    try:
        for chunk in _chunks(read(path, form, now, progress, seen.append)):
            problems += _keep(runtime, run_id, clinic_id, chunk, now)
        known_again, of_anybody = runtime.in_transaction(_attributed, run_id, clinic_id)
        with runtime.database.reading() as conn:
            torn = birth_dates(conn, run_id, seen[0], form.seal)
        if torn:
            problems += _keep(runtime, run_id, clinic_id, torn, now)
            problems.sort(key=lambda problem: problem.line)
        if options.strict:
            _refuse_problems(name, problems)
    except BaseException:
        with held():
            _throw_away(runtime, run_id)
        raise
    confirmations = options.confirmations if options.confirmations is not None else not first
    return Staged(
        run_id,
        clinic_key,
        tuple(problems),
        confirmations,
        first,
        unread=tuple(name for columns in seen for name in columns.unread),
        assumed=tuple(field for columns in seen for field in columns.assumed),
        file_time=exported.file_time,
        people=tuple(person for columns in seen for person in columns.people),
        of_anybody=tuple(of_anybody),
        known_again=known_again,
    )


def _keep(
    runtime: Runtime, run_id: int, clinic_id: int, chunk: Sequence[Item], now: datetime
) -> list[Problem]:
    """Stage a chunk of a file; return its problems without those put right in the same rows."""
    with runtime.database.reading() as conn:
        items = without_over(conn, clinic_id, chunk, now)
        faults = [one for one in items if isinstance(one, Problem)]
        again = store.put_right(conn, clinic_id, [mark_of(one) for one in faults])
    runtime.in_step(add_rows, run_id, clinic_id, items, now, again)
    return [one for one in faults if mark_of(one) not in again]


def _attributed(conn: Connection, run_id: int, clinic_id: int) -> tuple[Recognised, list[int]]:
    """Find out which booking and whose each row is; return the lines that may be anybody's."""
    if has_many(conn, run_id):
        statistics.renew(conn, statistics.STAGED)
    known = imports.has_visits(conn, clinic_id)
    known_again = recognise(conn, run_id, clinic_id) if known else NONE_AGAIN
    staging.join_patients(conn, run_id)
    return known_again, doubts.anybodys(conn, run_id)


def _refuse_problems(name: str, problems: list[Problem]) -> None:
    if problems:
        sentence = STRICT_ONE if len(problems) == 1 else STRICT
        raise RefusedFileError(sentence, tuple(problems), name=name, count=len(problems))


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
    for run_id in clearing.abandoned(conn, now):
        clearing.forget(conn, run_id)
    clinic_id = clinics.clinic_id(conn, clinic_key)
    if not options.older_ok:
        refuse_older(conn, clinic_id, name, exported_at, runtime.clinic(clinic_key).zone)
    run_id = staging.begin(conn, clinic_id, name, digest, exported_at, now, runtime.actor)
    return run_id, clinic_id, not imports.has_visits(conn, clinic_id)


def format_for(runtime: Runtime, clinic_key: str) -> Format:
    """Return how a clinic's files are to be read."""
    clinic = runtime.clinic(clinic_key)
    return Format(
        zone=clinic.zone,
        columns=clinic.imports.columns,
        video_kinds=clinic.imports.video_kinds,
        booked_words=clinic.imports.booked_words,
        cancelled_words=clinic.imports.cancelled_words,
        region=clinic.imports.region,
        own_from_age=clinic.eid.own_from_age,
        pseudonym=lambda number: runtime.digest(f"identity {clinic_key} {number}"),
        seal=lambda row: runtime.digest(f"row {clinic_key} {row}"),
    )


def _chunks(reader: Iterator[Item]) -> Iterator[list[Item]]:
    """Yield what the reader finds, a chunk at a time. What a record comes to stays together."""
    chunk: list[Item] = []
    for item in reader:
        if len(chunk) >= CHUNK and item.line != chunk[-1].line:
            yield chunk
            chunk = []
        chunk.append(item)
    yield chunk


def add_rows(
    conn: Connection,
    run_id: int,
    clinic_id: int,
    items: Sequence[Item],
    now: datetime,
    again: Collection[Mark] = (),
) -> None:
    """Stage a chunk of a file. `again`: problems that have been put right, in the same rows."""
    rows = [item for item in items if isinstance(item, Row)]
    visits = [_visit_values(row) for row in rows]
    people = [_person_values(row, person) for row in rows if row.video for person in row.people]
    staging.add(conn, run_id, visits, people)
    heard = [values for one in items if isinstance(one, Doubt) for values in _doubt_values(one)]
    doubts.add(conn, run_id, heard)
    values = [
        {
            "line": problem.line,
            "column": problem.column,
            "code": problem.code.value,
            "message": problem.message,
            "ref": problem.ref,
            "starts_at": problem.starts_at,
            "created_at": now,
            "row_key": problem.row_key or None,
            "put_right": PutRight.BEFORE.value if mark_of(problem) in again else None,
            "solved_at": now if mark_of(problem) in again else None,
        }
        for problem in items
        if isinstance(problem, Problem)
    ]
    staging.add_problems(conn, run_id, clinic_id, values)


def mark_of(problem: Problem) -> Mark:
    """Return what the problem is known by, if the same row comes again."""
    return problem.ref or "", problem.column or "", problem.code.value, problem.row_key


def _patient_key(row: Row) -> str:
    """Return the patient's own key, or one that makes the booking stand for itself."""
    return f"patient:{row.patient_key}" if row.patient_key else f"{NAMELESS}{row.ref}"


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
    key = _patient_key(row)
    return (row.line, row.ref, key, person.role.value, person.place, *_said(person))


def _said(person: Person) -> tuple[object, ...]:
    sms, email = (person.consents.get(channel) for channel in (Channel.SMS, Channel.EMAIL))
    return (
        person.phone,
        person.email,
        person.language,
        sms.value if sms else None,
        email.value if email else None,
        *wish_values(person.wishes).values(),
    )


def _doubt_values(doubt: Doubt) -> Iterator[tuple[object, ...]]:
    """Yield a row for each of the people, or one without anybody."""
    key = None
    if doubt.patient_key is not None:
        key = f"patient:{doubt.patient_key}"
    elif doubt.ref is not None and not doubt.whose_unread:
        key = f"{NAMELESS}{doubt.ref}"
    about = (doubt.line, doubt.ref, key, doubt.starts_at)
    row = (*about, doubt.unread, doubt.protected, doubt.anyone)
    for person in doubt.people:
        email = canonical(person.email) if person.email else person.email
        yield (*row, person.place, person.role.value, *_said(replace(person, email=email)))
    if not doubt.people:
        yield (*row, *[None] * len(doubts.PERSON))


def look(runtime: Runtime, staged: Staged, options: Options, now: datetime) -> Difference:
    """Return what applying a staged file would change and send. Writes nothing."""
    with runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, staged.clinic)
        if clinic_id is None:
            raise RefusedFileError("The import is no longer there. Read the file again.")
        difference = Difference.empty(staged)
        forecaster = forecast.Forecaster(conn, runtime, staged.clinic, now)
        seen = Fingerprint(conn, clinic_id)
        for change in changes_of(conn, runtime, staged, clinic_id, now):
            difference.count(change)
            seen.add(change)
            forecaster.add(change, confirm=staged.confirmations)
        find_missing(conn, runtime, difference, clinic_id, options, now)
        sends = forecaster.result().mark(now)
        if difference.cancels_missing:
            forecaster.add_cancelled([visit.id for visit in difference.cancelling])
        elif difference.missing:
            besides = forecast.Forecaster(conn, runtime, staged.clinic, now)
            besides.add_cancelled([visit.id for visit in difference.missing])
            difference.missing_sends = besides.result()
        difference.sends = forecaster.result()
        difference.changes_mark = difference.mark(seen)
        seen.add(sends)
        difference.fingerprint = seen.digest()
        return difference


def apply(
    runtime: Runtime,
    staged: Staged,
    options: Options,
    now: datetime,
    expected: str | None = None,
) -> Difference:
    """Write what a staged file changes, and return it.

    `expected` is the fingerprint of what was shown. Raise DifferenceChangedError, with nothing
    written, if it is no longer that (a large file: when its first part is about to be written),
    be it that somebody has changed something or that time has gone on.

    In one transaction; a large file in many short ones, which hold up no sending. Once these have
    begun they go on to the end: an interrupt waits. The second one is heeded between two of them;
    that, and a process that dies, leaves the rest to the next one (`resume`).
    """
    mark = None if expected is None else _as_shown(runtime, staged, options, now, expected)
    if not is_large(runtime, staged):
        return runtime.in_transaction(apply_whole, runtime, staged, options, now, mark)
    done = Difference.empty(staged)
    with held() as interrupts:
        runtime.in_transaction(begin_parts, runtime, staged, options, now)
        while not done.applied and interrupts.count < HURRIED:
            done.add(runtime.in_step(apply_some, runtime, staged.run_id, now))
        if done.applied:
            _clear(runtime, staged.run_id)
    return done


def _as_shown(
    runtime: Runtime, staged: Staged, options: Options, now: datetime, expected: str
) -> str:
    """Return the mark of the changes, which are still as they were shown.

    What would be sent is worked out anew before anything is locked. Raise DifferenceChangedError.
    """
    found = look(runtime, staged, options, now)
    if found.fingerprint != expected:
        raise DifferenceChangedError
    return found.changes_mark


def is_large(runtime: Runtime, staged: Staged) -> bool:
    """Tell whether a file is applied in many transactions, and not in one."""
    with runtime.database.reading() as conn:
        return has_many(conn, staged.run_id)


def how_far(runtime: Runtime, staged: Staged) -> HowFar:
    """Return how far applying a staged file has come."""
    with runtime.database.reading() as conn:
        if imports.counts_of(conn, staged.run_id) is not None:
            return HowFar.APPLIED
        begun = staged.run_id in staging.unfinished(conn)
    return HowFar.BEGUN if begun else HowFar.NOT_BEGUN


def resume(runtime: Runtime, now: datetime) -> None:
    """Go on with imports whose process ended while it applied them."""
    for run_id in runtime.in_transaction(staging.unfinished):
        while not runtime.in_step(apply_some, runtime, run_id, now).applied:
            pass
        _clear(runtime, run_id)


def forget(runtime: Runtime, staged: Staged) -> None:
    """Throw a staged file away, unless it is being applied, or has been."""
    if how_far(runtime, staged) is HowFar.NOT_BEGUN:
        _throw_away(runtime, staged.run_id)


def _throw_away(runtime: Runtime, run_id: int) -> None:
    _clear(runtime, run_id)
    runtime.in_transaction(clearing.forget, run_id)


def _clear(runtime: Runtime, run_id: int) -> None:
    while runtime.in_step(clearing.clear_some, run_id):
        pass
