"""The judge of a seed: it knows the commands given, the providers' log, `show` and `worklist`.

It never reads a table and shares no decision with the planner: it has a book and an almanac of its
own, and says what a patient, or an admin, would complain of.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from reminders.domain.contact import Channel
from reminders.domain.state import State
from reminders.engine import showing
from tests.simulation import almanac
from tests.simulation.book import Reach
from tests.simulation.far_side import Taken
from tests.simulation.knobs import CLINIC, Fault
from tests.simulation.reading import MOST_JUMP, Reading, Text, World
from tests.simulation.staff import Staff, due_of, reaches_steadily

NETWORK = timedelta(seconds=65)
"""An attempt that began in time may reach its provider so much later, and no more."""

FAR = timedelta(days=60)
PROMPT = timedelta(minutes=3)
ONE_TAKES = timedelta(seconds=1)
"""So long a provider takes for a text, as a mean."""

MOMENT = timedelta(seconds=1)
MOST_PROBES = 80
"""A stopped channel is tried now and then: so many refusals within an hour are too many.

What is with the provider when it stops is refused as well.
"""


def judge(world: World) -> list[str]:
    """Return what went wrong, in words; empty if nothing did."""
    reading = Reading(world)
    judges = (_One(reading), _Together(reading), Staff(reading))
    return sorted({finding for each in judges for finding in each.findings()})


class _One:
    """Each text by itself: true, theirs, awake, in time."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.world = reading.world

    def findings(self) -> Iterator[str]:
        """Look at each text."""
        if self.reading.guarded and self.world.side.taken:
            yield "a real person was written to from a test installation"
        for taken in self.reading.unread:
            yield f"a text that nobody can place: {taken.body!r}"
        for text in self.reading.texts:
            yield from self._about(text)
        yield from self._probes()

    def _about(self, text: Text) -> Iterator[str]:
        moments = list(self.reading.moments(text))
        if not moments:
            yield f"{text}: its attempt began at no moment"
            return
        if not any(text.truth in text.booking.truth.during(m, m) for m in moments):
            yield f"{text}: told what was no longer so when the attempt began"
        if not any(self._may_reach(text, m) for m in moments):
            yield f"{text}: went to an address that was not theirs, or that had said no"
        if all(self.reading.jumped_by(text, m) >= MOST_JUMP for m in moments):
            yield f"{text}: went though the clock had jumped, {text.taken.wall}"
        if not self.reading.asked(text):
            yield from self._when(text, moments[-1])

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

    def _when(self, text: Text, moment: float) -> Iterator[str]:
        taken, zone, hours = text.taken, self.reading.zone, self.reading.hours
        rules = self.reading.its_rule(text, moment)
        if not rules:
            yield f"{text}: by a rule that the clinic does not have"
            return
        dark = almanac.night(taken.began, hours, zone) or (
            all(almanac.night(when, hours, zone) for when in self._on_its_way(taken))
        )
        if dark and all(almanac.minds_the_night(rule) for rule in rules):
            yield f"{text}: went in the night, {taken.wall.astimezone(zone)}"
        latest = max(almanac.deadline(rule, text.truth.starts_at) for rule in rules)
        if taken.began > latest or taken.wall - NETWORK > latest:
            yield f"{text}: went after it could help"
        if taken.began < min(self._soonest(rule, text) for rule in rules) - MOMENT:
            yield f"{text}: went early by its own clock, {taken.began}"
        if not self.reading.steady_clock:
            return
        first, last = due_of(text, self.reading, moment)
        if taken.wall < first - MOMENT:
            yield f"{text}: went early, {taken.wall} before {first}"
        allowed = PROMPT + self._others_take(text, last) if taken.wall > last + PROMPT else PROMPT
        if taken.wall > last + allowed and self._nothing_in_the_way(text, last):
            yield f"{text}: went late, {taken.wall} after {last}"

    def _soonest(self, rule: Mapping[str, Any], text: Text) -> datetime:
        """Return when a rule's text is due at the soonest, whenever its visit was known."""
        if "on" in rule:
            return self.reading.wall(0.0) - FAR
        known = text.truth.starts_at - FAR
        return almanac.due(rule, text.truth.starts_at, known, self.reading.hours, self.reading.zone)

    def _on_its_way(self, taken: Taken) -> tuple[datetime, datetime]:
        """Return when it was taken, and as early as it may have been written, by the clock then."""
        written = taken.at - NETWORK.total_seconds()
        return taken.wall, self.world.clock.showed(written)

    def _others_take(self, text: Text, due: object) -> timedelta:
        """Return how long those take that went since a text was due: there are so many places."""
        since = self.reading.seconds(due)  # type: ignore[arg-type]
        times = self.reading.times_of(text.taken.channel)
        others = bisect_left(times, text.taken.at) - bisect_left(times, since)
        places: int = self.world.knobs.config["in_flight"]
        return others * ONE_TAKES / places

    def _nothing_in_the_way(self, text: Text, due: object) -> bool:
        since = self.reading.seconds(due) - 1800  # type: ignore[arg-type]
        until = text.taken.at
        first = not any(
            other.taken.at < text.taken.at for other in self.reading.texts_of(text.booking)
        )
        wanted = [self.world.book.opted_out.get(a) for a in (text.taken.to,)]
        return (
            first
            and not self.reading.disturbed(since, until)
            and reaches_steadily(text, self.reading.seconds(due), until)  # type: ignore[arg-type]
            and len(self.world.rules_since) == 1
            and not any(wanted)
        )

    def _probes(self) -> Iterator[str]:
        times = [r.at for r in self.world.side.refused if r.what is Fault.CONFIGURATION]
        knobs = self.world.knobs
        # What is in flight when it stops is refused as well: each worker's, on each channel.
        most = MOST_PROBES + knobs.workers * len(Channel) * knobs.config["in_flight"]
        for number, at in enumerate(times):
            if number >= most and at - times[number - most] < 3600:
                yield "a stopped channel was tried again and again"
                return


class _Together:
    """Texts beside one another: nothing twice, nothing on two channels, nothing needless."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._desk = reading.world.desk()

    def findings(self) -> Iterator[str]:
        """Look at the texts together."""
        yield from self._twice()
        yield from self._both_ways()
        yield from self._covered()

    def _twice(self) -> Iterator[str]:
        by_message: dict[str, list[Text]] = defaultdict(list)
        by_content: dict[object, list[Text]] = defaultdict(list)
        for text in self.reading.texts:
            by_message[text.taken.message_key].append(text)
            by_content[text.booking.ref, text.rule, text.truth, text.taken.to].append(text)
        for texts in by_message.values():
            for first, second in pairwise(texts):
                if not first.taken.hidden and not self.reading.lost_from_sight(first, second):
                    yield f"{second}: one message accepted twice, first as {first.taken.ref}"
        for texts in by_content.values():
            for first, second in pairwise(texts):
                if not self._excused(first, second):
                    yield f"{second}: said twice to one address, first as {first.taken.ref}"

    def _both_ways(self) -> Iterator[str]:
        """Find people told on two channels, where neither the rule nor a failure asks for it."""
        told: dict[object, list[Text]] = defaultdict(list)
        for text in self.reading.texts:
            for place, person in enumerate(text.booking.patient.people):
                if text.taken.to in person.addresses():
                    told[text.booking.ref, text.rule, text.truth, place].append(text)
        for texts in told.values():
            for first, second in pairwise(texts):
                each = any(
                    rule.get("deliver") == "each"
                    for text in texts
                    for rule in self.reading.its_rule(text, second.taken.at)
                )
                other = first.taken.channel is not second.taken.channel
                shared = self._is_shared(first) or self._is_shared(second)
                entry = first.rule == second.rule and self._has_entry(first)
                again = self._is_corrected(first, second.taken.at)
                allowed = each or shared or entry or again
                if other and not allowed and not self._excused(first, second):
                    yield f"{second}: told on two channels, first as {first.taken.ref}"

    def _has_entry(self, change: Text) -> bool:
        """Tell whether an entry of something else may have come before: it is put right by email.

        Whether one was begun whose answer was lost, only the program itself can say.
        """
        if change.rule not in {"moved", "cancelled"}:
            return False
        with self._desk.database.reading() as conn:
            shown = showing.show(conn, self._desk, CLINIC, change.booking.ref, change.taken.wall)
        tried = {
            (line.message.truth.starts_at, line.message.truth.status.value)
            for line in shown.lines
            if line.message.calendar and line.message.attempts
        }
        return bool(tried - {(change.truth.starts_at, change.truth.status)})

    def _is_shared(self, text: Text) -> bool:
        people = text.booking.patient.people
        return sum(text.taken.to in person.addresses() for person in people) > 1

    def _is_corrected(self, text: Text, at: float) -> bool:
        """Tell whether a text went to an address that was nobody's any more: it told them nothing."""
        held = (
            reach
            for person in text.booking.patient.people
            for reach in person.reach.during(at, at)
            if isinstance(reach, Reach)
        )
        return all(text.taken.to not in {reach.phone, reach.email} for reach in held)

    def _excused(self, first: Text, second: Text) -> bool:
        """Tell whether there was a reason to say the same again."""
        if first.taken.hidden or self.reading.lost_from_sight(first, second):
            return True
        if first.taken.fate is not State.DELIVERED and first.taken.fate_at <= second.taken.at:
            return True
        if self.reading.asked(second) or self.reading.asked(first):
            return True
        between = second.booking.truth.during(first.taken.at, second.taken.at)
        return second.rule in {"moved", "cancelled"} and len(between) > 1

    def _covered(self) -> Iterator[str]:
        """Find texts that had nothing to add to one that went after they were due."""
        if not self.reading.steady_clock or len(self.reading.world.rules_since) > 1:
            return
        for text in self.reading.texts:
            moment = max(self.reading.moments(text), default=0.0)
            for other in self.reading.texts_of(text.booking):
                if self._covers(other, text, moment):
                    yield f"{text}: had nothing to add to {other}"

    def _covers(self, first: Text, second: Text, moment: float) -> bool:
        same = (first.booking is second.booking) and first.truth == second.truth
        if not same or first.rule == second.rule or first.taken.to != second.taken.to:
            return False
        began = max(self.reading.moments(first), default=0.0)
        if began >= moment or first.taken.fate is not State.DELIVERED:
            return False
        if self.reading.asked(first) or self.reading.asked(second):
            return False
        if not self.reading.its_rule(second, moment):
            return False
        if len(second.booking.truth.during(began, moment)) > 1:
            return False
        return bool(due_of(second, self.reading, moment)[1] < self.reading.wall(began) - MOMENT)
