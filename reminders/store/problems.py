"""Rows of files that could not be taken: until when staff see them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from reminders.store.schema import problem, staged_visit

PAST_TIME = "past_time"


def settle(conn: Connection, clinic_id: int, run_id: int, now: datetime) -> None:
    """Close earlier problems: those the file solves, and those it repeats (as new ones).

    A visit in the past that the file no longer has is nothing to put right either.
    """
    spoken_of = select(staged_visit.c.ref).where(staged_visit.c.import_run_id == run_id)
    repeated = select(problem.c.ref).where(
        problem.c.import_run_id == run_id, problem.c.ref.is_not(None)
    )
    conn.execute(
        update(problem)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.import_run_id != run_id,
            problem.c.solved_at.is_(None),
            problem.c.ref.in_(spoken_of)
            | problem.c.ref.in_(repeated)
            | problem.c.ref.is_(None)
            | (problem.c.code == PAST_TIME),
        )
        .values(solved_at=now)
    )


def settle_past(conn: Connection, clinic_id: int, before: datetime, now: datetime) -> int:
    """Close the problems of visits in the past that have stood since before `before`."""
    return conn.execute(
        update(problem)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.code == PAST_TIME,
            problem.c.solved_at.is_(None),
            problem.c.created_at < before,
        )
        .values(solved_at=now)
    ).rowcount


def solve(conn: Connection, clinic_id: int, refs: Sequence[str], now: datetime) -> None:
    """Close the problems of bookings that have been put right by hand, or by a program."""
    conn.execute(
        update(problem)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.solved_at.is_(None),
            problem.c.ref.in_(refs),
        )
        .values(solved_at=now)
    )
