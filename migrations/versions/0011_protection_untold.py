"""A file without a column for it says nothing of protected identities."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("staged_visit") as table:
        table.alter_column("protected", existing_type=sa.Boolean(), nullable=True)


def downgrade() -> None:
    op.execute("UPDATE staged_visit SET protected = false WHERE protected IS NULL")
    with op.batch_alter_table("staged_visit") as table:
        table.alter_column("protected", existing_type=sa.Boolean(), nullable=False)
