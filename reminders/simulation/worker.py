"""A process that sends, as the daemon does, but woken by the virtual clock."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from reminders.engine.dispatch import Dispatcher, Report
from reminders.engine.runtime import Runtime

BLOCKED_WAIT = timedelta(seconds=5)
"""What was due before a pass, and is still there after it, is looked at again so much later."""


class Worker:
    """One dispatcher's loop: a pass, then rest until something is due or `wake` is set."""

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        before: Callable[[datetime], None] = lambda _now: None,
        after: Callable[[Report], None] = lambda _report: None,
    ) -> None:
        """`before` is told the time of each pass, and `after` what it did."""
        self._runtime = runtime
        self._dispatcher = Dispatcher(runtime, name)
        self._before = before
        self._after = after
        self.wake = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Tell whether it was told to end."""
        return self._dispatcher.stopping

    def stop(self) -> None:
        """Have it hand back what it has not begun, and end: what SIGTERM does to the daemon."""
        self._dispatcher.stopping = True
        self.wake.set()

    async def serve(self, until: datetime | None = None) -> None:
        """Send what falls due; return when nothing more does before `until`, or it was stopped."""
        clock = self._runtime.clock
        while True:
            self.wake.clear()
            began = clock.now()
            self._before(began)
            report = await self._dispatcher.run_once()
            self._after(report)
            if self.stopped:
                return
            due = report.next_at
            if self._dispatcher.unfinished:
                continue  # at once, as the daemon does
            if due is not None and due <= began:
                due = began + BLOCKED_WAIT
            if until is not None and (due is None or due > until):
                return
            if due is None:
                await self.wake.wait()
            else:
                await clock.wait(self.wake, due)
