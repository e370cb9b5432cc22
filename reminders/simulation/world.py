"""A world in a folder of its own: a configuration, a database, and the real engine in it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from reminders.config import Config
from reminders.engine import approval
from reminders.engine.dispatch import Dispatcher, Report
from reminders.engine.planning import check_rules
from reminders.engine.runtime import Runtime
from reminders.providers.base import Provider, Setup
from reminders.providers.sandbox import Sandbox
from reminders.simulation.clock import VirtualClock
from reminders.store.upgrade import upgrade
from reminders.wiring import build, close, make_key, open_store

ACTOR = "demo"
STEP = timedelta(seconds=1)


class World:
    """The real planner, engine and store, in one thread, on a virtual clock."""

    def __init__(self, config: Config, folder: Path, start: datetime, console: Console) -> None:
        """Make the world's database in `folder`. Every provider is a phone on `console`."""
        here = config.model_copy(update={"folder": folder, "environment": "test"})
        make_key(here)
        database = open_store(here, create=True)
        upgrade(database)
        database.close()
        self.clock = VirtualClock(start)

        def phone(_name: str, setup: Setup) -> Provider:
            return Sandbox(setup, console)

        self.runtime: Runtime = build(
            here, clock=self.clock, actor=ACTOR, make_provider=phone, seed=0
        )
        self.runtime.in_transaction(approval.approve, self.runtime, ACTOR, start)
        self.runtime.in_transaction(check_rules, self.runtime, start)
        self._dispatcher = Dispatcher(self.runtime, ACTOR)

    async def go_on(
        self,
        until: datetime,
        before: Callable[[datetime], None],
        after: Callable[[Report], None],
    ) -> None:
        """Let the engine work, from one event to the next, until `until` (UTC).

        `before` is told the time of each pass, and `after` what it did.
        """
        while True:
            before(self.clock.now())
            after(await self._dispatcher.run_once())
            wake = await self._dispatcher.next_wake()
            if wake is None or wake > until:
                self.clock.set(until)
                return
            # What is due but cannot go (a stopped channel) is looked at again a little later.
            self.clock.set(max(wake, self.clock.now() + STEP))

    async def end(self) -> None:
        """Close what the world holds open."""
        await close(self.runtime)
