"""The last look before a message is claimed: what must still be true at this moment."""

from dataclasses import dataclass
from datetime import datetime

from reminders.domain.contact import Contact
from reminders.domain.glance import plainly_goes
from reminders.domain.message import Message
from reminders.domain.outbox import difference
from reminders.domain.plan import Case, plan
from reminders.domain.reasons import Reason
from reminders.domain.rules import Practice
from reminders.domain.state import State
from reminders.domain.timing import nights
from reminders.domain.when import next_waking


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
    """Judge whether a due message may go at this moment.

    The planner is asked again: what it would change now does not go. Where a glance proves what it
    would say, it need not be.
    """
    if now > message.not_after:
        return Stop(State.EXPIRED, Reason.DEADLINE_PASSED)
    contact = next((c for c in case.contacts if c.id == message.key.contact), None)
    rule = practice.rule.get(message.key.rule)
    if contact is None or rule is None:
        return Replan()
    if not plainly_goes(message, contact, case, practice, now):
        changes = difference(case, plan(case, practice, now), practice)
        if any(change.id == message.id for change in changes):
            return Replan()
    asked = message.request_id is not None
    spans = () if asked else nights(practice, rule, contact, message.key.channel)
    awake = next_waking(now, spans, practice.zone)
    if awake is None:
        return Replan()
    return Wait(awake) if awake > now else Go(contact)
