"""Large imports part by part; history that can be purged, and does not slow the present"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ASKED_FOR = sa.text("request_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("import_run", sa.Column("applying", sa.JSON(none_as_null=True), nullable=True))
    # A message is purged by its id: looking through the whole ledger for each would take for ever.
    with op.batch_alter_table("ledger") as ledger:
        ledger.drop_constraint(op.f("fk_ledger_message_id"), type_="foreignkey")
    op.create_index(
        "ix_message_request_id",
        "message",
        ["request_id"],
        unique=False,
        sqlite_where=ASKED_FOR,
        postgresql_where=ASKED_FOR,
    )
    op.create_table(
        "purged",
        sa.Column("clinic_id", ID, nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_purged_clinic_id")),
        sa.PrimaryKeyConstraint(
            "clinic_id", "month", "rule", "channel", "state", name=op.f("pk_purged")
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        # The outbox changes all day at its hot end: a fifth of a year's rows is far too late.
        for table in ("message", "attempt"):
            op.execute(
                f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01,"
                " autovacuum_vacuum_insert_scale_factor = 0.02,"
                " autovacuum_analyze_scale_factor = 0.02)"
            )
