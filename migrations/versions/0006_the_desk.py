"""The desk: whom staff have phoned, and what the pages look up"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WENT = sa.text("state NOT IN ('planned', 'cancelled', 'suppressed')")
TROUBLE = sa.text(
    "(state IN ('failed', 'undelivered', 'expired', 'unknown')"
    " OR state = 'suppressed' AND reason IN ('no_address', 'no_consent', 'opted_out',"
    " 'protected_identity', 'render_failed', 'environment', 'quiet_hours', 'too_late'))"
)


def upgrade() -> None:
    op.create_table(
        "called",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "appointment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("initials", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_called_appointment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_called")),
    )
    op.create_index("ix_called_appointment_id", "called", ["appointment_id"])
    op.create_index("ix_called_called_at", "called", ["called_at"])
    op.create_index("ix_problem_import_run_id", "problem", ["import_run_id"])
    op.create_index(
        "ix_message_went",
        "message",
        ["changed_at", "state"],
        sqlite_where=WENT,
        postgresql_where=WENT,
    )
    op.create_index(
        "ix_message_trouble",
        "message",
        ["truth_starts_at"],
        sqlite_where=TROUBLE,
        postgresql_where=TROUBLE,
    )
