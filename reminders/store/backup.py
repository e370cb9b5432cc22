"""Copies of a SQLite database: taking one while work goes on, checking one, putting one back."""

import os
import shutil
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from reminders.errors import DatabaseError, UsageError
from reminders.store import keeping
from reminders.store.database import Database, open_database

PRIVATE = 0o600
ASIDE = ".before-restore"
_WITH_IT = ("", "-wal", "-shm")
"""A SQLite database is its file, and while it is used these two beside it."""


def file_of(database: Database) -> Path:
    """Return the file of a SQLite database. Raise UsageError for another kind."""
    if not database.is_sqlite:
        raise UsageError(
            "This database is PostgreSQL: use its own tools, pg_dump for a backup and pg_restore"
            " to put one back."
        )
    return Path(database.engine.url.database or "")


def back_up(database: Database, to: Path) -> None:
    """Write a copy of the database, as it is at this moment, to a new file.

    An encrypted database stays encrypted, with the same key. Raise UsageError if the file is there.
    """
    file_of(database)
    _make_private(to)
    try:
        with closing(database.engine.raw_connection()) as connection:
            # VACUUM cannot run within a transaction, so not through Database.transaction().
            connection.cursor().execute("VACUUM INTO ?", (str(to),))
        _flush(to)
    except BaseException:
        to.unlink(missing_ok=True)
        raise


def findings(database: Database) -> list[str]:
    """Return what is damaged in a SQLite database, in its own words; empty if nothing is."""
    if not database.is_sqlite:
        return []
    with database.reading() as connection:
        said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
        found = [] if said == ["ok"] else said
        if database.encrypted:
            found += _told(connection, "PRAGMA cipher_integrity_check")
        found += [
            f"table {row[0]}: a row refers to a row of {row[2]} that is not there"
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check")
        ]
    return found


def _told(connection: Connection, pragma: str) -> list[str]:
    return [str(row[0]) for row in connection.exec_driver_sql(pragma)]


def restore(backup: Path, key: bytes | None, to: Path, now: datetime, *, replace: bool) -> None:
    """Put a copy of a backup where the database is, held until a person releases it.

    A database that is there already is kept beside it, with `.before-restore` after its name; this
    needs `replace`. Raise UsageError or DatabaseError, with nothing changed.
    """
    _refuse_unfit(backup, to, replace=replace)
    incoming = to.with_name(f"{to.name}.restoring")
    try:
        incoming.unlink(missing_ok=True)
        _make_private(incoming)
        shutil.copyfile(backup, incoming)
        _hold(incoming, key, now)
        _flush(incoming)
        if to.exists():
            _move_aside(to)
        incoming.replace(to)
    finally:
        for end in _WITH_IT:
            Path(f"{incoming}{end}").unlink(missing_ok=True)


def _refuse_unfit(backup: Path, to: Path, *, replace: bool) -> None:
    if not backup.is_file():
        raise UsageError(f"{backup}: no such file.")
    log = Path(f"{backup}-wal")
    if log.exists() and log.stat().st_size > 0:
        raise UsageError(
            f"{backup}: this is a database in use, not a backup: part of it is still in {log.name}."
            " Take a backup of it with 'reminders db backup FILE' and restore that."
        )
    if to.exists() and not replace:
        raise UsageError(
            f"There is a database at {to} already. Add --replace to put the backup in its place;"
            f" the present one is kept as {to.name}{ASIDE}."
        )
    aside = to.with_name(f"{to.name}{ASIDE}")
    if to.exists() and aside.exists():
        raise UsageError(f"{aside} is there from an earlier restore. Move it away first.")


def _hold(path: Path, key: bytes | None, now: datetime) -> None:
    database = open_database(f"sqlite:///{path}", key)
    try:
        if findings(database):
            raise DatabaseError("The backup is damaged and was not restored. Use another one.")
        with database.transaction() as connection:
            keeping.hold_restored(connection, now)
    except DBAPIError:
        raise DatabaseError("The backup is not a database of reminders.") from None
    finally:
        database.close()


def _move_aside(path: Path) -> None:
    for end in _WITH_IT:
        part = Path(f"{path}{end}")
        if part.exists():
            part.rename(f"{path}{ASIDE}{end}")


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    except FileExistsError:
        raise UsageError(f"{path} is there already. Choose another name.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from None


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
