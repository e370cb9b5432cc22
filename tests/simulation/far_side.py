"""The providers of the virtual world: what they took is the truth that the oracle judges by."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import ClassVar, Protocol

from reminders.domain.contact import Channel
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    Outcome,
    OutgoingMessage,
    Receipt,
    Refusal,
    Rejected,
    Sought,
)
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.providers.base import CallbackRequest, Inbound
from tests.simulation.knobs import CLINIC, Fault, Knobs

TIMEOUT = 30.0
SLOW = 20.0
"""Where a call has taken so many seconds before it was written, more is likely to go wrong."""

HIDDEN_FOR = 900.0
LISTED_WITHIN = 115.0
SHORTER = 0.97
FATES: tuple[tuple[State, Reason | None], ...] = (
    (State.UNDELIVERED, Reason.UNREACHABLE),
    (State.UNDELIVERED, Reason.NOT_DELIVERED),
    (State.UNDELIVERED, Reason.EXPIRED_AT_PROVIDER),
    (State.FAILED, Reason.INVALID_ADDRESS),
)
_LASTING = {
    Fault.ADDRESS: Refusal.ADDRESS,
    Fault.OPT_OUT: Refusal.OPT_OUT,
    Fault.BLOCKED: Refusal.BLOCKED,
}


class Place(Protocol):
    """What a provider needs of the process it is called from."""

    name: str

    async def point(self, label: str) -> None:
        """Let the process be paused, or die, here."""


@dataclass
class Taken:
    """A message that a provider has accepted. Elapsed times are in seconds."""

    ref: str
    token: str
    message_key: str
    channel: Channel
    to: str
    body: str
    began: datetime
    at: float
    wall: datetime
    by: str
    listed_at: float
    fate: State
    reason: Reason | None
    fate_at: float
    hidden: bool


@dataclass(frozen=True)
class Refused:
    """A call that did not end with a message accepted, or whose answer was lost."""

    at: float
    to: str
    channel: Channel
    what: Fault
    token: str
    kind: Refusal | None = None


class World(Protocol):
    """What the far side needs of the world around it."""

    knobs: Knobs

    def now(self) -> datetime:
        """Return what the installation's wall clock shows: it may be wrong."""

    def true_time(self, at: float) -> datetime:
        """Return the true time of an elapsed second: the providers' clocks are right."""

    def elapsed(self) -> float:
        """Return the seconds since the world began."""

    def note(self, *words: object) -> None:
        """Add to the trace."""

    def fired(self, fault: Fault) -> None:
        """Count a fault."""

    def deliver(self, token: str, receipt: Receipt) -> None:
        """Hand a callback in."""


@dataclass
class FarSide:
    """Both providers' minds: what they took, what they refuse, when they are away."""

    world: World
    chance: Random
    taken: list[Taken] = field(default_factory=list)
    by_number: dict[str, list[Taken]] = field(default_factory=dict)
    by_ref: dict[str, Taken] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    lasting: dict[str, Fault] = field(default_factory=dict)
    known: dict[str, bool] = field(default_factory=dict)
    away: set[Channel] = field(default_factory=set)
    away_refuses: bool = True
    locked: bool = False
    calm: bool = False

    def happens(self, fault: Fault, *, slow: bool = False) -> bool:
        """Draw whether a fault happens now, and count it: oftener with a call that was slow."""
        rate = self.world.knobs.rates.get(fault)
        if rate is None or self.calm or self.chance.random() >= rate ** (0.25 if slow else 1.0):
            return False
        self.world.fired(fault)
        return True

    def trouble_with(self, address: str) -> Fault | None:
        """Return what is wrong with an address for ever, drawn when it is first written to."""
        if address not in self.known:
            self.known[address] = True
            for fault in _LASTING:
                if self.happens(fault):
                    self.lasting[address] = fault
                    break
        return self.lasting.get(address)

    def refuse(self, message: OutgoingMessage, what: Fault, kind: Refusal | None) -> None:
        """Write down a call that was not taken, or whose answer is lost."""
        refusal = Refused(
            self.world.elapsed(), message.to, message.channel, what, message.token, kind
        )
        self.refused.append(refusal)
        self.world.note("refused", message.channel, message.to, what)

    def take(self, message: OutgoingMessage, by: str, *, slow: bool) -> Taken:
        """Accept a message, and decide what becomes of it."""
        now, chance = self.world.elapsed(), self.chance
        hidden = self.happens(Fault.HIDES)
        late = HIDDEN_FOR if hidden else 0.0
        if not hidden and self.happens(Fault.LISTS_LATE, slow=slow):
            late = chance.uniform(5, self._latest())
        fate, reason = (State.DELIVERED, None)
        if self.happens(Fault.UNDELIVERED):
            fate, reason = chance.choice(FATES)
        taken = Taken(
            ref=f"{message.channel}{len(self.taken) + 1}",
            token=message.token,
            message_key=message.message_key,
            channel=message.channel,
            to=message.to,
            body=message.body,
            began=message.started_at,
            at=now,
            wall=self.world.now(),
            by=by,
            listed_at=now + late,
            fate=fate,
            reason=reason,
            fate_at=now + chance.choice((1.0, 1.0, 5.0, 600.0)),
            hidden=hidden,
        )
        self.taken.append(taken)
        self.by_ref[taken.ref] = taken
        self.by_number.setdefault(taken.to, []).append(taken)
        self.world.note("taken", taken.ref, taken.to, taken.body, taken.token)
        return taken

    def _latest(self) -> float:
        """Return how late a text may be listed: within the shortest horizon, also as clocks jump."""
        knobs = self.world.knobs
        jumps = knobs.has(Fault.CLOCK_FORWARD) or knobs.has(Fault.CLOCK_BACK)
        return LISTED_WITHIN - (knobs.small_jump if jumps else 0)

    def report(self, taken: Taken) -> Receipt:
        """Return what the provider says of a message at this moment."""
        over = self.world.elapsed() >= taken.fate_at
        return Receipt(taken.ref, taken.fate, taken.reason) if over else Receipt(taken.ref, None)

    def call_back(self, taken: Taken) -> None:
        """Send the reports, as reports come: perhaps never, twice, or the wrong way round."""
        loop = asyncio.get_running_loop()
        under_way = Receipt(taken.ref, None)
        last = Receipt(taken.ref, taken.fate, taken.reason)
        now = self.world.elapsed()
        # Who lists late reports late.
        late = 0.0 if taken.hidden else taken.listed_at - now
        plan = [(late + 0.5, under_way), (max(taken.fate_at - now, late) + 1.0, last)]
        if self.happens(Fault.CALLBACK_FIRST):
            taken.fate_at = self.world.elapsed()
            plan = [(0.0, last)]
        if self.happens(Fault.CALLBACK_TWICE):
            plan += [(wait + self.chance.uniform(0, 900), receipt) for wait, receipt in plan]
        if self.happens(Fault.CALLBACK_DISORDER):
            plan += [(plan[-1][0] + 20.0, under_way)]
        for wait, receipt in plan:
            if not self.happens(Fault.CALLBACK_LOST):
                loop.call_later(wait, self.world.deliver, taken.token, receipt)


class Far:
    """One provider, as one process sees it."""

    name: ClassVar[str] = "far"
    channels: ClassVar[frozenset[Channel]] = frozenset(Channel)
    real: ClassVar[bool] = True
    stamps: ClassVar[bool] = False

    def __init__(self, side: FarSide, place: Place, channel: Channel) -> None:
        self._side = side
        self._place = place
        self._channel = channel

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a message, refuse it, or leave the caller in the dark."""
        side, place = self._side, self._place
        began = side.world.elapsed()
        await place.point(f"{self.name}.send:before")
        if side.happens(Fault.RAISES):
            side.refuse(message, Fault.RAISES, None)
            raise RuntimeError("a fault of the provider's module")
        if self._channel in side.away:
            return await self._nobody_there(message)
        refusal = self._refusal(message)
        await asyncio.sleep(side.chance.choice((0.02, 0.1, 0.4)))
        if refusal is not None:
            return refusal
        if self.stamps:
            await message.stamp()
        message.before_write()
        await asyncio.sleep(side.chance.choice((0.01, 0.2, 2.0)))
        for fault in (Fault.TIMEOUT_BEFORE, Fault.ERROR_BEFORE):
            if side.happens(fault):
                side.refuse(message, fault, None)
                await asyncio.sleep(TIMEOUT if fault is Fault.TIMEOUT_BEFORE else 0.1)
                return Ambiguous(fault)
        slow = side.world.elapsed() - began > SLOW
        taken = side.take(message, place.name, slow=slow)
        self._reports(taken)
        await place.point(f"{self.name}.send:after")
        for fault in (Fault.TIMEOUT_AFTER, Fault.ERROR_AFTER):
            if side.happens(fault, slow=slow):
                side.refuse(message, fault, None)
                await asyncio.sleep(TIMEOUT if fault is Fault.TIMEOUT_AFTER else 0.1)
                return Ambiguous(fault)
        await asyncio.sleep(side.chance.uniform(5, 25) if side.happens(Fault.SLOW) else 0.05)
        return Accepted(taken.ref, 1)

    async def _nobody_there(self, message: OutgoingMessage) -> Outcome:
        if self._side.away_refuses:
            self._side.refuse(message, Fault.PROVIDER_AWAY, Refusal.THROTTLED)
            await asyncio.sleep(0.1)
            return Rejected("connection_refused", Refusal.THROTTLED)
        if self.stamps:
            await message.stamp()
        message.before_write()
        self._side.refuse(message, Fault.PROVIDER_AWAY, None)
        await asyncio.sleep(TIMEOUT)
        return Ambiguous("timeout")

    def _refusal(self, message: OutgoingMessage) -> Rejected | None:
        side = self._side
        if side.locked:
            side.refuse(message, Fault.CONFIGURATION, Refusal.CONFIGURATION)
            return Rejected("20003", Refusal.CONFIGURATION)
        lasting = side.trouble_with(message.to)
        if lasting is not None:
            side.refuse(message, lasting, _LASTING[lasting])
            return Rejected(lasting, _LASTING[lasting])
        if side.happens(Fault.CONTENT):
            side.refuse(message, Fault.CONTENT, Refusal.CONTENT)
            return Rejected("content", Refusal.CONTENT)
        if side.happens(Fault.THROTTLED):
            side.refuse(message, Fault.THROTTLED, Refusal.THROTTLED)
            wait = timedelta(seconds=self._rest())
            return Rejected("20429", Refusal.THROTTLED, wait or None)
        return None

    def _rest(self) -> int:
        """Return how many seconds a busy provider asks for: of thousands of texts, seldom many."""
        knobs, chance = self._side.world.knobs, self._side.chance
        wait = chance.choice((0, 0, 5, 600))
        return 5 if knobs.dense and wait and chance.random() < SHORTER else wait

    def _reports(self, taken: Taken) -> None:
        self._side.call_back(taken)

    async def find(self, sought: Sought) -> Outcome | None:
        """Look through what is listed by now: by number, then by time and text.

        So are real providers asked: of an attempt's token they know nothing.
        """
        await self._place.point(f"{self.name}.find:before")
        await asyncio.sleep(0.1)
        if self._channel in self._side.away or self._side.happens(Fault.FIND_FAILS):
            return None
        perhaps = self._listed(sought)
        for taken in perhaps:
            if sought.digest(taken.body) == sought.body_digest:
                return Accepted(taken.ref)
        return None if perhaps and sought.any_words else Rejected("absent", Refusal.THROTTLED)

    def _listed(self, sought: Sought) -> list[Taken]:
        """Return which texts to the number may have come of the attempt, the latest first."""
        world = self._side.world
        now = world.elapsed()
        since = sought.since(world.now() - world.true_time(now))
        return [
            taken
            for taken in reversed(self._side.by_number.get(sought.to, []))
            if taken.channel is self._channel
            and taken.listed_at <= now
            and world.true_time(taken.at) >= since
            and taken.ref not in sought.others
        ]

    async def status(self, ref: str) -> Receipt | None:
        """Tell what became of a message."""
        await self._place.point(f"{self.name}.status:before")
        await asyncio.sleep(0.05)
        if self._channel in self._side.away or self._side.happens(Fault.STATUS_FAILS):
            return None
        taken = self._side.by_ref.get(ref)
        return self._side.report(taken) if taken else None

    def parse_receipt(self, request: CallbackRequest) -> tuple[str | None, Receipt]:
        """Raise ValueError: reports come by another door here."""
        raise ValueError("no reports over HTTP in this world")

    def parse_inbound(self, request: CallbackRequest) -> Inbound:
        """Raise ValueError: nobody writes to the clinics of this world."""
        raise ValueError("nobody writes in this world")

    async def probe(self) -> str | None:
        """Return None."""
        return None

    async def close(self) -> None:
        """Do nothing."""


class FarMail(Far):
    """A mail server: a lost answer cannot be looked for, so an attempt is stamped before DATA.

    What became of accepted mail it tells, which real ones do not: asking for two days is slow.
    """

    name: ClassVar[str] = "far_mail"
    stamps: ClassVar[bool] = True

    def _reports(self, taken: Taken) -> None:
        """Send no reports: mail has none."""

    async def find(self, sought: Sought) -> Outcome | None:
        """Tell nothing."""
        return None


def providers(side: FarSide, place: Place) -> dict[tuple[str, Channel], Far]:
    """Return the providers of one process."""
    return {
        (CLINIC, Channel.SMS): Far(side, place, Channel.SMS),
        (CLINIC, Channel.EMAIL): FarMail(side, place, Channel.EMAIL),
    }
