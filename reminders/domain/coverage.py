"""One text, not several: people who share a phone, and rules that fall due together."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from reminders.domain.appointment import Appointment
from reminders.domain.contact import Channel
from reminders.domain.decision import Decision, Send, Suppress
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Key, Message
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Practice
from reminders.domain.when import due_time


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
    sent = sorted(
        (
            m
            for m in history
            if m.state in TOLD and m.request_id is None and m.truth == appointment.truth
        ),
        key=lambda m: m.id,
    )
    planned = [d for d in decisions if isinstance(d, Send) and d.request_id is None]
    going: list[Send] = []
    covered: dict[Key, str] = {}
    # The most complete first: only a text that goes itself can stand for another.
    for send in sorted(planned, key=lambda d: _rank(d, appointment, practice)):
        saying = next((m for m in sent if _said_before(send, m)), None) or next(
            (other for other in going if _said_with(send, other, now)), None
        )
        if saying is None:
            going.append(send)
        else:
            covered[send.key] = saying.key.rule
    return [
        Suppress(d.key, Reason.COVERED_BY, None, covered[d.key])
        if isinstance(d, Send) and d.key in covered
        else d
        for d in decisions
    ]


def _said_before(send: Send, message: Message) -> bool:
    return _other_rule_same_person(send, message) and message.went_at >= send.due_at


def _said_with(send: Send, other: Send, now: datetime) -> bool:
    together = other.due_at == send.due_at or max(other.due_at, send.due_at) <= now
    return together and _other_rule_same_person(send, other)


def _other_rule_same_person(send: Send, other: Send | Message) -> bool:
    same_person = other.key.contact == send.key.contact or other.address_key == send.address_key
    return same_person and other.key.rule != send.key.rule


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


def share_addresses(
    decisions: Iterable[Decision],
    history: Sequence[Message],
    appointment: Appointment,
    practice: Practice,
) -> list[Decision]:
    """Let two people with one address get one text of a rule: the first of them in order."""
    taken: set[tuple[str, Channel, str, int | None]] = set()
    shared: list[Decision] = []
    for decision in decisions:
        if not isinstance(decision, Send):
            shared.append(decision)
            continue
        key = decision.key
        place = (key.rule, key.channel, decision.address_key, decision.request_id)
        timed = not isinstance(practice.rule[key.rule].when, Event)
        told = any(_told_there(decision, m, appointment, timed=timed) for m in history)
        if told or place in taken:
            shared.append(Suppress(key, Reason.SHARED_ADDRESS, decision.request_id))
        else:
            taken.add(place)
            shared.append(decision)
    return shared


def _told_there(send: Send, message: Message, appointment: Appointment, *, timed: bool) -> bool:
    """Tell whether another person's message has said this at the same address."""
    same_place = (
        message.key.contact != send.key.contact
        and (message.key.rule, message.key.channel) == (send.key.rule, send.key.channel)
        and message.address_key == send.address_key
    )
    current = message.key.version == appointment.version
    same_matter = current or (timed and message.truth == appointment.truth)
    stands = message.request_id == send.request_id or (
        send.request_id is None and message.went_at >= send.due_at
    )
    return message.state in TOLD and same_place and same_matter and stands
