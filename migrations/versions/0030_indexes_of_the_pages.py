"""What the pages ask finds all that it needs in an index: cancelled visits, and what went when."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

WENT = sa.text("state NOT IN ('planned', 'cancelled', 'suppressed')")
CANCELLED = sa.text("status = 'cancelled'")


def upgrade() -> None:
    op.create_index(
        "ix_appointment_cancelled",
        "appointment",
        ["clinic_id", "starts_at"],
        sqlite_where=CANCELLED,
        postgresql_where=CANCELLED,
    )
    _went("changed_at", "state", "clinic_id")


def _went(*columns: str) -> None:
    op.drop_index("ix_message_went", "message")
    op.create_index(
        "ix_message_went", "message", list(columns), sqlite_where=WENT, postgresql_where=WENT
    )


def downgrade() -> None:
    _went("changed_at", "state")
    op.drop_index("ix_appointment_cancelled", "appointment")
