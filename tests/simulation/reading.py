"""Reading the providers' log: which visit, rule and time each accepted message was about."""

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from reminders.domain.contact import Channel
from reminders.engine.runtime import Runtime
from tests.simulation import almanac
from tests.simulation.book import BOOKED, CANCELLED, Book, Booking, Truth
from tests.simulation.far_side import FarSide, Refused, Taken
from tests.simulation.knobs import Knobs

RULE_OF = {"confirmation": "booked", "fifteen_minutes": "soon"}
REQUEST_HELPS = timedelta(hours=1)
MOST_JUMP = timedelta(minutes=30)
"""So far a clock may be set without that sending is held."""


class Life(Protocol):
    """One life of a worker: when it was started, and when it began to work."""

    born_at: float
    began_at: float


class World(Protocol):
    """What the judge is shown."""

    knobs: Knobs
    book: Book
    side: FarSide
    clock: Any
    faults: Any
    rules_since: list[tuple[float, Any]]
    disturbed: list[tuple[float, float]]
    released: list[float]

    @property
    def lives(self) -> Mapping[str, Life]:
        """Return the lives of all workers, by name."""

    def desk(self) -> Runtime:
        """Return a process that can answer `show`."""


@dataclass(frozen=True)
class Text:
    """An accepted message, read."""

    taken: Taken
    rule: str
    booking: Booking
    truth: Truth
    short: bool

    def __str__(self) -> str:
        """Return it as a violation names it."""
        return f"{self.booking.ref} {self.rule} {self.taken.channel} {self.taken.ref}"


class Reading:
    """The log, read once; and the world's times, as the judge needs them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.zone = ZoneInfo(world.knobs.zone)
        self.hours: str = world.knobs.config["quiet_hours"]
        self.guarded = world.knobs.config["environment"] == "test"
        self.steady_clock = len(world.clock.set_at) == 1
        self._by_start: dict[datetime, list[Booking]] = defaultdict(list)
        for booking in world.book.bookings.values():
            for starts_at in {truth.starts_at for _, truth in booking.truths()}:
                self._by_start[starts_at].append(booking)
        self._disturbed = _joined(world.disturbed)
        self._times: dict[Channel, list[float]] = defaultdict(list)
        for taken in sorted(world.side.taken, key=lambda one: one.at):
            self._times[taken.channel].append(taken.at)
        self._refused: dict[str, list[Refused]] = defaultdict(list)
        for refused in world.side.refused:
            self._refused[refused.to].append(refused)
        self._texts_of: dict[str, list[Text]] = defaultdict(list)
        self.texts: list[Text] = []
        self.unread: list[Taken] = []
        for taken in world.side.taken:
            text = self._read(taken)
            if text is None:
                self.unread.append(taken)
            else:
                self.texts.append(text)
                self._texts_of[text.booking.ref].append(text)

    def _read(self, taken: Taken) -> Text | None:
        name, day, clock, short = taken.body.strip().split("|")
        start = almanac.written(day, clock, taken.wall, self.zone)
        at_that_time = self._by_start.get(start, []) if start else []
        if not at_that_time or start is None:
            return None
        # Where several visits begin at one time, the address tells whose it is.
        theirs = (b for b in at_that_time if taken.to in b.patient.addresses())
        booking = next(theirs, at_that_time[0])
        status = CANCELLED if name == "cancelled" else BOOKED
        rule = RULE_OF.get(name, name)
        return Text(taken, rule, booking, Truth(start, status), short == "short")

    def texts_of(self, booking: Booking) -> list[Text]:
        """Return the accepted messages about a visit."""
        return self._texts_of.get(booking.ref, [])

    def times_of(self, channel: Channel) -> list[float]:
        """Return when messages were taken on a channel, in order."""
        return self._times[channel]

    def refused_at(self, address: str) -> list[Refused]:
        """Return the calls about an address that were refused, or lost."""
        return self._refused.get(address, [])

    def rules_at(self, moment: float) -> list[dict[str, Any]]:
        """Return the rules that the clinic has had until a moment, the last ones last."""
        return [rules for at, rules in self.world.rules_since if at <= moment + 1e-3]

    def its_rule(self, text: Text, moment: float) -> list[dict[str, Any]]:
        """Return a text's rule as the clinic has had it until a moment, each way that it had it."""
        return [rules[text.rule] for rules in self.rules_at(moment) if text.rule in rules]

    def seconds(self, wall: datetime) -> float:
        """Return the elapsed second of a wall time, on a clock that was never set."""
        return float((wall - self.world.clock.set_at[0][1]).total_seconds())

    def wall(self, seconds: float) -> datetime:
        """Return the wall time of an elapsed second, on a clock that was never set."""
        began: datetime = self.world.clock.set_at[0][1]
        return began + timedelta(seconds=seconds)

    def known(self, text: Text, moment: float) -> datetime:
        """Return when what a text tells became known."""
        times = [at for at, truth in text.booking.truths() if truth == text.truth and at <= moment]
        return self.wall(max(times, default=moment))

    def asked(self, text: Text) -> bool:
        """Tell whether staff had asked for this text."""
        return any(
            rule == text.rule and at <= text.taken.at and text.taken.wall - wall <= REQUEST_HELPS
            for at, wall, rule in text.booking.requests
        )

    def disturbed(self, since: float, until: float) -> bool:
        """Tell whether anything went wrong within a span."""
        place = bisect.bisect_right(self._disturbed, (until, math.inf))
        return place > 0 and self._disturbed[place - 1][1] >= since

    def jumped_by(self, text: Text, moment: float) -> timedelta:
        """Return how far wrong the clock was when an attempt began, as its worker can know.

        It knows the clock as it found it, and as it was when a person let sending go on. Who goes
        by the right clock does no harm: one that was behind may be known by the last work done.
        """
        clock, life = self.world.clock, self.world.lives[text.taken.by]
        believed = clock.errors(life.born_at, min(life.began_at, moment))
        for released in self.world.released:
            if life.born_at <= released <= moment:
                believed += clock.errors(released, moment)
        wrong: timedelta = clock.wrong_by(moment)
        nearest: timedelta = min(abs(wrong - one) for one in (timedelta(0), *believed))
        return nearest

    def is_astray(self, text: Text) -> bool:
        """Tell whether a text's attempt began by a clock that was wrong by half an hour or more.

        Then its worker found the clock like that, or a person had let it go on: and where its answer
        is lost, it is looked for at another time than it went.
        """
        return all(abs(self.world.clock.wrong_by(m)) >= MOST_JUMP for m in self.moments(text))

    def lost_from_sight(self, first: Text, second: Text) -> bool:
        """Tell whether the clock that a text went by had been put right before it went again."""
        clock = self.world.clock
        changed = clock.wrong_by(first.taken.at) - clock.wrong_by(second.taken.at)
        return self.is_astray(first) and bool(abs(changed) >= MOST_JUMP)

    def moments(self, text: Text) -> Iterator[float]:
        """Yield the elapsed seconds at which a text's attempt may have begun."""
        for moment in self.world.clock.seconds_at(text.taken.began):
            if moment <= text.taken.at + 1e-3:
                yield moment


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans in their order, those that overlap as one: they end in that order, too."""
    joined: list[tuple[float, float]] = []
    for begun, ended in sorted(spans):
        if joined and begun <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        else:
            joined.append((begun, ended))
    return joined
