"""Engine stories run on the real SQLite and the real PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clinic import Clinic, at

START = "2026-11-30 12:00"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database without rows."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'reminders.db'}"
    url: str = request.getfixturevalue("ready_postgres_url")
    return url


@pytest.fixture
def open_clinic(tmp_path: Path, database_url: str) -> Iterator[Callable[..., Clinic]]:
    """Return a maker of clinics; they are closed at the end."""
    opened: list[Clinic] = []

    def make(start: str = START, **changes: Any) -> Clinic:
        clinic = Clinic(tmp_path, database_url, at(start), **changes)
        opened.append(clinic)
        return clinic

    yield make
    for clinic in opened:
        clinic.end()


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return the example clinic on Monday 30 November 2026 at noon."""
    return open_clinic()
