"""One text, not several: people who share a phone, and rules that fall due together."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.domain.appointment import Appointment, Truth
from reminders.domain.contact import Channel, Contact
from reminders.domain.decision import Decision, Send, Suppress
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Key, Message
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Practice, Rule
from reminders.domain.timing import CHANGES
from reminders.domain.told import told_here
from reminders.domain.when import due_time

SHORTLY = timedelta(hours=1)
"""What staff send by hand may stand for a text that goes by itself so soon after, at most."""

AT_THE_DOOR = timedelta(hours=1)
"""A text that goes so near a visit says how to get in, as the help with connecting does."""


def stands_for(rule: Rule, went_at: datetime, due_at: datetime, starts_at: datetime) -> bool:
    """Tell whether a rule's text that staff sent by hand does the work of the one due at `due_at`.

    An event is told once. Of other texts one goes at its time: by hand it may be a third of the
    time to the visit early, and an hour at most.
    """
    if isinstance(rule.when, Event):
        return True
    return went_at >= due_at - min(SHORTLY, abs(starts_at - due_at) / 3)


@dataclass(frozen=True, slots=True)
class Readers:
    """What matters of people for what a text says to them, by contact id.

    `strangers` have been told nothing at any address that they have now: to them a change is no
    news, for all that can be known. `misfiled` have an entry in a calendar there that is not true.
    """

    strangers: AbstractSet[int]
    misfiled: AbstractSet[int]


def readers_of(history: Sequence[Message], people: Iterable[Contact], truth: Truth) -> Readers:
    """Return what matters of a visit's people, all of whose messages are given."""
    strangers, misfiled = set[int](), set[int]()
    for contact in people:
        if told_here(history, contact) is None:
            strangers.add(contact.id)
        entry = told_here((m for m in history if m.calendar), contact)
        if entry is not None and entry.truth != truth:
            misfiled.add(contact.id)
    return Readers(strangers, misfiled)


def one_text_now(
    decisions: Sequence[Decision],
    history: Sequence[Message],
    appointment: Appointment,
    practice: Practice,
    now: datetime,
    readers: Readers,
) -> list[Decision]:
    """Of several rules due at one moment for one person, let the most complete text go.

    A text that already went, at or after the moment the other fell due, covers it as well: planning
    again after the first has gone must not bring the second back. What staff asked for is never
    covered; it covers what would say the same shortly after.
    """
    told = [m for m in history if m.state in TOLD and m.truth == appointment.truth]
    sends = [d for d in decisions if isinstance(d, Send)]
    both: list[Send | Message] = [*sends, *told]
    asked = [one for one in both if one.request_id is not None]
    sent = sorted((m for m in told if m.request_id is None), key=lambda m: m.id)
    planned = [send for send in sends if send.request_id is None]
    going: list[Send] = []
    covered: dict[Key, str] = {}
    # The most complete first: only a text that goes itself can stand for another.
    for send in sorted(planned, key=lambda d: _rank(d, appointment, practice, readers)):
        saying: Send | Message | None = (
            next((m for m in sent if _said_before(send, m)), None)
            or next((other for other in going if _said_with(send, other, now)), None)
            or next((a for a in asked if _said_by_hand(send, a, appointment, practice, now)), None)
        )
        if saying is not None and _mends_entry(send, saying, practice, readers):
            saying = None
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


def _mends_entry(send: Send, saying: Send | Message, practice: Practice, readers: Readers) -> bool:
    """Tell whether an email puts an entry right that what is said another way leaves as it is."""
    changes = practice.rule[send.key.rule].when in CHANGES
    by_email = send.key.channel is Channel.EMAIL is not saying.key.channel
    return changes and by_email and send.key.contact in readers.misfiled


def _said_before(send: Send, message: Message) -> bool:
    return _other_rule_same_person(send, message) and message.went_at >= send.due_at


def _said_with(send: Send, other: Send, now: datetime) -> bool:
    together = other.due_at == send.due_at or max(other.due_at, send.due_at) <= now
    return together and _other_rule_same_person(send, other)


def _said_by_hand(
    send: Send, asked: Send | Message, appointment: Appointment, practice: Practice, now: datetime
) -> bool:
    """Tell whether what staff asked for says the same: the same text, or the help at the door.

    Help that still waits covers only what is due as well: it may never be filled in, or go.
    """
    own, starts_at = practice.rule[send.key.rule], appointment.truth.starts_at
    rule = practice.rule.get(asked.key.rule)
    if rule is None or not _same_person(send, asked):
        return False
    at = asked.went_at if isinstance(asked, Message) else asked.due_at
    if not stands_for(own, at, send.due_at, starts_at):
        return False
    if asked.key.rule == send.key.rule:
        return asked.key.channel is send.key.channel
    helps = rule.when is Event.REQUEST and (isinstance(asked, Message) or send.due_at <= now)
    at_the_door = timedelta() <= starts_at - send.due_at <= AT_THE_DOOR
    return helps and at_the_door and not isinstance(own.when, Event)


def _same_person(send: Send, other: Send | Message) -> bool:
    """Tell whether both are for one reader: what went to a number corrected since is not."""
    other_way = other.key.channel is not send.key.channel
    same = other.key.contact == send.key.contact and other_way
    return same or other.address_key == send.address_key


def _other_rule_same_person(send: Send, other: Send | Message) -> bool:
    return _same_person(send, other) and other.key.rule != send.key.rule


def _rank(
    send: Send, appointment: Appointment, practice: Practice, readers: Readers
) -> tuple[int, datetime, int, str]:
    """Order by what a text says: a change before a confirmation before the longest lead.

    Behind a new number is somebody who has not read how to get in: the confirmation tells them.
    """
    when = practice.rule[send.key.rule].when
    starts_at = appointment.truth.starts_at
    if isinstance(when, Event):
        stranger = send.key.contact in readers.strangers
        weight = 0 if (when is Event.BOOKED) is stranger else 1
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
        rule = practice.rule[key.rule]
        told = any(_told_there(decision, m, appointment, rule) for m in history)
        if told or place in taken:
            shared.append(Suppress(key, Reason.SHARED_ADDRESS, decision.request_id))
        else:
            taken.add(place)
            shared.append(decision)
    return shared


def _told_there(send: Send, message: Message, appointment: Appointment, rule: Rule) -> bool:
    """Tell whether another person's message has said this at the same address."""
    same_place = (
        message.key.contact != send.key.contact
        and (message.key.rule, message.key.channel) == (send.key.rule, send.key.channel)
        and message.address_key == send.address_key
    )
    current = message.key.version == appointment.version
    timed = not isinstance(rule.when, Event)
    same_matter = current or (timed and message.truth == appointment.truth)
    starts_at = appointment.truth.starts_at
    stands = message.request_id == send.request_id or (
        send.request_id is None and stands_for(rule, message.went_at, send.due_at, starts_at)
    )
    return message.state in TOLD and same_place and same_matter and stands
