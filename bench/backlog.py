"""Millions of rows beside the due ones: texts for later, and texts that went long ago.

They are copies of the first visit's. On PostgreSQL they are written without its indexes, which are
made again afterwards, and without its triggers: row by row, the looking up of their visit and their
contact, always the same two, took most of the time.
"""

from datetime import datetime, timedelta

_COLUMNS = """
    appointment_id, clinic_id, version, rule, contact_id, channel, occasion, state, urgency, due_at,
    next_at, not_after, truth_starts_at, truth_status, address_key, attempts, sent_at, changed_at
"""
_FUTURE = f"""
    INSERT INTO message ({_COLUMNS})
    SELECT appointment_id, clinic_id, version, rule, contact_id, channel, n + 1, 'planned', n & 1,
      {{at}}, {{at}}, {{at}}, truth_starts_at, truth_status, address_key, 0, NULL, changed_at
    FROM {{numbers}},
      (SELECT * FROM message WHERE rule = 'fifteen_minutes' ORDER BY id LIMIT 1) AS one
"""
_HISTORY = f"""
    INSERT INTO message ({_COLUMNS})
    SELECT appointment_id, clinic_id, version, rule, contact_id, channel, -n, 'delivered', 1,
      due_at - n * interval '1 second', NULL, not_after, truth_starts_at, truth_status, address_key,
      1, due_at - n * interval '1 second', changed_at
    FROM generate_series(1, {{count}}) AS n,
      (SELECT * FROM message WHERE rule = 'fifteen_minutes' ORDER BY id LIMIT 1) AS one
"""
_SQLITE_NUMBERS = """
    (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
     SELECT n FROM numbers) AS numbers
"""
# Nothing here has to survive a power cut, and the two rows that all point to are there.
_IN_A_HURRY = (
    "SET LOCAL synchronous_commit = off",
    "SET LOCAL session_replication_role = replica",
    "SET LOCAL maintenance_work_mem = '512MB'",
)
# The primary key stays: other tables point to it, and rows come in its order.
_UNIQUE = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = 'message'::regclass AND contype = 'u'
"""
_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = 'message'::regclass
      AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
"""


def write(conn, now: datetime, future: int, history: int = 0) -> None:
    """Write texts that fall due over the coming year, and texts that have been delivered."""
    if conn.dialect.name == "sqlite":
        assert not history, "history is written on PostgreSQL alone"
        if future:
            _write(conn, now, future, 0)
        return
    if not future and not history:
        return
    # Not as a text(), here and below: times and casts are full of colons.
    for setting in _IN_A_HURRY:
        conn.exec_driver_sql(setting)
    unique = conn.exec_driver_sql(_UNIQUE).all()
    indexes = conn.exec_driver_sql(_INDEXES).all()
    for name, _ in unique:
        conn.exec_driver_sql(f"ALTER TABLE message DROP CONSTRAINT {name}")
    for name, _ in indexes:
        conn.exec_driver_sql(f"DROP INDEX {name}")
    _write(conn, now, future, history)
    for name, definition in unique:
        conn.exec_driver_sql(f"ALTER TABLE message ADD CONSTRAINT {name} {definition}")
    for _, definition in indexes:
        conn.exec_driver_sql(definition)


def _write(conn, now: datetime, future: int, history: int) -> None:
    if history:
        conn.exec_driver_sql(_HISTORY.format(count=history))
    if not future:
        return
    start, step = f"{now + timedelta(days=1):%Y-%m-%d %H:%M:%S}", 31_000_000 / future
    if conn.dialect.name == "sqlite":
        at = f"strftime('%Y-%m-%d %H:%M:%f000', '{start}', '+' || (n * {step}) || ' seconds')"
        numbers = _SQLITE_NUMBERS.format(count=future)
    else:
        at = f"(timestamptz '{start}+00' + n * interval '{step} seconds')"
        numbers = f"generate_series(1, {future}) AS n"
    conn.exec_driver_sql(_FUTURE.format(at=at, numbers=numbers))
