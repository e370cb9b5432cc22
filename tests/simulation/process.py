"""A process that can be paused, can die at any commit and any call, and is started again."""

import asyncio
import contextvars
import math
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from random import Random
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack

from reminders.engine.runtime import Runtime
from reminders.simulation.clock import VirtualClock
from reminders.simulation.loop import VirtualLoop
from reminders.simulation.worker import Worker
from reminders.store.database import Connection, Database, DatabaseFault
from tests.simulation.knobs import OF_SEVERAL, Fault

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

RETRY_DATABASE = 5.0
LOOKS_FOR_DATABASE = 60.0

SELDOM_STOPPED = 5.0
SELDOM_PAUSED, OFTEN_PAUSED = 20.0, 1.0
"""A process may be paused before and after each transaction, and, what matters more, each call."""

COMMANDS = {"move", "cancel", "resend", "add_opt_out", "remove_opt_out"}
SEARCHES = {"_wanted", "_settle_searches", "far.find"}
CALLS = {"far.send", "far_mail.send"}
SCARCE = frozenset(
    {"hand_back", "hold", "held_by", "release", "release_clock", "remove_opt_out", *OF_SEVERAL}
)
"""What few seeds have any of."""

SELDOM = frozenset({*SCARCE, *SEARCHES, *COMMANDS, *CALLS})
"""What a seed has a few of, or none."""

OF_THE_START = frozenset({"start", "check_rules", "last_tick"})
"""What a worker does before it takes the clock as it is."""

MOST_PASSES_AN_HOUR = 1500


class Died(BaseException):
    """The process is dead: whatever still runs in it has no effect any more."""


class World(Protocol):
    """What a process needs of the world around it."""

    crash_points: dict[str, list[int]]
    database_away: bool

    def elapsed(self) -> float:
        """Return the seconds since the world began."""

    def happens(self, fault: Fault, *, one_in: float = SELDOM_PAUSED) -> bool:
        """Draw whether a fault happens now: at one in so many of the times that its rate says."""

    def dies_at(self, label: str, *, rare: bool) -> bool:
        """Draw whether a process dies at this crash point."""

    def note(self, *words: object) -> None:
        """Add to the trace."""

    def accuse(self, what: str) -> None:
        """Write down a violation."""

    def disturb(self, seconds: float) -> None:
        """Write down that the coming seconds are not quiet ones."""


OWNER: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("OWNER", default=None)


class FaultyLoop(VirtualLoop):
    """A virtual loop that knows whose each task is, and does a process's database work for it."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.set_task_factory(self._make_task)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Any, **named: Any
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(work, loop=loop, **named)
        owner = OWNER.get()
        if owner is not None:
            owner.tasks[task] = None
            task.add_done_callback(owner.tasks.pop)
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Do the work in line; a process may be paused before and after."""
        if isinstance(executor, Errands):
            return self.create_task(executor.run(partial(func, *args)))
        return super().run_in_executor(executor, func, *args)


class Errands(Executor):
    """Stands for the daemon's database thread: between two errands, anything may happen."""

    def __init__(self, process: "Process") -> None:
        self._process = process

    async def run(self, work: Callable[[], T]) -> T:
        """Do one errand."""
        await self._process.rest()
        result = work()
        await self._process.rest()
        return result


class FaultyDatabase(Database):
    """The world's database, as one process sees it."""

    def __init__(self, real: Database, process: "Process") -> None:
        super().__init__(real.engine, encrypted=False)
        self._process = process

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection; the process may die just before the commit, or just after."""
        process = self._process
        process.must_live()
        label = process.doing
        if label not in OF_THE_START:
            process.began_at = min(process.began_at, process.world.elapsed())
        if process.world.database_away:
            raise DatabaseFault("away", None, RuntimeError("the server does not answer"))
        with super().transaction() as connection:
            yield connection
            process.may_die(f"{label}:before_commit")
        process.world.note(process.name, label)
        process.may_die(f"{label}:after_commit")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that only reads."""
        self._process.must_live()
        if self._process.world.database_away:
            raise DatabaseFault("away", None, RuntimeError("the server does not answer"))
        with super().reading() as connection:
            yield connection

    def close(self) -> None:
        """Leave the world's database open for the others."""


class WatchedRuntime(Runtime):
    """A runtime that says what each transaction is for."""

    __slots__ = ()

    def in_transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        """Name the transaction after its work."""
        database = self.database
        assert isinstance(database, FaultyDatabase)
        database._process.doing = getattr(work, "__name__", "transaction")
        return super().in_transaction(work, *arguments)


class Process:
    """One life of one process. `began_at` is when it began to work: by then it has seen the clock."""

    def __init__(self, world: World, name: str, chance: Random) -> None:
        self.world = world
        self.name = name
        self.chance = chance
        self.tasks: dict[asyncio.Task[Any], None] = {}  # in the order in which they began
        self.dead = False
        self.mortal = True
        self.doing = "start"
        self.born_at, self.began_at = world.elapsed(), math.inf
        self.passes: deque[float] = deque()
        self.worker: Worker | None = None
        self._going = asyncio.Event()
        self._going.set()

    def watched(self, runtime: Runtime, **own: Any) -> Runtime:
        """Return the runtime as this process has it, with parts of its own."""
        values = {field.name: getattr(runtime, field.name) for field in fields(Runtime)}
        return WatchedRuntime(**{**values, **own})

    def must_live(self) -> None:
        """Raise Died in what is left of a dead process."""
        if self.dead:
            raise Died

    def may_die(self, label: str) -> None:
        """Pass a crash point: perhaps die at it."""
        self.must_live()
        rare = label.partition(":")[0] in SELDOM
        count = self.world.crash_points.setdefault(label, [0, 0])
        count[0] += 1
        if self.mortal and self.world.dies_at(label, rare=rare):
            count[1] += 1
            self.world.note(self.name, "died", label)
            self.die()
            name, _, when = label.partition(":")
            raise Died(*(["after", name] if when == "after_commit" else []))

    def die(self) -> None:
        """End at once: nothing that is under way has any effect from here on."""
        self.dead = True
        asyncio.get_running_loop().call_soon(self._cancel)

    def _cancel(self) -> None:
        for task in list(self.tasks):
            task.cancel()

    async def point(self, label: str) -> None:
        """Pass a point of a provider's call: perhaps be paused there, perhaps die."""
        await self.rest(one_in=OFTEN_PAUSED)
        self.may_die(label)

    async def rest(self, *, one_in: float = SELDOM_PAUSED) -> None:
        """Be paused, perhaps, and wait until all of the process goes on."""
        self.must_live()
        if self.mortal and self._going.is_set():
            if self.worker is not None and self.world.happens(Fault.STOP, one_in=SELDOM_STOPPED):
                self.worker.stop()
            seconds = 0.0
            if self.world.happens(Fault.PAUSE_LONG):
                seconds = self.chance.uniform(100, 2000)
            elif self.world.happens(Fault.PAUSE, one_in=one_in):
                seconds = self.chance.uniform(1, 100)
            if seconds:
                self.world.note(self.name, "paused", round(seconds))
                self.world.disturb(seconds)
                self._going.clear()
                asyncio.get_running_loop().call_later(seconds, self._going.set)
        await self._going.wait()
        self.must_live()

    async def live(self, runtime: Runtime) -> None:
        """Send until death, or until it is stopped."""
        self.worker = Worker(runtime, self.name, before=lambda _now: self._count())
        while True:
            try:
                return await self.worker.serve()
            except DatabaseFault:
                await asyncio.sleep(RETRY_DATABASE)
                # Each look in between would find the same, for hours: they are left out.
                while self.world.database_away:  # noqa: ASYNC110 - it looks every so often, too
                    await asyncio.sleep(LOOKS_FOR_DATABASE)

    def _count(self) -> None:
        now = self.world.elapsed()
        while self.passes and self.passes[0] <= now - 3600:
            self.passes.popleft()
        self.passes.append(now)
        if len(self.passes) == MOST_PASSES_AN_HOUR:
            self.world.accuse(f"livelock: {MOST_PASSES_AN_HOUR} passes within an hour")


def start(process: Process, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Begin a process's first task; all that it starts belongs to the process."""
    token = OWNER.set(process)
    try:
        return asyncio.get_running_loop().create_task(work)
    finally:
        OWNER.reset(token)
