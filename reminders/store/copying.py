"""A copy of what is to come for one clinic, to be put into another, empty database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, or_, select, text

from reminders.store import bulk
from reminders.store.rows import among
from reminders.store.schema import (
    appointment,
    attempt,
    clinic,
    consent,
    contact,
    message,
    opt_out,
    patient,
    request,
    template_version,
)
from reminders.store.schema_desk import called

Row = tuple[object, ...]
AddressKey = Callable[[int, str], str]
"""Turns a contact's id and the digest of an address into the other database's digest."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The rows of each table, in the order in which they can be put back."""

    tables: tuple[tuple[Table, Sequence[Row]], ...]

    def addresses(self) -> Mapping[int, tuple[str, ...]]:
        """Return the addresses of each contact."""
        rows = dict(self.tables)[contact]
        names = [column.name for column in contact.c]
        places = [names.index(name) for name in ("id", "phone", "email")]
        found = ([row[place] for place in places] for row in rows)
        return {int(str(one)): tuple(str(a) for a in own if a) for one, *own in found}


def coming(
    conn: Connection, clinic_id: int, since: datetime, until: datetime, limit: int
) -> list[int]:
    """Return the visits of a span, and those of which a message goes out before its end."""
    soon = (
        select(appointment.c.id)
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.starts_at >= since,
            appointment.c.starts_at < until,
        )
        .limit(limit)
    )
    due = (
        select(message.c.appointment_id)
        .where(
            text("message.state = 'planned'"),
            message.c.clinic_id == clinic_id,
            message.c.next_at < until,
        )
        .distinct()
        .limit(limit)
    )
    return sorted({*conn.execute(soon).scalars(), *conn.execute(due).scalars()})


def copy(conn: Connection, visit_ids: Sequence[int]) -> Copy:
    """Return these visits with all that the planner and the engine ask of them."""

    def rows(query: Select[Row]) -> list[Row]:
        return [tuple(row) for row in conn.execute(query)]

    def of(table: Table, column: ColumnElement[int], ids: Iterable[int]) -> list[Row]:
        return rows(select(table).where(among(conn, column, ids)).order_by(*table.primary_key))

    visits = of(appointment, appointment.c.id, visit_ids)
    messages = of(message, message.c.appointment_id, visit_ids)
    theirs = or_(
        among(conn, contact.c.patient_id, _column(appointment, "patient_id", visits)),
        among(conn, contact.c.id, _column(message, "contact_id", messages)),
    )
    contacts = rows(select(contact).where(theirs))
    contact_ids = set(_column(contact, "id", contacts))
    people = {
        *_column(contact, "patient_id", contacts),
        *_column(appointment, "patient_id", visits),
    }
    stopped = (
        select(opt_out)
        .join(contact, opt_out.c.address.in_([contact.c.phone, func.lower(contact.c.email)]))
        .where(among(conn, contact.c.id, contact_ids))
        .distinct()
    )
    return Copy(
        (
            (clinic, rows(select(clinic))),
            (template_version, rows(select(template_version))),
            (patient, of(patient, patient.c.id, people)),
            (contact, contacts),
            (consent, of(consent, consent.c.contact_id, contact_ids)),
            (opt_out, rows(stopped)),
            (appointment, visits),
            (request, of(request, request.c.appointment_id, visit_ids)),
            (message, messages),
            (attempt, of(attempt, attempt.c.message_id, _column(message, "id", messages))),
            (called, of(called, called.c.appointment_id, visit_ids)),
        )
    )


def put(conn: Connection, copied: Copy, address_key: AddressKey) -> None:
    """Write a copy into a database that has clinics and templates at most: they are replaced."""
    for table in (template_version, clinic):
        conn.execute(delete(table))
    for table, rows in copied.tables:
        names = [column.name for column in table.c]
        ready = _of_here(names, rows, address_key) if table is message else rows
        bulk.insert_rows(conn, table, names, ready)


def _of_here(names: Sequence[str], rows: Iterable[Row], address_key: AddressKey) -> list[Row]:
    who, key = names.index("contact_id"), names.index("address_key")
    return [
        (*row[:key], address_key(int(str(row[who])), str(row[key])), *row[key + 1 :])
        for row in rows
    ]


def _column(table: Table, name: str, rows: Iterable[Row]) -> list[int]:
    place = [column.name for column in table.c].index(name)
    return [int(str(row[place])) for row in rows]
