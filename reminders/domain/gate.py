"""The last look before a message is claimed: what must still be true at this moment."""

from dataclasses import dataclass
from datetime import datetime

from reminders.domain.contact import Consent, Contact
from reminders.domain.message import Message
from reminders.domain.plan import Case
from reminders.domain.reasons import Reason
from reminders.domain.rules import Practice, QuietPolicy
from reminders.domain.state import State
from reminders.domain.when import is_quiet, quiet_end


@dataclass(frozen=True, slots=True)
class Go:
    """The message may be sent to this contact."""

    contact: Contact


@dataclass(frozen=True, slots=True)
class Wait:
    """The message is to be looked at again at `until` (UTC)."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """The message is not to be sent, for a reason that planning again would not change."""

    state: State
    reason: Reason


@dataclass(frozen=True, slots=True)
class Replan:
    """What the message was planned from is no longer so: the planner has to decide again."""


Verdict = Go | Wait | Stop | Replan


def gate(message: Message, case: Case, practice: Practice, now: datetime) -> Verdict:
    """Judge whether a due message may go at this moment."""
    if now > message.not_after:
        return Stop(State.EXPIRED, Reason.DEADLINE_PASSED)
    contact = next((c for c in case.contacts if c.id == message.key.contact), None)
    rule = practice.rule.get(message.key.rule)
    if contact is None or rule is None or _differs(message, case, contact):
        return Replan()
    if message.request_id is None:
        if _has_rival(message, case, now):
            return Replan()
        quiet = practice.quiet if rule.quiet is not QuietPolicy.IGNORE else None
        if quiet and is_quiet(now, quiet, practice.zone):
            until = quiet_end(now, quiet, practice.zone)
            if until > message.not_after:
                return Stop(State.SUPPRESSED, Reason.QUIET_HOURS)
            return Wait(until)
    return Go(contact)


def _differs(message: Message, case: Case, contact: Contact) -> bool:
    visit = case.appointment
    reach = contact.reach.get(message.key.channel)
    return (
        message.key.version != visit.version
        or message.truth != visit.truth
        or visit.protected
        or reach is None
        or reach.address_key != message.address_key
        or reach.consent is not Consent.GIVEN
        or reach.opted_out
    )


def _has_rival(message: Message, case: Case, now: datetime) -> bool:
    """Tell whether another rule's message for the same person is due: one of them covers both."""
    return any(
        other.state is State.PLANNED
        and other.request_id is None
        and other.key.contact == message.key.contact
        and other.key.rule != message.key.rule
        and other.due_at <= now
        for other in case.history
    )
