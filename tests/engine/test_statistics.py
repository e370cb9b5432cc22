"""A large file on PostgreSQL: the server is told what has come, and searches the right way round."""

from pathlib import Path

import pytest
from sqlalchemy import text

from reminders.engine import applying
from reminders.engine.applying import PART
from tests.engine.clinic import Clinic, at, row


def test_the_server_knows_of_a_large_file(
    tmp_path: Path, ready_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It last looked when all was empty; by that it would search each row among all others."""
    monkeypatch.setattr(applying, "AT_ONCE", PART)
    clinic = Clinic(tmp_path, ready_postgres_url, at("2026-11-30 12:00"))
    engine = clinic.runtime.database.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))
    staged = clinic.read(*(row(f"B{n}", phone=f"07017{n:05}") for n in range(2 * PART + 1)))
    assert staged.applied
    with clinic.runtime.database.reading() as conn:
        known = text("SELECT relname, reltuples FROM pg_class WHERE relname = ANY(:names)")
        names = ["patient", "contact", "appointment", "staged_visit", "staged_contact"]
        rows = {name: int(count) for name, count in conn.execute(known, {"names": names}).all()}
    clinic.end()
    applied, staged_rows = (
        dict.fromkeys(names[:3], 2 * PART),
        dict.fromkeys(names[3:], 2 * PART + 1),
    )
    assert rows == applied | staged_rows
