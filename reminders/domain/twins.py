"""Two bookings of one patient at one time: a visit that two clinicians hold, or a rebooked one.

To a family they are one visit. So one of them tells, and a cancellation of one is no news as long
as the other stands. What each told is kept apart, so that each can still be moved or cancelled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.contact import Contact
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Message
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Practice, Rule
from reminders.domain.timing import CHANGES
from reminders.domain.told import knew, tells, told_here

ELSEWHERE = 0
"""The version of what another booking told: none of the visit's own, which begin with 1."""


@dataclass(frozen=True, slots=True)
class Twin:
    """Another booking of the same patient, at the start of a visit or at one that it has told of.

    `first`: it was made before the visit. `told`: those of its messages that went.
    """

    id: int = field(compare=False)
    ref: str = field(compare=False)
    truth: Truth
    kind: str
    first: bool
    told: tuple[Message, ...] = ()


def takes_place(twins: Iterable[Twin], starts_at: datetime, practice: Practice) -> bool:
    """Tell whether a twin is a video visit that takes place at that time (UTC)."""
    return bool(standing(twins, starts_at, practice))


def said_by_twin(
    twins: Sequence[Twin],
    heard: Iterable[Message],
    truth: Truth,
    rule: Rule,
    contact: Contact,
    practice: Practice,
) -> Reason | None:
    """Return why another booking at this time leaves a rule nothing to say; None if it does not.

    `heard` is what people were told, by twins too (see `told_by`). A move to a time at which
    another booking stands is told: the time before is over.
    """
    if not twins or rule.when in CHANGES:
        return None
    if any(twin.first for twin in standing(twins, truth.starts_at, practice)):
        return Reason.OTHER_BOOKING
    elsewhere = (m for m in heard if m.key.version == ELSEWHERE)
    confirmed = rule.when is Event.BOOKED and told_here(elsewhere, contact)
    return Reason.ALREADY_TOLD if confirmed else None


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
