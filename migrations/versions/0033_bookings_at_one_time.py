"""The planner looks for a patient's other bookings at a visit's time: one entry finds them."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

OLD = "ix_appointment_patient_id"
NEW = "ix_appointment_patient_id_starts_at"


def upgrade() -> None:
    op.create_index(NEW, "appointment", ["patient_id", "starts_at"])
    op.drop_index(OLD, "appointment")


def downgrade() -> None:
    op.create_index(OLD, "appointment", ["patient_id"])
    op.drop_index(NEW, "appointment")
