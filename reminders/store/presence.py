"""A worker's sign of life in PostgreSQL: a lock that its own database session holds.

Whoever would take a message over sees by it that the worker is still there. It ends with the
session, however the worker ends. A SQLite file needs none: one process sends from it.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from reminders.store.database import Database

SPACE = 0x52454D
"""Our half of the names of advisory locks; the other half is the session's number."""

# Shared with its own earlier session, which the server may take for alive a while longer.
_HOLD = text("SELECT pg_advisory_lock_shared(:space, :session)")
_ALIVE = text(
    "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = :space AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Presence:
    """The session of one worker. `hold` as often as it works: the connection may have broken."""

    def __init__(self, database: Database, session: int) -> None:
        self._database = database
        self._session = session
        self._connection: Connection | None = None

    def hold(self) -> None:
        """Hold the lock; take it again on a new connection if the old one is gone."""
        if self._database.is_sqlite:
            return
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except DBAPIError:
                self.leave()
            else:
                return
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(_HOLD, {"space": SPACE, "session": self._session})
        except DBAPIError:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection

    def leave(self) -> None:
        """End the session; a second call does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()  # not back into the pool: the lock would live on there
            connection.close()


def alive(conn: Connection) -> frozenset[int]:
    """Return the sessions of workers that are there; none in SQLite, where one process sends."""
    if conn.dialect.name == "sqlite":
        return frozenset()
    return frozenset(conn.execute(_ALIVE, {"space": SPACE}).scalars())
