"""The one place that reads time. Everything else takes `now` as a parameter."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the edges ask for time; the simulation has its own."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""

    def elapsed(self) -> float:
        """Return seconds on a clock that never goes back and runs on while the machine sleeps."""

    async def wait(self, event: asyncio.Event, until: datetime) -> None:
        """Return when `event` is set or `until` has come, whichever is first."""


class SystemClock:
    """The machine's clock, put right by `offset`: how far the database's server is ahead of it."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC) + self.offset

    def elapsed(self) -> float:
        """Return CLOCK_BOOTTIME: a lease must run out while a laptop's lid is closed."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def wait(self, event: asyncio.Event, until: datetime) -> None:
        """Return when `event` is set or `until` has come, whichever is first."""
        delay = max((until - self.now()) / timedelta(seconds=1), 0.0)
        try:
            await asyncio.wait_for(event.wait(), delay)
        except TimeoutError:
            return
