"""When a rule's message is due for one person on one channel, or why there is no right time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reminders.domain.appointment import Appointment, Truth, VisitStatus
from reminders.domain.contact import Channel, Contact
from reminders.domain.message import Message
from reminders.domain.quiet import QuietHours
from reminders.domain.reasons import Reason
from reminders.domain.rules import Deliver, Event, Late, Practice, QuietPolicy, Rule, When
from reminders.domain.told import in_calendar, misleads, told, told_elsewhere, told_here
from reminders.domain.when import due_time, is_quiet_in, last_waking, next_waking

CHANGES = frozenset({Event.MOVED, Event.CANCELLED})
"""What makes that which somebody was told of a visit wrong."""

NEWS = CHANGES | {Event.BOOKED}
"""What tells somebody that: at a new number, the confirmation does."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a message is due and until when it helps (UTC)."""

    due_at: datetime
    not_after: datetime
    short: bool = False


def nights(
    practice: Practice, rule: Rule, contact: Contact, channel: Channel
) -> tuple[QuietHours, ...]:
    """Return the hours in which this rule's text does not go to this person on this channel.

    A rule may ignore the clinic's night, but never the hours that a person has asked for.
    """
    clinics = None if rule.quiet is QuietPolicy.IGNORE else practice.quiet
    own = contact.wishes.no_sms if channel is Channel.SMS else None
    return tuple(span for span in (clinics, own) if span is not None)


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
            reason = self._event_veto(rule, rule.when, contact, channel)
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
        spans, zone = nights(self.practice, rule, contact, channel), self.practice.zone
        due_at = self._moved(rule, wanted.due_at, spans)
        goes_at = next_waking(max(due_at, self.now), spans, zone) if due_at else None
        if due_at is not None and goes_at is not None and goes_at <= wanted.not_after:
            return Timing(due_at, wanted.not_after, short=short)
        clinics = nights(self.practice, rule, contact, Channel.EMAIL)
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

    def _event_veto(
        self, rule: Rule, event: Event, contact: Contact, channel: Channel
    ) -> Reason | None:
        heard_of = told(self._besides(rule, channel), contact)
        if event is Event.BOOKED:
            here = told_here(self._besides(rule, channel), contact)
            visit = self.appointment
            own_login = self.practice.own_login(visit.birth_date, visit.truth.starts_at)
            # Who has read that somebody else logs in than who does is told anew.
            if here and not misleads(here, own_login=own_login):
                return Reason.ALREADY_TOLD
            if not self.appointment.confirm:
                return Reason.NO_CONFIRMATIONS
            age = self.now - (self.appointment.known_at or self.now)
            # What has been confirmed in time, to a number corrected since, is confirmed to it too.
            if age > self.practice.confirm_within and heard_of is None:
                return Reason.CONFIRMATION_TOO_OLD
            return None
        unasked = self._told_unasked(rule, contact, channel)
        heard_of = unasked or told_elsewhere(self.history, contact) or heard_of
        stale = heard_of is not None and self._is_news(event, heard_of)
        tells = stale or self.calendar_is_wrong(event, contact, channel)
        return None if tells else Reason.NOTHING_TO_TELL

    def _besides(self, rule: Rule, channel: Channel) -> Iterable[Message]:
        """Return what went that can leave nothing to tell: not the rule's own on another channel.

        Where a rule uses each of its channels, the first text does not make the second needless.
        """
        if rule.deliver is Deliver.FIRST:
            return self.history
        version = self.appointment.version
        return (
            m
            for m in self.history
            if (m.key.rule, m.key.version) != (rule.key, version) or m.key.channel is channel
        )

    def _told_unasked(self, rule: Rule, contact: Contact, channel: Channel) -> Truth | None:
        """Return what was last told other than because staff asked for a text.

        Such a text says when the visit is, but not that this is new.
        """
        rules = self.practice.rule
        changes = {key for key, one in rules.items() if one.when in CHANGES}
        unasked = (
            m for m in self._besides(rule, channel) if m.request_id is None or m.key.rule in changes
        )
        return told(unasked, contact)

    def calendar_is_wrong(self, when: When, contact: Contact, channel: Channel) -> bool:
        """Tell whether this channel alone can put right what an entry in a calendar says.

        A text message that tells of the change leaves the entry as it is.
        """
        if channel is not Channel.EMAIL or not isinstance(when, Event) or when not in CHANGES:
            return False
        entry = in_calendar(self.history, contact)
        return entry is not None and self._is_news(when, entry)

    def _is_news(self, event: Event, heard_of: Truth) -> bool:
        off = event is Event.CANCELLED and heard_of.status is VisitStatus.CANCELLED
        return heard_of != self.appointment.truth and not off
