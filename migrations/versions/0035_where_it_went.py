"""Where an attempt went is kept until its fate is known: it is looked for there."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("address", sa.String(320)))


def downgrade() -> None:
    op.drop_column("attempt", "address")
