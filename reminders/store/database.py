"""Opening the database: SQLite, encrypted where its wheel is there, or PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from reminders.errors import DatabaseError
from reminders.store.writers import Writers

try:
    from sqlcipher3 import dbapi2 as sqlcipher
except ImportError:  # no wheel for this platform: the standard module, unencrypted
    sqlcipher = None

__all__ = [
    "Connection",
    "Database",
    "DatabaseFault",
    "MemoryDatabase",
    "ValueFault",
    "image_of",
    "is_deadlock",
    "journal",
    "open_database",
    "open_in_memory",
    "wal_is_safe",
]

DatabaseFault = DBAPIError
"""What a database raises that is away, locked or broken."""

ValueFault = DataError
"""What it raises of a value that it cannot take."""

BUSY_SECONDS = 10
CACHE_KIB = 16 * 1024
"""Of an encrypted file each page is deciphered as it is read: SQLite's own 2 MiB hold few."""

WAL_SAFE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""From these versions on, a WAL database cannot be damaged by a reset during a checkpoint."""


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Tell whether this SQLite version has the fix of the WAL-reset fault."""
    newest = max(WAL_SAFE)
    if version >= newest:
        return True
    return any(version[:2] == fixed[:2] and version >= fixed for fixed in WAL_SAFE)


DEADLOCK = "40P01"
"""PostgreSQL's word for a transaction that it has rolled back so that another can go on."""


def is_deadlock(fault: DBAPIError) -> bool:
    """Tell whether the same transaction, begun again, may well succeed."""
    return getattr(fault.orig, "sqlstate", None) == DEADLOCK


class Database:
    """One database and its connections. `open_transactions` counts what is under way."""

    def __init__(self, engine: Engine, *, encrypted: bool, writers: Writers | None = None) -> None:
        self.engine = engine
        self.encrypted = encrypted
        self.open_transactions = 0
        self._writers = writers

    @property
    def is_sqlite(self) -> bool:
        """Tell whether one file holds it all."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection that may write; commit at the end, roll back on an exception."""
        turn = self._writers.turn(BUSY_SECONDS) if self._writers else nullcontext()
        with turn:
            yield from self._connection("BEGIN IMMEDIATE")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database and takes no write lock."""
        yield from self._connection("BEGIN")

    def _connection(self, begin_sqlite: str) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            self.open_transactions += 1
            try:
                with connection.begin():
                    if self.is_sqlite:
                        # Said here, not by a listener: with one, every statement looks for more.
                        connection.exec_driver_sql(begin_sqlite)
                    yield connection
            finally:
                self.open_transactions -= 1

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_database(url: str, key: bytes | None = None, *, create: bool = False) -> Database:
    """Open the database at `url`; `key` is 32 bytes and encrypts SQLite.

    Raise DatabaseError if there is none (unless `create`), or the key is not its key.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(Path(parsed.database or "reminders.db"), key, create=create)
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=5,
            hide_parameters=True,
            connect_args=_on_postgresql(parsed),
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise DatabaseError(
            f"The database URL cannot be used ({type(error).__name__}). Write it like"
            " 'sqlite:///reminders.db' or 'postgresql+psycopg://user@host/name'; PostgreSQL"
            " needs the extra: pip install 'reminders[postgres]'."
        ) from None
    return _checked(Database(engine, encrypted=False))


def _on_postgresql(url: URL) -> dict[str, Any]:
    """Return how a connection is made; what the URL says otherwise holds.

    Instants come as they are kept: in UTC, whatever the server's zone. A connection that has gone
    silent is given up by both sides within a minute, as texts wait for it.
    """
    ours = {
        "connect_timeout": 10,
        "keepalives_idle": 20,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 35_000,
    }
    told = " ".join(
        f"-c {name}={value}"
        for name, value in {
            "timezone": "UTC",
            "tcp_keepalives_idle": 20,
            "tcp_keepalives_interval": 5,
            "tcp_keepalives_count": 3,
            "tcp_user_timeout": 35_000,
        }.items()
    )
    return {"options": told, **{name: ours[name] for name in ours.keys() - url.query.keys()}}


def _open_sqlite(path: Path, key: bytes | None, *, create: bool) -> Database:
    if not create and not path.is_file():
        raise DatabaseError(f"There is no database at {path}. 'reminders init' makes one.")
    if not path.parent.is_dir():
        raise DatabaseError(f"The folder {path.parent} is not there. Create it first.")
    module = sqlcipher or sqlite3
    encrypted = sqlcipher is not None and key is not None
    engine = create_engine(f"sqlite:///{path}", module=module, hide_parameters=True)
    version = tuple(int(part) for part in module.sqlite_version.split("."))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        if encrypted and key is not None:
            # With a wrong key it writes to stderr by itself; we say in words what is wrong.
            cursor.execute("PRAGMA cipher_log_level = NONE")
            cursor.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if wal_is_safe(version):
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        else:
            cursor.execute("PRAGMA journal_mode = DELETE")
            cursor.execute("PRAGMA synchronous = EXTRA")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    return _checked(Database(engine, encrypted=encrypted, writers=Writers()))


class MemoryDatabase(Database):
    """A SQLite database that lives in this process alone.

    All its transactions share one connection, so one has to end before the next begins.
    """

    def __init__(self, image: bytes | None) -> None:
        self._image = image
        engine = create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=StaticPool,
            pool_reset_on_return=None,  # each transaction has ended by then
            hide_parameters=True,
        )
        super().__init__(engine, encrypted=False)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if self._image is not None:
            connection.deserialize(self._image)
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def begin_again(self, image: bytes) -> None:
        """Put `image` in place of all that is in it. What was compiled for it stays compiled."""
        self._image = image
        self.engine.dispose()


def open_in_memory(image: bytes | None = None) -> MemoryDatabase:
    """Open a SQLite database that lives in this process alone, filled from `image`."""
    return MemoryDatabase(image)


def image_of(database: Database) -> bytes:
    """Return a copy of a database that was opened in memory."""
    connection: Any = database.engine.raw_connection().driver_connection
    image: bytes = connection.serialize()
    return image


def journal(conn: Connection) -> tuple[str, str]:
    """Return the mode of an SQLite database's journal, and the version of SQLite in use."""
    version = conn.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    mode = conn.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    return str(mode).upper(), str(version)


def _checked(database: Database) -> Database:
    try:
        with database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
    except (DBAPIError, sqlite3.Error) as error:
        database.close()
        raise DatabaseError(
            "The database cannot be opened. Is the key file the one it was made with, and does"
            f" the server answer? ({type(error.__cause__ or error).__name__})"
        ) from None
    return database
