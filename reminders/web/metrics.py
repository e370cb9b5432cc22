"""What Prometheus reads. All of it is the database's, so it is true whichever process is asked.

Gauges are read from small indexes. Counters and histograms add up what the ledger has got since
this process began, so each process's begin at zero, as Prometheus expects of one that restarts.
"""

import hmac
import threading
from datetime import datetime
from ipaddress import ip_address

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from reminders.engine.runtime import Runtime
from reminders.store import clinics, pulse, workers
from reminders.store.database import Connection, DatabaseFault
from reminders.web.security import runtime_of

LATENESS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400)
LATENCY = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
FORMAT = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(include_in_schema=False)


class Metrics:
    """The numbers of one installation, brought up to date when they are asked for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        with runtime.database.reading() as conn:
            self._last_fact = pulse.newest_fact(conn)
        self._registry = CollectorRegistry()
        place = self._registry
        self._due = Gauge("reminders_due", "Messages that are due now", registry=place)
        self._overdue = Gauge(
            "reminders_overdue", "Messages due for over 5 minutes", registry=place
        )
        self._oldest = Gauge(
            "reminders_oldest_due_seconds", "Since when the oldest is due", registry=place
        )
        self._sending = Gauge("reminders_sending", "Messages being handed over", registry=place)
        self._unknown = Gauge(
            "reminders_unknown", "Messages whose answer was lost, and is looked for", registry=place
        )
        self._pending = Gauge(
            "reminders_pending_visits",
            "Visits waiting to be planned (at most 10000)",
            registry=place,
        )
        self._workers = Gauge("reminders_workers", "Workers at work", registry=place)
        self._tick = Gauge(
            "reminders_last_tick_timestamp_seconds",
            "When a worker was last at work",
            registry=place,
        )
        self._down = Gauge(
            "reminders_channel_down",
            "1: the channel is down",
            ["clinic", "channel"],
            registry=place,
        )
        self._ended = Counter(
            "reminders_messages", "What became of messages", ["outcome", "channel"], registry=place
        )
        self._lateness = Histogram(
            "reminders_lateness_seconds",
            "From when a message was due to when it was accepted",
            ["channel"],
            buckets=LATENESS,
            registry=place,
        )
        self._latency = Histogram(
            "reminders_provider_seconds",
            "How long a provider took to answer",
            ["provider"],
            buckets=LATENCY,
            registry=place,
        )

    def scrape(self) -> bytes:
        """Return the numbers as they are now, in Prometheus' text format."""
        now = self._runtime.clock.now()
        with self._lock:
            with self._runtime.database.reading() as conn:
                self._read_gauges(conn, now)
                self._read_news(conn, now)
            return generate_latest(self._registry)

    def _read_gauges(self, conn: Connection, now: datetime) -> None:
        found = pulse.pulse(conn, now)
        self._due.set(found.due)
        self._overdue.set(found.overdue)
        self._oldest.set(found.oldest_due_seconds)
        self._sending.set(found.sending)
        self._unknown.set(found.unknown)
        self._pending.set(found.pending)
        self._workers.set(workers.alive(conn, now))
        last = workers.last_tick(conn)
        self._tick.set(last.timestamp() if last else 0)
        self._down.clear()
        for key in self._runtime.config.clinics:
            for channel in ("sms", "email"):
                self._down.labels(key, channel).set(0)
        for closed in clinics.closed_channels(conn):
            self._down.labels(closed.clinic, closed.channel.value).set(1)

    def _read_news(self, conn: Connection, now: datetime) -> None:
        self._last_fact, found = pulse.news(conn, self._last_fact, now)
        for one in found:
            self._ended.labels(one.end, one.channel).inc()
            if one.end == "accepted" and one.lateness is not None:
                self._lateness.labels(one.channel).observe(max(one.lateness, 0))
            if one.end in {"accepted", "failed", "unknown"} and one.latency is not None:
                self._latency.labels(one.provider).observe(max(one.latency, 0))


def begin(app: Starlette, runtime: Runtime) -> None:
    """Keep the numbers with an application, counted from now."""
    app.state.metrics = Metrics(runtime)


@router.get("/metrics")
def show(request: Request) -> Response:
    """Return the numbers to who may see them."""
    if not may_see(request):
        return PlainTextResponse("Set [web] metrics_token, and send it as a bearer token.\n", 403)
    metrics: Metrics = request.app.state.metrics
    try:
        return Response(metrics.scrape(), media_type=FORMAT)
    except DatabaseFault:
        return PlainTextResponse("The database does not answer.\n", 503)


def may_see(request: Request) -> bool:
    """Tell whether a request has the token; without one set, whether it is of this machine.

    What came through a proxy is not of this machine, wherever the proxy is.
    """
    token = runtime_of(request).config.web.metrics_token
    if token:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip")):
        return False
    try:
        return ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False
