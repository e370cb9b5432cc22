"""Who looks after the clinic while it lives: whoever has to be phoned has to stand on the worklist."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from reminders.domain.state import State
from reminders.engine import calls, desk, holding, showing
from reminders.engine.runtime import Runtime
from reminders.store import clinics, keeping
from reminders.store.database import Connection, DatabaseFault
from reminders.store.views import Line
from tests.simulation.book import BOOKED, Booking
from tests.simulation.knobs import CLINIC, Fault
from tests.simulation.process import Died
from tests.simulation.reading import Reading, Text
from tests.simulation.reading import World as Judged

LOOKS_AFTER = 3000.0
EVERY, EVERY_IF_DENSE = 3600.0, 21_600.0
"""So many seconds pass between two looks at the worklist."""

MOST = 200
"""So many visits of a dense clinic are looked at each time."""

NEWS = frozenset({"moved", "cancelled"})
UNDER_WAY = frozenset({State.PLANNED, State.SENDING})
NOT_REACHED = frozenset({State.FAILED, State.EXPIRED, State.UNDELIVERED})
PERHAPS = frozenset({State.SENDING, State.ACCEPTED, State.DELIVERED, State.UNKNOWN})
"""States of a text that has told somebody something, or may have."""


class World(Judged, Protocol):
    """What the attendant needs of the world around."""

    released: list[float]

    def at_rest(self) -> Runtime:
        """Return a process that only reads, and that nothing happens to."""

    def now(self) -> datetime:
        """Return what the wall clock shows."""

    def elapsed(self) -> float:
        """Return the seconds since the world began."""

    def note(self, *words: object) -> None:
        """Add to the trace."""

    def poke(self) -> None:
        """Let the workers look soon, as their backstop would."""

    def accuse(self, what: str) -> None:
        """Write down a violation."""


async def look_after(world: World) -> None:
    """Let sending go on where the clock has stopped it, as somebody does who sees it."""
    jumps = world.knobs.has(Fault.CLOCK_FORWARD) or world.knobs.has(Fault.CLOCK_BACK)
    while jumps:
        await asyncio.sleep(LOOKS_AFTER)
        runtime = world.desk()
        try:
            if runtime.in_transaction(keeping.held_by) is not None:
                runtime.in_transaction(holding.release, runtime, world.now())
                world.released.append(world.elapsed())
                world.note("released")
                world.poke()
        except (DatabaseFault, Died) as error:
            world.released.append(world.elapsed())  # perhaps: it may have been committed
            world.note("caretaker", type(error).__name__)


async def read_worklists(world: World, chance: Random) -> None:
    """Read the worklist and the call list again and again, and miss those who are not there."""
    said: set[str] = set()
    while True:
        await asyncio.sleep(EVERY_IF_DENSE if world.knobs.dense else EVERY)
        for missing in _Look(world, chance).missing():
            if missing not in said:
                said.add(missing)
                world.accuse(missing)


@dataclass(frozen=True)
class _Seen:
    """One visit as staff see it, and what of it went out."""

    booking: Booking
    lines: Sequence[Line]
    texts: Sequence[Text]
    addresses: frozenset[str]

    def states(self, *rules: str) -> set[State]:
        """Return the states of the messages, or of those of some rules."""
        return {x.message.state for x in self.lines if not rules or x.message.key.rule in rules}


class _Look:
    """One look at the worklist: who has to stand there, by the providers' log and by `show`."""

    def __init__(self, world: World, chance: Random) -> None:
        self._world = world
        self._chance = chance
        self._now = world.now()
        self._elapsed = world.elapsed()
        self._reading = Reading(world)

    def missing(self) -> Iterator[str]:
        """Yield who has to be phoned, and does not stand on a list."""
        runtime = self._world.at_rest()
        with runtime.database.reading() as conn:
            phone = [
                (x.booking.ref, why) for x in self._seen(conn, runtime) for why in self._why(x)
            ]
            if not phone:
                return
            listed = {item.ref for item in desk.worklist(conn, runtime, CLINIC, self._now)}
            clinic_id = clinics.find_clinic_id(conn, CLINIC) or 0
            called = calls.call_list(conn, runtime, clinic_id, self._now)
        to_call = {call.item.ref for call in called.waiting}
        for ref, why in phone:
            if ref not in listed:
                yield f"{ref}: {why}, and does not stand on the worklist"
            if ref not in to_call and not called.more:
                yield f"{ref}: {why}, and does not stand on the call list"

    def _seen(self, conn: Connection, runtime: Runtime) -> Iterator[_Seen]:
        """Yield visits to come whose messages are all planned, or some of them if they are many."""
        bookings = self._world.book.bookings.values()
        coming = [b for b in bookings if b.present.starts_at > self._now]
        if len(coming) > MOST:
            coming = self._chance.sample(coming, MOST)
        if not coming:
            return
        refs = [booking.ref for booking in coming]
        shown = showing.show_all(conn, runtime, CLINIC, refs, self._now)
        for booking, its in zip(coming, shown, strict=True):
            if its.visit.needs_plan:
                continue
            version = its.visit.version
            lines = [x for x in its.lines if x.message.key.version == version and not x.is_gone]
            reaches = [person.present for person in booking.patient.people]
            addresses = frozenset(a for r in reaches for a in (r.phone, r.email) if a)
            yield _Seen(booking, lines, self._reading.texts_of(booking), addresses)

    def _why(self, seen: _Seen) -> Iterator[str]:
        """Yield why somebody of a visit has to be phoned."""
        if State.UNKNOWN in seen.states():
            yield "nobody knows whether a text went"
        if any(
            text.truth == seen.booking.present and self._may_be_read(text) for text in seen.texts
        ):
            return
        if seen.booking.present.status == BOOKED and self._told_nothing(seen):
            yield "a text failed, and nobody is told"
        if self._misled(seen):
            yield "is told of what is no longer so"

    def _may_be_read(self, text: Text) -> bool:
        """Tell whether a text arrived, or may arrive yet."""
        taken = text.taken
        return taken.fate is State.DELIVERED or taken.fate_at > self._elapsed

    def _told_nothing(self, seen: _Seen) -> bool:
        states = seen.states()
        return bool(states & NOT_REACHED) and not states & (UNDER_WAY | PERHAPS)

    def _misled(self, seen: _Seen) -> bool:
        """Tell whether what was read last is not so any more, and no news will tell in time."""
        read = [t for t in seen.texts if t.taken.to in seen.addresses and self._may_be_read(t)]
        if not read or seen.states() & PERHAPS or State.PLANNED in seen.states(*NEWS):
            return False
        last = max(read, key=lambda text: text.taken.at)
        waits = last.truth.status == BOOKED and last.truth.starts_at > self._now
        return waits and not last.taken.hidden and last.taken.fate_at <= self._elapsed
