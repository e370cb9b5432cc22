"""A patient's key that may be made of a name or an identity number is no longer kept.

Its visits stand for themselves until a file names the patient again, by a pseudonym; what is known
of the patient goes along then.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_NAMED = "patient:"
_KEPT = re.compile(r"(?:(?:[A-Z]{1,3}|[a-z]{1,3})-?)?[0-9]{1,9}|[0-9a-f]{32}")


def upgrade() -> None:
    patient = sa.table("patient", sa.column("id"), sa.column("external_key"))
    conn = op.get_bind()
    named = sa.select(patient).where(patient.c.external_key.like(f"{_NAMED}%"))
    for row in conn.execute(named).all():
        if _KEPT.fullmatch(row.external_key.removeprefix(_NAMED)) is None:
            changed = sa.update(patient).where(patient.c.id == row.id)
            conn.execute(changed.values(external_key=f"visit:#{row.id}"))


def downgrade() -> None:
    """Leave it: what a key was is not known any more."""
