"""How far the planning of a clinic's visits by other rules has come."""

import sqlalchemy as sa
from alembic import op

from reminders.store.types import UtcDateTime

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("clinic", sa.Column("replan_at", UtcDateTime(), nullable=True))
    op.add_column("clinic", sa.Column("replan_id", ID, server_default="0", nullable=False))
    op.add_column("clinic", sa.Column("replan_until", UtcDateTime(), nullable=True))


def downgrade() -> None:
    # What is left of it would be left for good: an earlier version plans all anew in its place.
    op.execute("UPDATE clinic SET practice_digest = NULL WHERE replan_at IS NOT NULL")
    for name in ("replan_until", "replan_id", "replan_at"):
        op.drop_column("clinic", name)
