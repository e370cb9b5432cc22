"""What has not gone yet has no reference at a provider: it need not be in the index of them."""

from alembic import op
from sqlalchemy import text

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

INDEX = "ix_message_provider_ref"
THERE = text("provider_ref IS NOT NULL")


def upgrade() -> None:
    op.drop_index(INDEX, "message")
    op.create_index(INDEX, "message", ["provider_ref"], sqlite_where=THERE, postgresql_where=THERE)


def downgrade() -> None:
    op.drop_index(INDEX, "message")
    op.create_index(INDEX, "message", ["provider_ref"])
