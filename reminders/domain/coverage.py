"""One text, not several: people who share a phone, and rules that fall due together."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from reminders.domain.appointment import Appointment
from reminders.domain.decision import Decision, Send, Suppress
from reminders.domain.lifecycle import NOT_REACHED, TOLD
from reminders.domain.message import Message
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Practice
from reminders.domain.when import due_time


def share_addresses(
    decisions: Iterable[Decision],
    history: Sequence[Message],
    appointment: Appointment,
    practice: Practice,
) -> list[Decision]:
    """Let two people with one address get one text of a rule: the first of them in order."""
    taken: dict[tuple[object, ...], int] = {}
    for message in history:
        timed = not isinstance(getattr(practice.rule.get(message.key.rule), "when", None), Event)
        current = message.key.version == appointment.version
        if message.state in TOLD | NOT_REACHED and (
            current or (timed and message.truth == appointment.truth)
        ):
            place = (
                message.key.rule,
                message.key.channel,
                message.address_key,
                message.request_id,
            )
            taken.setdefault(place, message.key.contact)
    shared: list[Decision] = []
    for decision in decisions:
        if not isinstance(decision, Send):
            shared.append(decision)
            continue
        key = decision.key
        place = (key.rule, key.channel, decision.address_key, decision.request_id)
        if taken.setdefault(place, key.contact) == key.contact:
            shared.append(decision)
        else:
            shared.append(Suppress(key, Reason.SHARED_ADDRESS, decision.request_id))
    return shared


def one_text_now(
    decisions: Sequence[Decision],
    history: Sequence[Message],
    appointment: Appointment,
    practice: Practice,
    now: datetime,
) -> list[Decision]:
    """Of several rules due at one moment for one person, let the most complete text go.

    A text that already went, at or after the moment the other fell due, covers it as well: planning
    again after the first has gone must not bring the second back. What staff asked for is neither
    covered nor covers.
    """
    planned = [d for d in decisions if isinstance(d, Send) and d.request_id is None]
    sent = [
        m
        for m in history
        if m.state in TOLD and m.request_id is None and m.truth == appointment.truth
    ]

    def covering(send: Send) -> str | None:
        for message in sent:
            same_person = message.key.contact == send.key.contact or (
                message.address_key == send.address_key
            )
            went_at = message.sent_at or message.due_at
            if same_person and message.key.rule != send.key.rule and went_at >= send.due_at:
                return message.key.rule
        rivals = [
            other
            for other in planned
            if other.key.rule != send.key.rule
            and (other.key.contact == send.key.contact or other.address_key == send.address_key)
            and (other.due_at == send.due_at or max(other.due_at, send.due_at) <= now)
        ]
        best = min((*rivals, send), key=lambda d: _rank(d, appointment, practice))
        return None if best.key.rule == send.key.rule else best.key.rule

    covered: list[Decision] = []
    for decision in decisions:
        rule = None
        if isinstance(decision, Send) and decision.request_id is None:
            rule = covering(decision)
        if isinstance(decision, Send) and rule is not None:
            covered.append(Suppress(decision.key, Reason.COVERED_BY, None, rule))
        else:
            covered.append(decision)
    return covered


def _rank(
    send: Send, appointment: Appointment, practice: Practice
) -> tuple[int, datetime, int, str]:
    """Order by what a text says: a change before a confirmation before the longest lead."""
    when = practice.rule[send.key.rule].when
    starts_at = appointment.truth.starts_at
    if isinstance(when, Event):
        weight = 1 if when is Event.BOOKED else 0
        return (weight, starts_at, send.key.contact, send.key.rule)
    return (2, due_time(when, starts_at, practice.zone), send.key.contact, send.key.rule)
