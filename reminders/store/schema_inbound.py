"""The table of what people write to us."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table, UniqueConstraint, text

from reminders.store.schema import Id
from reminders.store.schema_desk import metadata
from reminders.store.types import UtcDateTime

__all__ = ["inbound", "inbound_visit", "metadata"]

inbound = Table(
    "inbound",
    metadata,
    Column("id", Id, primary_key=True),
    Column("clinic_id", Id, ForeignKey("clinic.id"), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("provider_ref", String(255), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("sender_key", String(64), nullable=False),
    Column("keyword", String(16), nullable=False),
    Column("contact_id", Id, ForeignKey("contact.id")),
    Column("appointment_id", Id, ForeignKey("appointment.id")),
    Column("reply", String(64)),  # the rule that answers it
    Column("reason", String(64)),  # why it needs a person
    # What staff have to read: sealed, and gone when they are done.
    Column("sealed", LargeBinary),
    Column("handled_at", UtcDateTime),
    Column("handled_by", String(100)),
    UniqueConstraint("clinic_id", "provider", "provider_ref"),
    Index("ix_inbound_sender_key_received_at", "sender_key", "received_at"),
    Index("ix_inbound_appointment_id", "appointment_id"),
    Index(
        "ix_inbound_open",
        "received_at",
        sqlite_where=text("handled_at IS NULL"),
        postgresql_where=text("handled_at IS NULL"),
    ),
)
"""What came in by SMS, once for each clinic that it concerns: no number, and no open text."""

inbound_visit = Table(
    "inbound_visit",
    metadata,
    Column("inbound_id", Id, ForeignKey("inbound.id"), primary_key=True, autoincrement=False),
    Column("appointment_id", Id, ForeignKey("appointment.id"), primary_key=True),
    Index("ix_inbound_visit_appointment_id", "appointment_id"),
)
"""The visits that a text may be about, where it is not clear which: then it has none of its own."""
