"""What a channel that is down cannot send in time: it is late, and somebody may have to phone."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

RETRIED = "state = 'planned' AND reason IN ('provider_busy', 'channel_down'{})"
TROUBLE = (
    "(state IN ('failed', 'undelivered', 'expired', 'unknown')"
    " OR state = 'planned' AND due_at >= counts_on{}"
    " OR state = 'suppressed' AND reason IN ('no_address', 'no_consent',"
    " 'opted_out', 'protected_identity', 'guardian_not_chosen', 'guardian_declined',"
    " 'render_failed', 'environment', 'quiet_hours', 'own_hours', 'too_late', 'not_video'))"
)


def upgrade() -> None:
    _make(", 'out_of_reach'", " OR state = 'planned' AND reason = 'out_of_reach'")


def downgrade() -> None:
    _make("", "")


def _make(retried: str, trouble: str) -> None:
    where = TROUBLE.format(trouble)
    for name, column, condition in (
        ("ix_message_retried", "due_at", RETRIED.format(retried)),
        ("ix_message_trouble", "truth_starts_at", where),
        ("ix_message_expected", "counts_on", f"{where} AND counts_on IS NOT NULL"),
    ):
        op.drop_index(name, "message")
        op.create_index(
            name,
            "message",
            [column],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
