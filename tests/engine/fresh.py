"""An empty, current database in no time: migrated once in each process, then copied or lent.

That the migrations themselves do their work is for tests/house/test_migrations.py to show.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, make_url

from reminders.config import Config, DatabaseConfig, example
from reminders.store.database import open_database
from reminders.store.upgrade import upgrade
from reminders.wiring import make_key, open_store
from tests.kept import LENT

_EMPTY = """
DO $$
DECLARE name text;
BEGIN
  -- What refers to a row need not be deleted before it.
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT relid::regclass FROM pg_stat_user_tables
    WHERE relname <> 'alembic_version' LOOP
    EXECUTE 'DELETE FROM ' || name;
  END LOOP;
  FOR name IN SELECT quote_ident(sequencename) FROM pg_sequences WHERE last_value IS NOT NULL LOOP
    EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART';
  END LOOP;
END $$
"""
_LEFT = f"""
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND (
  application_name <> '{LENT}' OR state <> 'idle'
  OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')
)
"""
"""What a test has left behind: all but connections that nobody uses."""

_numbers = count()
_free: list[str] = []
_made: list[Config] = []


def make_database(config: Config) -> None:
    """Make the database of `config`, if it is a file, and its key file, if not there yet."""
    url = make_url(config.database_url)
    if url.get_backend_name() != "sqlite":
        make_key(config)
    elif not Path(str(url.database)).exists():
        original = _sqlite_original()
        shutil.copy(original.path(original.key_file), config.path(config.key_file))
        shutil.copy(str(make_url(original.database_url).database), str(url.database))


@contextmanager
def lent(server: Any) -> Iterator[str]:
    """Yield the URL of a database at the present version, without rows; it is used again."""
    name = _free.pop() if _free else _copy(server, LENT)
    url = _url(server, name)
    yield url
    database = open_database(url)
    with database.transaction() as conn:
        conn.exec_driver_sql(_LEFT)
        conn.exec_driver_sql(_EMPTY)
    database.close()
    _free.append(name)


@contextmanager
def copied(server: Any) -> Iterator[str]:
    """Yield the URL of such a database that may be changed in any way; it is dropped."""
    name = _copy(server, "copy_")
    yield _url(server, name)
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as conn:
        conn.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def _copy(server: Any, kind: str) -> str:
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as conn:
        there = conn.execute("SELECT 1 FROM pg_database WHERE datname = 'migrated'")
        if there.fetchone() is None:
            conn.execute("CREATE DATABASE migrated")
            with tempfile.TemporaryDirectory(prefix="reminders-fresh-") as folder:
                _migrate(_elsewhere(Path(folder), make_url(_url(server, "migrated"))))
        name = f"{kind}{next(_numbers)}"
        conn.execute(SQL("CREATE DATABASE {} TEMPLATE migrated").format(Identifier(name)))
    return name


def _url(server: Any, name: str) -> str:
    uri: str = server.get_uri(name)
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


def _sqlite_original() -> Config:
    if not _made:
        folder = Path(tempfile.mkdtemp(prefix="reminders-fresh-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        original = _elsewhere(folder, make_url("sqlite:///original.db"))
        _migrate(original)
        _made.append(original)
    return _made[0]


def _elsewhere(folder: Path, url: URL) -> Config:
    database = DatabaseConfig(url=url.render_as_string(hide_password=False))
    return example().model_copy(update={"folder": folder, "database": database})


def _migrate(config: Config) -> None:
    make_key(config)
    database = open_store(config, create=True)
    upgrade(database)
    database.close()
