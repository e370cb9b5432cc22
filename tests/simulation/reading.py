"""Reading the providers' log: which visit, rule and time each accepted message was about."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from reminders.engine.runtime import Runtime
from tests.simulation import almanac
from tests.simulation.book import BOOKED, CANCELLED, Book, Booking, Truth
from tests.simulation.far_side import FarSide, Taken
from tests.simulation.knobs import Knobs

RULE_OF = {"confirmation": "booked", "fifteen_minutes": "soon"}
REQUEST_HELPS = timedelta(hours=1)


class World(Protocol):
    """What the judge is shown."""

    knobs: Knobs
    book: Book
    side: FarSide
    clock: Any
    faults: Any
    rules_since: list[tuple[float, Any]]
    disturbed: list[tuple[float, float]]

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
        self._by_start = {
            truth.starts_at: booking
            for booking in world.book.bookings.values()
            for _, truth in booking.truths()
        }
        self.texts: list[Text] = []
        self.unread: list[Taken] = []
        for taken in world.side.taken:
            text = self._read(taken)
            if text is None:
                self.unread.append(taken)
            else:
                self.texts.append(text)

    def _read(self, taken: Taken) -> Text | None:
        name, day, clock, short = taken.body.strip().split("|")
        start = almanac.written(day, clock, taken.wall, self.zone)
        booking = self._by_start.get(start) if start else None
        if booking is None or start is None:
            return None
        status = CANCELLED if name == "cancelled" else BOOKED
        rule = RULE_OF.get(name, name)
        return Text(taken, rule, booking, Truth(start, status), short == "short")

    def rules_at(self, moment: float) -> list[dict[str, Any]]:
        """Return the rules that the clinic has had until a moment, the last ones last."""
        return [rules for at, rules in self.world.rules_since if at <= moment + 1e-3]

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
        return any(begun <= until and ended >= since for begun, ended in self.world.disturbed)

    def moments(self, text: Text) -> Iterator[float]:
        """Yield the elapsed seconds at which a text's attempt may have begun."""
        for moment in self.world.clock.seconds_at(text.taken.began):
            if moment <= text.taken.at + 1e-3:
                yield moment
