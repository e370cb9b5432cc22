"""Whose a booking was before a file gave it to another one."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("appointment", sa.Column("former_patient_id", ID, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("appointment") as table:
        table.drop_column("former_patient_id")
