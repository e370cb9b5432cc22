"""A template may be one clinic's own: whose it is, is part of what an approval is of."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

NAME = "pk_template_version"
KEY = ["language", "name", "channel", "version"]


def upgrade() -> None:
    with op.batch_alter_table("template_version") as table:
        table.add_column(
            sa.Column("clinic", sa.String(length=64), server_default="", nullable=False)
        )
        table.drop_constraint(NAME, type_="primary")
        table.create_primary_key(NAME, ["clinic", *KEY])


def downgrade() -> None:
    op.execute("DELETE FROM template_version WHERE clinic <> ''")
    with op.batch_alter_table("template_version") as table:
        table.drop_constraint(NAME, type_="primary")
        table.create_primary_key(NAME, KEY)
        table.drop_column("clinic")
