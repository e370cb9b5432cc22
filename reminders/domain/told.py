"""What a contact has been told of a visit, read from what was sent."""

from collections.abc import Iterable
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
    return _latest(message for message in history if heard(message, contact))


def _latest(history: Iterable[Message]) -> Truth | None:
    """Return what the last of these that told something told."""
    latest = max(
        (m for m in history if m.state in TOLD and tells(m)),
        key=lambda m: (m.went_at, m.id),
        default=None,
    )
    return latest.truth if latest else None


def told_here(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what was last told at an address that `contact` still has; None if nothing was.

    Behind a number that has since been corrected was somebody else, for all that can be known.
    """
    present = {reach.address_key for reach in contact.reach.values()}
    return told((m for m in history if m.address_key in present), contact)


def knew(history: Iterable[Message], key: Key, address_key: str) -> Truth | None:
    """Return what a message's reader was told before its version of the visit; None if nothing.

    What went to another address on the same channel, corrected since, told this one nothing.
    """

    def theirs(message: Message) -> bool:
        other_way = message.key.channel is not key.channel
        same_person = message.key.contact == key.contact and other_way
        return same_person or message.address_key == address_key

    earlier = [message for message in history if message.key.version < key.version]
    return _latest(filter(theirs, earlier)) or _first_elsewhere(earlier, key.contact)


def in_calendar(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what an entry in the calendar of `contact` says, if an email has put one there.

    The last one that brought an entry counts: it is put right only by a later one that does.
    """
    return told((m for m in history if m.calendar), contact)


def told_elsewhere(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what `contact` knew when the visit came in with no confirmations to be sent.

    Such a booking was told of before this program knew it, so a change to it is still news.
    """
    return _first_elsewhere(history, contact.id)


def _first_elsewhere(history: Iterable[Message], contact: int) -> Truth | None:
    first = min(
        (m for m in history if m.reason is Reason.NO_CONFIRMATIONS and m.key.contact == contact),
        key=lambda m: m.key,
        default=None,
    )
    return first.truth if first else None


def counts_on(
    history: Iterable[Message], contact: Contact, truth: Truth, known_at: datetime
) -> datetime | None:
    """Return the start (UTC) that `contact` expected when a change became known; None if none.

    After it, the text of the change comes too late.
    """
    past = list(history)
    knows = told(past, contact) or told_elsewhere(past, contact)
    if knows is None or knows == truth or knows.status is not VisitStatus.BOOKED:
        return None
    return knows.starts_at if known_at < knows.starts_at + WAITED_FOR else None


def tells(message: Message) -> bool:
    """Tell whether `message` says when the visit is: an answer to what somebody wrote does not."""
    return message.key.rule not in REPLY_KEYS


def heard(message: Message, contact: Contact) -> bool:
    """Tell whether `message` went to `contact`, or to an address that is also theirs."""
    if message.key.contact == contact.id:
        return True
    reach = contact.reach.get(message.key.channel)
    return reach is not None and reach.address_key == message.address_key
