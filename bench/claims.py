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


class UndoneError(Exception):
    """Rolls a claim back."""


def measured(config) -> list[float]:
    """Claim again and again; return the milliseconds of each."""
    runtime = build(config)
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
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--future", type=int, default=10_000)
    parser.add_argument("--history", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="of the key: bench/fill.py has filled it")
    given = parser.parse_args()
    beside = given.future + given.history
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = clinic.config(given.url, 9, 50, given.folder or Path(folder))
        if not given.folder:
            clinic.fill(config, given.future, given.history)
        clinic.add_due(config, DUE, beside)
        took = measured(config)
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
