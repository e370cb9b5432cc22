"""Problems are found by their file and booking: a file of many bad rows took ever longer."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_problem_import_run_id", "problem")
    op.create_index("ix_problem_import_run_id_ref", "problem", ["import_run_id", "ref"])


def downgrade() -> None:
    op.drop_index("ix_problem_import_run_id_ref", "problem")
    op.create_index("ix_problem_import_run_id", "problem", ["import_run_id"])
