"""What the desk keeps of its own: whom staff have phoned."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table

from reminders.store.schema import Id
from reminders.store.schema_web import metadata
from reminders.store.types import UtcDateTime

__all__ = ["called", "metadata"]

called = Table(
    "called",
    metadata,
    Column("id", Id, primary_key=True),
    Column("appointment_id", Id, ForeignKey("appointment.id"), nullable=False),
    Column("contact_id", Id, nullable=False),  # 0: the family as a whole
    Column("version", Integer, nullable=False),  # a visit that changes has to be phoned of anew
    Column("initials", String(16), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("called_at", UtcDateTime, nullable=False),
    Index("ix_called_appointment_id", "appointment_id"),
    Index("ix_called_called_at", "called_at"),
)
