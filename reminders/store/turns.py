"""What workers do one at a time, and hints between them: PostgreSQL's own locks and notices.

With SQLite one process sends, so every turn is its own, and there is nobody to give a hint to.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from reminders.store.database import Database

CHANNEL = "reminders"
_TRY = text("SELECT pg_try_advisory_xact_lock(hashtext(:name))")
_WAIT = text("SELECT pg_advisory_xact_lock(hashtext(:name))")
_HINT = text("SELECT pg_notify(:channel, '')")


def have_turn(conn: Connection, name: str) -> bool:
    """Tell whether this transaction alone may do a piece of periodic work; it is not waited for."""
    if conn.dialect.name == "sqlite":
        return True
    return bool(conn.execute(_TRY, {"name": f"reminders {name}"}).scalar_one())


def wait_turn(conn: Connection, name: str) -> None:
    """Wait until no other transaction does this piece of work."""
    if conn.dialect.name != "sqlite":
        conn.execute(_WAIT, {"name": f"reminders {name}"})


def hint(conn: Connection) -> None:
    """Let other workers look once this is committed. They would by themselves, a little later."""
    if conn.dialect.name != "sqlite":
        conn.execute(_HINT, {"channel": CHANNEL})


class Ear:
    """A connection of its own that hears hints; it holds no transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Return what becomes readable when there is a hint."""
        number: int = self._connection.pgconn.socket
        return number

    def heard(self) -> bool:
        """Take in what has come; tell whether there was a hint. Raise OSError if it is cut off."""
        pgconn = self._connection.pgconn
        try:
            pgconn.consume_input()
        except Exception:  # noqa: BLE001 - the driver's own errors: whichever, the line is dead
            raise ConnectionResetError from None
        found = False
        while pgconn.notifies() is not None:
            found = True
        return found


@contextmanager
def listening(database: Database) -> Iterator[Ear]:
    """Give a connection to PostgreSQL that hears hints. Raise OSError if there is none."""
    # Not of the pool, whose connections come back to it and are given to others.
    dialect = database.engine.dialect
    arguments, named = dialect.create_connect_args(database.engine.url)
    try:
        connection: Any = dialect.connect(*arguments, **named)
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
    except dialect.loaded_dbapi.Error:
        raise ConnectionRefusedError from None
    try:
        yield Ear(connection)
    finally:
        connection.close()
