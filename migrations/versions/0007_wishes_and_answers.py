"""Wishes of contacts, answers from patients, and texts whose meaning has changed"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in ("contact", "staged_contact"):
        op.add_column(table, sa.Column("prefers", sa.String(length=16), nullable=True))
        op.add_column(table, sa.Column("no_sms_from", sa.Time(), nullable=True))
        op.add_column(table, sa.Column("no_sms_until", sa.Time(), nullable=True))
        op.add_column(table, sa.Column("guardian_from_13", sa.Boolean(), nullable=True))
    op.add_column("consent", sa.Column("informed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "template_version",
        sa.Column("changes_meaning", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "appointment", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("appointment", sa.Column("confirmed_by", ID, nullable=True))
    op.add_column(
        "appointment", sa.Column("confirmed_starts_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("request", sa.Column("contact_id", ID, nullable=True))
    op.create_table(
        "inbound",
        sa.Column("id", ID, nullable=False),
        sa.Column("clinic_id", ID, nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("provider_ref", sa.String(length=255), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender_key", sa.String(length=64), nullable=False),
        sa.Column("keyword", sa.String(length=16), nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("appointment_id", ID, nullable=True),
        sa.Column("reply", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_by", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_inbound_clinic_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_inbound_contact_id")),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointment.id"], name=op.f("fk_inbound_appointment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint(
            "clinic_id",
            "provider",
            "provider_ref",
            name=op.f("uq_inbound_clinic_id_provider_provider_ref"),
        ),
    )
    op.create_index(
        "ix_inbound_sender_key_received_at",
        "inbound",
        ["sender_key", "received_at"],
        unique=False,
    )
    op.create_index(
        "ix_inbound_open",
        "inbound",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("handled_at IS NULL"),
        postgresql_where=sa.text("handled_at IS NULL"),
    )
