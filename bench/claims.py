"""How long a claim of 100 due texts takes beside many rows that are not due: future ones, or history.

    python bench/claims.py --url postgresql+psycopg://… --future 10000000 --history 0

Each claim is undone, so that all are of the same rows. Prints the median in milliseconds.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import clinic
from reminders.clock import SystemClock
from reminders.engine.approval import Shelf
from reminders.engine.claiming import claim
from reminders.wiring import build, close

DUE, LIMIT, TIMES = 1000, 100, 40

_HISTORY = """
    INSERT INTO message (appointment_id, clinic_id, version, rule, contact_id, channel, occasion,
      state, urgency, due_at, next_at, not_after, truth_starts_at, truth_status, address_key,
      attempts, sent_at, changed_at)
    SELECT appointment_id, clinic_id, version, rule, contact_id, channel, -n, 'delivered', 1,
      due_at - n * interval '1 second', NULL, not_after, truth_starts_at, truth_status, address_key,
      1, due_at - n * interval '1 second', changed_at
    FROM generate_series(1, {count}) AS n,
      (SELECT * FROM message WHERE rule = 'fifteen_minutes' ORDER BY id LIMIT 1) AS one
"""


class UndoneError(Exception):
    """Rolls a claim back."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--future", type=int, default=10_000)
    parser.add_argument("--history", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = clinic.config(given.url, 9, 50, Path(folder))
        clinic.prepare(config, DUE, given.future)
        runtime = build(config)
        if given.history:
            with runtime.database.transaction() as conn:
                conn.exec_driver_sql(_HISTORY.format(count=given.history))
            clinic._tidy(runtime)
        shelf, took = Shelf(), []
        for _ in range(TIMES):
            try:
                with runtime.database.transaction() as conn:
                    began = time.perf_counter()
                    batch = claim(conn, runtime, shelf, SystemClock().now(), LIMIT)
                    took.append((time.perf_counter() - began) * 1000)
                    assert len(batch.claimed) == LIMIT, len(batch.claimed)
                    raise UndoneError  # noqa: TRY301 - a rollback is wanted
            except UndoneError:
                pass
        asyncio.run(close(runtime))
    row = {
        "engine": "reminders",
        "database": "postgresql",
        "future": given.future,
        "history": given.history,
        "claim_ms": round(statistics.median(took), 2),
        "fastest_ms": round(min(took), 2),
    }
    print(json.dumps(row))


main()
