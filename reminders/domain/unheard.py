"""Who has to be phoned: those who do not know what is true, and whom no text will tell in time."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.lifecycle import NOT_REACHED, TOLD
from reminders.domain.message import Message
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.domain.told import tells

CALL_FOR = frozenset(
    {
        Reason.NO_ADDRESS,
        Reason.NO_CONSENT,
        Reason.OPTED_OUT,
        Reason.PROTECTED_IDENTITY,
        Reason.GUARDIAN_NOT_CHOSEN,
        Reason.GUARDIAN_DECLINED,
        Reason.RENDER_FAILED,
        Reason.ENVIRONMENT,
        Reason.QUIET_HOURS,
        Reason.OWN_HOURS,
        Reason.TOO_LATE,
    }
)
"""Suppressions after which somebody should phone, if nobody else of the visit is told."""

NOW = timedelta(minutes=1)
"""What goes within this time is not waited for longer than a call takes."""

AT_ONCE = timedelta(hours=1)
"""One more try to an address that failed is waited for, if it is made within this time."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """One person to phone. `believes` is what they were told before, where it is not true now.

    `unclear`: a text left, and nobody knows whether it arrived.
    """

    contact: int
    reason: Reason
    believes: Truth | None = None
    unclear: bool = False

    @property
    def stands_behind(self) -> bool:
        """Tell whether it is enough that somebody else of the visit is told."""
        wanted_none = self.reason in CALL_FOR and self.reason is not Reason.RENDER_FAILED
        return wanted_none and not self.believes and not self.unclear


def believers(before: Sequence[Message], now_theirs: Sequence[Message]) -> list[Unheard]:
    """Return whom to phone of those whose visit it was before it was given to another patient.

    `before` are the messages to them, `now_theirs` those to the people whose it is now. Who has an
    address that is also one of those is the same person under another name.
    """
    same = {m.address_key for m in now_theirs if m.address_key}
    found: list[Unheard] = []
    for contact in dict.fromkeys(m.key.contact for m in before):
        gone = [m for m in before if m.key.contact == contact and m.state in TOLD and tells(m)]
        if not gone or same & {m.address_key for m in gone}:
            continue
        last = max(gone, key=lambda m: (m.went_at, m.id)).truth
        if last.status is VisitStatus.BOOKED:
            found.append(Unheard(contact, Reason.OTHER_PATIENT))
    return found


def unheard(
    truth: Truth, version: int, messages: Sequence[Message], news: AbstractSet[str], now: datetime
) -> list[Unheard]:
    """Return whom to phone of one visit, all of whose messages are given.

    `news` are the rules that tell of a change. Who was told something else than what is true needs
    them: a reminder that comes when it is almost time is no news in time.
    """
    told = [m for m in messages if tells(m)]
    found: list[Unheard] = []
    reached: set[int] = set()
    for contact in dict.fromkeys(m.key.contact for m in told):
        person = _Person(contact, truth, version, told, news, now)
        if person.is_served:
            reached.add(contact)
        if (one := person.unheard()) is not None:
            found.append(one)
    return [one for one in found if not (reached and one.stands_behind)]


class _Person:
    """One person of a visit, and what has been and will be sent to them."""

    def __init__(
        self,
        contact: int,
        truth: Truth,
        version: int,
        messages: Sequence[Message],
        news: AbstractSet[str],
        now: datetime,
    ) -> None:
        self._contact = contact
        self._truth = truth
        self._own = [m for m in messages if m.key.contact == contact]
        addresses = {m.address_key for m in self._own if m.address_key}
        self._heard = [
            m for m in messages if m.key.contact == contact or m.address_key in addresses
        ]
        # What failed before a visit was moved away and back is not repeated, and stands for it.
        self._present = [
            m
            for m in self._own
            if m.key.version == version or (m.state in NOT_REACHED and m.truth == truth)
        ]
        self._news = news
        self._now = now
        self._knows = self._last_told()

    def _last_told(self) -> Truth | None:
        """Return what they know of the visit; None if nobody has told them of it."""
        gone = [m for m in self._heard if m.state in TOLD]
        if gone:
            return max(gone, key=lambda m: (m.went_at, m.id)).truth
        elsewhere = [m for m in self._own if m.reason is Reason.NO_CONFIRMATIONS]
        return min(elsewhere, key=lambda m: m.key).truth if elsewhere else None

    @property
    def _believes(self) -> Truth | None:
        """Return what they were told, if it is not true now."""
        return self._knows if self._knows != self._truth else None

    @property
    def is_served(self) -> bool:
        """Tell whether they know what is true, or will be told in time."""
        told = any(m.state in TOLD and m.truth == self._truth for m in self._heard)
        return told or any(self._will_tell(m) for m in self._present)

    def _will_tell(self, message: Message) -> bool:
        if message.state is not State.PLANNED:
            return False
        if self._believes is not None:
            in_time = not message.comes_late or message.due_at <= self._now + NOW
            return message.key.rule in self._news and in_time
        return message.due_at <= self._now + AT_ONCE or not self._failed_at(message.address_key)

    def _failed_at(self, address: str) -> bool:
        """Tell whether the last that was sent to an address did not arrive."""
        ended = [m for m in self._heard if m.address_key == address and m.sent_at is not None]
        ended += [m for m in self._heard if m.address_key == address and m.state is State.FAILED]
        return bool(ended) and max(ended, key=lambda m: (m.went_at, m.id)).state in NOT_REACHED

    def unheard(self) -> Unheard | None:
        """Return why to phone them; None if there is no need."""
        unclear = [m.reason or Reason.NO_ANSWER for m in self._present if m.state is State.UNKNOWN]
        if unclear:
            return Unheard(self._contact, unclear[-1], self._believes, unclear=True)
        if self._expects_video and any(m.reason is Reason.NOT_VIDEO for m in self._present):
            return Unheard(self._contact, Reason.NO_LONGER_VIDEO, self._believes)
        unwritten = any(_why(m) is Reason.RENDER_FAILED for m in self._present)
        if not self._matters or (self.is_served and not unwritten):
            return None
        reasons = [why for m in self._present if (why := _why(m)) is not None]
        if any(m.state is State.PLANNED and m.comes_late for m in self._present):
            reasons = [Reason.NEWS_TOO_LATE]
        if unwritten:  # told at once, also where a later text may go: a template has to be mended
            reasons = [Reason.RENDER_FAILED]
        return Unheard(self._contact, reasons[-1], self._believes) if reasons else None

    @property
    def _expects_video(self) -> bool:
        """Tell whether they were asked to a screen for a visit that still stands."""
        booked = VisitStatus.BOOKED
        return self._truth.status is booked and bool(self._knows and self._knows.status is booked)

    @property
    def _matters(self) -> bool:
        """Tell whether there is anything that they should know: of a visit to come, or a change."""
        return self._truth.status is VisitStatus.BOOKED or self._believes is not None


def _why(message: Message) -> Reason | None:
    """Return why a message has told nobody anything; None if that is no reason to phone."""
    if message.state in NOT_REACHED or message.state is State.EXPIRED:
        return message.reason or Reason.NO_ANSWER
    suppressed = message.state is State.SUPPRESSED and message.reason in CALL_FOR
    return message.reason if suppressed else None
