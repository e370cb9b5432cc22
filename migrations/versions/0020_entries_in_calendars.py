"""Whether an email brought an entry for the calendar: a later one has to put it right."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Of what has gone before, the template that it was made of tells.
BROUGHT = """
    UPDATE message SET calendar = true WHERE channel = 'email' AND EXISTS (
      SELECT 1 FROM attempt JOIN template_version
        ON template_version.version = attempt.template_version
      WHERE attempt.message_id = message.id AND template_version.channel = 'email'
        AND template_version.source LIKE '%Calendar: %')
"""


def upgrade() -> None:
    op.add_column(
        "message", sa.Column("calendar", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute(sa.text(BROUGHT))


def downgrade() -> None:
    op.drop_column("message", "calendar")
