"""What a staged file says of its patients, all its rows together."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, Row, func, select

from reminders.domain.appointment import OwnLogin, Truth, VisitStatus
from reminders.domain.contact import NO_WISHES, Channel, Consent, Role
from reminders.domain.merge import IncomingPatient, IncomingPerson, IncomingVisit
from reminders.store.problems import PutRight
from reminders.store.schema_intake import problem, staged_contact, staged_visit
from reminders.store.wishes import wishes_of


def load(conn: Connection, run_id: int, keys: Sequence[str]) -> list[IncomingPatient]:
    """Return all that the file says of these patients, in the order of `keys`."""
    visits: dict[str, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in conn.execute(
        select(staged_visit)
        .where(staged_visit.c.import_run_id == run_id, staged_visit.c.patient_key.in_(keys))
        .order_by(staged_visit.c.line)
    ).all():
        visits[row.patient_key].append(row)
    people: dict[str, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in conn.execute(
        select(staged_contact)
        .where(staged_contact.c.import_run_id == run_id, staged_contact.c.patient_key.in_(keys))
        .order_by(staged_contact.c.line, staged_contact.c.id)
    ).all():
        people[row.patient_key].append(row)
    doubtful = set(
        conn.execute(
            select(staged_visit.c.patient_key)
            .join(
                problem,
                (problem.c.import_run_id == run_id) & (problem.c.ref == staged_visit.c.ref),
            )
            .where(func.coalesce(problem.c.put_right, "") != PutRight.HERE.value)
            .where(staged_visit.c.import_run_id == run_id, staged_visit.c.patient_key.in_(keys))
        ).scalars()
    )
    return [
        _patient(key, visits[key], people[key], doubtful=key in doubtful)
        for key in keys
        if key in visits
    ]


def _patient(
    key: str,
    rows: Sequence[Row[tuple[object, ...]]],
    people: Sequence[Row[tuple[object, ...]]],
    *,
    doubtful: bool,
) -> IncomingPatient:
    """Return what all rows of a patient say together: each contact's row may tell something."""
    said = [row.protected for row in rows if row.protected is not None]
    logins = [OwnLogin(row.own_login) for row in rows]
    visits: dict[str, Row[tuple[object, ...]]] = {}
    for row in rows:
        visits.setdefault(row.ref, row)
    return IncomingPatient(
        key=key,
        birth_date=next((row.birth_date for row in rows if row.birth_date), None),
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
            for row in visits.values()
        ),
        people=_people(people),
        doubtful=doubtful,
    )


def _people(rows: Sequence[Row[tuple[object, ...]]]) -> tuple[IncomingPerson, ...]:
    """Return each person once; a consent refused on any line is refused."""
    merged: dict[tuple[object, ...], IncomingPerson] = {}
    for row in rows:
        place = (row.role, row.phone or None, row.email or None)
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
            before.phone if before and row.phone is None else row.phone,
            before.email if before and row.email is None else row.email,
            row.language or (before.language if before else None),
            consents,
            wishes_of(row).over(before.wishes if before else NO_WISHES),
        )
    return tuple(merged.values())
