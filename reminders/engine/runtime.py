"""What the engine works with: built once from the configuration, and frozen."""

import asyncio
import hmac
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog

from reminders.clock import Clock
from reminders.config import ClinicConfig, Config
from reminders.domain.contact import Channel, canonical
from reminders.domain.rules import Practice
from reminders.errors import UsageError
from reminders.providers.base import Provider
from reminders.store.database import Database, DatabaseFault, is_deadlock

log = structlog.get_logger()

T = TypeVar("T")
Item = TypeVar("Item")

REST = 0.25
"""After a step of long work, others may write for this part of its time."""

LONGEST_REST = 0.5
TRIES = 3


def digest(secret: bytes, address: str) -> str:
    """Return the digest of an address, or a text, under a key."""
    return hmac.digest(secret, address.encode(), "sha256").hex()[:32]


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that the engine is given. `executor` None means: the database in line.

    `random` returns a number in [0, 1); `token` a fresh name that nobody can guess; `session` is
    the number of this process's sign of life in the database.
    """

    config: Config
    database: Database
    clock: Clock
    secret: bytes
    practices: Mapping[str, Practice]
    providers: Mapping[tuple[str, Channel], Provider]
    random: Callable[[], float]
    token: Callable[[], str]
    session: int
    actor: str = "system"
    executor: Executor | None = None

    async def work(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work(connection, *arguments)` in a transaction of its own."""
        if self.executor is None:
            return self.in_transaction(work, *arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.executor, partial(self.in_transaction, work, *arguments)
        )

    def in_transaction(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work(connection, *arguments)` in a transaction of its own, here and now.

        Begun again where another's and this one waited for each other: nothing of it was done.
        """
        for tries_left in reversed(range(TRIES)):
            try:
                with self.database.transaction() as connection:
                    return work(connection, *arguments)
            except DatabaseFault as fault:
                if not (tries_left and is_deadlock(fault)):
                    raise
        raise AssertionError("the last try returns or raises")

    def in_step(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run one of many steps in a transaction of its own; then leave others time to write.

        With SQLite one writes at a time. Who writes step after step would leave the others, who
        have texts to send, one transaction in between, and they need several for each text.
        """
        began = self.clock.elapsed()
        done = self.in_transaction(work, *arguments)
        if self.database.is_sqlite:
            rest = (self.clock.elapsed() - began) * REST
            if rest > 0:
                threading.Event().wait(min(rest, LONGEST_REST))
        return done

    def digest(self, address: str) -> str:
        """Return the keyed digest by which equal addresses, or texts, are known to be equal."""
        return digest(self.secret, address)

    def clinic(self, key: str) -> ClinicConfig:
        """Return a clinic's configuration. Raise UsageError naming those there are."""
        if key not in self.config.clinics:
            known = ", ".join(self.config.clinics)
            raise UsageError(
                f"There is no clinic {key!r} in the configuration. There are: {known}."
            )
        return self.config.clinics[key]

    def may_write_to(self, clinic: str, provider: Provider, address: str) -> bool:
        """Tell whether this installation may send to an address: the environment guard.

        The planner has asked already; this is asked of the provider itself, where messages leave.
        """
        if not provider.real or self.config.environment == "production":
            return True
        return self.digest(canonical(address)) in self.practices[clinic].allowed


async def asked(provider: Provider, answer: Awaitable[T | None]) -> T | None:
    """Return what a provider tells of a message; None if it fails, as a clinic's own may."""
    try:
        return await answer
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends no more than this question
        log.error("provider_failed", provider=provider.name, error=type(error).__name__)  # noqa: TRY400 - no traceback: it may hold a number
        return None


async def bounded(
    runtime: Runtime, call: Callable[[Item], Coroutine[Any, Any, T]], items: Sequence[Item]
) -> list[T]:
    """Call a provider about each item, so many at a time as may be in flight; return the answers.

    A call is made when its turn comes: who is interrupted before leaves none that nobody awaits.
    """
    places = asyncio.Semaphore(runtime.config.delivery.in_flight)

    async def one(item: Item) -> T:
        async with places:
            return await call(item)

    return await asyncio.gather(*(one(item) for item in items))
