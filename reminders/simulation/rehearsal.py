"""A file rehearsed: what it would send, and what an outage would do to it, on a virtual clock."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from reminders.config import Config
from reminders.domain.contact import Channel
from reminders.domain.lifecycle import TOLD
from reminders.domain.outcome import Accepted, Outcome, OutgoingMessage, Receipt, Sought
from reminders.domain.state import State
from reminders.engine import desk, importing
from reminders.engine.importing import Difference, Options
from reminders.engine.items import Item
from reminders.providers.base import CallbackRequest, Inbound, Provider, Setup
from reminders.simulation.world import World
from reminders.store import views
from reminders.store.views import Line

AFTERWARDS = timedelta(hours=26)
"""So long after the last visit the world goes on: rules may send when a visit is over."""

INSTANT = timedelta(microseconds=1)
LATE_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Outage:
    """The server is down: nothing of ours runs. Instants are in UTC."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would happen: the messages by when they go, and what does not go as it should."""

    difference: Difference
    sent: Sequence[Line]
    late: Sequence[Line]
    expired: Sequence[Line]
    phone: Sequence[Item]


def rehearse(
    config: Config,
    clinic: str,
    file: Path,
    start: datetime,
    outage: Outage | None = None,
    *,
    confirmations: bool | None = None,
) -> Rehearsal:
    """Let a file's messages go in a world of their own, from `start` (UTC) to after its end.

    Nothing reaches anybody, and the real database is not looked at. Raise RefusedFileError.
    """
    with tempfile.TemporaryDirectory(prefix="reminders-simulate-") as folder:
        own = config.templates_folder
        here = config.model_copy(
            update={"templates_folder": str(config.path(own)) if own else None}
        )
        world = World(here, Path(folder), start, lambda _name, _setup: _Willing(_setup))
        options = Options(exported_at=start, confirmations=confirmations)
        return world.run(_play(world, clinic, file, outage, options))


async def _play(
    world: World, clinic: str, file: Path, outage: Outage | None, options: Options
) -> Rehearsal:
    try:
        start = world.clock.now()
        staged = importing.stage(world.runtime, clinic, file, options, start)
        difference = importing.apply(world.runtime, staged, options, start)
        if outage is not None:
            if outage.begins > start:
                await world.go_on(outage.begins - INSTANT)
            world.clock.set(outage.ends)
        with world.runtime.database.reading() as conn:
            last = max((visit.starts_at for visit in views.visits(conn, clinic)), default=start)
        await world.go_on(max(last, world.clock.now()) + AFTERWARDS)
        return _added_up(world, clinic, difference, outage, start)
    finally:
        await world.end()


def _added_up(
    world: World, clinic: str, difference: Difference, outage: Outage | None, start: datetime
) -> Rehearsal:
    since = outage.begins if outage else start
    with world.runtime.database.reading() as conn:
        lines = views.lines(conn, views.visits(conn, clinic))
        # Asked as of the outage's beginning: who had a visit then, or later, and was not told.
        items = desk.worklist(conn, world.runtime, clinic, since)
    sent = [line for line in lines if line.message.state in TOLD and line.sent_at is not None]
    sent.sort(key=lambda line: (line.sent_at or start, line.message.id))
    return Rehearsal(
        difference,
        sent,
        [line for line in sent if _lateness(line) > LATE_AFTER],
        [line for line in lines if line.message.state is State.EXPIRED],
        [item for item in items if item.kind == "call"],
    )


def _lateness(line: Line) -> timedelta:
    return (line.sent_at or line.message.due_at) - line.message.due_at


class _Willing:
    """A provider that takes everything, and delivers it."""

    name: ClassVar[str] = "simulated"
    channels: ClassVar[frozenset[Channel]] = frozenset(Channel)
    real: ClassVar[bool] = False
    stamps: ClassVar[bool] = False

    def __init__(self, setup: Setup) -> None:
        """Need nothing."""

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a message."""
        await message.before_write()
        return Accepted(message.token)

    async def find(self, sought: Sought) -> Outcome | None:
        """Find what was sought: everything was taken."""
        return Accepted(sought.token)

    async def status(self, ref: str) -> Receipt | None:
        """Tell that it arrived."""
        return Receipt(ref, State.DELIVERED)

    def parse_receipt(self, request: CallbackRequest) -> tuple[str | None, Receipt]:  # noqa: ARG002
        """Raise ValueError: there are no reports over HTTP."""
        raise ValueError("a simulated provider sends no reports")

    def parse_inbound(self, request: CallbackRequest) -> Inbound:  # noqa: ARG002
        """Raise ValueError: nobody writes."""
        raise ValueError("a simulated provider brings no texts")

    async def probe(self) -> str | None:
        """Return None: nothing can be wrong."""
        return None

    async def close(self) -> None:
        """Do nothing."""


_: type[Provider] = _Willing
