"""Since when a provider has not answered, and an index of what waits to be tried again."""

import sqlalchemy as sa
from alembic import op

from reminders.store.types import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

RETRIED = "state = 'planned' AND reason IN ('provider_busy', 'channel_down')"


def upgrade() -> None:
    op.add_column("sender", sa.Column("silent_since", UtcDateTime(), nullable=True))
    op.add_column("sender", sa.Column("silent_at", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_message_retried",
        "message",
        ["due_at"],
        sqlite_where=sa.text(RETRIED),
        postgresql_where=sa.text(RETRIED),
    )


def downgrade() -> None:
    op.drop_index("ix_message_retried", "message")
    with op.batch_alter_table("sender") as table:
        table.drop_column("silent_at")
        table.drop_column("silent_since")
