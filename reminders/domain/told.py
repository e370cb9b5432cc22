"""What a contact has been told of a visit, read from what was sent."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.contact import Contact
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Key, Message
from reminders.domain.reasons import Reason
from reminders.domain.replies import REPLY_KEYS

WAITED_FOR = timedelta(hours=1)
"""So long after its start nobody expects a visit any more."""


def told(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return the time and status that `contact` last read, or may have read; None if nothing.

    A text whose fate is unknown counts: telling somebody twice is a smaller harm than taking for
    untold what they may have read. One that was refused or did not arrive does not count. A text
    to a phone that two people share has told both.
    """
    latest = last_told(history, contact.id, _present(contact))
    return latest.truth if latest else None


def counted_on(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what `contact` was told of the visit, here or before this program knew it."""
    past = list(history)
    return told(past, contact) or told_elsewhere(past, contact)


def spoken_to(history: Iterable[Message], contact: Contact) -> list[Message]:
    """Return what told `contact` something, or somebody at an address that is theirs, in order."""
    present = _present(contact)
    theirs = (m for m in history if m.key.contact == contact.id or m.address_key in present)
    return sorted(
        (m for m in theirs if m.state in TOLD and tells(m)), key=lambda m: (m.went_at, m.id)
    )


def last_told(
    history: Iterable[Message], contact: int, present: AbstractSet[str]
) -> Message | None:
    """Return what last told a person something, whose addresses are now `present`.

    What each address was told counts: one that was corrected there and back has not read what went
    to the other. Where none of theirs has been told, what went to this person elsewhere counts, as
    they may have a new number.
    """
    past = list(history)
    here = _latest(m for m in past if m.address_key in present)
    return here or _latest(m for m in past if m.key.contact == contact)


def went_there(message: Message, people: Iterable[Contact]) -> bool:
    """Tell whether a message went to an address that one of these people still has."""
    return any(message.address_key in _present(contact) for contact in people)


def _present(contact: Contact) -> AbstractSet[str]:
    return {reach.address_key for reach in contact.reach.values()}


def _latest(history: Iterable[Message]) -> Message | None:
    """Return the last of these that told something."""
    return max(
        (m for m in history if m.state in TOLD and tells(m)),
        key=lambda m: (m.went_at, m.id),
        default=None,
    )


def told_here(history: Iterable[Message], contact: Contact) -> Message | None:
    """Return what last told something at an address that `contact` still has; None if nothing did.

    Behind a number that has since been corrected was somebody else, for all that can be known.
    """
    present = _present(contact)
    return _latest(m for m in history if m.address_key in present)


def misleads(message: Message, *, own_login: bool | None) -> bool:
    """Tell whether a text says that somebody else logs in than who does, as far as is known."""
    return None not in {message.says_own_login, own_login} and message.says_own_login != own_login


def still_holding(history: Iterable[Message], *, own_login: bool | None) -> list[Message]:
    """Return the messages without those that told wrongly who logs in, and all told before them.

    A birth date may be corrected there and back: what the last text at an address said is believed.
    """
    past = list(history)
    wrong: dict[str, tuple[datetime, int]] = {}
    for m in past:
        if m.state in TOLD and misleads(m, own_login=own_login):
            wrong[m.address_key] = max(
                (m.went_at, m.id), wrong.get(m.address_key, (m.went_at, m.id))
            )
    if not wrong:
        return past
    return [
        m
        for m in past
        if m.state not in TOLD
        or m.address_key not in wrong
        or (m.went_at, m.id) > wrong[m.address_key]
    ]


def knew(history: Iterable[Message], key: Key, address_key: str) -> Message | None:
    """Return what last told a message's reader before its version of the visit; None if nothing.

    What went to another address on the same channel, corrected since, told this one nothing.
    """

    def theirs(message: Message) -> bool:
        other_way = message.key.channel is not key.channel
        same_person = message.key.contact == key.contact and other_way
        return same_person or message.address_key == address_key

    earlier = [message for message in history if message.key.version < key.version]
    return _latest(filter(theirs, earlier)) or first_elsewhere(earlier, key.contact)


def in_calendar(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what an entry in the calendar of `contact` says, if an email has put one there.

    The last one that brought an entry counts: it is put right only by a later one that does.
    """
    return told((m for m in history if m.calendar), contact)


def told_elsewhere(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what `contact` knew when the visit came in with no confirmations to be sent.

    Such a booking was told of before this program knew it, so a change to it is still news.
    """
    first = first_elsewhere(history, contact.id)
    return first.truth if first else None


def first_elsewhere(history: Iterable[Message], contact: int) -> Message | None:
    """Return the row that says what somebody knew of a visit from elsewhere; None if nothing."""
    return min(
        (m for m in history if m.reason is Reason.NO_CONFIRMATIONS and m.key.contact == contact),
        key=lambda m: m.key,
        default=None,
    )


def counts_on(
    history: Iterable[Message], contact: Contact, truth: Truth, known_at: datetime
) -> datetime | None:
    """Return the start (UTC) that `contact` expected when a change became known; None if none.

    After it, the text of the change comes too late.
    """
    knows = counted_on(history, contact)
    if knows is None or knows == truth or knows.status is not VisitStatus.BOOKED:
        return None
    return knows.starts_at if known_at < knows.starts_at + WAITED_FOR else None


def tells(message: Message) -> bool:
    """Tell whether `message` says when the visit is: an answer to what somebody wrote does not."""
    return message.key.rule not in REPLY_KEYS
