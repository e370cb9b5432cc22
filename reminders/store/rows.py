"""Many rows as one parameter: a JSON text that a statement joins like a table.

One statement a batch, of one shape whatever the batch's size: it is compiled once, and beside a
busy event loop it holds SQLite's write lock a fifth as long as as many single rows do.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    String,
    TextClause,
    any_,
    bindparam,
    cast,
    func,
    literal,
    select,
    text,
)

from reminders.store.types import UtcDateTime

INTEGER, TEXT, BOOLEAN, INSTANT = "BIGINT", "TEXT", "BOOLEAN", "TIMESTAMPTZ"


@dataclass(frozen=True, slots=True)
class Rows:
    """The columns of such a table: (name, kind) in the order of each row's values."""

    columns: tuple[tuple[str, str], ...]

    def statement(self, conn: Connection, sql: str) -> TextClause:
        """Return a statement in which `{rows}` stands for the table, called r."""
        return _statement(self.columns, sql, conn.dialect.name)

    def parameter(self, conn: Connection, rows: Iterable[Sequence[Any]]) -> str:
        """Return the value of `:rows`."""
        sqlite = conn.dialect.name == "sqlite"
        write = sqlite_instant if sqlite else datetime.isoformat
        times = [place for place, (_, kind) in enumerate(self.columns) if kind == INSTANT]
        ready: list[Sequence[Any]] = []
        for row in rows:
            if not times:
                ready.append(row)
                continue
            values = list(row)
            for place in times:
                if values[place] is not None:
                    values[place] = write(values[place])
            ready.append(values)
        if sqlite:
            return json.dumps(ready)
        names = [name for name, _ in self.columns]
        return json.dumps([dict(zip(names, values, strict=True)) for values in ready])


@lru_cache(maxsize=256)
def _statement(columns: tuple[tuple[str, str], ...], sql: str, dialect: str) -> TextClause:
    if dialect == "sqlite":
        values = ", ".join(
            f"value ->> {place} AS {name}" for place, (name, _) in enumerate(columns)
        )
        table = f"(SELECT {values} FROM json_each(:rows)) AS r"
    else:
        typed = ", ".join(f"{name} {kind}" for name, kind in columns)
        table = f"json_to_recordset(CAST(:rows AS JSON)) AS r({typed})"
    return text(sql.replace("{rows}", table))


@lru_cache(maxsize=2**12)
def sqlite_instant(instant: datetime) -> str:
    """Return an instant as SQLAlchemy keeps it in SQLite."""
    if instant.tzinfo is None:
        raise ValueError("an instant must be aware")
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@lru_cache(maxsize=64)
def timed(statement: TextClause, *names: str) -> TextClause:
    """Return a statement whose parameters of these names are instants."""
    return statement.bindparams(*(bindparam(name, type_=UtcDateTime()) for name in names))


def _is_among(
    dialect: str, column: ColumnElement[int], ids: ColumnElement[Any]
) -> ColumnElement[bool]:
    if dialect == "sqlite":
        return column.in_(select(func.json_each(ids).table_valued("value").c.value))
    return column == any_(cast(ids, _WHOLE))


_WHOLE = ARRAY(BigInteger)


def chosen(dialect: str, column: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of `:ids`, for a statement that is made once."""
    kind = String() if dialect == "sqlite" else _WHOLE
    return _is_among(dialect, column, bindparam("ids", type_=kind))


def choice(conn: Connection, ids: Iterable[int]) -> dict[str, Any]:
    """Return the value of `:ids`."""
    wanted = list(ids)
    return {"ids": json.dumps(wanted) if conn.dialect.name == "sqlite" else wanted}


def among(conn: Connection, column: ColumnElement[int], ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition that a column is one of these ids: one parameter, however many."""
    kind = String() if conn.dialect.name == "sqlite" else _WHOLE
    return _is_among(conn.dialect.name, column, literal(choice(conn, ids)["ids"], kind))
