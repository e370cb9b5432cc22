"""The judge of a seed: it knows the commands given, the providers' log, `show` and `worklist`.

It never reads a table and shares no decision with the planner: it has a book and an almanac of its
own, and says what a patient, or an admin, would complain of.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from reminders.domain.contact import Channel
from reminders.domain.state import State
from reminders.engine import desk
from reminders.engine.runtime import Runtime
from tests.simulation import almanac
from tests.simulation.book import BOOKED, CANCELLED, Book, Booking, Reach, Truth
from tests.simulation.far_side import FarSide, Taken
from tests.simulation.knobs import CLINIC, Fault, Knobs

RULE_OF = {"confirmation": "booked", "fifteen_minutes": "soon"}
NETWORK = timedelta(seconds=5)
REQUEST_HELPS = timedelta(hours=1)
PROMPT = 180.0
HEARD = frozenset({State.ACCEPTED, State.DELIVERED, State.UNDELIVERED, State.FAILED, State.UNKNOWN})


class Clock(Protocol):
    """What the judge needs of the world's clock."""

    set_at: list[Any]

    def seconds_at(self, wall: Any) -> list[float]:
        """Return the elapsed seconds at which the wall clock showed `wall`."""


class World(Protocol):
    """What the judge is shown."""

    knobs: Knobs
    book: Book
    side: FarSide
    clock: Any
    rules_since: list[tuple[float, Any]]
    disturbed: list[tuple[float, float]]

    def desk(self) -> Runtime:
        """Return a process that can answer `show`."""


@dataclass(frozen=True)
class Text:
    """An accepted message, read: which rule, about which visit at which time."""

    taken: Taken
    rule: str
    booking: Booking
    truth: Truth
    short: bool

    def __str__(self) -> str:
        """Return it as a violation names it."""
        return f"{self.booking.ref} {self.rule} {self.taken.channel} {self.taken.ref}"


def judge(world: World) -> list[str]:
    """Return what went wrong, in words; empty if nothing did."""
    return sorted(set(_Judge(world).findings()))


class _Judge:
    def __init__(self, world: World) -> None:
        self.world = world
        self.knobs = world.knobs
        self.zone = ZoneInfo(world.knobs.zone)
        self.hours: str = world.knobs.config["quiet_hours"]
        self.by_start = {
            truth.starts_at: booking
            for booking in world.book.bookings.values()
            for _, truth in booking.truths()
        }
        self.texts: list[Text] = []
        self.steady_clock = len(world.clock.set_at) == 1

    def findings(self) -> Iterator[str]:
        """Look at each text, at the texts together, and at what staff are shown."""
        yield from self._read_all()
        for text in self.texts:
            yield from self._about_one(text)
        yield from self._twice()
        yield from self._both_ways()
        runtime = self.world.desk()
        now = self.world.clock.now()
        with runtime.database.reading() as conn:
            for booking in self.world.book.bookings.values():
                shown = desk.show(conn, runtime, CLINIC, booking.ref, now)
                yield from self._accounted(booking, shown)

    def _read_all(self) -> Iterator[str]:
        if self.knobs.config["environment"] == "test" and self.world.side.taken:
            yield "a real person was written to from a test installation"
        for taken in self.world.side.taken:
            text = self._read(taken)
            if text is None:
                yield f"a text that nobody can place: {taken.body!r}"
            else:
                self.texts.append(text)

    def _read(self, taken: Taken) -> Text | None:
        name, day, clock, short = taken.body.strip().split("|")
        start = almanac.written(day, clock, taken.wall, self.zone)
        booking = self.by_start.get(start) if start else None
        if booking is None or start is None:
            return None
        status = CANCELLED if name == "cancelled" else BOOKED
        rule = RULE_OF.get(name, name)
        return Text(taken, rule, booking, Truth(start, status), short == "short")

    # One text by itself.

    def _about_one(self, text: Text) -> Iterator[str]:
        taken = text.taken
        moments = [m for m in self.world.clock.seconds_at(taken.began) if m <= taken.at + 1e-3]
        if not moments:
            yield f"{text}: its attempt began at no moment"
            return
        if not any(text.truth in text.booking.truth.during(m, m) for m in moments):
            yield f"{text}: told what was no longer so when the attempt began"
        if not any(self._may_reach(text, m) for m in moments):
            yield f"{text}: went to an address that was not theirs, or that had said no"
        rule = self._rules_at(moments[-1])[-1].get(text.rule, {})
        asked = self._asked(text)
        dark = all(
            almanac.night(when, self.hours, self.zone)
            for when in (taken.wall, taken.wall - NETWORK)
        )
        if dark and not asked and almanac.minds_the_night(rule):
            yield f"{text}: went in the night, {taken.wall.astimezone(self.zone)}"
        latest = almanac.deadline(rule, text.truth.starts_at)
        if taken.wall - NETWORK > latest and not asked:
            yield f"{text}: went after it could help"
        if self.steady_clock and not asked:
            yield from self._early(text, moments[-1])

    def _rules_at(self, moment: float) -> list[dict[str, Any]]:
        return [rules for at, rules in self.world.rules_since if at <= moment + 1e-3]

    def _asked(self, text: Text) -> bool:
        """Tell whether staff had asked for this text."""
        return any(
            rule == text.rule and at <= text.taken.at and text.taken.wall - wall <= REQUEST_HELPS
            for at, wall, rule in text.booking.requests
        )

    def _may_reach(self, text: Text, moment: float) -> bool:
        to = text.taken.to
        if False not in self.world.book.out(to, moment, moment):
            return False
        reaches = [
            reach
            for person in text.booking.patient.people
            for reach in person.reach.during(moment, moment)
        ]
        return any(
            isinstance(reach, Reach)
            and ((reach.phone == to and reach.sms_ok) or (reach.email == to and reach.email_ok))
            for reach in reaches
        )

    def _early(self, text: Text, moment: float) -> Iterator[str]:
        known = max(
            at for at, truth in text.booking.truths() if truth == text.truth and at <= moment
        )
        began = self.world.clock.set_at[0][1]
        at = began + timedelta(seconds=known)
        times = [
            almanac.due(rules[text.rule], text.truth.starts_at, at, self.hours, self.zone)
            for rules in self._rules_at(moment)
        ]
        if text.taken.wall < min(times) - timedelta(seconds=1):
            yield f"{text}: went early, {text.taken.wall} before {min(times)}"

    # Texts together.

    def _twice(self) -> Iterator[str]:
        by_message: dict[str, list[Text]] = defaultdict(list)
        by_content: dict[object, list[Text]] = defaultdict(list)
        for text in self.texts:
            by_message[text.taken.message_key].append(text)
            by_content[text.booking.ref, text.rule, text.truth, text.taken.to].append(text)
        for texts in by_message.values():
            for first, second in pairwise(texts):
                if not first.taken.hidden:
                    yield f"{second}: one message accepted twice, first as {first.taken.ref}"
        for texts in by_content.values():
            for first, second in pairwise(texts):
                if not self._excused(first, second):
                    yield f"{second}: said twice to one address, first as {first.taken.ref}"

    def _both_ways(self) -> Iterator[str]:
        """Find people told on two channels, where neither the rule nor a failure asks for it."""
        told: dict[object, list[Text]] = defaultdict(list)
        for text in self.texts:
            for place, person in enumerate(text.booking.patient.people):
                if text.taken.to in person.addresses():
                    told[text.booking.ref, text.rule, text.truth, place].append(text)
        for texts in told.values():
            for first, second in pairwise(texts):
                each = any(
                    rules[text.rule].get("deliver") == "each"
                    for rules in self._rules_at(second.taken.at)
                    for text in texts
                )
                other = first.taken.channel is not second.taken.channel
                if other and not each and not self._excused(first, second):
                    yield f"{second}: told on two channels, first as {first.taken.ref}"

    def _excused(self, first: Text, second: Text) -> bool:
        """Tell whether there was a reason to say the same again."""
        if first.taken.hidden:
            return True
        if first.taken.fate is not State.DELIVERED and first.taken.fate_at <= second.taken.at:
            return True
        if self._asked(second) or self._asked(first):
            return True
        between = second.booking.truth.during(first.taken.at, second.taken.at)
        return second.rule in {"moved", "cancelled"} and len(between) > 1

    # What staff are shown.

    def _accounted(self, booking: Booking, shown: desk.Shown) -> Iterator[str]:
        for line in shown.lines:
            message = line.message
            where = f"{booking.ref} {message.key.rule} {message.key.channel}"
            if message.state in {State.PLANNED, State.SENDING}:
                yield f"{where}: still {message.state} long after it was due"
            if message.state not in {State.ACCEPTED, State.DELIVERED} and message.reason is None:
                yield f"{where}: {message.state} without a reason"
        explained = {e.rule for e in shown.explanations}
        present = booking.present
        for rule in self._rules_at(float("inf"))[-1]:
            if rule == "help":
                continue
            lines = [
                line
                for line in shown.lines
                if line.message.key.rule == rule and line.message.key.version == shown.visit.version
            ]
            sent = [t for t in self.texts if t.booking is booking and t.rule == rule]
            if not lines and rule not in explained and not any(t.truth == present for t in sent):
                yield f"{booking.ref} {rule}: neither sent nor explained"
        yield from self._log_agrees(booking, shown)

    def _log_agrees(self, booking: Booking, shown: desk.Shown) -> Iterator[str]:
        """Compare what is shown as accepted with what was accepted."""
        counts: dict[tuple[str, Channel, Any], list[int]] = defaultdict(lambda: [0, 0, 0])
        for text in self.texts:
            if text.booking is booking:
                counts[text.rule, text.taken.channel, text.truth.starts_at][0] += 1
        for line in shown.lines:
            message = line.message
            key = (message.key.rule, message.key.channel, message.truth.starts_at)
            if message.state in {State.ACCEPTED, State.DELIVERED, State.UNDELIVERED}:
                counts[key][1] += 1
            if message.state in HEARD:
                counts[key][2] += 1
        for (rule, channel, _), (taken, surely, perhaps) in counts.items():
            if surely > taken:
                yield f"{booking.ref} {rule} {channel}: shown as sent, but no provider took it"
            if taken > perhaps and Fault.HIDES not in self.knobs.rates:
                yield f"{booking.ref} {rule} {channel}: a provider took it, and show says it never went"
