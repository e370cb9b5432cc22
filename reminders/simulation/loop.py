"""An event loop of virtual time: one thread, no waiting, and the same order every time.

When nothing is ready it goes on to the next timer at once. Nothing comes from outside, so if there
is no timer either, nothing can ever happen again: that is an error.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, Unpack

from reminders.simulation.clock import VirtualClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_STEPS = 50_000
"""So many steps of the loop without waiting are a program that runs in a circle."""

STEPS_TAKE_TIME = 50
"""So many steps take a microsecond: nothing is done in no time at all."""


class StuckError(RuntimeError):
    """Nothing can happen any more, or things happen without end and time stands still."""


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio on a clock that jumps."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock
        self._selector = _Jumps(clock)
        self._clock_resolution = 5e-7

    def time(self) -> float:
        """Return the seconds since the world began."""
        return self.clock.elapsed()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Do the work in line, a step of the loop later: there are no threads in this world."""
        del executor
        done: asyncio.Future[T] = self.create_future()
        self.call_soon(_do, done, partial(func, *args))
        return done

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are no sockets in this world."""

    def _write_to_self(self) -> None:
        """Do nothing: no other thread wakes this loop."""


def run(clock: VirtualClock, work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in virtual time, from where `clock` stands."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(work)


def _do(done: asyncio.Future[T], work: Callable[[], T]) -> None:
    if done.cancelled():
        return
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 - whoever awaits the work gets what it raised
        done.set_exception(error)


class _Jumps:
    """Stands where a loop has its selector: lets the clock pass instead of waiting."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._steps = 0

    def select(self, timeout: float | None) -> list[Any]:
        """Let `timeout` seconds pass, rounded up to a microsecond."""
        if timeout is None:
            raise StuckError("nothing is left that could happen")
        self._steps += 1
        if timeout > 0:
            self._clock.advance(timedelta(microseconds=max(math.ceil(timeout * 1e6 - 1e-3), 1)))
            self._steps = 0
        elif self._steps % STEPS_TAKE_TIME == 0:
            # A timer may fire a nanosecond early, here as anywhere: who then looks again has to
            # find, at some time, that it is time.
            self._clock.advance(timedelta(microseconds=1))
        if self._steps > MOST_STEPS:
            self._steps = 0
            raise StuckError("time stands still: something runs in a circle")
        return []

    def close(self) -> None:
        """Do nothing: nothing was opened."""
