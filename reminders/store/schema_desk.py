"""What the desk keeps of its own: calls that staff made, what imports changed, files that wait."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, text

from reminders.store.schema import Id
from reminders.store.schema_web import metadata
from reminders.store.types import UtcDateTime

__all__ = ["called", "import_change", "metadata", "set_aside"]

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

import_change = Table(
    "import_change",
    metadata,
    Column("id", Id, primary_key=True),
    Column("import_run_id", Id, ForeignKey("import_run.id"), nullable=False),
    Column("category", String(16), nullable=False),
    Column("ref", String(200), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("before", UtcDateTime),  # of a visit that was moved
    Index("ix_import_change_import_run_id", "import_run_id"),
)
"""What an import changed, visit by visit: of each kind of change only so many, for its page."""

set_aside = Table(
    "set_aside",
    metadata,
    Column("id", Id, primary_key=True),
    Column("clinic_id", Id, ForeignKey("clinic.id"), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("kept_as", Text, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("ending", String(16), nullable=False),
    Column("why", String(16), nullable=False),
    Column("numbers", JSON, nullable=False),
    Column("said", Text, nullable=False),
    Column("problems", JSON, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_by", String(100)),
    Index(
        "ix_set_aside_open",
        "clinic_id",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)
"""Files of the watched folder that wait for a person or are refused, and who has seen to them."""
