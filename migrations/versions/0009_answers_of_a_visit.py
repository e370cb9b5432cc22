"""What has been written about one visit is found without reading all that has been written."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_inbound_appointment_id", "inbound", ["appointment_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_inbound_appointment_id", "inbound")
