"""Messages in the order of their ids, and who may yet add some in between."""

from sqlalchemy import Connection, func, select, text

from reminders.store.schema import appointment, clinic, message
from reminders.store.views import Line, lines_among

_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND relation = to_regclass('message') AND mode = 'RowExclusiveLock'"
)


def newest(conn: Connection) -> int:
    """Return the largest id of a message; 0 if there is none."""
    return conn.execute(select(func.max(message.c.id))).scalar() or 0


def writers(conn: Connection) -> frozenset[str]:
    """Return the names of the transactions that may have taken ids for messages and go on.

    Each holds this lock from before it takes an id (`bulk.reserve`) until what it wrote is seen,
    or never will be. With SQLite one writes at a time: ids are seen in their order.
    """
    if conn.dialect.name == "sqlite":
        return frozenset()
    return frozenset(conn.execute(_WRITERS).scalars())


def lines_between(
    conn: Connection, clinic_key: str, after: int, until: int, limit: int
) -> list[Line]:
    """Return a clinic's messages with an id above `after` and up to `until`, in their order."""
    chosen = (
        select(message.c.id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .join(clinic, clinic.c.id == appointment.c.clinic_id)
        .where(clinic.c.key == clinic_key, message.c.id > after, message.c.id <= until)
        .order_by(message.c.id)
        .limit(limit)
    )
    found = lines_among(conn, message.c.id.in_(chosen))
    return sorted(found, key=lambda line: line.message.id)
