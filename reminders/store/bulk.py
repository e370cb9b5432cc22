"""Writing many rows at once, within the caller's transaction: one statement, or COPY.

Row by row through SQLAlchemy a large import would spend its time on everything but writing.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Boolean, Connection, Date, Table, Time, text

from reminders.store.types import UtcDateTime

Values = Sequence[Any]
Convert = Callable[[Any], Any]


def reserve(conn: Connection, table: Table, count: int) -> Sequence[int]:
    """Return ids for so many new rows of a table that no other row has or will be given.

    On SQLite the caller holds the write lock, so what follows the last id is free. On PostgreSQL
    the lock that the insert takes is taken first: others see who has ids that they cannot see yet.
    """
    if conn.dialect.name == "sqlite":
        query = f"SELECT coalesce(max(id), 0) FROM {table.name}"
        last = conn.exec_driver_sql(query).scalar_one()
        return range(last + 1, last + 1 + count)
    conn.exec_driver_sql(f"LOCK TABLE {table.name} IN ROW EXCLUSIVE MODE")
    return list(conn.execute(_RESERVE, {"table": table.name, "count": count}).scalars())


_RESERVE = text(
    "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"
)


def insert_rows(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[Values]
) -> None:
    """Insert rows of plain values, in the order of `columns`."""
    if not rows:
        return
    ready = _ready(conn, table, columns, rows)
    names = ", ".join(f'"{name}"' for name in columns)
    if conn.dialect.name == "sqlite":
        places = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {table.name} ({names}) VALUES ({places})"
        conn.exec_driver_sql(insert, list(ready))
        return
    cursor: Any = conn.connection.cursor()
    with cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in ready:
            copy.write_row(row)


def update_rows(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[Values], extra: str = ""
) -> None:
    """Set `columns` of the rows whose id stands last in each; `extra` is set for all of them."""
    if not rows:
        return
    sqlite = conn.dialect.name == "sqlite"
    place = "?" if sqlite else "%s"
    sets = ", ".join([*(f'"{name}" = {place}' for name in columns), *([extra] if extra else [])])
    ready = list(_ready(conn, table, [*columns, "id"], rows))
    conn.exec_driver_sql(f"UPDATE {table.name} SET {sets} WHERE id = {place}", ready)


def _ready(
    conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[Values]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows as the database's driver takes them."""
    sqlite = conn.dialect.name == "sqlite"
    makers = [(place, _maker(table, name, sqlite=sqlite)) for place, name in enumerate(columns)]
    needed = [(place, maker) for place, maker in makers if maker is not None]
    for row in rows:
        values = list(row)
        for place, make in needed:
            if values[place] is not None:
                values[place] = make(values[place])
        yield tuple(values)


def _maker(table: Table, name: str, *, sqlite: bool) -> Convert | None:
    kind = table.c[name].type
    if isinstance(kind, JSON):
        return _json
    if not sqlite:
        return None
    if isinstance(kind, UtcDateTime):
        return sqlite_instant
    if isinstance(kind, Date):
        return date.isoformat
    if isinstance(kind, Time):
        return sqlite_time
    return int if isinstance(kind, Boolean) else None


def _json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=1 << 14)
def sqlite_instant(instant: datetime) -> str:
    """Return an instant as SQLAlchemy keeps it in SQLite. Many rows share one."""
    if instant.tzinfo is None:
        raise ValueError("an instant must be aware")
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def sqlite_time(at: time) -> str:
    """Return a time of day as SQLAlchemy keeps it in SQLite."""
    return at.strftime("%H:%M:%S.%f")
