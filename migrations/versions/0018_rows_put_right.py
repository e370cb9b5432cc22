"""Which problem rows a person has put right: the same row is no problem in the next file."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

WHERE = sa.text("put_right IS NOT NULL")


def upgrade() -> None:
    op.add_column("problem", sa.Column("row_key", sa.String(length=64), nullable=True))
    op.add_column("problem", sa.Column("put_right", sa.String(length=8), nullable=True))
    op.create_index(
        "ix_problem_put_right",
        "problem",
        ["clinic_id", "ref"],
        sqlite_where=WHERE,
        postgresql_where=WHERE,
    )


def downgrade() -> None:
    op.drop_index("ix_problem_put_right", "problem")
    with op.batch_alter_table("problem") as table:
        table.drop_column("put_right")
        table.drop_column("row_key")
