"""What files bring: imports, the problems of their rows, and rows kept apart until a yes."""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    text,
)

from reminders.store.schema import Id, metadata, ref_to
from reminders.store.types import UtcDateTime

__all__ = ["import_run", "metadata", "problem", "staged_contact", "staged_doubt", "staged_visit"]

import_run = Table(
    "import_run",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("clinic.id"),
    Column("file_name", Text, nullable=False),
    Column("file_digest", String(64), nullable=False),
    Column("exported_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("applied_at", UtcDateTime),
    Column("actor", String(100), nullable=False),
    Column("counts", JSON),
    # How far a large file has been applied; none: it has not begun, or was applied at once.
    Column("applying", JSON(none_as_null=True)),
    Index("ix_import_run_clinic_id_exported_at", "clinic_id", "exported_at"),
)

problem = Table(
    "problem",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("clinic.id"),
    ref_to("import_run.id"),
    Column("line", Integer, nullable=False),
    Column("column", Text),
    Column("code", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("ref", String(200)),
    # Of a row without a reference, and of a time too long past to be meant.
    Column("starts_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("solved_at", UtcDateTime),
    Column("row_key", String(64)),
    Column("put_right", String(8)),  # by a person, or the same row before: see store/problems.py
    Index("ix_problem_import_run_id_ref", "import_run_id", "ref"),
    Index(
        "ix_problem_put_right",
        "clinic_id",
        "ref",
        sqlite_where=text("put_right IS NOT NULL"),
        postgresql_where=text("put_right IS NOT NULL"),
    ),
    Index(
        "ix_problem_open",
        "clinic_id",
        "ref",
        sqlite_where=text("solved_at IS NULL"),
        postgresql_where=text("solved_at IS NULL"),
    ),
)


def _told_of_a_person() -> list[Column[Any]]:
    """Return the columns of what a row says of one of its people."""
    return [
        Column("phone", String(32)),
        Column("email", String(320)),
        Column("language", String(16)),
        Column("consent_sms", String(16)),
        Column("consent_email", String(16)),
        Column("prefers", String(16)),
        Column("no_sms_from", Time),
        Column("no_sms_until", Time),
        Column("guardian_from_13", Boolean),
    ]


staged_visit = Table(
    "staged_visit",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("import_run.id"),
    Column("line", Integer, nullable=False),
    Column("ref", String(200), nullable=False),
    Column("kind", Text, nullable=False),
    Column("video", Boolean, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("patient_key", String(200), nullable=False),
    Column("birth_date", Date),
    Column("protected", Boolean),  # unknown where no column tells it
    Column("own_login", String(16), nullable=False),
    Column("clinician", String(200)),
    Index("ix_staged_visit_import_run_id_ref", "import_run_id", "ref"),
    Index("ix_staged_visit_import_run_id_patient_key", "import_run_id", "patient_key"),
)

staged_contact = Table(
    "staged_contact",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("import_run.id"),
    Column("line", Integer, nullable=False),
    Column("patient_key", String(200), nullable=False),
    Column("ref", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("place", SmallInteger),  # which of the row's people, as their columns count them
    *_told_of_a_person(),
    Column("contact_id", Id),
    Index("ix_staged_contact_import_run_id_patient_key", "import_run_id", "patient_key"),
)

staged_doubt = Table(
    "staged_doubt",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("import_run.id"),
    Column("line", Integer, nullable=False),
    Column("ref", String(200)),
    Column("patient_key", String(200)),  # whose the row may be: none, of anybody
    Column("starts_at", UtcDateTime),
    Column("unread", Boolean, nullable=False),
    Column("protected", Boolean),  # unknown where the cell is lost
    Column("anyone", Boolean, nullable=False),
    # One of its people who is not taken; nobody where there is no role.
    Column("place", SmallInteger),
    Column("role", String(16)),
    *_told_of_a_person(),
    Index("ix_staged_doubt_import_run_id_line", "import_run_id", "line"),
    Index("ix_staged_doubt_import_run_id_patient_key", "import_run_id", "patient_key"),
    # Without these a file of rows without a name would take time that grows with its square.
    *(
        Index(
            f"ix_staged_doubt_{address}",
            "import_run_id",
            address,
            sqlite_where=text("patient_key IS NULL"),
            postgresql_where=text("patient_key IS NULL"),
        )
        for address in ("phone", "email")
    ),
)
