"""The people of a visit as staff see and change them: addresses masked by whoever shows them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Row, Select, and_, select, update

from reminders.domain.appointment import OwnLogin
from reminders.domain.contact import Channel, Role, Wishes
from reminders.store.rows import choice, chosen
from reminders.store.schema import appointment, consent, contact, patient
from reminders.store.views import Visit, visits
from reminders.store.wishes import wish_values, wishes_of


@dataclass(frozen=True, slots=True)
class Word:
    """What a person has said of one channel, to which edition of the texts."""

    status: str
    source: str
    edition: str | None
    recorded_at: datetime
    informed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Person:
    """One contact of a patient's."""

    id: int
    role: Role
    phone: str | None
    email: str | None
    language: str | None
    wishes: Wishes
    words: Mapping[Channel, Word]


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose visit it is, as far as staff have to know here."""

    id: int
    own_login: OwnLogin
    confirmed_at: datetime | None
    confirmed_by: int | None
    people: tuple[Person, ...]


_PRESENT = and_(contact.c.patient_id == patient.c.id, contact.c.removed_at.is_(None))


@cache
def _patients_of(dialect: str) -> Select[tuple[object, ...]]:
    return (
        select(
            contact,
            consent,
            appointment.c.id.label("visit_id"),
            patient.c.id.label("whose"),
            patient.c.own_login,
            appointment.c.starts_at,
            appointment.c.confirmed_at,
            appointment.c.confirmed_by,
            appointment.c.confirmed_starts_at,
        )
        .select_from(appointment)
        .join(patient, patient.c.id == appointment.c.patient_id)
        .outerjoin(contact, _PRESENT)
        .outerjoin(consent, consent.c.contact_id == contact.c.id)
        .where(chosen(dialect, appointment.c.id))
        .order_by(contact.c.id)
    )


def patient_of(conn: Connection, visit_id: int) -> Patient:
    """Return the patient of a visit, with their contacts and who has confirmed the visit.

    A confirmation of another time than the visit's is none.
    """
    return patients_of(conn, [visit_id])[visit_id]


def patients_of(conn: Connection, visit_ids: Iterable[int]) -> dict[int, Patient]:
    """Return the patients of these visits, by visit, as `patient_of` does."""
    rows_of: dict[int, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in conn.execute(_patients_of(conn.dialect.name), choice(conn, visit_ids)):
        rows_of[row.visit_id].append(row)
    return {visit_id: _patient(rows) for visit_id, rows in rows_of.items()}


def _patient(rows: Sequence[Row[tuple[object, ...]]]) -> Patient:
    one = rows[0]
    holds = one.confirmed_starts_at == one.starts_at
    return Patient(
        one.whose,
        OwnLogin(one.own_login),
        one.confirmed_at if holds else None,
        one.confirmed_by if holds else None,
        _people(rows),
    )


def _people(rows: Sequence[Row[tuple[object, ...]]]) -> tuple[Person, ...]:
    """Return the contacts of rows that have one for each channel somebody has spoken of."""
    words: dict[int, dict[Channel, Word]] = defaultdict(dict)
    for row in rows:
        if row.channel is not None:
            words[row.id][Channel(row.channel)] = Word(
                row.status, row.source, row.template_version, row.recorded_at, row.informed_at
            )
    once = {row.id: row for row in rows if row.id is not None}
    return tuple(
        Person(
            row.id,
            Role(row.role),
            row.phone,
            row.email,
            row.language,
            wishes_of(row),
            words[row.id],
        )
        for row in once.values()
    )


def set_wishes(conn: Connection, contact_id: int, wishes: Wishes) -> None:
    """Give a contact these wishes."""
    conn.execute(update(contact).where(contact.c.id == contact_id).values(**wish_values(wishes)))


def set_language(conn: Connection, contact_id: int, language: str | None) -> None:
    """Have a contact written to in this language; None is nothing known."""
    conn.execute(update(contact).where(contact.c.id == contact_id).values(language=language))


def set_own_login(conn: Connection, patient_id: int, own_login: OwnLogin) -> None:
    """Write down whether a patient has a login of their own."""
    conn.execute(
        update(patient).where(patient.c.id == patient_id).values(own_login=own_login.value)
    )


def replan(conn: Connection, patient_id: int, now: datetime) -> list[int]:
    """Have a patient's coming visits planned again; return their ids."""
    marked = conn.execute(
        update(appointment)
        .where(appointment.c.patient_id == patient_id, appointment.c.starts_at >= now)
        .values(needs_plan=True)
        .returning(appointment.c.id)
    )
    return list(marked.scalars())


def visits_without_login(
    conn: Connection, clinic_key: str, now: datetime, until: datetime
) -> list[Visit]:
    """Return booked visits of patients whose age is known and whose own login is not confirmed."""
    among = and_(
        appointment.c.status == "booked",
        patient.c.own_login != OwnLogin.CONFIRMED.value,
        patient.c.birth_date.is_not(None),
    )
    return visits(conn, clinic_key, since=now, until=until, among=among)
