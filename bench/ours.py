"""Our side of the benchmark: N texts due now, claimed durably, rendered, POSTed, recorded durably.

    python bench/ours.py --url sqlite:////tmp/x/reminders.db --due 10000 --in-flight 50
    python bench/ours.py --url postgresql+psycopg://… --due 10000 --future 1000000 --delay-ms 50
    python bench/ours.py … --no-http          claim, render and record, with no provider
    python bench/ours.py … --workers 4        so many processes share one PostgreSQL

Prints one line of JSON. The database must not be there yet (SQLite) or be empty (PostgreSQL).
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import children, clinic, measure
from reminders.clock import SystemClock
from reminders.domain.contact import Channel
from reminders.domain.outcome import Accepted, OutgoingMessage
from reminders.engine.dispatch import Dispatcher
from reminders.engine.runtime import Runtime
from reminders.providers.base import Setup
from reminders.providers.twilio_sms import TwilioSms
from reminders.wiring import build, close, load_provider

CLOCK = SystemClock()


class Nowhere(TwilioSms):
    """A provider that takes everything at once: the engine without a client."""

    name: ClassVar[str] = "nowhere"
    taken = 0

    async def send(self, message: OutgoingMessage) -> Accepted:
        message.before_write()
        Nowhere.taken += 1
        return Accepted(f"SM{Nowhere.taken:032x}", 1)


def _make(no_http: bool):
    def make(name: str, setup: Setup):
        if no_http and setup.channel is Channel.SMS:
            return Nowhere(setup)
        return load_provider(name)(setup)

    return make


async def drain(runtime: Runtime, name: str, ready=None, started=None) -> tuple[float, float, int]:
    """Send all that is due; return seconds, CPU seconds of this process, and how many went."""
    dispatcher = Dispatcher(runtime, name)
    if started is not None:
        ready.release()
        await asyncio.to_thread(started.wait)
    before, cpu = CLOCK.elapsed(), measure.own_cpu()
    sent = 0
    while True:
        report = await dispatcher.run_once()
        sent += report.sent
        if not report.sent:
            break
    return CLOCK.elapsed() - before, measure.own_cpu() - cpu, sent


def work(
    made, no_http: bool, name: str, ready=None, started=None, out=None
) -> tuple[float, float, int]:
    """Run one worker as the daemon does: the database in threads of its own."""
    runtime = build(made, make_provider=_make(no_http))
    threads = 1 if runtime.database.is_sqlite else 2
    runtime = replace(runtime, executor=ThreadPoolExecutor(threads, "database"))

    async def whole():
        try:
            return await drain(runtime, name, ready, started)
        finally:
            await close(runtime)

    result = asyncio.run(whole())
    if out is not None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        out.put((*result, peak))
    return result


def run(options: argparse.Namespace) -> dict[str, object]:
    """Prepare, run, check, and return the figures."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        measure.stub(options.delay_ms) as port,
    ):
        made = clinic.config(options.url, port, options.in_flight, options.folder or Path(folder))
        if not options.prepared:
            filled = options.folder is not None
            clinic.prepare_apart(made, options.due, options.future, filled=filled)
        server = measure.server_cpu(options.url)
        seconds, results = sent_by_workers(made, options)
        sent = sum(result[2] for result in results)
        cpu = sum(result[1] for result in results) + measure.server_cpu(options.url) - server
        counted = measure.count(port)
    return {
        "engine": "reminders",
        "database": options.url.partition(":")[0].partition("+")[0],
        "due": options.due,
        "future": options.future,
        "delay_ms": options.delay_ms,
        "in_flight": options.in_flight,
        "workers": options.workers,
        "http": not options.no_http,
        "sent": sent,
        "posted": counted,
        "seconds": round(seconds, 3),
        "per_second": round(sent / seconds),
        "cpu_seconds_per_1000": round(cpu / max(sent, 1) * 1000, 4),
        "peak_mib": round(max(result[3] for result in results)),
    }


def sent_by_workers(made, options: argparse.Namespace) -> tuple[float, list]:
    """Let the workers send, each in its process; return the seconds and what each of them tells."""
    started, out = multiprocessing.Event(), multiprocessing.Queue()
    ready = multiprocessing.Semaphore(0)
    workers = [
        multiprocessing.Process(
            target=work, args=(made, options.no_http, f"bench-{n}", ready, started, out)
        )
        for n in range(options.workers)
    ]
    with children.running(workers):
        # However long a process takes to start on a busy machine, it is not a part of sending.
        children.all_ready(ready, workers)
        time.sleep(options.settle)
        began = CLOCK.elapsed()
        started.set()
        results = children.answers(out, workers)
        return CLOCK.elapsed() - began, results


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--due", type=int, default=10_000)
    parser.add_argument("--future", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--settle", type=float, default=2.0)
    parser.add_argument("--no-http", action="store_true")
    parser.add_argument("--folder", type=Path, help="of the key: bench/fill.py has filled it")
    parser.add_argument("--prepared", action="store_true", help="the database is filled already")
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
