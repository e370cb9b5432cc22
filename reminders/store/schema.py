"""The tables. What another system may write straight into stands in docs/architecture.md."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)

from reminders.store.types import UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")


def ref_to(target: str, *, nullable: bool = False, name: str | None = None) -> Column[int]:
    """Return the column that refers to another table's row."""
    table = target.split(".", maxsplit=1)[0]
    return Column(name or f"{table}_id", Id, ForeignKey(target), nullable=nullable)


clinic = Table(
    "clinic",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    # What the outbox was last planned with: another digest means planning all of it again.
    Column("practice_digest", String(64)),
    # While that is done: what starts before has been (and of one instant the ids up to this one).
    Column("replan_at", UtcDateTime),
    Column("replan_id", Id, nullable=False, server_default="0"),
    Column("replan_until", UtcDateTime),  # NULL: to the last visit, and then those that have begun
)

patient = Table(
    "patient",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("clinic.id"),
    Column("external_key", String(200), nullable=False),
    Column("birth_date", Date),
    Column("protected", Boolean, nullable=False, server_default=false()),
    Column("own_login", String(16), nullable=False, server_default="unknown"),
    UniqueConstraint("clinic_id", "external_key"),
)

contact = Table(
    "contact",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("patient.id"),
    Column("role", String(16), nullable=False),
    Column("phone", String(32)),
    Column("email", String(320)),
    Column("language", String(16)),
    # Wishes: the channel to try first, hours without SMS, and of a guardian the choice from 13.
    Column("prefers", String(16)),
    Column("no_sms_from", Time),
    Column("no_sms_until", Time),
    Column("guardian_from_13", Boolean),
    Column("added_by_hand", Boolean, nullable=False, server_default=false()),  # and in no file yet
    Column("corrected_at", UtcDateTime),  # when staff gave these addresses
    Column("removed_at", UtcDateTime),
    Index("ix_contact_patient_id", "patient_id"),
    Index("ix_contact_phone", "phone"),
    Index("ix_contact_mailbox", text("lower(email)")),  # two spellings of it are one
)

consent = Table(
    "consent",
    metadata,
    Column("contact_id", Id, ForeignKey("contact.id"), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("source", String(64), nullable=False),
    Column("template_version", String(64)),
    Column("recorded_at", UtcDateTime, nullable=False, server_default=func.current_timestamp()),
    Column("informed_at", UtcDateTime),  # of a change in what the texts say, after consenting
)

opt_out = Table(
    "opt_out",
    metadata,
    Column("clinic_id", Id, ForeignKey("clinic.id"), primary_key=True),
    Column("address", String(320), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)

PENDING = (
    "needs_plan OR planned_starts_at IS NULL"
    " OR planned_starts_at <> starts_at OR planned_status <> status"
)
"""What the planner has to look at, however the row came to differ from its last plan."""

CANCELLED = "status = 'cancelled'"
"""Cancelled visits: few beside the others."""

appointment = Table(
    "appointment",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("clinic.id"),
    Column("ref", String(200), nullable=False),
    ref_to("patient.id"),
    Column("former_patient_id", Id),  # whose it was, if a file has given it to somebody else
    Column("kind", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False, server_default="booked"),
    Column("confirm", Boolean, nullable=False, server_default=true()),
    Column("clinician", String(200)),  # for the staff: no message tells it
    Column("changed_at", UtcDateTime, nullable=False, server_default=func.current_timestamp()),
    Column("needs_plan", Boolean, nullable=False, server_default=true()),
    Column("confirmed_at", UtcDateTime),  # somebody has answered that they come, to this time
    Column("confirmed_by", Id),
    Column("confirmed_starts_at", UtcDateTime),
    # The planner's own columns: nobody else writes them.
    Column("version", Integer, nullable=False, server_default="0"),
    Column("planned_starts_at", UtcDateTime),
    Column("planned_status", String(16)),
    Column("known_at", UtcDateTime),
    Column("planned_at", UtcDateTime),
    UniqueConstraint("clinic_id", "ref"),
    Index("ix_appointment_patient_id_starts_at", "patient_id", "starts_at"),
    Index("ix_appointment_clinic_id_starts_at", "clinic_id", "starts_at"),
    Index(
        "ix_appointment_pending",
        "starts_at",
        "id",
        sqlite_where=text(PENDING),
        postgresql_where=text(PENDING),
    ),
    Index(
        "ix_appointment_cancelled",
        "clinic_id",
        "starts_at",
        sqlite_where=text(CANCELLED),
        postgresql_where=text(CANCELLED),
    ),
)

request = Table(
    "request",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("appointment.id"),
    Column("rule", String(64), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("contact_id", Id),  # the one person it is for; without: all whom the rule is for
    Index("ix_request_appointment_id", "appointment_id"),
)


def _while(condition: str, name: str, *columns: str) -> Index:
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


WENT = "message.state NOT IN ('planned', 'cancelled', 'suppressed')"
"""What has been handed over, or has ended without: the pages count it by hour."""

RETRIED = "state = 'planned' AND reason IN ('provider_busy', 'channel_down', 'out_of_reach')"
"""What a provider has not taken for the time being: it is late from when it was due."""

TROUBLE = (
    "(message.state IN ('failed', 'undelivered', 'expired', 'unknown')"
    " OR message.state = 'planned' AND message.due_at >= message.counts_on"
    " OR message.state = 'planned' AND message.reason = 'out_of_reach'"
    " OR message.state = 'suppressed' AND message.reason IN ('no_address', 'no_consent',"
    " 'opted_out', 'protected_identity', 'guardian_not_chosen', 'guardian_declined',"
    " 'render_failed', 'environment', 'quiet_hours', 'own_hours', 'too_late', 'not_video'))"
)
"""What may mean that somebody has to be phoned (see domain/unheard)."""

message = Table(
    "message",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("appointment.id"),
    # The visit's clinic, written here once more for the index of what is due.
    Column("clinic_id", Id, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False),
    Column("rule", String(64), nullable=False),
    ref_to("contact.id"),
    Column("channel", String(16), nullable=False),
    Column("occasion", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("urgency", SmallInteger, nullable=False),  # 0 goes first
    Column("due_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime),  # when to look at the row again
    Column("not_after", UtcDateTime, nullable=False),
    Column("truth_starts_at", UtcDateTime, nullable=False),
    Column("truth_status", String(16), nullable=False),
    Column("address_key", String(64), nullable=False, server_default=""),
    Column("short", Boolean, nullable=False, server_default=false()),
    # Its email brought an entry for the calendar: only a later one that does puts it right.
    Column("calendar", Boolean, nullable=False, server_default=false()),
    # Whether it was written for a patient who logs in themselves; NULL: for any, or not known.
    Column("says_own_login", Boolean),
    # Of the text of a change: the start that its reader still expects.
    Column("counts_on", UtcDateTime),
    Column("reason", String(64)),
    Column("covered_by", String(64)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", Integer, nullable=False, server_default="0"),
    Column("lease_until", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("provider", String(64)),
    Column("provider_ref", String(255)),
    ref_to("request.id", nullable=True),
    Column("changed_at", UtcDateTime, nullable=False),
    UniqueConstraint("appointment_id", "version", "rule", "contact_id", "channel", "occasion"),
    _while(
        "state = 'planned'", "ix_message_due", "clinic_id", "channel", "urgency", "next_at", "id"
    ),
    _while("state = 'planned'", "ix_message_deadline", "not_after"),
    _while(RETRIED, "ix_message_retried", "due_at"),
    _while("state = 'sending'", "ix_message_leased", "lease_until"),
    _while("state = 'unknown'", "ix_message_sought", "next_at"),
    _while("state = 'accepted'", "ix_message_polled", "next_at"),
    _while("request_id IS NOT NULL", "ix_message_request_id", "request_id"),
    _while(WENT.replace("message.", ""), "ix_message_went", "changed_at", "state", "clinic_id"),
    _while(TROUBLE.replace("message.", ""), "ix_message_trouble", "truth_starts_at"),
    _while(
        f"{TROUBLE} AND counts_on IS NOT NULL".replace("message.", ""),
        "ix_message_expected",
        "counts_on",
    ),
    Index("ix_message_contact_id", "contact_id"),
    _while("provider_ref IS NOT NULL", "ix_message_provider_ref", "provider_ref"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("message.id"),
    Column("number", Integer, nullable=False),
    Column("lease_token", Integer, nullable=False),
    Column("callback_token", String(64), nullable=False, unique=True),
    # Whose attempt it is: nobody takes it over while that worker's database session lives.
    Column("session", Integer, nullable=False, server_default="0"),
    Column("provider", String(64), nullable=False),
    Column("template_version", String(64), nullable=False),
    Column("body_digest", String(64), nullable=False),
    # Where it went, as long as its fate is not known: the contact's may be corrected meanwhile.
    Column("address", String(320)),
    Column("started_at", UtcDateTime, nullable=False),
    Column("stamped_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("outcome", String(16)),
    Column("code", String(100)),
    Column("provider_ref", String(255)),
    Column("segments", Integer),
    Index("ix_attempt_message_id", "message_id"),
)

receipt = Table(
    "receipt",
    metadata,
    Column("id", Id, primary_key=True),
    ref_to("message.id"),
    Column("received_at", UtcDateTime, nullable=False),
    Column("source", String(16), nullable=False),
    Column("state", String(16)),
    Column("code", String(100)),
    Index("ix_receipt_message_id", "message_id"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(100), nullable=False),
    ref_to("appointment.id", nullable=True),
    # No foreign key: it would have to be looked for in all of the ledger when a message is purged.
    Column("message_id", Id),
    Column("event", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_ledger_appointment_id", "appointment_id"),
)

purged = Table(
    "purged",
    metadata,
    Column("clinic_id", Id, ForeignKey("clinic.id"), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("rule", String(64), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("state", String(16), primary_key=True),
    Column("messages", Integer, nullable=False),
)
"""How many messages there were, of those that are no longer kept."""

template_version = Table(
    "template_version",
    metadata,
    # The key of the clinic whose own text it is; empty: every clinic's.
    Column("clinic", String(64), primary_key=True, server_default=""),
    Column("language", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("approved_at", UtcDateTime),
    Column("approved_by", String(100)),
    Column("changes_meaning", Boolean, nullable=False, server_default=false()),
)

channel_state = Table(
    "channel_state",
    metadata,
    Column("clinic_id", Id, ForeignKey("clinic.id"), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("down_since", UtcDateTime, nullable=False),
    Column("retry_at", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("code", String(100), nullable=False),
)

sender = Table(
    "sender",
    metadata,
    Column("clinic_id", Id, ForeignKey("clinic.id"), primary_key=True),
    Column("channel", String(16), primary_key=True),
    # How many messages it may still send at once, as of then (messages_per_second).
    Column("tokens", Float, nullable=False),
    Column("tokens_at", UtcDateTime, nullable=False),
    Column("paused_until", UtcDateTime),  # its provider asked for it
    # Nothing has been taken, or refused for good, since then; when that was last seen.
    Column("silent_since", UtcDateTime),
    Column("silent_at", UtcDateTime),
)

worker = Table(
    "worker",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("stopped_at", UtcDateTime),
)

keeping = Table(
    "keeping",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""Small facts about the database itself: the check of its key, whether it was restored."""
