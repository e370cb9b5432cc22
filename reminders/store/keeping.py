"""Small facts about the database itself, by name: for example that it was restored."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from reminders.store import ledger
from reminders.store.schema import keeping

HELD = "held"
"""While this is kept, nothing is sent: a person has to look first."""

LONG_AGO = timedelta(days=7)
"""So much older than its restore a backup is taken to be that tells nothing of its age."""


class Cause(StrEnum):
    """Why nothing is sent."""

    PERSON = "person"
    RESTORED = "restored"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Held:
    """Why nothing is sent, and since when.

    `worked_until` is the last moment of which a restored database knows. What went later it does
    not know. Older versions kept less.
    """

    cause: Cause
    at: datetime | None = None
    worked_until: datetime | None = None


def hold(conn: Connection, now: datetime, cause: Cause) -> None:
    """Send nothing until it is released."""
    put(conn, HELD, f"{now.isoformat()} {cause.value}".encode())


def hold_restored(conn: Connection, now: datetime) -> None:
    """Send nothing from a database that was just restored, whatever it was held for before.

    One that was copied before an earlier restore was released knows nothing since the first backup.
    """
    worked_until = last_work(conn, Held(Cause.RESTORED, now), now)
    before = held(conn)
    if before is not None and before.cause is Cause.RESTORED:
        worked_until = min(worked_until, last_work(conn, before, now))
    value = f"{now.isoformat()} {Cause.RESTORED.value} {worked_until.isoformat()}"
    put(conn, HELD, value.encode())


def held(conn: Connection) -> Held | None:
    """Return what is kept of the hold; None if nothing stands in the way."""
    kept = get(conn, HELD)
    if kept is None:
        return None
    at, cause, worked_until, *_ = (*kept.decode().split(), "", "", "")
    return Held(Cause(cause or Cause.RESTORED), _time(at), _time(worked_until))


def held_by(conn: Connection) -> Cause | None:
    """Return why nothing is sent; None if nothing stands in the way."""
    found = held(conn)
    return found.cause if found else None


def last_work(conn: Connection, restored: Held, now: datetime) -> datetime:
    """Return the last moment of which a restored database knows, or an earlier one."""
    if restored.worked_until is not None:
        return restored.worked_until
    at = restored.at or now
    return ledger.newest(conn, at) or at - LONG_AGO


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


_GET = select(keeping.c.value).where(keeping.c.name == bindparam("named"))


def get(conn: Connection, name: str) -> bytes | None:
    """Return what is kept under a name, or None."""
    return conn.execute(_GET, {"named": name}).scalar()


def put(conn: Connection, name: str, value: bytes) -> None:
    """Keep a value under a name, in place of what was there."""
    there = conn.execute(update(keeping).where(keeping.c.name == name).values(value=value))
    if there.rowcount == 0:
        conn.execute(insert(keeping).values(name=name, value=value))


def remove(conn: Connection, name: str) -> bool:
    """Forget what is kept under a name; tell whether there was anything."""
    return conn.execute(delete(keeping).where(keeping.c.name == name)).rowcount > 0
