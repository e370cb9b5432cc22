"""Contacts that staff correct or add by hand."""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from reminders.domain.contact import canonical
from reminders.store.cases import Digest
from reminders.store.schema import appointment, contact, message


def update_addresses(
    conn: Connection, contact_id: int, phone: str | None, email: str | None, now: datetime
) -> None:
    """Give a contact these addresses, which no file exported before replaces."""
    conn.execute(
        update(contact)
        .where(contact.c.id == contact_id)
        .values(phone=phone, email=email, corrected_at=now)
    )


def add(
    conn: Connection,
    visit_id: int,
    role: str,
    phone: str | None,
    email: str | None,
    now: datetime,
) -> int:
    """Add a contact to a visit's patient, which no file takes away; return its id."""
    patient = select(appointment.c.patient_id).where(appointment.c.id == visit_id)
    made: int = conn.execute(
        insert(contact)
        .values(
            patient_id=patient.scalar_subquery(),
            role=role,
            phone=phone,
            email=email,
            added_by_hand=True,
            corrected_at=now,
        )
        .returning(contact.c.id)
    ).scalar_one()
    return made


def replan_patient(conn: Connection, visit_id: int, now: datetime) -> None:
    """Mark the coming visits of a visit's patient for planning."""
    patient = select(appointment.c.patient_id).where(appointment.c.id == visit_id)
    conn.execute(
        update(appointment)
        .where(
            appointment.c.patient_id == patient.scalar_subquery(), appointment.c.starts_at >= now
        )
        .values(needs_plan=True)
    )


def rekey(conn: Connection, digest: Digest) -> None:
    """Let what went to a mailbox written with capitals count for every spelling of it.

    Earlier versions took two spellings for two mailboxes.
    """
    spelled = select(contact.c.id, contact.c.email).where(
        contact.c.email != func.lower(contact.c.email)
    )
    for row in conn.execute(spelled).all():
        conn.execute(
            update(message)
            .where(message.c.contact_id == row.id, message.c.address_key == digest(row.email))
            .values(address_key=digest(canonical(row.email)))
        )
