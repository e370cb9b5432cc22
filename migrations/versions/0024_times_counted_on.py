"""The start that the reader of a change still expects, and an index of whom to phone before it."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

BEFORE = (
    "(state IN ('failed', 'undelivered', 'expired', 'unknown')"
    " OR state = 'suppressed' AND reason IN ('no_address', 'no_consent',"
    " 'opted_out', 'protected_identity', 'guardian_not_chosen', 'guardian_declined',"
    " 'render_failed', 'environment', 'quiet_hours', 'own_hours', 'too_late', 'not_video'))"
)
AFTER = (
    "(state IN ('failed', 'undelivered', 'expired', 'unknown')"
    " OR state = 'planned' AND due_at >= counts_on"
    " OR state = 'suppressed' AND reason IN ('no_address', 'no_consent',"
    " 'opted_out', 'protected_identity', 'guardian_not_chosen', 'guardian_declined',"
    " 'render_failed', 'environment', 'quiet_hours', 'own_hours', 'too_late', 'not_video'))"
)
# What waits to tell of a change is planned again, which writes down what its reader expects.
AGAIN = """
    UPDATE appointment SET needs_plan = true WHERE EXISTS (
      SELECT 1 FROM message WHERE message.appointment_id = appointment.id
        AND message.version = appointment.version AND message.version > 1
        AND message.state = 'planned')
"""


def upgrade() -> None:
    op.add_column("message", sa.Column("counts_on", sa.DateTime(timezone=True)))
    op.drop_index("ix_message_trouble", "message")
    _make("ix_message_trouble", "truth_starts_at", AFTER)
    _make("ix_message_expected", "counts_on", f"{AFTER} AND counts_on IS NOT NULL")
    op.execute(sa.text(AGAIN))


def downgrade() -> None:
    op.drop_index("ix_message_expected", "message")
    op.drop_index("ix_message_trouble", "message")
    _make("ix_message_trouble", "truth_starts_at", BEFORE)
    op.drop_column("message", "counts_on")


def _make(name: str, column: str, where: str) -> None:
    op.create_index(
        name,
        "message",
        [column],
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
