"""What an import changed, visit by visit: of each kind of change the first so many."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from reminders.domain.brought import Category
from reminders.store.bulk import insert_rows
from reminders.store.schema_desk import import_change

_COLUMNS = ("import_run_id", "category", "ref", "starts_at", "before")


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one visit. `before` is the time of one that is moved."""

    ref: str
    starts_at: datetime
    before: datetime | None = None


def add(
    conn: Connection, run_id: int, changes: Iterable[tuple[Category, Sequence[Change]]]
) -> None:
    """Keep what a part of an import has changed."""
    rows = [
        (run_id, category.value, one.ref, one.starts_at, one.before)
        for category, found in changes
        for one in found
    ]
    insert_rows(conn, import_change, _COLUMNS, rows)


def of_import(conn: Connection, run_id: int) -> Mapping[Category, Sequence[Change]]:
    """Return what is kept of an import, by the time of the visits."""
    found: dict[Category, list[Change]] = defaultdict(list)
    query = select(import_change).where(import_change.c.import_run_id == run_id)
    for row in conn.execute(query.order_by(import_change.c.starts_at, import_change.c.ref)):
        found[Category(row.category)].append(Change(row.ref, row.starts_at, row.before))
    return found
