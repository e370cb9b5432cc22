"""The daemon and the cron pass: the dispatch loop, woken at the next due time.

APScheduler only sets an event; it holds no reminder, so nothing is lost with it.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from reminders.engine.aside import End
from reminders.engine.dispatch import Dispatcher, Report
from reminders.engine.housekeeping import keep_house
from reminders.engine.planning import check_rules
from reminders.engine.reconcile import take_back_abandoned
from reminders.engine.runtime import Runtime
from reminders.engine.watch import ACTOR, Watcher
from reminders.errors import RemindersError
from reminders.interrupts import stop_on_signals
from reminders.store import clinics, workers
from reminders.store.database import Connection, DatabaseFault
from reminders.store.presence import Presence
from reminders.store.turns import Ear, listening
from reminders.wiring import close

log = structlog.get_logger()

BACKSTOP = timedelta(seconds=15)
"""How often the loop looks of itself: an import elsewhere or a clock's jump gives no sign."""

WATCH_EVERY = timedelta(seconds=5)
HOUSEKEEPING = timedelta(minutes=10)
"""How often imports that a process left are finished, and what is long over is purged."""

STUCK_AFTER = timedelta(minutes=5)
"""A pass that has not ended by then is stuck: systemd is no longer told that all is well."""

RETRY_DATABASE = timedelta(seconds=5)
BLOCKED_WAIT = timedelta(seconds=5)

Companion = Callable[[Runtime, Callable[[], None], asyncio.Event], Awaitable[None]]
"""What runs beside the loop, given a way to wake it, until the event is set: the web side."""


class AlreadyRunningError(RemindersError):
    """Another process sends from the same SQLite file."""


@contextlib.contextmanager
def sole_sender(runtime: Runtime) -> Iterator[None]:
    """Hold the right to send from a SQLite file. Raise AlreadyRunningError if it is taken.

    PostgreSQL needs no such right: its workers share.
    """
    if not runtime.database.is_sqlite:
        yield
        return
    path = Path(f"{runtime.database.engine.url.database}.lock")
    with path.open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunningError(
                "Another reminders process is sending from this database, so this one stops. With"
                " SQLite one process sends; 'reminders status' shows how it is doing."
            ) from None
        yield


def worker_name() -> str:
    """Return a name for this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}"


def tick(runtime: Runtime) -> Report:
    """Do one pass, for cron. Raise AlreadyRunningError while a daemon sends."""
    with sole_sender(runtime):
        return asyncio.run(_tick(runtime))


async def _tick(runtime: Runtime) -> Report:
    name = worker_name()
    presence = Presence(runtime.database, runtime.session)
    try:
        await runtime.work(_begin, runtime, presence)
        dispatcher = Dispatcher(runtime, name)
        _stop_on_signals(dispatcher, asyncio.Event())
        report = await dispatcher.run_once(to_the_end=True)
        if not dispatcher.stopping:
            await keep_house(runtime, runtime.clock.now())
        return report
    finally:
        await runtime.work(workers.stopped, name, runtime.clock.now())
        presence.leave()
        await close(runtime)


def _begin(conn: Connection, runtime: Runtime, presence: Presence) -> None:
    """Show that we are here, and look anew at what others left, at the rules and the channels."""
    presence.hold()
    if runtime.database.is_sqlite:  # the sole sender: see sole_sender
        take_back_abandoned(conn, runtime, runtime.clock.now())
    check_rules(conn, runtime, runtime.clock.now())
    clinics.try_channels_now(conn, runtime.clock.now())


def run(runtime: Runtime, companion: Companion | None = None) -> int:
    """Send until SIGTERM or SIGINT; then finish what is in flight and return 0.

    `companion` runs in the same loop, and ends before the database is closed.
    """
    with sole_sender(runtime):
        # With SQLite one thread writes at a time anyway.
        threads = 1 if runtime.database.is_sqlite else 2
        threaded = replace(runtime, executor=ThreadPoolExecutor(threads, "database"))
        asyncio.run(Daemon(threaded, companion).serve())
    return 0


class Daemon:
    """One process's loop and the scheduler that wakes it."""

    def __init__(self, runtime: Runtime, companion: Companion | None = None) -> None:
        self._runtime = runtime
        self._companion = companion
        self._name = worker_name()
        self._dispatcher = Dispatcher(runtime, self._name)
        self._presence = Presence(runtime.database, runtime.session)
        self._wake = asyncio.Event()
        self._progress_at = runtime.clock.elapsed()
        self._ears = contextlib.ExitStack()
        self._hears = False
        from apscheduler.schedulers.asyncio import (  # noqa: PLC0415 - it looks through all packages
            AsyncIOScheduler,
        )

        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    async def serve(self) -> None:
        """Send what falls due, until told to stop."""
        _stop_on_signals(self._dispatcher, self._wake)
        self._start_scheduler()
        leave = asyncio.Event()
        beside = asyncio.gather(self._beside(leave), self._watch(leave))
        try:
            await self._until_database(self._begin)
            _notify("READY=1\nSTATUS=sending")
            log.info("started", worker=self._name)
            while not self._dispatcher.stopping:
                self._wake.clear()
                await self._until_database(self._pass)
                if not self._dispatcher.stopping:
                    await self._wake.wait()
            await self._finish()
        finally:
            _notify("STOPPING=1")
            self._scheduler.shutdown(wait=False)
            leave.set()
            await beside
            self._deafen()
            with contextlib.suppress(DatabaseFault):
                await self._runtime.work(workers.stopped, self._name, self._runtime.clock.now())
            self._presence.leave()
            await close(self._runtime)
            log.info("stopped", worker=self._name)

    async def _beside(self, leave: asyncio.Event) -> None:
        """Run the companion. Sending goes on without it, should it fail."""
        if self._companion is None:
            return
        try:
            await self._companion(self._runtime, self._wake.set, leave)
        except Exception as error:  # noqa: BLE001 - whatever it is, texts come first
            log.error("companion_failed", error=type(error).__name__)  # noqa: TRY400 - its text may hold values

    async def _watch(self, leave: asyncio.Event) -> None:
        """Look into the watched folders. A file that is being applied is applied to its end."""
        if not any(clinic.watch.folder for clinic in self._runtime.config.clinics.values()):
            return
        watcher = Watcher(replace(self._runtime, executor=None, actor=ACTOR))
        while not leave.is_set():
            now = self._runtime.clock.now()
            try:
                ends = await asyncio.to_thread(watcher.look, now)
            except Exception as fault:  # noqa: BLE001 - whatever it is, the next look may do better
                log.error("watch_failed", error=type(fault).__name__)  # noqa: TRY400 - its text may hold values
            else:
                if ends[End.DONE]:
                    self._wake.set()
            await self._runtime.clock.wait(leave, now + WATCH_EVERY)

    def _start_scheduler(self) -> None:
        self._scheduler.start()
        self._scheduler.add_job(
            self._set_wake, "interval", seconds=BACKSTOP.total_seconds(), id="backstop"
        )
        self._scheduler.add_job(
            self._keep_house, "interval", seconds=HOUSEKEEPING.total_seconds(), id="housekeeping"
        )
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
        if microseconds:
            self._scheduler.add_job(
                self._feed_watchdog, "interval", seconds=microseconds / 2_000_000, id="watchdog"
            )

    async def _keep_house(self) -> None:
        try:
            purged = await keep_house(self._runtime, self._runtime.clock.now())
        except DatabaseFault as fault:
            log.error("database_away", error=type(fault).__name__)  # noqa: TRY400 - its text may hold values
        else:
            log.info("housekeeping", purged=purged)

    async def _set_wake(self) -> None:
        self._wake.set()

    async def _feed_watchdog(self) -> None:
        progress_at = max(self._progress_at, self._dispatcher.progress_at)
        if self._runtime.clock.elapsed() - progress_at < STUCK_AFTER.total_seconds():
            _notify("WATCHDOG=1")

    def _listen(self) -> None:
        """Hear from the database that another process has put something in: a hint, no more."""
        if self._hears or self._runtime.database.is_sqlite:
            return
        with contextlib.suppress(OSError):
            ear = self._ears.enter_context(listening(self._runtime.database))
            loop = asyncio.get_running_loop()
            loop.add_reader(ear.fileno(), self._hear, ear)
            self._ears.callback(loop.remove_reader, ear.fileno())
            self._hears = True

    def _hear(self, ear: Ear) -> None:
        try:
            if ear.heard():
                self._wake.set()
        except OSError:
            self._deafen()  # the next pass listens again

    def _deafen(self) -> None:
        self._ears.close()
        self._hears = False

    async def _begin(self) -> None:
        await self._runtime.work(_begin, self._runtime, self._presence)

    async def _pass(self) -> None:
        self._progress_at = self._runtime.clock.elapsed()
        began = self._runtime.clock.now()
        await self._runtime.work(lambda _: self._presence.hold())
        self._listen()
        report = await self._dispatcher.run_once()
        if any(report.counts().values()):
            log.info("pass", **report.counts())
        wake = report.next_at
        if self._dispatcher.unfinished:
            self._wake.set()
        elif wake is not None and wake <= began:
            # It was due before this pass and is still there, so it cannot go now: do not spin.
            wake = began + BLOCKED_WAIT
        self._set_alarm(wake)
        self._progress_at = self._runtime.clock.elapsed()

    def _set_alarm(self, at: datetime | None) -> None:
        if at is not None:
            # A little after: the scheduler may fire within the same millisecond, before it is due.
            run_at = max(at, self._runtime.clock.now()) + timedelta(milliseconds=5)
            self._scheduler.add_job(
                self._set_wake, "date", run_date=run_at, id="wake", replace_existing=True
            )

    async def _finish(self) -> None:
        """Wait for what is in flight, write it down, and hand back the rest."""
        if not self._dispatcher.idle:
            with contextlib.suppress(DatabaseFault):
                await self._dispatcher.run_once()

    async def _until_database(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work`; while the database is away, wait and try again."""
        while not self._dispatcher.stopping:
            try:
                await work()
            except DatabaseFault as fault:
                log.error("database_away", error=type(fault).__name__)  # noqa: TRY400 - its text may hold values
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped(), timeout=RETRY_DATABASE.total_seconds())
            else:
                return

    async def _stopped(self) -> None:
        while not self._dispatcher.stopping:
            self._wake.clear()
            await self._wake.wait()


def _stop_on_signals(dispatcher: Dispatcher, wake: asyncio.Event) -> None:
    def stop() -> None:
        dispatcher.stopping = True
        wake.set()

    stop_on_signals(stop)


def _notify(state: str) -> None:
    """Tell systemd, if it started us (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
    ):
        channel.sendto(state.encode(), name)
