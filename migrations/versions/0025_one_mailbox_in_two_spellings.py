"""Two spellings of a mailbox are one: an index of them, and one opt-out for both."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# Of two opt-outs of one mailbox, one is enough.
ONCE = """
    DELETE FROM opt_out WHERE EXISTS (
      SELECT 1 FROM opt_out AS other WHERE other.clinic_id = opt_out.clinic_id
        AND lower(other.address) = lower(opt_out.address) AND other.address < opt_out.address)
"""


def upgrade() -> None:
    op.drop_index("ix_contact_email", "contact")
    op.create_index("ix_contact_mailbox", "contact", [sa.text("lower(email)")])
    op.execute(sa.text(ONCE))
    op.execute(sa.text("UPDATE opt_out SET address = lower(address)"))


def downgrade() -> None:
    op.drop_index("ix_contact_mailbox", "contact")
    op.create_index("ix_contact_email", "contact", ["email"])
