"""What staff are shown, held against what happened: each reason has to be true, and none missing."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from reminders.domain.contact import Channel
from reminders.domain.outcome import Refusal
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.engine import showing
from reminders.store.views import Line
from tests.simulation import almanac
from tests.simulation.book import CANCELLED, Booking, Past, Reach
from tests.simulation.far_side import Refused
from tests.simulation.knobs import CLINIC, Fault
from tests.simulation.reading import Reading, Text

HEARD = frozenset({State.ACCEPTED, State.DELIVERED, State.UNDELIVERED, State.FAILED, State.UNKNOWN})
ENDS = frozenset({State.DELIVERED, State.UNDELIVERED})
PAGE = 200
AFTER = 1900.0
"""So many seconds after a disturbance its effects may still be felt: restarts, waits, probes."""

ENDED = frozenset({Fault.ADDRESS, Fault.OPT_OUT, Fault.BLOCKED, Fault.CONTENT})
OF_REASON = {
    Reason.INVALID_ADDRESS: Fault.ADDRESS,
    Reason.BLOCKED: Fault.BLOCKED,
    Reason.OPTED_OUT_AT_PROVIDER: Fault.OPT_OUT,
    Reason.CONTENT_REFUSED: Fault.CONTENT,
}
FATES = frozenset({Reason.UNREACHABLE, Reason.NOT_DELIVERED, Reason.EXPIRED_AT_PROVIDER})
ALWAYS_TRUE = frozenset(
    {
        Reason.VISIT_CHANGED,
        Reason.CONTACT_REMOVED,
        Reason.ASKED_AGAIN,
        Reason.OTHER_CHANNEL,
        Reason.NO_ADDRESS,
        Reason.ALREADY_SENT,
        Reason.CONFIRMATION_TOO_OLD,
        Reason.QUIET_HOURS,
        Reason.TOO_LATE,
        Reason.RULE_OFF,
        Reason.NOTHING_TO_TELL,
        Reason.ON_REQUEST,
        Reason.PROVIDER_BUSY,
    }
)
"""Reasons that are not looked into."""


class Staff:
    """Asks `show` about each visit, and does not believe it."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.world = reading.world
        self.true: dict[Reason, Callable[[Booking, Line], bool]] = {
            Reason.OPTED_OUT: self._opted_out,
            Reason.NO_CONSENT: self._no_consent,
            Reason.VISIT_CANCELLED: lambda b, _line: self._ever(b, CANCELLED),
            Reason.BOOKED_TOO_LATE: self._skips,
            Reason.SHARED_ADDRESS: self._shared,
            Reason.COVERED_BY: self._covered,
            Reason.ALREADY_TOLD: lambda b, _line: bool(self._sent(b)) or self._unclear(b),
            Reason.NO_CONFIRMATIONS: lambda b, _line: not b.confirm,
            Reason.NO_ANSWER: lambda _b, _line: bool(self.world.disturbed),
            Reason.DEADLINE_PASSED: self._hindered,
            Reason.OUT_OF_REACH: self._took_nothing,
            Reason.ENVIRONMENT: lambda _b, _line: reading.guarded,
        }

    def findings(self) -> Iterator[str]:
        """Look at each visit as staff see it when all is over."""
        runtime = self.world.desk()
        now = self.world.clock.now()
        with runtime.database.reading() as conn:
            bookings = list(self.world.book.bookings.values())
            for first in range(0, len(bookings), PAGE):
                some = bookings[first : first + PAGE]
                refs = [booking.ref for booking in some]
                shown = showing.show_all(conn, runtime, CLINIC, refs, now)
                for booking, its in zip(some, shown, strict=True):
                    yield from self._accounted(booking, its)
                    yield from self._log_agrees(booking, its)
                    yield from self._ends_once(booking, its)

    def _accounted(self, booking: Booking, shown: showing.Shown) -> Iterator[str]:
        for line in shown.lines:
            yield from self._about_line(booking, line)
        explained = {e.rule for e in shown.explanations}
        present = booking.present
        for rule in self.reading.rules_at(float("inf"))[-1]:
            lines = [
                line
                for line in shown.lines
                if line.message.key.rule == rule
                and (
                    line.message.key.version == shown.visit.version
                    # Moved away and back, at an address that refused the same words before.
                    or (
                        line.message.truth.starts_at == present.starts_at
                        and line.message.state in {State.FAILED, State.UNDELIVERED}
                    )
                )
            ]
            sent = [t for t in self._sent(booking) if t.rule == rule and t.truth == present]
            if not lines and rule not in explained and not sent:
                yield f"{booking.ref} {rule}: neither sent nor explained"
        yield from self._news_is_told(booking, shown)
        for explanation in shown.explanations:
            if explanation.reason is Reason.NOT_IN_AUDIENCE:
                yield f"{booking.ref} {explanation.rule}: said to be for somebody else"

    def _ends_once(self, booking: Booking, shown: showing.Shown) -> Iterator[str]:
        """Find messages that were said to be under way when it was known how they ended."""
        ended: set[int | None] = set()
        for entry in shown.entries:
            if entry.event in ENDS:
                ended.add(entry.message_id)
            elif entry.event == State.SENDING:
                ended.discard(entry.message_id)
            elif entry.event == State.ACCEPTED and entry.message_id in ended:
                yield f"{booking.ref}: a message is under way again after it had ended"

    def _news_is_told(self, booking: Booking, shown: showing.Shown) -> Iterator[str]:
        """Find those who read something else last, where there is said to be nothing to tell."""
        texts, present = self._sent(booking), booking.present
        if not texts or not self.reading.steady_clock:
            return
        last = max(texts, key=lambda text: text.taken.at)
        reach = {a for p in booking.patient.people for a in (p.present.phone, p.present.email)}
        surely = last.taken.fate is State.DELIVERED and not last.taken.hidden
        off = last.truth.status == present.status == CANCELLED  # whichever time it was that is off
        if not surely or last.taken.to not in reach or last.truth == present or off:
            return
        rule = "cancelled" if present.status == CANCELLED else "moved"
        said = {e.reason for e in shown.explanations if e.rule == rule}
        if said == {Reason.NOTHING_TO_TELL} and not any(
            line.message.key.rule == rule and line.message.key.version == shown.visit.version
            for line in shown.lines
        ):
            yield f"{booking.ref} {rule}: nothing to tell, though {last} told {last.truth.starts_at}"

    def _about_line(self, booking: Booking, line: Line) -> Iterator[str]:
        message = line.message
        where = f"{booking.ref} {message.key.rule} {message.key.channel}"
        if message.state in {State.PLANNED, State.SENDING}:
            yield f"{where}: still {message.state} when all is over"
        elif message.state in {State.ACCEPTED, State.DELIVERED}:
            return
        elif message.reason is None:
            yield f"{where}: {message.state} without a reason"
        elif not self._is_true(booking, line, message.reason):
            yield f"{where}: {message.state}, {message.reason}, which is not so"

    def _is_true(self, booking: Booking, line: Line, reason: Reason) -> bool:
        if reason in OF_REASON:
            return self._refused(booking, lambda r: r.what is OF_REASON[reason]) or any(
                t.taken.reason is reason for t in self._sent(booking)
            )
        if reason in FATES:
            return any(t.taken.reason is reason for t in self._sent(booking))
        if reason in ALWAYS_TRUE:
            return True
        judge = self.true.get(reason)
        return judge is not None and judge(booking, line)

    def _sent(self, booking: Booking) -> list[Text]:
        return self.reading.texts_of(booking)

    def _addresses(self, booking: Booking) -> set[str]:
        return booking.patient.addresses()

    def _refused(self, booking: Booking, fits: Callable[[Refused], bool]) -> bool:
        return any(fits(r) for a in self._addresses(booking) for r in self.reading.refused_at(a))

    def _unclear(self, booking: Booking) -> bool:
        """Tell whether somebody may have been told: an answer was lost, or a process died."""
        return bool(self.world.disturbed) or self._refused(booking, lambda r: r.kind is None)

    def _opted_out(self, booking: Booking, _line: Line) -> bool:
        addresses = self._addresses(booking)
        out = self.world.book.opted_out
        said_no = any(True in [v for _, v in out[a].values] for a in addresses if a in out)
        return said_no or self._refused(booking, lambda r: r.what is Fault.OPT_OUT)

    def _no_consent(self, booking: Booking, _line: Line) -> bool:
        reaches = [r for p in booking.patient.people for _, r in p.reach.values]
        return any(isinstance(r, Reach) and not (r.sms_ok and r.email_ok) for r in reaches)

    def _ever(self, booking: Booking, status: str) -> bool:
        return any(truth.status == status for _, truth in booking.truths())

    def _skips(self, _booking: Booking, line: Line) -> bool:
        rules = self.reading.rules_at(float("inf"))
        return any(r.get(line.message.key.rule, {}).get("late") == "skip" for r in rules)

    def _shared(self, booking: Booking, _line: Line) -> bool:
        people = booking.patient.people
        found = [p.addresses() for p in people]
        return len(found) > 1 and bool(set.intersection(*found))

    def _covered(self, booking: Booking, line: Line) -> bool:
        """Tell whether a text stands for this one: it went, or its own end is told."""
        said = [t for t in self._sent(booking) if t.rule == line.covered_by]
        return bool(said) or self._unclear(booking) or len(booking.truths()) > 1

    def _hindered(self, booking: Booking, line: Line) -> bool:
        """Tell whether something stood in a message's way while it could have helped."""
        if not self.reading.steady_clock or len(self.world.rules_since) > 1:
            return True
        message = line.message
        since = self.reading.seconds(message.due_at) - 1
        until = self.reading.seconds(message.not_after) + 1
        # Opting out and back, or a change that came as time ran out, explains it as well.
        pasts = [self.world.book.opted_out.get(a, Past()) for a in self._addresses(booking)]
        pasts += [person.reach for person in booking.patient.people] + [booking.truth]
        if any(len(past.values) > 1 for past in pasts) or message.request_id is not None:
            return True
        return self.reading.disturbed(since - AFTER, until)

    def _took_nothing(self, _booking: Booking, line: Line) -> bool:
        """Tell whether the provider refused all texts of its channel, or did not answer."""
        kinds = {Refusal.CONFIGURATION, Refusal.THROTTLED, None}
        channel = line.message.key.channel
        return any(r.channel is channel and r.kind in kinds for r in self.world.side.refused)

    def _log_agrees(self, booking: Booking, shown: showing.Shown) -> Iterator[str]:
        """Compare what is shown as accepted with what was accepted."""
        texts: dict[tuple[str, Channel, Any], list[Text]] = defaultdict(list)
        lines: dict[tuple[str, Channel, Any], list[Line]] = defaultdict(list)
        for text in self._sent(booking):
            texts[text.rule, text.taken.channel, text.truth.starts_at].append(text)
        for line in shown.lines:
            message = line.message
            lines[message.key.rule, message.key.channel, message.truth.starts_at].append(line)
        for key in texts.keys() | lines.keys():
            where = f"{booking.ref} {key[0]} {key[1]}"
            yield from self._same(where, texts[key], [line.message for line in lines[key]])

    def _same(self, where: str, texts: Sequence[Text], messages: Sequence[Any]) -> Iterator[str]:
        states = [message.state for message in messages]
        surely = [s for s in states if s in {State.ACCEPTED, State.DELIVERED, State.UNDELIVERED}]
        if len(surely) > len(texts):
            yield f"{where}: shown as sent, but no provider took it"
        heard = [state for state in states if state in HEARD]
        if any(text.taken.hidden or self.reading.is_astray(text) for text in texts):
            return
        if len(texts) > len(heard):
            yield f"{where}: a provider took it, and staff are shown that it never went"
        asked = not self.world.faults.keys() & {
            Fault.STATUS_FAILS,
            Fault.FIND_FAILS,
            Fault.PROVIDER_AWAY,
            Fault.CLOCK_FORWARD,
            Fault.CLOCK_BACK,
        }
        # A listing that fails, or is away for hours, is asked again for a day.
        found = not self.world.faults.keys() & {Fault.CLOCK_FORWARD, Fault.CLOCK_BACK}
        by_sms = all(message.key.channel is Channel.SMS for message in messages)
        if found and State.UNKNOWN in states and by_sms and len(texts) <= len(heard):
            yield f"{where}: the provider can tell, and staff are told that nobody knows"
        if asked and len(texts) == len(surely):
            told = sorted(s for s in surely if s is not State.ACCEPTED)
            true = sorted(t.taken.fate for t in texts)
            if told != true and State.FAILED not in true and State.UNKNOWN not in states:
                yield f"{where}: ended as {true}, and staff are shown {told or surely}"


def reaches_steadily(text: Text, since: float, until: float) -> bool:
    """Tell whether nothing about the visit and its people changed within a span."""
    people = text.booking.patient.people
    return text.booking.truth.steady(since, until) and all(
        person.reach.steady(since, until) for person in people
    )


def due_of(text: Text, reading: Reading, moment: float) -> tuple[Any, Any]:
    """Return the earliest and the latest instant that a text's rule may have been due at."""
    known = reading.known(text, moment)
    times = [
        almanac.due(rule, text.truth.starts_at, known, reading.hours, reading.zone)
        for rule in reading.its_rule(text, moment)
    ]
    return min(times), max(times)
