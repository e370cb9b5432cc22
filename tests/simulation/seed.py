"""One seed from beginning to end: its world, its faults, and what came of it."""

import asyncio
import contextlib
import hashlib
import logging
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import structlog

from reminders.domain.contact import Channel
from reminders.domain.outcome import Receipt
from reminders.domain.state import State
from reminders.engine import receipts
from reminders.engine.planning import check_rules
from reminders.engine.runtime import Runtime
from reminders.simulation.loop import StuckError
from reminders.store.database import DatabaseFault
from reminders.wiring import build
from tests.simulation import attendant
from tests.simulation import knobs as drawn
from tests.simulation.book import Book
from tests.simulation.clinic import Admins
from tests.simulation.far_side import Far, FarSide, providers
from tests.simulation.knobs import Fault, Knobs
from tests.simulation.oracle import judge
from tests.simulation.process import (
    SCARCE,
    SELDOM_PAUSED,
    Died,
    Errands,
    FaultyDatabase,
    FaultyLoop,
    Process,
    start,
)
from tests.simulation.setting import WallClock, configuration, fresh_database, home

CALM_HOURS = 26
BACKSTOP = 15.0
HOURS = (60.0, 600.0, 7200.0, 28_800.0)
LASTS = {
    Fault.CONFIGURATION: (60.0, 600.0, 1500.0),
    Fault.PROVIDER_AWAY: (60.0, 600.0, 600.0, 2400.0, 2400.0, 2400.0, 7200.0, 28_800.0),
}
"""How long an outage lasts. Who is tried every two minutes shows in an hour what it shows in eight."""

FAVOURED, OFTEN = 0.12, 0.4
"""So many of the crash points are favoured in a seed; a process dies at them so often."""

STARTS_WRONG = 0.3
"""So often the machine is started anew as its clock is set wrong."""

GENTLY = 0.5
"""So often workers that are started anew may finish what is in flight, and hand back the rest."""

FAVOURED_IF_RARE = 0.5
"""So many of what is seldom done: a few times in a seed, or not at all."""

FIRST, FIRST_IF_SCARCE = 0.08, 0.6
"""So often a process dies when a seed first comes by a crash point; by one that few come by."""


@dataclass
class Result:
    """What one seed showed."""

    seed: int
    dense: bool
    visits: int
    sent: int
    violations: list[str]
    faults: Counter[str]
    crash_points: dict[str, list[int]]
    trace: str
    lines: list[str]
    seconds: float


class Seed:
    """The world of one seed."""

    def __init__(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.clock = WallClock(knobs.start.astimezone(UTC))
        self.real = fresh_database()
        self.folder = home()
        self.book = Book()
        self.faults: Counter[str] = Counter()
        self.crash_points: dict[str, list[int]] = {}
        self.violations: list[str] = []
        self.database_away = False
        self.disturbed: list[tuple[float, float]] = []
        self.released: list[float] = []
        self.calm = False
        self.rules = dict(knobs.config["rules"])
        self.rules_since: list[tuple[float, Any]] = []
        self.side = FarSide(self, self._chance("far side"))
        self._digest = hashlib.sha256()
        self.lines: list[str] = []
        self.keep_lines = False
        self._faulty = self._chance("faults")
        self._workers: list[Process] = []
        self.lives: dict[str, Process] = {}
        self._lives = 0
        self._deadly: dict[str, float] = {}
        self._restart = [asyncio.Event() for _ in range(knobs.workers)]
        self._config = configuration(knobs, self.rules)
        self._base: Runtime | None = None

    def _chance(self, what: str) -> Random:
        return Random(f"{self.knobs.seed} {what}")

    # What the others ask of the world.

    def now(self) -> datetime:
        """Return what the wall clock shows."""
        return self.clock.now()

    def true_time(self, at: float) -> datetime:
        """Return the true time of an elapsed second: what a clock shows that was never set."""
        return self.clock.set_at[0][1] + timedelta(seconds=at)

    def elapsed(self) -> float:
        """Return the seconds since the world began."""
        return self.clock.elapsed()

    def note(self, *words: object) -> None:
        """Add to the trace."""
        line = " ".join(map(str, (f"{self.clock.elapsed():.6f}", *words)))
        self._digest.update(line.encode() + b"\n")
        if self.keep_lines:
            self.lines.append(f"{self.clock.now():%m-%d %H:%M:%S} {line}")

    def fired(self, fault: Fault) -> None:
        """Count a fault, and remember that its time was not a quiet one."""
        self.faults[fault] += 1
        self.disturb(0.0)
        self.note("fault", fault)

    def disturb(self, seconds: float) -> None:
        """Write down that the coming seconds are not quiet ones."""
        self.disturbed.append((self.elapsed(), self.elapsed() + seconds))

    def happens(self, fault: Fault, *, one_in: float = SELDOM_PAUSED) -> bool:
        """Draw whether a fault of the machine happens now."""
        rate = self.knobs.rates.get(fault)
        if rate is None or self.calm or self._faulty.random() >= rate / one_in:
            return False
        self.fired(fault)
        return True

    def dies_at(self, label: str, *, rare: bool) -> bool:
        """Draw whether a process dies at this crash point; each seed has some that it favours."""
        if Fault.CRASH not in self.knobs.rates or self.calm:
            return False
        if label not in self._deadly:
            share = FAVOURED_IF_RARE if rare else FAVOURED
            favoured = self._chance(f"deadly {label}").random() < share
            self._deadly[label] = OFTEN if favoured else self.knobs.rates[Fault.CRASH] / 60
        passed, deaths = self.crash_points[label]
        what = label.partition(":")[0]
        first = FIRST_IF_SCARCE if what in SCARCE else FIRST
        rate = max(self._deadly[label], first if passed == 1 else 0.0)
        if deaths >= self.knobs.most_deaths(what) or self._faulty.random() >= rate:
            return False
        self.fired(Fault.CRASH)
        return True

    def accuse(self, what: str) -> None:
        """Write down a violation."""
        self.note("violation", what)
        self.violations.append(what)

    def deliver(self, token: str, receipt: Receipt) -> None:
        """Hand a callback in, as the receiver does: in a transaction of its own."""
        runtime = self.desk()
        try:
            runtime.in_transaction(receipts.by_callback, runtime, token, receipt, self.clock.now())
        except (DatabaseFault, Died) as error:
            # The provider sees an error, and calls again.
            self.note("callback", type(error).__name__)
            asyncio.get_running_loop().call_later(60, self.deliver, token, receipt)
        else:
            self.note("callback", token, receipt.state)
            if receipt.state not in {None, State.DELIVERED}:
                self.poke()

    def desk(self) -> Runtime:
        """Return a process of the command line's: it lives for one command."""
        process = Process(self, "desk", self._faulty)
        return self._runtime(process, in_line=True)

    def at_rest(self) -> Runtime:
        """Return a process that only reads, and that nothing happens to."""
        return self._built()

    def poke(self) -> None:
        """Let the workers look within their backstop's time."""
        for process in self._workers:
            if process.worker is not None:
                asyncio.get_running_loop().call_later(BACKSTOP, process.worker.wake.set)

    async def change_rules(self) -> None:
        """Give the clinic other rules, and start its workers anew: stopped, or without a word."""
        self.rules = drawn.rules(self._faulty, dense=self.knobs.dense)
        self._config = configuration(self.knobs, self.rules)
        self.rules_since.append((self.elapsed(), self.rules))
        self.note("rules")
        gently = self._faulty.random() < GENTLY
        for process in self._workers:
            if gently and process.worker is not None:
                process.worker.stop()
            else:
                process.die()
        for event in self._restart:
            event.set()

    def _runtime(self, process: Process, *, in_line: bool) -> Runtime:
        self._lives += 1
        chance = self._chance(f"life {self._lives}")
        return process.watched(
            self._built(),
            database=FaultyDatabase(self.real, process),
            providers=providers(self.side, process),
            random=chance.random,
            token=lambda: f"{chance.getrandbits(64):016x}",
            actor=process.name,
            session=self._lives,
            executor=None if in_line else Errands(process),
        )

    def _built(self) -> Runtime:
        """Return what the configuration makes; each process gets it with parts of its own."""
        if self._base is None or self._base.config is not self._config:
            # The providers are made anew for each process: no module of a real one is loaded here.
            nobody = Process(self, "nobody", self._faulty)
            self._base = build(
                self._config,
                clock=self.clock,
                database=self.real,
                seed=0,
                make_provider=lambda _name, setup: Far(self.side, nobody, setup.channel),
            )
        return self._base

    # The world's own course.

    def run(self) -> Result:
        """Run the seed from beginning to end, and judge it."""
        began = time.process_time()
        loop = FaultyLoop(self.clock)
        loop.set_exception_handler(lambda _loop, _context: None)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                runner.run(self._live())
            except StuckError as error:
                self.accuse(f"livelock: {error}")
        self.violations += judge(self)
        return Result(
            seed=self.knobs.seed,
            dense=self.knobs.dense,
            visits=len(self.book.bookings),
            sent=len(self.side.taken),
            violations=self.violations,
            faults=self.faults,
            crash_points=self.crash_points,
            trace=self._digest.hexdigest(),
            lines=self.lines,
            seconds=time.process_time() - began,
        )

    async def _live(self) -> None:
        self.rules_since.append((0.0, self.rules))
        end = self.knobs.days * 86_400.0
        workers = [
            asyncio.get_running_loop().create_task(self._keep_alive(number))
            for number in range(self.knobs.workers)
        ]
        attendants = [
            asyncio.get_running_loop().create_task(attendant.look_after(self)),
            asyncio.get_running_loop().create_task(
                attendant.read_worklists(self, self._chance("worklists"))
            ),
        ]
        weather = asyncio.get_running_loop().create_task(self._weather(end))
        await Admins(self, self._chance("admins")).work(end)
        weather.cancel()
        self._clear_up()
        starts = [booking.present.starts_at for booking in self.book.bookings.values()]
        last = max(starts, default=self.now()) + timedelta(hours=3) - self.now()
        await asyncio.sleep(max(last.total_seconds(), CALM_HOURS * 3600.0))
        for task in attendants:
            if task.done():
                task.result()  # it would have gone on: say why it did not
        for task in (*workers, *attendants):
            task.cancel()
        for process in self._workers:
            process.die()
        await asyncio.gather(*workers, *attendants, return_exceptions=True)

    def _clear_up(self) -> None:
        """End all faults: what was due has now to come right."""
        self.calm = self.side.calm = True
        self.side.away.clear()
        self.side.locked = False
        self.database_away = False
        self.disturb(0.0)
        self.poke()

    async def _keep_alive(self, number: int) -> None:
        """Start a worker again whenever it has died, as systemd does."""
        for life in range(10_000):
            process = Process(self, f"worker{number}.{life}", self._faulty)
            self._workers = [p for p in self._workers if not p.dead] + [process]
            self.lives[process.name] = process
            task = start(process, self._life(process))
            await asyncio.wait([task])
            process.die()
            await asyncio.sleep(0)
            restart = self._restart[number]
            if not restart.is_set():
                was_stopped = process.worker is not None and process.worker.stopped
                quick = self.calm or was_stopped
                wait = 1.0 if quick else self._faulty.choice((1.0, 5.0, 60.0, 1800.0))
                self.disturb(wait)
                await asyncio.sleep(wait)
            restart.clear()

    async def _life(self, process: Process) -> None:
        try:
            while self.database_away:  # noqa: ASYNC110 - systemd looks again every so often, too
                await asyncio.sleep(BACKSTOP)
            runtime = self._runtime(process, in_line=self.knobs.in_line)
            await runtime.work(check_rules, runtime, self.clock.now())
            await process.live(runtime)
        except (Died, DatabaseFault, asyncio.CancelledError):
            return
        except Exception as error:  # noqa: BLE001 - whatever ends a worker is what we look for
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.accuse(f"a worker ended with {type(error).__name__} in {where.name}: {error}")

    async def _weather(self, end: float) -> None:
        """Let outages and clock jumps come and go."""
        chance = self._chance("weather")
        kinds = (
            Fault.DATABASE_AWAY,
            Fault.PROVIDER_AWAY,
            Fault.CONFIGURATION,
            Fault.CLOCK_FORWARD,
            Fault.CLOCK_BACK,
        )
        possible = [kind for kind in kinds if self.knobs.has(kind)]
        while possible and self.elapsed() < end:
            await asyncio.sleep(chance.expovariate(1 / 20_000))
            since = self.elapsed()
            try:
                await self._storm(chance.choice(possible), chance)
            finally:  # some last until all faults end
                self.disturbed.append((since, self.elapsed()))
            self.poke()

    async def _storm(self, kind: Fault, chance: Random) -> None:
        self.fired(kind)
        length = chance.choice(LASTS.get(kind, HOURS))
        if kind is Fault.DATABASE_AWAY:
            self.database_away = True
        elif kind is Fault.PROVIDER_AWAY:
            self.side.away_refuses = chance.random() < 0.5
            self.side.away |= set(chance.choice((list(Channel), [Channel.SMS], [Channel.EMAIL])))
        elif kind is Fault.CONFIGURATION:
            self.side.locked = True
        else:
            by = timedelta(seconds=chance.choice((2, self.knobs.small_jump, 4000, 30_000)))
            self.clock.jump(by if kind is Fault.CLOCK_FORWARD else -by)
            if chance.random() < STARTS_WRONG:
                for process in self._workers:
                    process.die()  # whoever is started now takes the clock as it is
            self.poke()
            await asyncio.sleep(length)
            self.clock.jump(-by if kind is Fault.CLOCK_FORWARD else by)
        if kind in {Fault.DATABASE_AWAY, Fault.PROVIDER_AWAY, Fault.CONFIGURATION}:
            await asyncio.sleep(length)
            self.database_away = self.side.locked = False
            self.side.away.clear()
        self.note("storm over", kind)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the alarms of pretended faults off the screen."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def run_seed(
    seed: int, *, calm: bool = False, dense: bool = False, keep_lines: bool = False
) -> Result:
    """Run one seed."""
    world = Seed(drawn.draw(seed, calm=calm, dense=dense))
    world.keep_lines = keep_lines
    with _silence():
        return world.run()
