"""Virtual time: it goes on when nothing is left to do, and as far as the next thing to do."""

import asyncio
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)


class VirtualClock:
    """Wall time, which can be set wrong and right again, and elapsed time, which only goes on."""

    def __init__(self, start: datetime) -> None:
        """Stand still at `start`, which is aware and in UTC."""
        self._began = start
        self._elapsed = timedelta(0)

    def now(self) -> datetime:
        """Return the wall clock's present instant."""
        return self._began + self._elapsed

    def elapsed(self) -> float:
        """Return the seconds since the world began."""
        return self._elapsed / _SECOND

    async def wait(self, event: asyncio.Event, until: datetime) -> None:
        """Return when `event` is set or so much time has passed as `until` is away now."""
        try:
            await asyncio.wait_for(event.wait(), max((until - self.now()) / _SECOND, 0.0))
        except TimeoutError:
            return

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._elapsed += max(by, timedelta(0))

    def set(self, instant: datetime) -> None:
        """Let time pass until the wall clock shows `instant`; it does not go back."""
        self.advance(instant - self.now())

    def jump(self, by: timedelta) -> None:
        """Set the wall clock wrong, or right: no time passes."""
        self._began += by
