"""Of each text that went: whether it was written for a patient who logs in themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("says_own_login", sa.Boolean(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("message") as table:
        table.drop_column("says_own_login")
