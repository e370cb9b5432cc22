"""A glance at a due message: for most of them enough to see that the planner would let it go.

Asking the planner about the whole visit is the full answer; it takes long beside the rest of a
claim. Most messages are plain: nothing about their visit has changed. The glance asks the planner
about the message's own rule and person, with all its care for address, consent, opt-out, age,
history and time, and then proves that nothing else of the visit can stand in the message's way:
the patient has no other booking at this time, nobody else is at its address, nothing that went
since can cover it, and no other rule may have a text for this person now. It never says more than
the planner would; where it cannot prove it, the planner is asked.
"""

from datetime import datetime

from reminders.domain.contact import Contact
from reminders.domain.decision import Send
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Message
from reminders.domain.plan import ON_REQUEST, Case, Planner
from reminders.domain.rules import Deliver, Practice, Rule
from reminders.domain.state import State
from reminders.domain.timing import Timing


def plainly_goes(
    message: Message, contact: Contact, case: Case, practice: Practice, now: datetime
) -> bool:
    """Tell whether it is plain that the planner would leave this due message as it is.

    False says nothing: then the planner has to be asked.
    """
    visit, rule = case.appointment, practice.rule.get(message.key.rule)
    if rule is None or rule.when in ON_REQUEST or case.requests or case.twins:
        return False
    if visit.planned != visit.truth or message.due_at > now:
        return False
    planner = Planner(visit, case.history, practice, now)
    if not any(_is_as_planned(d, message, case) for d in planner.decide(rule, contact)):
        return False
    if not _alone(message, contact, case):
        return False
    others = (other for other in practice.rules if other.key != rule.key)
    return not any(_may_be_due(planner, other, contact) for other in others)


def _is_as_planned(decision: object, message: Message, case: Case) -> bool:
    """Tell whether the planner wants exactly this row (see `outbox.difference`)."""
    return (
        isinstance(decision, Send)
        and message.state is State.PLANNED
        and message.truth == case.appointment.truth
        and (
            decision.key,
            decision.due_at,
            decision.not_after,
            decision.address_key,
            decision.short,
        )
        == (message.key, message.due_at, message.not_after, message.address_key, message.short)
    )


def _alone(message: Message, contact: Contact, case: Case) -> bool:
    """Tell whether nobody shares the address, and nothing that went since can cover the message."""
    address = message.address_key
    for other in case.contacts:
        if other.id != contact.id and any(r.address_key == address for r in other.reach.values()):
            return False
    for earlier in case.history:
        if earlier.state not in TOLD:
            continue
        elsewhere = earlier.key.contact != contact.id
        if elsewhere and earlier.address_key != address:
            continue
        if elsewhere or (
            earlier.key.rule != message.key.rule and earlier.went_at >= message.due_at
        ):
            return False
    return True


def _may_be_due(planner: Planner, rule: Rule, contact: Contact) -> bool:
    """Tell whether another rule might want to tell this person something by now.

    Such a text could stand for ours (see `coverage.one_text_now`), or ours for it.
    """
    if rule.when in ON_REQUEST or not planner.meant(rule, contact):
        return False
    timings = planner.timings(rule, contact)
    if not any(isinstance(t, Timing) and t.due_at <= planner.now for t in timings.values()):
        return False
    told = [
        planner.standing(rule, contact, channel, timings[channel], None) is not None
        for channel in rule.channels
    ]
    has_told = any(told) if rule.deliver is Deliver.FIRST else all(told)
    return not has_told or bool(planner.also(rule, contact))
