"""What is heard of rows that cannot be taken: whose they may be, and what they forbid."""

import sqlalchemy as sa
from alembic import op

from reminders.store.types import UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "staged_doubt",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("import_run_id", BIG, sa.ForeignKey("import_run.id"), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(200), nullable=True),
        sa.Column("patient_key", sa.String(200), nullable=True),
        sa.Column("starts_at", UtcDateTime(), nullable=True),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=True),
        sa.Column("anyone", sa.Boolean(), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=True),
        sa.Column("role", sa.String(16), nullable=True),
        sa.Column("phone", sa.String(32), nullable=True),
        sa.Column("email", sa.String(320), nullable=True),
        sa.Column("language", sa.String(16), nullable=True),
        sa.Column("consent_sms", sa.String(16), nullable=True),
        sa.Column("consent_email", sa.String(16), nullable=True),
        sa.Column("prefers", sa.String(16), nullable=True),
        sa.Column("no_sms_from", sa.Time(), nullable=True),
        sa.Column("no_sms_until", sa.Time(), nullable=True),
        sa.Column("guardian_from_13", sa.Boolean(), nullable=True),
    )
    op.create_index("ix_staged_doubt_import_run_id_line", "staged_doubt", ["import_run_id", "line"])
    op.create_index(
        "ix_staged_doubt_import_run_id_patient_key",
        "staged_doubt",
        ["import_run_id", "patient_key"],
    )
    for address in ("phone", "email"):
        op.create_index(
            f"ix_staged_doubt_{address}",
            "staged_doubt",
            ["import_run_id", address],
            sqlite_where=sa.text("patient_key IS NULL"),
            postgresql_where=sa.text("patient_key IS NULL"),
        )


def downgrade() -> None:
    op.drop_table("staged_doubt")
