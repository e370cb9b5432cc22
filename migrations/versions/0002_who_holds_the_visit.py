"""Who holds the visit"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("appointment", "staged_visit"):
        op.add_column(table, sa.Column("clinician", sa.String(length=200), nullable=True))
