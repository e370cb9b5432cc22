"""Lateness: texts that fall due one after another, how late is each accepted by its provider?

    python bench/lateness.py --url postgresql+psycopg://… --rate 500 --seconds 60 --future 10000000

The real daemon sends, in a process of its own, to the stub. `started_ms`: from due until the request
begins; `p99_ms` and the others: until the provider's answer was known. A text that was not accepted
half a minute after the last one was due counts as late for ever: `never_left` tells how many. Prints
one line of JSON.
"""

import argparse
import asyncio
import json
import math
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

from bench import children, clinic, measure
from reminders import daemon
from reminders.clock import SystemClock
from reminders.wiring import build, close

AFTER = timedelta(seconds=30)
TO_START = timedelta(seconds=5)
"""The daemon is to be there when the first text falls due."""
MS = timedelta(milliseconds=1)
_THESE = "message.rule = 'fifteen_minutes' AND message.occasion = 0 AND message.appointment_id > 1"


def send(made) -> None:
    """Run the daemon until SIGTERM."""
    daemon.run(build(made))


def span(made) -> tuple[datetime, datetime]:
    """Return when the first and the last text fall due."""
    (row,) = _rows(made, f"SELECT min(due_at), max(due_at) FROM message WHERE {_THESE}")
    return _instant(row[0]), _instant(row[1])


def wait_until(instant: datetime, process) -> None:
    """Wait, unless the daemon dies."""
    while SystemClock().now() < instant:
        time.sleep(0.5)
        children.none_died([process])


def late(made) -> tuple[list[float], list[float]]:
    """Return, in milliseconds and sorted, from due to the request and from due to the answer.

    It is the request that was accepted; a text of which none was is late for ever.
    """
    rows = _rows(
        made,
        "SELECT message.due_at, went.started_at, went.ended_at FROM message LEFT JOIN"
        " (SELECT message_id, min(started_at) AS started_at, min(ended_at) AS ended_at"
        "  FROM attempt WHERE outcome = 'accepted' GROUP BY message_id) AS went"
        f" ON went.message_id = message.id WHERE {_THESE}",
    )
    return (
        sorted(_late(due, started) for due, started, _ in rows),
        sorted(_late(due, answered) for due, _, answered in rows),
    )


def _late(due, then) -> float:
    return math.inf if then is None else (_instant(then) - _instant(due)) / MS


def _rows(made, query: str):
    runtime = build(made)
    try:
        with runtime.database.reading() as conn:
            return conn.execute(text(query)).all()
    finally:
        asyncio.run(close(runtime))


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
        made = clinic.config(given.url, port, given.in_flight, given.folder or Path(folder))
        filled = given.folder is not None
        clinic.prepare_apart(made, due, given.future, given.rate, filled=filled)
        first, last = span(made)
        assert SystemClock().now() + TO_START < first, "preparing took too long"
        process = multiprocessing.Process(target=send, args=(made,))
        with children.running([process]):
            wait_until(last + AFTER, process)
            os.kill(process.pid, signal.SIGTERM)
        counted = measure.count(port)
        started, answered = late(made)
    return {
        "engine": "reminders",
        "database": given.url.partition(":")[0].partition("+")[0],
        "rate": given.rate,
        "due": due,
        "future": given.future,
        "posted": counted,
        "never_left": sum(math.isinf(ms) for ms in answered),
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
    parser.add_argument("--folder", type=Path, help="of the key: bench/fill.py has filled it")
    parser.add_argument("--in-flight", type=int, default=50)
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
