"""Senders: an index of what is due by sender, and how fast each may go"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PLANNED = sa.text("state = 'planned'")


def upgrade() -> None:
    op.add_column("message", sa.Column("clinic_id", ID, server_default="0", nullable=False))
    op.execute(
        "UPDATE message SET clinic_id = (SELECT appointment.clinic_id FROM appointment"
        " WHERE appointment.id = message.appointment_id)"
    )
    op.drop_index("ix_message_due", table_name="message")
    op.create_index(
        "ix_message_due",
        "message",
        ["clinic_id", "channel", "urgency", "next_at", "id"],
        unique=False,
        sqlite_where=PLANNED,
        postgresql_where=PLANNED,
    )
    op.create_table(
        "sender",
        sa.Column("clinic_id", ID, nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("tokens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_sender_clinic_id")),
        sa.PrimaryKeyConstraint("clinic_id", "channel", name=op.f("pk_sender")),
    )
