"""Small facts about the database itself."""

from sqlalchemy import Connection, delete, insert, select

from reminders.store.schema import keeping

HELD = "held"
"""While this is kept, nothing is sent: the database was restored, and a person has to look."""


def get(conn: Connection, name: str) -> bytes | None:
    """Return what is kept under a name."""
    return conn.execute(select(keeping.c.value).where(keeping.c.name == name)).scalar()


def put(conn: Connection, name: str, value: bytes) -> None:
    """Keep a value under a name."""
    remove(conn, name)
    conn.execute(insert(keeping).values(name=name, value=value))


def remove(conn: Connection, name: str) -> None:
    """Keep nothing under a name."""
    conn.execute(delete(keeping).where(keeping.c.name == name))
