"""The tables of those who use the pages and the programs that use the JSON API."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from reminders.store.schema import Id
from reminders.store.schema_intake import metadata
from reminders.store.types import UtcDateTime

__all__ = ["api_token", "credential", "login_throttle", "membership", "metadata", "session", "user"]

user = Table(
    "user_account",
    metadata,
    Column("id", Id, primary_key=True),
    Column("login", String(100), nullable=False, unique=True),
    Column("language", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

credential = Table(
    "credential",
    metadata,
    Column("user_id", Id, ForeignKey("user_account.id"), primary_key=True),
    # "password" today; a second factor is another row.
    Column("kind", String(16), primary_key=True),
    Column("value", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

membership = Table(
    "membership",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("user_account.id"), nullable=False),
    # NULL means every clinic, also those that are added later.
    Column("clinic_id", Id, ForeignKey("clinic.id")),
    Column("role", String(16), nullable=False),
    UniqueConstraint("user_id", "clinic_id"),
)

session = Table(
    "session",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("user_account.id"), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_session_user_id", "user_id"),
)

login_throttle = Table(
    "login_throttle",
    metadata,
    # A keyed digest of a login name or of a network address.
    Column("name", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", Id, primary_key=True),
    Column("clinic_id", Id, ForeignKey("clinic.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("scopes", String(100), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    UniqueConstraint("clinic_id", "name"),
)
