"""The index of whom to phone has visits that are no longer by video in it too."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BEFORE = (
    "(state IN ('failed', 'undelivered', 'expired', 'unknown')"
    " OR state = 'suppressed' AND reason IN ('no_address', 'no_consent',"
    " 'opted_out', 'protected_identity', 'guardian_not_chosen', 'guardian_declined',"
    " 'render_failed', 'environment', 'quiet_hours', 'own_hours', 'too_late'))"
)
AFTER = (
    "(state IN ('failed', 'undelivered', 'expired', 'unknown')"
    " OR state = 'suppressed' AND reason IN ('no_address', 'no_consent',"
    " 'opted_out', 'protected_identity', 'guardian_not_chosen', 'guardian_declined',"
    " 'render_failed', 'environment', 'quiet_hours', 'own_hours', 'too_late', 'not_video'))"
)


def upgrade() -> None:
    _make(AFTER)


def downgrade() -> None:
    _make(BEFORE)


def _make(where: str) -> None:
    op.drop_index("ix_message_trouble", "message")
    op.create_index(
        "ix_message_trouble",
        "message",
        ["truth_starts_at"],
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
