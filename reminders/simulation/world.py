"""A world in a folder of its own: a configuration, a database, and the real engine in it."""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from reminders.config import Config
from reminders.engine import approval
from reminders.engine.dispatch import Report
from reminders.engine.planning import check_rules
from reminders.engine.runtime import Runtime
from reminders.providers.base import Provider, Setup
from reminders.providers.sandbox import Sandbox
from reminders.simulation import loop
from reminders.simulation.clock import VirtualClock
from reminders.simulation.worker import Worker
from reminders.store.database import Database, open_in_memory
from reminders.store.upgrade import upgrade
from reminders.wiring import MakeProvider, build, close, make_key

T = TypeVar("T")

ACTOR = "demo"


def new_database() -> Database:
    """Return an empty database in memory, with its tables."""
    database = open_in_memory()
    upgrade(database)
    return database


def phones(console: Console) -> MakeProvider:
    """Return what makes every provider a phone on `console`."""

    def make(_name: str, setup: Setup) -> Provider:
        return Sandbox(setup, console)

    return make


class World:
    """The real planner, engine and store, in one thread, on a virtual clock."""

    def __init__(
        self, config: Config, folder: Path, start: datetime, make_provider: MakeProvider
    ) -> None:
        """Make the world, with its key and whatever its phones keep in `folder`."""
        here = config.elsewhere(folder).model_copy(update={"environment": "test"})
        make_key(here)
        self.clock = VirtualClock(start)
        self.runtime: Runtime = build(
            here,
            clock=self.clock,
            actor=ACTOR,
            make_provider=make_provider,
            seed=0,
            database=new_database(),
        )
        self.runtime.in_transaction(approval.approve, self.runtime, ACTOR, start)
        self.runtime.in_transaction(check_rules, self.runtime, start)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in this world's time."""
        return loop.run(self.clock, work)

    async def go_on(
        self,
        until: datetime,
        before: Callable[[datetime], None] = lambda _now: None,
        after: Callable[[Report], None] = lambda _report: None,
    ) -> None:
        """Let the engine work, from one event to the next, until `until` (UTC).

        `before` is told the time of each pass, and `after` what it did.
        """
        await Worker(self.runtime, ACTOR, before, after).serve(until)
        self.clock.advance(max(until - self.clock.now(), timedelta(0)))

    async def end(self) -> None:
        """Close what the world holds open."""
        await close(self.runtime)
