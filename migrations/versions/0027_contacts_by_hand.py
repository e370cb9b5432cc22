"""Whom staff have added no file takes away, and what they corrected no older one undoes."""

import sqlalchemy as sa
from alembic import op

from reminders.store.types import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "contact",
        sa.Column("added_by_hand", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("contact", sa.Column("corrected_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("contact") as table:
        table.drop_column("corrected_at")
        table.drop_column("added_by_hand")
