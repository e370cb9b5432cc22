"""Small facts about the database itself, by name: for example that it was restored."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from reminders.store.schema import keeping

HELD = "held"
"""While this is kept, nothing is sent: a person has to look first."""


class Cause(StrEnum):
    """Why nothing is sent."""

    PERSON = "person"
    RESTORED = "restored"
    CLOCK = "clock"


def hold(conn: Connection, now: datetime, cause: Cause) -> None:
    """Send nothing until it is released."""
    put(conn, HELD, f"{now.isoformat()} {cause.value}".encode())


def held_by(conn: Connection) -> Cause | None:
    """Return why nothing is sent; None if nothing stands in the way."""
    kept = get(conn, HELD)
    if kept is None:
        return None
    _, _, cause = kept.decode().partition(" ")
    return Cause(cause) if cause else Cause.RESTORED


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
