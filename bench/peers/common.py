"""What every peer does for one text, and how each is measured. Nothing of ours is imported.

A text is one job: claimed durably, rendered with the compiled template, POSTed to the stub with the
same body, its outcome recorded durably by the peer's own means. Each peer gets the fastest client
that its own model takes: aiohttp with one session where it is asyncio, a kept http.client connection
for each thread where it has threads.
"""

import argparse
import asyncio
import http.client
import json
import os
import resource
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus

import jinja2

sys.path.insert(0, str(Path(__file__).parent.parent))

ACCOUNT = "AC" + "0" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Authorization": "Basic QUNub25lOm5vbmU=",
}
_SOURCE = (Path(__file__).parent.parent.parent / "templates/sv/fifteen_minutes.sms.txt").read_text()
TEMPLATE = jinja2.Environment(autoescape=False).from_string(_SOURCE)
NAMES = {
    "app": {
        "name": "Alltid Öppet",
        "cases": "Mina ärenden",
        "meeting": "Videomöte",
        "start": "Starta video",
    },
    "eid": {"short": "BankID"},
    "clinic": {"phone": "010-000 00 00"},
    "ref_tail": None,
    "which_unclear": False,
}


def options():
    """Return what a peer is told: as much as our own side is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--due", type=int, default=1000)
    parser.add_argument("--future", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--stub", type=int, required=True)
    parser.add_argument("--no-http", action="store_true")
    return parser.parse_args()


def plain_url(url):
    """Return a PostgreSQL URL without SQLAlchemy's driver."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def jobs(count):
    """Yield what each job carries: whom to text, and when the visit is."""
    for n in range(1, count + 1):
        yield {"to": f"+4670{n:08d}", "time": f"{8 + n % 9:02}:{n % 4 * 15:02}"}


def later(n, count):
    """Return when one of the future rows is due: spread over a year, from tomorrow on."""
    return datetime.now(UTC) + timedelta(days=1, seconds=n * 31_000_000 / max(count, 1))


def body(job):
    """Return the form of one text, rendered now."""
    text = TEMPLATE.render(visit={"time": job["time"]}, **NAMES)
    words = quote_plus(" ".join(text.split()))
    return f"To={quote_plus(job['to'])}&From=%2B46701740605&Body={words}"


class Sender:
    """Sends texts, or only renders them; knows when all have gone."""

    def __init__(self, given):
        self.given = given
        self.done = 0
        self.session = None
        self.local = threading.local()
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{given.stub}{PATH}"

    async def send(self, job):
        """Send one text from an event loop."""
        form = body(job)
        if not self.given.no_http:
            if self.session is None:
                import aiohttp

                connector = aiohttp.TCPConnector(limit=self.given.in_flight)
                self.session = aiohttp.ClientSession(connector=connector, headers=HEADERS)
            async with self.session.post(self.url, data=form) as answer:
                await answer.read()
                assert answer.status == 201
        self.done += 1

    def send_blocking(self, job):
        """Send one text from a thread."""
        form = body(job)
        if not self.given.no_http:
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.given.stub)
                self.local.connection = connection
            connection.request("POST", PATH, form, HEADERS)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201
        with self.lock:
            self.done += 1


def all_cpu(url):
    """Return the CPU seconds of this process and of the database server so far."""
    from measure import own_cpu, server_cpu

    return own_cpu() + server_cpu(url)


class Clock:
    """Takes the time and the CPU between start and stop, and tells the figures as JSON."""

    def __init__(self, name, given):
        self.name, self.given = name, given

    def start(self):
        self.cpu, self.began = all_cpu(self.given.url), time.monotonic()

    def stop(self, sent, **more):
        seconds = time.monotonic() - self.began
        cpu = all_cpu(self.given.url) - self.cpu
        given = self.given
        with urllib.request.urlopen(f"http://127.0.0.1:{given.stub}/count") as answer:
            posted = json.loads(answer.read())
        row = {
            "engine": self.name,
            "database": given.url.partition(":")[0].partition("+")[0],
            "due": given.due,
            "future": given.future,
            "in_flight": given.in_flight,
            "http": not given.no_http,
            "sent": sent,
            "posted": posted,
            "seconds": round(seconds, 3),
            "per_second": round(sent / seconds),
            "cpu_seconds_per_1000": round(cpu / max(sent, 1) * 1000, 4),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            **more,
        }
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


def tidy(url):
    """Let PostgreSQL gather its statistics and write its pages out, as on our side before the clock."""
    import psycopg

    with psycopg.connect(plain_url(url), autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
        conn.execute("CHECKPOINT")


async def until(condition, seconds=600.0):
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        await asyncio.sleep(0.005)


def leave():
    """End at once: what was to be measured has been, and threads need not be waited for."""
    sys.stdout.flush()
    os._exit(0)
