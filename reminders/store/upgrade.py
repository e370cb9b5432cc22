"""The database's version: bringing it up to the program's, and checking that it is."""

import functools
import re
import warnings
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from reminders.errors import DatabaseError
from reminders.resources import migrations
from reminders.store.database import Database
from reminders.store.schema_inbound import metadata

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

# Alembic is imported where it is used: only an upgrade needs it, and it takes a third of the time
# to start and of the memory of a daemon.

_REVISION = re.compile(r'^(down_)?revision(?:: [^=]*)? = "(\w+)"', re.MULTILINE)


def _alembic() -> "AlembicConfig":
    from alembic.config import Config as AlembicConfig  # noqa: PLC0415 - see above

    config = AlembicConfig()
    config.set_main_option("script_location", str(migrations()))
    config.set_main_option("path_separator", "os")
    return config


@functools.cache
def _revisions() -> dict[str, str | None]:
    """Return each revision that this program knows, with the one before it."""
    found: dict[str, str | None] = {}
    for script in (migrations() / "versions").glob("*.py"):
        names = {bool(down): name for down, name in _REVISION.findall(script.read_text("utf-8"))}
        found[names[False]] = names.get(True)
    return found


def newest_revision() -> str:
    """Return the revision that this program works with."""
    known = _revisions()
    return next(iter(known.keys() - set(known.values())), "")


def revision(database: Database) -> str | None:
    """Return the database's revision; None if it is empty."""
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the database to a revision, in one transaction."""
    from alembic import command  # noqa: PLC0415 - see above

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
    if found not in _revisions():
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
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - see above
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415

    with database.reading() as connection, warnings.catch_warnings():
        # SQLite does not tell of what expression an index is: then that one is not compared.
        warnings.filterwarnings("ignore", message=".*expression-based index")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]
