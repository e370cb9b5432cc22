"""What a contact has been told of a visit, read from what was sent."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.contact import Contact
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Message
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
    latest = max(
        (m for m in history if m.state in TOLD and tells(m) and heard(m, contact)),
        key=lambda m: (m.went_at, m.id),
        default=None,
    )
    return latest.truth if latest else None


def knew(history: Iterable[Message], contact: Contact, version: int) -> Truth | None:
    """Return what `contact` was told of a visit before this version of it; None if nothing."""
    earlier = [message for message in history if message.key.version < version]
    return told(earlier, contact) or told_elsewhere(earlier, contact)


def in_calendar(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what an entry in the calendar of `contact` says, if an email has put one there.

    The last one that brought an entry counts: it is put right only by a later one that does.
    """
    return told((m for m in history if m.calendar), contact)


def told_elsewhere(history: Iterable[Message], contact: Contact) -> Truth | None:
    """Return what `contact` knew when the visit came in with no confirmations to be sent.

    Such a booking was told of before this program knew it, so a change to it is still news.
    """
    first = min(
        (m for m in history if m.reason is Reason.NO_CONFIRMATIONS and m.key.contact == contact.id),
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
