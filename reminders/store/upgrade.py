"""The database's version: bringing it up to the program's, and checking that it is."""

import functools

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from reminders.errors import DatabaseError
from reminders.resources import migrations
from reminders.store.database import Database
from reminders.store.schema_inbound import metadata


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(migrations()))
    config.set_main_option("path_separator", "os")
    return config


@functools.cache
def newest_revision() -> str:
    """Return the revision that this program works with."""
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def revision(database: Database) -> str | None:
    """Return the database's revision; None if it is empty."""
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the database to a revision, in one transaction."""
    config = _alembic()
    with database.transaction() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def require_current(database: Database) -> None:
    """Raise DatabaseError unless the database is at the program's revision."""
    found, wanted = revision(database), newest_revision()
    if found == wanted:
        return
    if found is None:
        raise DatabaseError("The database is empty. 'reminders db upgrade' fills in its tables.")
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if found not in known:
        raise DatabaseError(
            "The database was made by a newer version of reminders. Install that version, or"
            " restore the backup that was taken before the upgrade."
        )
    raise DatabaseError(
        "The database is of an older version. Take a backup ('reminders db backup'), then run"
        " 'reminders db upgrade'."
    )


def differences(database: Database) -> list[str]:
    """Return how the database's tables differ from the program's, in words; empty if not."""
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]
