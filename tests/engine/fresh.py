"""An empty, current database in no time: migrated once in each process, and copied.

That the migrations themselves do their work is for tests/house/test_migrations.py to show.
"""

import atexit
import shutil
import tempfile
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL, make_url

from reminders.config import Config, DatabaseConfig
from reminders.store.upgrade import upgrade
from reminders.wiring import make_key, open_store


def make_database(config: Config) -> None:
    """Make the database of `config`, at the present version, and its key file, if not there yet."""
    url = make_url(config.database_url)
    if url.get_backend_name() == "sqlite":
        if not Path(str(url.database)).exists():
            original = _sqlite_original(config)
            shutil.copy(original.path(original.key_file), config.path(config.key_file))
            shutil.copy(str(make_url(original.database_url).database), str(url.database))
    elif make_key(config):
        _copy_on_postgresql(config, url)


def _copy_on_postgresql(config: Config, url: URL) -> None:
    with psycopg.connect(_plain(url, "postgres"), autocommit=True) as conn:
        original = Identifier("migrated")
        there = conn.execute("SELECT 1 FROM pg_database WHERE datname = 'migrated'")
        if there.fetchone() is None:
            conn.execute(SQL("CREATE DATABASE {}").format(original))
            _migrate(_elsewhere(config, config.folder, url.set(database="migrated")))
        name = Identifier(str(url.database))
        conn.execute(SQL("DROP DATABASE {}").format(name))
        conn.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(name, original))


_made: list[Config] = []


def _sqlite_original(config: Config) -> Config:
    if not _made:
        folder = Path(tempfile.mkdtemp(prefix="reminders-fresh-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        original = _elsewhere(config, folder, make_url("sqlite:///original.db"))
        make_key(original)
        _migrate(original)
        _made.append(original)
    return _made[0]


def _elsewhere(config: Config, folder: Path, url: URL) -> Config:
    database = DatabaseConfig(url=url.render_as_string(hide_password=False))
    return config.model_copy(update={"folder": folder, "database": database})


def _migrate(config: Config) -> None:
    database = open_store(config, create=True)
    upgrade(database)
    database.close()


def _plain(url: URL, database: str) -> str:
    return url.set(drivername="postgresql", database=database).render_as_string(hide_password=False)
