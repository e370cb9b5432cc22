"""Lateness: texts that fall due one after another, how late is each accepted by its provider?

    python bench/lateness.py --url postgresql+psycopg://… --rate 500 --seconds 60 --future 10000000

The real daemon sends, in a process of its own, to the stub. `started_ms`: from due until the request
begins; `p99_ms` and the others: until the provider's answer was known. Prints one line of JSON.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import text

from bench import clinic, measure
from reminders import daemon
from reminders.clock import SystemClock
from reminders.wiring import build, close

AFTER = timedelta(seconds=5)


def send(made) -> None:
    """Run the daemon until SIGTERM."""
    daemon.run(build(made))


def until_all_are_due(made) -> None:
    """Wait until the last text has been due for a while."""
    runtime = build(made)
    try:
        with runtime.database.reading() as conn:
            last = conn.execute(
                text(
                    "SELECT max(due_at) FROM message WHERE rule = 'fifteen_minutes'"
                    " AND occasion = 0 AND appointment_id > 1"
                )
            ).scalar_one()
    finally:
        asyncio.run(close(runtime))
    wait = _instant(last) - SystemClock().now() + AFTER
    time.sleep(max(wait.total_seconds(), 0))


def late(made) -> tuple[list[float], list[float]]:
    """Return, in milliseconds and sorted, from due to the request and from due to the answer."""
    runtime = build(made)
    try:
        with runtime.database.reading() as conn:
            rows = conn.execute(
                text(
                    "SELECT message.due_at, attempt.started_at, attempt.ended_at FROM message"
                    " JOIN attempt ON attempt.message_id = message.id"
                    " WHERE message.rule = 'fifteen_minutes' AND attempt.ended_at IS NOT NULL"
                    " AND message.occasion = 0 AND message.appointment_id > 1"
                )
            ).all()
    finally:
        asyncio.run(close(runtime))
    instants = [[_instant(value) for value in row] for row in rows]
    ms = timedelta(milliseconds=1)
    return (
        sorted((started - due) / ms for due, started, _ in instants),
        sorted((answered - due) / ms for due, _, answered in instants),
    )


def _instant(value) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def share(values: list[float], part: float) -> float | None:
    """Return the value below which that part of them lies."""
    return round(values[min(len(values) - 1, int(part * len(values)))], 1) if values else None


def run(given: argparse.Namespace) -> dict[str, object]:
    """Prepare, let the daemon send, and return how late it was."""
    due = int(given.rate * given.seconds)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, measure.stub() as port:
        made = clinic.config(given.url, port, given.in_flight, Path(folder))
        clinic.prepare_apart(made, due, given.future, given.rate)
        process = multiprocessing.Process(target=send, args=(made,))
        process.start()
        until_all_are_due(made)
        os.kill(process.pid, signal.SIGTERM)
        process.join()
        counted = measure.count(port)
        started, answered = late(made)
    return {
        "engine": "reminders",
        "database": given.url.partition(":")[0].partition("+")[0],
        "rate": given.rate,
        "due": due,
        "future": given.future,
        "posted": counted,
        "started_ms": share(started, 0.99),
        "p50_ms": share(answered, 0.5),
        "p99_ms": share(answered, 0.99),
        "most_ms": share(answered, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, required=True, help="texts a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--future", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=50)
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
