"""When a rule's message is due for one person on one channel, or why there is no right time."""

from dataclasses import dataclass
from datetime import datetime

from reminders.domain.appointment import Appointment, VisitStatus
from reminders.domain.contact import Channel, Contact
from reminders.domain.message import Message
from reminders.domain.quiet import QuietHours
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Late, Practice, QuietPolicy, Rule
from reminders.domain.told import told, told_elsewhere
from reminders.domain.when import due_time, is_quiet_in, last_waking, next_waking


@dataclass(frozen=True, slots=True)
class Timing:
    """When a message is due and until when it helps (UTC)."""

    due_at: datetime
    not_after: datetime
    short: bool = False


def nights(practice: Practice, contact: Contact, channel: Channel) -> tuple[QuietHours, ...]:
    """Return the hours in which nothing goes to this person on this channel."""
    own = contact.wishes.no_sms if channel is Channel.SMS else None
    return tuple(span for span in (practice.quiet, own) if span is not None)


@dataclass(frozen=True, slots=True)
class Timer:
    """Finds the times of one visit's messages. `appointment` is as the planner now knows it."""

    appointment: Appointment
    history: tuple[Message, ...]
    practice: Practice
    now: datetime

    def timing(self, rule: Rule, contact: Contact, channel: Channel) -> Timing | Reason:
        """Return when the rule's message is due; or the reason why it is not to be sent."""
        known_at = self.appointment.known_at or self.now
        deadline = self.appointment.truth.starts_at + rule.not_after
        if isinstance(rule.when, Event):
            due_at, late = known_at, False
            reason = self._event_veto(rule.when, contact, known_at)
        else:
            nominal = due_time(rule.when, self.appointment.truth.starts_at, self.practice.zone)
            late = nominal < known_at
            due_at = known_at if late else nominal
            reason = Reason.BOOKED_TOO_LATE if late and rule.late is Late.SKIP else None
        if reason:
            return reason
        if self.now > deadline or due_at > deadline:
            return Reason.TOO_LATE
        return self._awake(rule, contact, channel, Timing(due_at, deadline), late=late)

    def _awake(
        self, rule: Rule, contact: Contact, channel: Channel, wanted: Timing, *, late: bool
    ) -> Timing | Reason:
        """Move a wanted time out of the clinic's night and the person's own hours."""
        short = late and rule.late is Late.SHORT
        if rule.quiet is QuietPolicy.IGNORE:
            return Timing(wanted.due_at, wanted.not_after, short=short)
        spans, zone = nights(self.practice, contact, channel), self.practice.zone
        due_at = self._moved(rule, wanted.due_at, spans)
        goes_at = next_waking(max(due_at, self.now), spans, zone) if due_at else None
        if due_at is not None and goes_at is not None and goes_at <= wanted.not_after:
            return Timing(due_at, wanted.not_after, short=short)
        clinics = tuple(span for span in (self.practice.quiet,) if span is not None)
        if spans == clinics:
            return Reason.QUIET_HOURS
        without = self._moved(rule, wanted.due_at, clinics)
        would_go = next_waking(max(without, self.now), clinics, zone) if without else None
        in_time = would_go is not None and would_go <= wanted.not_after
        return Reason.OWN_HOURS if in_time else Reason.QUIET_HOURS

    def _moved(
        self, rule: Rule, due_at: datetime, spans: tuple[QuietHours, ...]
    ) -> datetime | None:
        zone = self.practice.zone
        if rule.quiet is QuietPolicy.EARLIER and is_quiet_in(due_at, spans, zone):
            evening = last_waking(due_at, spans, zone)
            if evening is not None and evening >= (self.appointment.known_at or self.now):
                return evening
        return next_waking(due_at, spans, zone)

    def _event_veto(self, event: Event, contact: Contact, known_at: datetime) -> Reason | None:
        heard_of = told(self.history, contact)
        if event is Event.BOOKED:
            if heard_of is not None:
                return Reason.ALREADY_TOLD
            if not self.appointment.confirm:
                return Reason.NO_CONFIRMATIONS
            if self.now - known_at > self.practice.confirm_within:
                return Reason.CONFIRMATION_TOO_OLD
            return None
        heard_of = heard_of or told_elsewhere(self.history, contact)
        if heard_of is None or heard_of == self.appointment.truth:
            return Reason.NOTHING_TO_TELL
        if event is Event.CANCELLED and heard_of.status is VisitStatus.CANCELLED:
            return Reason.NOTHING_TO_TELL
        return None
