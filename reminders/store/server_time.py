"""The clock of the database's server: all workers go by it, however their own clocks stand."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import text

from reminders.store.database import Database

SAMPLES = 3
_NOW = text("SELECT clock_timestamp()")


def clock_offset(database: Database, now: Callable[[], datetime]) -> timedelta:
    """Return how far the server's clock is ahead of `now`: of the sample that came back soonest.

    With SQLite there is no other clock than this machine's.
    """
    if database.is_sqlite:
        return timedelta(0)
    best: tuple[timedelta, timedelta] | None = None
    with database.reading() as connection:
        for _ in range(SAMPLES):
            before = now()
            there: datetime = connection.execute(_NOW).scalar_one()
            took = now() - before
            sample = (took, there - (before + took / 2))
            best = sample if best is None else min(best, sample)
    return best[1] if best is not None else timedelta(0)
