"""When the visit is of a row without a reference: by it a later file shows that it is put right."""

import sqlalchemy as sa
from alembic import op

from reminders.store.types import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("problem", sa.Column("starts_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("problem") as table:
        table.drop_column("starts_at")
