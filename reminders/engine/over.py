"""Bookings of a file that are over already, and known: there is nothing to correct in them."""

from collections.abc import Sequence
from datetime import datetime

from reminders.intake.bookings import Item, Row
from reminders.store import imports
from reminders.store.database import Connection


def without_over(
    conn: Connection, clinic_id: int, items: Sequence[Item], now: datetime
) -> Sequence[Item]:
    """Return rows, problems and doubts as they are to be staged.

    A known booking that has begun, as every one in an export has some day, is a row without
    problems. Of any other past time the problem stays, and there is no row.
    """
    past = {item.line: item.ref for item in items if isinstance(item, Row) and item.past}
    if not past:
        return items
    over = imports.begun(conn, clinic_id, sorted({*past.values()}), now)
    settled = {line for line, ref in past.items() if ref in over}
    return [
        item
        for item in items
        if item.line not in past or (item.line in settled) is isinstance(item, Row)
    ]
