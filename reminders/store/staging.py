"""The staging area: a file's rows, kept apart until a person has said yes to their difference."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Delete,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    false,
    func,
    insert,
    select,
    union,
    update,
)

from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Consent
from reminders.store import doubts
from reminders.store.bulk import Values, insert_rows
from reminders.store.schema import appointment, clinic, patient
from reminders.store.schema_intake import (
    import_run,
    problem,
    staged_contact,
    staged_doubt,
    staged_visit,
)
from reminders.store.wishes import WISHES

_RUN: BindParameter[int] = bindparam("run")

_BEGIN = insert(import_run).returning(import_run.c.id)


def begin(
    conn: Connection,
    clinic_id: int,
    file_name: str,
    file_digest: str,
    exported_at: datetime,
    now: datetime,
    actor: str,
) -> int:
    """Open a new import; return its id."""
    run = {
        "clinic_id": clinic_id,
        "file_name": file_name,
        "file_digest": file_digest,
        "exported_at": exported_at,
        "started_at": now,
        "actor": actor,
    }
    run_id: int = conn.execute(_BEGIN, run).scalar_one()
    return run_id


VISIT = (
    "line", "ref", "kind", "video", "starts_at", "status",
    "patient_key", "birth_date", "protected", "own_login", "clinician",
)  # fmt: skip
CONTACT = (
    "line", "ref", "patient_key", "role", "place", "phone", "email",
    "language", "consent_sms", "consent_email", *WISHES,
)  # fmt: skip


def add(
    conn: Connection, run_id: int, visits: Sequence[Values], contacts: Sequence[Values]
) -> None:
    """Stage a chunk of rows, as VISIT and CONTACT order them."""
    for table, columns, rows in (
        (staged_visit, VISIT, visits),
        (staged_contact, CONTACT, contacts),
    ):
        insert_rows(conn, table, ("import_run_id", *columns), [(run_id, *row) for row in rows])


def add_problems(
    conn: Connection, run_id: int, clinic_id: int, rows: Sequence[Mapping[str, object]]
) -> None:
    """Keep the problems of a file. They are shown once the import is applied."""
    if rows:
        conn.execute(
            insert(problem),
            [{"import_run_id": run_id, "clinic_id": clinic_id, **row} for row in rows],
        )


def keys_after(conn: Connection, run_id: int, last: str, limit: int) -> list[str]:
    """Return the next patients of a file, and of its rows in doubt, in the order of their keys."""
    given = {"run": run_id, "last": last, "most": limit}
    return list(conn.execute(_KEYS_AFTER, given).scalars())


def _keys_after() -> Select[str]:
    parts = [
        select(table.c.patient_key.label("key"))
        .distinct()
        .where(table.c.import_run_id == _RUN, table.c.patient_key > bindparam("last"))
        .order_by(table.c.patient_key)
        .limit(bindparam("most"))
        .subquery()
        for table in (staged_visit, staged_doubt)
    ]
    keys = union(*(select(part.c.key) for part in parts)).subquery()
    return select(keys.c.key).order_by(keys.c.key).limit(bindparam("most"))


_KEYS_AFTER = _keys_after()


def has_patient(conn: Connection, run_id: int, key: str) -> bool:
    """Tell whether a file has a booking of this patient."""
    theirs = staged_visit.c.patient_key == key
    query = select(staged_visit.c.id).where(staged_visit.c.import_run_id == run_id, theirs)
    return conn.execute(query.limit(1)).first() is not None


def size(conn: Connection, run_id: int) -> int:
    """Return how many rows of a file are staged, and how many people in doubt."""
    return sum(conn.execute(count, {"run": run_id}).scalar_one() for count in _SIZE)


_SIZE = [
    select(func.count()).where(table.c.import_run_id == _RUN)
    for table in (staged_visit, staged_doubt)
]


def join_patients(conn: Connection, run_id: int) -> None:
    """Let a booking with a patient's key on one row only have it on all.

    Where no row tells it, a known booking stays its patient's.
    """
    for statement in (*_DECIDE_KINDS, *_JOIN_PATIENTS, *_LEAVE_WITH_THEIR_PATIENTS):
        conn.execute(statement, {"run": run_id})
    doubts.attribute(conn, run_id)


def _join(table: Table) -> Update:
    """Return what lets rows that do not tell whose a booking is be the patient's of another row."""
    other = staged_visit.alias()
    # Grouped once: asked of each row, the smallest key would be looked for among all of the file.
    named = (
        select(other.c.ref, func.min(other.c.patient_key).label("key"))
        .where(other.c.import_run_id == _RUN, other.c.patient_key.like("patient:%"))
        .group_by(other.c.ref)
        .subquery()
    )
    return (
        update(table)
        .where(table.c.import_run_id == _RUN, _nameless(table), table.c.ref == named.c.ref)
        .values(patient_key=named.c.key)
    )


def _nameless(table: Table) -> ColumnElement[bool]:
    return (table.c.patient_key >= "visit:") & (table.c.patient_key < "visit;")


def _decide_kinds() -> tuple[Delete, Delete]:
    """Return what lets a booking of several kinds be one: by video if that is booked, or alone.

    Nothing is decided by the rows of another kind where the row beside them cannot be read.
    """
    row, other = staged_visit.c, staged_visit.alias()
    ours = row.import_run_id == _RUN
    beside = select(other.c.id).where(other.c.import_run_id == _RUN, other.c.ref == row.ref)
    unread = select(problem.c.id).where(problem.c.import_run_id == _RUN, problem.c.ref == row.ref)
    booked = VisitStatus.BOOKED.value
    by_video = beside.where(other.c.video, other.c.status == booked).exists()
    off = (row.status != booked) & beside.where(other.c.video).exists()
    elsewhere = beside.where(~other.c.video).exists()
    return (
        delete(staged_visit).where(ours, ~row.video, by_video | off | unread.exists()),
        delete(staged_visit).where(ours, row.video, row.status != booked, elsewhere),
    )


def _leave_with_their_patients(table: Table, also: ColumnElement[bool]) -> Update:
    """Return what lets a known visit stay its patient's where its rows do not tell whose it is.

    The cell is empty or cannot be read, there is no such column, or the visit is no longer by
    video, and nothing is read that could tell it.
    """
    ours = select(import_run.c.clinic_id).where(import_run.c.id == _RUN).scalar_subquery()
    return (
        update(table)
        .where(
            table.c.import_run_id == _RUN,
            also | _nameless(table),
            appointment.c.clinic_id == ours,
            appointment.c.ref == table.c.ref,
            patient.c.id == appointment.c.patient_id,
            patient.c.external_key != table.c.patient_key,
        )
        .values(patient_key=patient.c.external_key)
    )


_DECIDE_KINDS = _decide_kinds()
_JOIN_PATIENTS = [_join(table) for table in (staged_contact, staged_visit)]
_LEAVE_WITH_THEIR_PATIENTS = [
    _leave_with_their_patients(staged_visit, ~staged_visit.c.video),
    _leave_with_their_patients(staged_contact, false()),
]


Progress = dict[str, Any]
"""How far a file has been applied: after which patient, how, and what has been counted."""


def no_progress(problems: int) -> Progress:
    """Return where applying begins."""
    return {"after": "", "problems": problems}


# Of what is given to it, the columns are set.
_THIS = update(import_run).where(import_run.c.id == _RUN)


def save_progress(conn: Connection, run_id: int, progress: Progress) -> None:
    """Keep how far a file has been applied."""
    conn.execute(_THIS, {"run": run_id, "applying": progress})


def progress(conn: Connection, run_id: int) -> tuple[str, Progress] | None:
    """Lock an import that is being applied; return its clinic and how far it has come."""
    row = conn.execute(
        select(clinic.c.key, import_run.c.applying)
        .join(clinic, clinic.c.id == import_run.c.clinic_id)
        .where(
            import_run.c.id == run_id,
            import_run.c.applied_at.is_(None),
            import_run.c.applying.is_not(None),
        )
        .with_for_update(of=import_run)
    ).first()
    return None if row is None else (row.key, row.applying)


def unfinished(conn: Connection) -> list[int]:
    """Return imports that are being applied, or were when their process ended."""
    query = select(import_run.c.id).where(
        import_run.c.applied_at.is_(None), import_run.c.applying.is_not(None)
    )
    return list(conn.execute(query).scalars())


_SPAN = select(
    func.min(staged_visit.c.starts_at, type_=staged_visit.c.starts_at.type),
    func.max(staged_visit.c.starts_at, type_=staged_visit.c.starts_at.type),
).where(staged_visit.c.import_run_id == _RUN)


def span(conn: Connection, run_id: int) -> tuple[datetime, datetime] | None:
    """Return the first and the last start in the file; None if it has none."""
    first, last = conn.execute(_SPAN, {"run": run_id}).one()
    return (first, last) if first is not None and last is not None else None


def said_yes(conn: Connection, run_id: int, actor: str) -> None:
    """Keep who applies an import: whoever reads it in may be somebody else."""
    conn.execute(_THIS, {"run": run_id, "actor": actor})


def applied(conn: Connection, run_id: int, counts: Mapping[str, object], now: datetime) -> None:
    """Mark an import as applied."""
    conn.execute(_THIS, {"run": run_id, "applied_at": now, "counts": dict(counts)})


Visit = Row[Any]
"""A staged visit."""


def visits_of(conn: Connection, run_id: int, refs: Sequence[str]) -> Mapping[str, Visit]:
    """Return the readable visit that a file has of each of these bookings."""
    rows = conn.execute(
        select(staged_visit)
        .where(
            staged_visit.c.import_run_id == run_id,
            staged_visit.c.ref.in_(list(refs)),
            staged_visit.c.video,
        )
        .order_by(staged_visit.c.line.desc())
    )
    return {row.ref: row for row in rows}


def roles_of(
    conn: Connection, run_id: int, lines: Sequence[int]
) -> Mapping[tuple[int, int | None], str]:
    """Return who the people of these lines are to their visits, by line and place."""
    rows = conn.execute(
        select(staged_contact.c.line, staged_contact.c.place, staged_contact.c.role).where(
            staged_contact.c.import_run_id == run_id, staged_contact.c.line.in_(list(lines))
        )
    )
    in_doubt = {(one.line, one.place): one.role for one in doubts.people_of(conn, run_id, lines)}
    return in_doubt | {(row.line, row.place): row.role for row in rows}


def put_person(
    conn: Connection,
    run_id: int,
    line: int,
    ref: str,
    role: str,
    place: int | None,
    addresses: Mapping[str, str],
) -> None:
    """Give one of a row's people right addresses; one who is not staged is added.

    It is the one of this `place` and role. What anybody else on the row has stays as it is. Of one
    who is added it counts what the row refuses, and all that it tells of that place.
    """
    found = conn.execute(
        update(staged_contact)
        .where(
            staged_contact.c.import_run_id == run_id,
            staged_contact.c.line == line,
            staged_contact.c.place == place,
            staged_contact.c.role == role,
        )
        .values(**addresses)
    )
    visit = visits_of(conn, run_id, [ref]).get(ref)
    if found.rowcount or visit is None:
        return
    person = {"line": line, "patient_key": visit.patient_key, "ref": ref}
    person |= {"role": role, "place": place, **_said_of(conn, run_id, line, place), **addresses}
    conn.execute(insert(staged_contact).values(import_run_id=run_id, **person))


_SAID = ("language", "consent_sms", "consent_email", *WISHES)


def _said_of(conn: Connection, run_id: int, line: int, place: int | None) -> Mapping[str, object]:
    """Return what a line says of the person at a place; of no place, what it refuses for all."""
    staged = select(staged_contact).where(
        staged_contact.c.import_run_id == run_id, staged_contact.c.line == line
    )
    people = [*doubts.people_of(conn, run_id, [line]), *conn.execute(staged).all()]
    here = [one for one in people if place is None or one.place == place]
    said = {name: getattr(here[0], name) for name in _SAID} if here else {}
    refused = Consent.REFUSED.value
    for name in ("consent_sms", "consent_email"):
        if any(getattr(one, name) == refused for one in here):
            said[name] = refused
    return said
