"""The staging area: a file's rows, kept apart until a person has said yes to their difference."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from reminders.domain.appointment import OwnLogin, Truth, VisitStatus
from reminders.domain.contact import Channel, Consent, Role
from reminders.domain.merge import IncomingPatient, IncomingPerson, IncomingVisit
from reminders.store.bulk import Values, insert_rows
from reminders.store.schema import import_run, problem, staged_contact, staged_visit

_RUN_TABLES = (staged_contact, staged_visit)


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
    run_id: int = conn.execute(
        insert(import_run)
        .values(
            clinic_id=clinic_id,
            file_name=file_name,
            file_digest=file_digest,
            exported_at=exported_at,
            started_at=now,
            actor=actor,
        )
        .returning(import_run.c.id)
    ).scalar_one()
    return run_id


VISIT = (
    "line", "ref", "kind", "video", "starts_at", "status",
    "patient_key", "birth_date", "protected", "own_login", "clinician",
)  # fmt: skip
CONTACT = (
    "line", "ref", "patient_key", "role", "phone", "email",
    "language", "consent_sms", "consent_email",
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


def clear(conn: Connection, run_id: int) -> None:
    """Empty the staging area of an import that has been applied."""
    for table in _RUN_TABLES:
        conn.execute(delete(table).where(table.c.import_run_id == run_id))


def forget(conn: Connection, run_id: int) -> None:
    """Remove an import that was not applied, with all that it staged."""
    clear(conn, run_id)
    conn.execute(delete(problem).where(problem.c.import_run_id == run_id))
    conn.execute(delete(import_run).where(import_run.c.id == run_id))


def abandoned(conn: Connection, before: datetime) -> list[int]:
    """Return imports begun before `before` and never applied: their process is gone."""
    query = select(import_run.c.id).where(
        import_run.c.applied_at.is_(None), import_run.c.started_at < before
    )
    return list(conn.execute(query).scalars())


def patient_keys(conn: Connection, run_id: int) -> list[str]:
    """Return the patients of a file, in the order of their first line."""
    query = (
        select(staged_visit.c.patient_key)
        .where(staged_visit.c.import_run_id == run_id)
        .group_by(staged_visit.c.patient_key)
        .order_by(func.min(staged_visit.c.line))
    )
    return list(conn.execute(query).scalars())


def load(conn: Connection, run_id: int, keys: Sequence[str]) -> list[IncomingPatient]:
    """Return all that the file says of these patients, in the order of `keys`."""
    visits: dict[str, dict[str, Row[tuple[object, ...]]]] = defaultdict(dict)
    for row in conn.execute(
        select(staged_visit)
        .where(staged_visit.c.import_run_id == run_id, staged_visit.c.patient_key.in_(keys))
        .order_by(staged_visit.c.line)
    ):
        visits[row.patient_key].setdefault(row.ref, row)
    people: dict[str, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in conn.execute(
        select(staged_contact)
        .where(staged_contact.c.import_run_id == run_id, staged_contact.c.patient_key.in_(keys))
        .order_by(staged_contact.c.line, staged_contact.c.id)
    ):
        people[row.patient_key].append(row)
    doubtful = set(
        conn.execute(
            select(staged_visit.c.patient_key)
            .join(
                problem,
                (problem.c.import_run_id == run_id) & (problem.c.ref == staged_visit.c.ref),
            )
            .where(staged_visit.c.import_run_id == run_id, staged_visit.c.patient_key.in_(keys))
        ).scalars()
    )
    return [
        _patient(key, list(visits[key].values()), people[key], doubtful=key in doubtful)
        for key in keys
        if key in visits
    ]


def _patient(
    key: str,
    visits: Sequence[Row[tuple[object, ...]]],
    people: Sequence[Row[tuple[object, ...]]],
    *,
    doubtful: bool,
) -> IncomingPatient:
    said = [row.protected for row in visits if row.protected is not None]
    logins = [OwnLogin(row.own_login) for row in visits]
    return IncomingPatient(
        key=key,
        birth_date=next((row.birth_date for row in visits if row.birth_date), None),
        protected=any(said) if said else None,
        own_login=next((x for x in logins if x is not OwnLogin.UNKNOWN), OwnLogin.UNKNOWN),
        visits=tuple(
            IncomingVisit(
                row.ref,
                row.line,
                row.kind,
                row.video,
                Truth(row.starts_at, VisitStatus(row.status)),
                row.clinician,
            )
            for row in visits
        ),
        people=_people(people),
        doubtful=doubtful,
    )


def _people(rows: Sequence[Row[tuple[object, ...]]]) -> tuple[IncomingPerson, ...]:
    """Return each person once; a consent refused on any line is refused."""
    merged: dict[tuple[object, ...], IncomingPerson] = {}
    for row in rows:
        place = (row.role, row.phone, row.email)
        consents = {
            channel: Consent(value)
            for channel, value in (
                (Channel.SMS, row.consent_sms),
                (Channel.EMAIL, row.consent_email),
            )
            if value
        }
        before = merged.get(place)
        if before is not None:
            refused = {
                channel: Consent.REFUSED
                for said in (before.consents, consents)
                for channel, consent in said.items()
                if consent is Consent.REFUSED
            }
            consents = {**before.consents, **consents, **refused}
        merged[place] = IncomingPerson(
            Role(row.role),
            row.phone,
            row.email,
            row.language or (before.language if before else None),
            consents,
        )
    return tuple(merged.values())


def span(conn: Connection, run_id: int) -> tuple[datetime, datetime] | None:
    """Return the first and the last start in the file; None if it has none."""
    row = conn.execute(
        select(
            func.min(staged_visit.c.starts_at, type_=staged_visit.c.starts_at.type),
            func.max(staged_visit.c.starts_at, type_=staged_visit.c.starts_at.type),
        ).where(staged_visit.c.import_run_id == run_id)
    ).one()
    first, last = row
    return (first, last) if first is not None and last is not None else None


def applied(conn: Connection, run_id: int, counts: Mapping[str, object], now: datetime) -> None:
    """Mark an import as applied."""
    conn.execute(
        update(import_run)
        .where(import_run.c.id == run_id)
        .values(applied_at=now, counts=dict(counts))
    )
