"""Two bookings of one patient at one time: a visit that two clinicians hold, or a rebooked one.

To a family they are one visit. So one of them tells, and a cancellation of one is no news as long
as the other stands. What each told is kept apart, so that each can still be moved or cancelled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reminders.domain.appointment import Appointment, Truth, VisitStatus
from reminders.domain.contact import Contact
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Message
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Practice, Rule
from reminders.domain.told import counted_on, knew, spoken_to, tells, told_elsewhere, told_here

ELSEWHERE = 0
"""The version of what another booking told: none of the visit's own, which begin with 1."""


TAKES_PLACE = frozenset({Reason.STILL_BOOKED, Reason.NOT_VIDEO})
"""Why nobody is told that a visit is cancelled: the patient has another at its time."""


@dataclass(frozen=True, slots=True)
class Twin:
    """Another booking of the same patient, at the start of a visit or at one that it has told of.

    Of a visit that is cancelled, one that has told of its time and has moved away since as well.
    `first`: it was made before the visit. `told`: those of its messages that went, or did not as
    their people know it from before.
    """

    id: int = field(compare=False)
    ref: str = field(compare=False)
    truth: Truth
    kind: str
    first: bool
    told: tuple[Message, ...] = ()


def takes_place(
    twins: Iterable[Twin],
    history: Iterable[Message],
    contact: Contact,
    truth: Truth,
    practice: Practice,
) -> Reason | None:
    """Return why nobody is told that a visit is cancelled: another takes its place; else None.

    If that one is no video visit, somebody has to phone: no text says where to go instead.
    """
    knows = counted_on(history, contact)
    at = (knows or truth).starts_at
    if standing(twins, at, practice):
        return Reason.STILL_BOOKED
    otherwise = any(twin.truth == Truth(at, VisitStatus.BOOKED) for twin in twins)
    return Reason.NOT_VIDEO if knows and otherwise else None


def said_by_twin(
    twins: Sequence[Twin],
    history: Sequence[Message],
    heard: Iterable[Message],
    visit: Appointment,
    rule: Rule,
    contact: Contact,
    practice: Practice,
) -> Reason | None:
    """Return why another booking leaves a rule nothing to say to somebody; None if it does not.

    `history` is what the visit has told, `heard` what was told by twins too (see `told_by`).
    """
    knows = counted_on(history, contact)
    if rule.when is Event.CANCELLED:
        return _over_by_twin(twins, knows or visit.truth, visit, contact, practice)
    there = standing(twins, visit.truth.starts_at, practice)
    if rule.when is Event.MOVED:
        return _moved_by_twin(there, knows, visit, contact)
    # What was known before this program knew it stays told apart: a change to it is news.
    if rule.when is Event.BOOKED and not visit.confirm:
        return None
    if any(twin.first for twin in there):
        return Reason.OTHER_BOOKING
    elsewhere = (m for m in heard if m.key.version == ELSEWHERE)
    confirmed = rule.when is Event.BOOKED and told_here(elsewhere, contact)
    return Reason.ALREADY_TOLD if confirmed else None


def _moved_by_twin(
    there: Iterable[Twin], knows: Truth | None, visit: Appointment, contact: Contact
) -> Reason | None:
    """Return why another that stands at the new time tells somebody of the move; else None.

    It has told of the same time before, and moves along. That a visit comes to the time of another
    is told: the time before is over.
    """
    for twin in there:
        said = spoken_to(twin.told, contact)
        before = {m.truth for m in said} | {told_elsewhere(twin.told, contact)}
        if knows is None or knows not in before:
            continue
        if said and said[-1].truth == visit.truth and _since(visit, said[-1]):
            return Reason.ALREADY_TOLD
        if twin.first and counted_on(twin.told, contact) == knows:
            return Reason.OTHER_BOOKING
    return None


def _over_by_twin(
    twins: Sequence[Twin], knows: Truth, visit: Appointment, contact: Contact, practice: Practice
) -> Reason | None:
    """Return why others tell somebody that a cancelled visit is over; None if they do not.

    Of two that are cancelled and that told of the time, the first tells. One that told of it as
    well and has moved away, when this was cancelled already, says in its new time that it is over;
    but who knew of a third at the time may not have read that, as it may have stood there then.
    """
    at = knows.starts_at
    third = any(t.truth.starts_at == at and counted_on(t.told, contact) for t in twins)
    moves = not third and any(rule.when is Event.MOVED for rule in practice.rules)
    for twin in twins:
        if twin.truth.starts_at != at:
            if moves and _moved_on(twin, at, visit, contact):
                return Reason.OTHER_BOOKING
            continue
        said = spoken_to(twin.told, contact)
        if said and said[-1].truth == twin.truth and _since(visit, said[-1]):
            return Reason.ALREADY_TOLD
        if twin.first and counted_on(twin.told, contact) == Truth(at, VisitStatus.BOOKED):
            return Reason.OTHER_BOOKING
    return None


def _moved_on(twin: Twin, at: datetime, visit: Appointment, contact: Contact) -> bool:
    """Tell whether a twin that is elsewhere now tells somebody that a time is over, or has told."""
    booked, said = Truth(at, VisitStatus.BOOKED), spoken_to(twin.told, contact)
    there = [place for place, message in enumerate(said) if message.truth == booked]
    if not there and told_elsewhere(twin.told, contact) != booked:
        return False
    after = said[there[-1] + 1 :] if there else said
    return not after or _since(visit, after[0])


def _since(visit: Appointment, message: Message) -> bool:
    """Tell whether a message went when the visit was as it is."""
    return visit.known_at is None or message.went_at >= visit.known_at


def standing(twins: Iterable[Twin], starts_at: datetime, practice: Practice) -> list[Twin]:
    """Return the twins that are video visits and take place at that time (UTC)."""
    booked = Truth(starts_at, VisitStatus.BOOKED)
    return [twin for twin in twins if twin.truth == booked and twin.kind in practice.video_kinds]


def knew_besides(
    history: Sequence[Message],
    twins: Sequence[Twin],
    message: Message,
    practice: Practice,
) -> tuple[Message | None, frozenset[str]]:
    """Return what a message's reader knew before, as `knew` does, where that is over.

    It is not where a twin stands at the time that they know: nothing says that it is over, and the
    text needs the reference of its visit, beside those that are returned.
    """
    before = knew(history, message.key, message.address_key)
    if not twins or before is None or before.truth.starts_at == message.truth.starts_at:
        return before, frozenset()
    others = standing(twins, before.truth.starts_at, practice)
    return None if others else before, frozenset(twin.ref for twin in others)


def told_by(twins: Sequence[Twin], truth: Truth) -> tuple[Message, ...]:
    """Return what twins have told that is true of the visit too, as messages of version 0.

    What they told after saying something else, such as that they are cancelled.
    """
    return tuple(
        replace(message, key=message.key._replace(version=ELSEWHERE))
        for twin in twins
        if twin.truth.starts_at == truth.starts_at
        for message in _still_true(twin.told, truth)
    )


def _still_true(told: Sequence[Message], truth: Truth) -> list[Message]:
    spoken = [m for m in told if m.state in TOLD and tells(m)]
    last = max((_order(m) for m in spoken if m.truth != truth), default=None)
    return [m for m in spoken if m.truth == truth and (last is None or _order(m) > last)]


def _order(message: Message) -> tuple[datetime, int]:
    return message.went_at, message.id
