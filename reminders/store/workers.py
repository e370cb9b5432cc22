"""Who is sending: a row a worker, with when it was last at work."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, insert, select, update

from reminders.store.schema import worker

ALIVE_WITHIN = timedelta(minutes=2)


_SEEN = update(worker).where(worker.c.name == bindparam("named"))
_SEEN = _SEEN.values(seen_at=bindparam("now"), stopped_at=None)


def seen(conn: Connection, name: str, now: datetime) -> None:
    """Write down that a worker is at work."""
    touched = conn.execute(_SEEN, {"named": name, "now": now})
    if touched.rowcount == 0:
        conn.execute(insert(worker).values(name=name, started_at=now, seen_at=now))


def stopped(conn: Connection, name: str, now: datetime) -> None:
    """Write down that a worker has gone home."""
    conn.execute(update(worker).where(worker.c.name == name).values(stopped_at=now, seen_at=now))


_LAST_TICK = select(func.max(worker.c.seen_at))


def last_tick(conn: Connection) -> datetime | None:
    """Return when any worker was last at work."""
    return conn.execute(_LAST_TICK).scalar()


def alive(conn: Connection, now: datetime) -> int:
    """Return how many workers have been at work lately and have not gone home."""
    query = (
        select(func.count())
        .select_from(worker)
        .where(worker.c.stopped_at.is_(None), worker.c.seen_at >= now - ALIVE_WITHIN)
    )
    return conn.execute(query).scalar_one()
