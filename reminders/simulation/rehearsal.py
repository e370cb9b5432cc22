"""Rehearsals on a virtual clock: what a file, or the plan as it is, would send; with an outage."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from reminders.config import Config
from reminders.domain.contact import Channel, canonical
from reminders.domain.lifecycle import TOLD
from reminders.domain.outcome import Accepted, Outcome, OutgoingMessage, Receipt, Sought
from reminders.domain.state import State
from reminders.engine import desk, importing
from reminders.engine.importing import Difference, Options
from reminders.engine.items import Item
from reminders.engine.planning import check_rules
from reminders.engine.runtime import Runtime
from reminders.errors import UsageError
from reminders.providers.base import CallbackRequest, Inbound, Provider, Setup
from reminders.simulation.world import World
from reminders.store import clinics, copying, views
from reminders.store.views import Line

AFTERWARDS = timedelta(hours=26)
"""So long after the last visit the world goes on: rules may send when a visit is over."""

MOST = 5000
TOO_MANY = "That is more than 5000 visits. Choose fewer days."
INSTANT = timedelta(microseconds=1)
LATE_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Outage:
    """The server is down: nothing of ours runs. Instants are in UTC."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would happen: the messages by when they go, and what does not go as it should.

    `difference` is what a file changes; without a file there is none.
    """

    difference: Difference | None
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
    options = Options(exported_at=start, confirmations=confirmations)

    def begin(world: World) -> Difference:
        staged = importing.stage(world.runtime, clinic, file, options, start)
        return importing.apply(world.runtime, staged, options, start)

    return _in_a_world(config, clinic, start, outage, begin)


def rehearse_plan(
    runtime: Runtime, clinic: str, length: timedelta, outage: Outage | None = None
) -> Rehearsal:
    """Let what is planned for a clinic go in a world of its own, for so long from now.

    With an outage, at least until a day after its end. The real database is only read.
    Raise UsageError if there are too many visits.
    """
    start = runtime.clock.now()
    until = max(start + length, outage.ends + AFTERWARDS if outage else start)
    with runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, clinic) or 0
        visits = copying.coming(conn, clinic_id, start, until, MOST + 1)
        if len(visits) > MOST:
            raise UsageError(TOO_MANY)
        copied = copying.copy(conn, visits)

    def begin(world: World) -> None:
        keys = {
            (contact, runtime.digest(address)): world.runtime.digest(address)
            for contact, addresses in copied.addresses().items()
            for address in map(canonical, addresses)
        }
        world.runtime.in_transaction(
            copying.put, copied, lambda contact, key: keys.get((contact, key), key)
        )
        world.runtime.in_transaction(check_rules, world.runtime, start)

    return _in_a_world(runtime.config, clinic, start, outage, begin, until)


def _in_a_world(
    config: Config,
    clinic: str,
    start: datetime,
    outage: Outage | None,
    begin: Callable[[World], Difference | None],
    until: datetime | None = None,
) -> Rehearsal:
    with tempfile.TemporaryDirectory(prefix="reminders-simulate-") as folder:
        world = World(config, Path(folder), start, lambda _name, _setup: _Willing(_setup))
        return world.run(_play(world, clinic, outage, begin, until))


async def _play(
    world: World,
    clinic: str,
    outage: Outage | None,
    begin: Callable[[World], Difference | None],
    until: datetime | None,
) -> Rehearsal:
    """Go on until `until`; without it, to after the last visit."""
    try:
        start = world.clock.now()
        difference = begin(world)
        if outage is not None:
            if outage.begins > start:
                await world.go_on(outage.begins - INSTANT)
            world.clock.set(outage.ends)
        if until is None:
            with world.runtime.database.reading() as conn:
                last = max((visit.starts_at for visit in views.visits(conn, clinic)), default=start)
            until = max(last, world.clock.now()) + AFTERWARDS
        await world.go_on(until)
        return _added_up(world, clinic, difference, outage, start)
    finally:
        await world.end()


def _added_up(
    world: World,
    clinic: str,
    difference: Difference | None,
    outage: Outage | None,
    start: datetime,
) -> Rehearsal:
    since = outage.begins if outage else start
    with world.runtime.database.reading() as conn:
        lines = views.lines(conn, views.visits(conn, clinic))
        # Asked as of the outage's beginning: who had a visit then, or later, and was not told.
        items = desk.worklist(conn, world.runtime, clinic, since)
    told = [line for line in lines if line.message.state in TOLD]
    sent = [line for line in told if line.sent_at is not None and line.sent_at >= start]
    sent.sort(key=lambda line: (line.sent_at or start, line.message.id))
    return Rehearsal(
        difference,
        sent,
        [line for line in sent if _lateness(line) > LATE_AFTER],
        [
            line
            for line in lines
            if line.message.state is State.EXPIRED and line.message.not_after >= start
        ],
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
        message.before_write()
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
