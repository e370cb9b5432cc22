"""A clock that stands still until it is told to go on."""

import asyncio
from datetime import datetime


class VirtualClock:
    """Wall and elapsed time that move together, by hand."""

    def __init__(self, start: datetime) -> None:
        """Stand still at `start`, which is aware and in UTC."""
        self._start = start
        self._now = start

    def now(self) -> datetime:
        """Return the present instant of this world."""
        return self._now

    def elapsed(self) -> float:
        """Return the seconds since the world began."""
        return (self._now - self._start).total_seconds()

    async def wait(self, event: asyncio.Event, until: datetime) -> None:
        """Be at `until` at once, unless `event` is set."""
        if not event.is_set():
            self.set(until)

    def set(self, instant: datetime) -> None:
        """Go on to `instant`; a clock does not go back."""
        self._now = max(self._now, instant)
