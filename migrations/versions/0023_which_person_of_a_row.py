"""Which of a row's people a staged contact is: by it a bad address is put right for that person."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staged_contact", sa.Column("place", sa.SmallInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("staged_contact") as table:
        table.drop_column("place")
