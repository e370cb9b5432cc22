"""Siblings who share a mailbox are told apart as those who share a phone are: it is looked up."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_contact_email", "contact", ["email"])


def downgrade() -> None:
    op.drop_index("ix_contact_email", "contact")
