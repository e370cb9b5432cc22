"""History that is over: taken away in small batches, with only its numbers kept."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, and_, delete, insert, select, update

from reminders.store.schema import appointment, message, metadata, patient, purged
from reminders.store.schema_intake import import_run


def purge_visits(conn: Connection, clinic_id: int, before: datetime, limit: int) -> int:
    """Delete visits that began before `before`, with all that hangs on them; return how many.

    People without any other visit go too. How many messages there were is kept by month.
    """
    ids, people = _oldest(conn, clinic_id, before, limit)
    if not ids:
        return 0
    _keep_counts(conn, clinic_id, ids)
    _delete_with_children(conn, appointment, ids)
    still = select(appointment.c.patient_id).where(appointment.c.patient_id.in_(people))
    gone = sorted(set(people) - set(conn.execute(still).scalars()))
    _delete_with_children(conn, patient, gone)
    return len(ids)


def _oldest(
    conn: Connection, clinic_id: int, before: datetime, limit: int
) -> tuple[list[int], list[int]]:
    query = (
        select(appointment.c.id, appointment.c.patient_id)
        .where(appointment.c.clinic_id == clinic_id, appointment.c.starts_at < before)
        .order_by(appointment.c.starts_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = conn.execute(query).all()
    return [row.id for row in rows], list({row.patient_id for row in rows})


def _keep_counts(conn: Connection, clinic_id: int, ids: Sequence[int]) -> None:
    query = select(message.c.due_at, message.c.rule, message.c.channel, message.c.state)
    rows = conn.execute(query.where(message.c.appointment_id.in_(ids)))
    counts = Counter((f"{row.due_at:%Y-%m}", row.rule, row.channel, row.state) for row in rows)
    for (month, rule, channel, state), messages in counts.items():
        key = {
            "clinic_id": clinic_id,
            "month": month,
            "rule": rule,
            "channel": channel,
            "state": state,
        }
        this = and_(*(purged.c[name] == value for name, value in key.items()))
        more = update(purged).where(this).values(messages=purged.c.messages + messages)
        if not conn.execute(more).rowcount:
            conn.execute(insert(purged).values(**key, messages=messages))


def _delete_with_children(conn: Connection, table: Table, ids: Sequence[int]) -> None:
    """Delete rows, and first whatever refers to them, whichever table it stands in."""
    if not ids:
        return
    for child in metadata.sorted_tables[::-1]:
        for key in child.foreign_keys:
            if key.column.table is table and child is not table:
                _delete_where(conn, child, key.parent.name, ids)
    conn.execute(delete(table).where(table.c.id.in_(ids)))


def _delete_where(conn: Connection, table: Table, column: str, ids: Sequence[int]) -> None:
    if "id" in table.c:
        rows = conn.execute(select(table.c.id).where(table.c[column].in_(ids))).scalars().all()
        _delete_with_children(conn, table, rows)
    else:
        conn.execute(delete(table).where(table.c[column].in_(ids)))


def purge_imports(conn: Connection, clinic_id: int, before: datetime, limit: int) -> int:
    """Delete imports, and the problems of their files, from before `before`; return how many.

    The newest stays: by it the next file is known to be newer.
    """
    newest = (
        select(import_run.c.id)
        .where(import_run.c.clinic_id == clinic_id, import_run.c.applied_at.is_not(None))
        .order_by(import_run.c.exported_at.desc(), import_run.c.id.desc())
        .limit(1)
    )
    query = (
        select(import_run.c.id)
        .where(
            import_run.c.clinic_id == clinic_id,
            import_run.c.applied_at < before,
            import_run.c.id.not_in(newest),
        )
        .limit(limit)
    )
    ids = list(conn.execute(query).scalars())
    _delete_with_children(conn, import_run, ids)
    return len(ids)


def purged_counts(conn: Connection, clinic_id: int) -> dict[tuple[str, str, str, str], int]:
    """Return how many messages have been purged, by month, rule, channel and state."""
    rows = conn.execute(select(purged).where(purged.c.clinic_id == clinic_id))
    return {(r.month, r.rule, r.channel, r.state): r.messages for r in rows}
