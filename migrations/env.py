"""Alembic runs the migrations on the connection that it is given; there is no other way in."""

from alembic import context

from reminders.store.schema_inbound import metadata
from reminders.store.types import UtcDateTime


def render_item(kind, item, _autogen):
    """Write our column types as SQLAlchemy's own: a migration must outlive our modules."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
