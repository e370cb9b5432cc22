"""Bookings of a file that are over already, and known: there is nothing to correct in them."""

from datetime import datetime

from reminders.intake.bookings import Problem, Row
from reminders.store import imports
from reminders.store.database import Connection

Rows = list[Row]
Problems = list[Problem]


def without_over(
    conn: Connection, clinic_id: int, rows: Rows, problems: Problems, now: datetime
) -> tuple[Rows, Problems]:
    """Return rows and problems as they are to be staged.

    A known booking that has begun, as every one in an export has some day, is a row without
    problems. Of any other past time the problem stays, and there is no row.
    """
    past = [row for row in rows if row.past]
    if not past:
        return rows, problems
    over = imports.begun(conn, clinic_id, sorted({row.ref for row in past}), now)
    settled = {row.line for row in past if row.ref in over}
    return (
        [row for row in rows if not row.past or row.line in settled],
        [problem for problem in problems if problem.line not in settled],
    )
