"""What waits to be sent, and how late it is: counted from when it was due, not from a retry."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, select, text

from reminders.domain.state import State
from reminders.store.schema import RETRIED, message

OVERDUE_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many messages are due, how many of these are overdue, and how late the oldest is."""

    due: int
    overdue: int
    oldest_due_seconds: int


def waiting(conn: Connection, now: datetime) -> Waiting:
    """Return what waits at `now`, from the indexes of what is planned alone.

    What was refused for the time being is tried again at `next_at`, and has been due since
    `due_at`. What waits for the night to end is due when it ends.
    """
    # The conditions are literals, or a partial index could not be used in a generic plan.
    planned = and_(text(f"state = '{State.PLANNED.value}'"), message.c.urgency.in_([0, 1]))
    retried = and_(text(RETRIED))

    def count(at: datetime) -> int:
        first = _count(conn, planned, message.c.next_at <= at)
        return first + _count(conn, retried, message.c.due_at <= at, message.c.next_at > at)

    since = [
        moment
        for moment in (
            _first(conn, message.c.next_at, planned, message.c.next_at <= now),
            _first(conn, message.c.due_at, retried, message.c.due_at <= now),
        )
        if moment is not None
    ]
    oldest = int((now - min(since)).total_seconds()) if since else 0
    return Waiting(count(now), count(now - OVERDUE_AFTER), oldest)


def _count(conn: Connection, *conditions: ColumnElement[bool]) -> int:
    return conn.execute(select(func.count()).select_from(message).where(*conditions)).scalar_one()


def _first(
    conn: Connection, column: ColumnElement[datetime], *conditions: ColumnElement[bool]
) -> datetime | None:
    return conn.execute(select(func.min(column, type_=column.type)).where(*conditions)).scalar()
