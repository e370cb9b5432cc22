"""What an import changed, visit by visit, for its page."""

import sqlalchemy as sa
from alembic import op

from reminders.store.types import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "import_change",
        sa.Column("id", ID, nullable=False),
        sa.Column("import_run_id", ID, nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("before", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["import_run_id"], ["import_run.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_import_change_import_run_id", "import_change", ["import_run_id"])


def downgrade() -> None:
    op.drop_table("import_change")
