"""Who has to be phoned: those who do not know what is true, and whom no text will tell in time."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.contact import Channel
from reminders.domain.lifecycle import NOT_REACHED, TOLD
from reminders.domain.message import Message
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Practice
from reminders.domain.state import State
from reminders.domain.timing import NEWS
from reminders.domain.told import WAITED_FOR, first_elsewhere, last_told, tells
from reminders.domain.when import due_time

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

CUT_OFF = frozenset(
    {
        Reason.PROTECTED_IDENTITY,
        Reason.GUARDIAN_NOT_CHOSEN,
        Reason.ENVIRONMENT,
    }
)
"""Of these, the ones that are nobody's wish: who was told, and counts on a reminder, is phoned.

Who never had a kind of address counts on nothing there; and who was told at one that is gone since
has been told nothing.
"""

UNCHOSEN = frozenset({Reason.GUARDIAN_NOT_CHOSEN, Reason.GUARDIAN_DECLINED})
"""Of these, the ones of who need not know as long as the patient does."""

WANTS_NONE = CALL_FOR - {Reason.NO_ADDRESS}

NOW = timedelta(minutes=1)
"""What goes within this time is not waited for longer than a call takes."""

AT_ONCE = timedelta(hours=1)
"""One more try to an address that failed is waited for, if it is made within this time."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """One person to phone. `believes` is what they were told before, where it is not true now.

    `unclear`: a text left, and nobody knows whether it arrived. `untexted`: what they believe they
    have from the clinic itself, if at all: no text has told them.
    """

    contact: int
    reason: Reason
    believes: Truth | None = None
    unclear: bool = False
    untexted: bool = False

    @property
    def stands_behind(self) -> bool:
        """Tell whether it is enough that somebody else of the visit is told.

        A guardian whom nobody has chosen, and no text has told anything, need not know at all.
        """
        wanted_none = self.reason in CALL_FOR and self.reason is not Reason.RENDER_FAILED
        no_matter = self.untexted and self.reason in UNCHOSEN
        return wanted_none and (no_matter or not self.believes) and not self.unclear


def believers(
    before: Sequence[Message],
    now_theirs: Sequence[Message],
    now: datetime,
    addresses: Mapping[int, AbstractSet[str]] = MappingProxyType({}),
) -> list[Unheard]:
    """Return whom to phone of those whose visit it was before it was given to another patient.

    `before` are the messages to them, `now_theirs` those to the people whose it is now, `addresses`
    those (by key) that each contact has. Who has an address that is also one of those is the same
    person under another name. Who expected it at a time that has passed waits no more.
    """
    same = _addresses(now_theirs, addresses)
    found: list[Unheard] = []
    for contact in dict.fromkeys(m.key.contact for m in before):
        own = [m for m in before if m.key.contact == contact]
        gone = [m for m in own if m.state in TOLD and tells(m)]
        last = max(gone, key=lambda m: (m.went_at, m.id), default=first_elsewhere(own, contact))
        if last is None or same & _addresses(gone or own, addresses):
            continue
        waits = last.truth.starts_at + WAITED_FOR > now
        if waits and last.truth.status is VisitStatus.BOOKED:
            found.append(Unheard(contact, Reason.OTHER_PATIENT))
    return found


def _addresses(
    messages: Sequence[Message], present: Mapping[int, AbstractSet[str]]
) -> AbstractSet[str]:
    """Return the addresses (by key) to which messages went, and that their readers have."""
    went = {m.address_key for m in messages if m.address_key}
    return went.union(*(present.get(m.key.contact, ()) for m in messages))


@dataclass(frozen=True, slots=True)
class Awaited:
    """What people can count on being sent of a visit, by rule.

    `news` tell of a change. Who was told something else than what is true needs them: a reminder
    that comes when it is almost time is no news in time. `reminders` are due before the visit, then
    (UTC). Nothing goes on the channels that are `down`, for now.
    """

    news: AbstractSet[str] = frozenset()
    reminders: Mapping[str, datetime] = field(default_factory=dict)
    down: AbstractSet[Channel] = frozenset()


def awaited_of(practice: Practice, truth: Truth, down: AbstractSet[Channel]) -> Awaited:
    """Return what people can count on being sent of a visit."""
    due = {
        rule.key: due_time(rule.when, truth.starts_at, practice.zone)
        for rule in practice.rules
        if not isinstance(rule.when, Event)
    }
    return Awaited(
        frozenset(rule.key for rule in practice.rules if rule.when in NEWS),
        {key: at for key, at in due.items() if at < truth.starts_at},
        down,
    )


def unheard(
    truth: Truth,
    version: int,
    messages: Sequence[Message],
    awaited: Awaited,
    now: datetime,
    *,
    gone: AbstractSet[int] = frozenset(),
    addresses: Mapping[int, AbstractSet[str]] = MappingProxyType({}),
    misleading: AbstractSet[int] = frozenset(),
) -> list[Unheard]:
    """Return whom to phone of one visit, all of whose messages are given.

    `gone` are contacts that the patient has no more: what they were told, tells nobody else.
    `addresses` are those (by key) that each contact has now, if not all that anything went to:
    whoever is behind a number that has been corrected may know nothing. `misleading` are messages
    that said wrongly who logs in.
    """
    told = [m for m in messages if tells(m)]
    people = [
        _Person(contact, truth, version, told, awaited, now, addresses.get(contact), misleading)
        for contact in dict.fromkeys(m.key.contact for m in told)
    ]
    present = [person for person in people if person.contact not in gone]
    reached = any(person.is_served for person in present)
    goes_on = any(person.is_served and not person.lacks(WANTS_NONE) for person in present)
    return [
        one
        for person in people
        if (one := person.unheard()) is not None
        and not (one.stands_behind and (goes_on if person.counts_on_texts else reached))
    ]


class _Person:
    """One person of a visit, and what has been and will be sent to them."""

    def __init__(
        self,
        contact: int,
        truth: Truth,
        version: int,
        messages: Sequence[Message],
        awaited: Awaited,
        now: datetime,
        addresses: AbstractSet[str] | None,
        misleading: AbstractSet[int],
    ) -> None:
        self.contact = contact
        self._truth = truth
        self._version = version
        self._own = [m for m in messages if m.key.contact == contact]
        if addresses is None:
            addresses = {m.address_key for m in self._own if m.address_key}
        self._heard = [
            m for m in messages if m.key.contact == contact or m.address_key in addresses
        ]
        self._told = [
            m
            for m in self._heard
            if m.state in TOLD and m.address_key in addresses and m.id not in misleading
        ]
        # What failed before a visit was moved away and back is not repeated, and stands for it.
        self._present = [
            m
            for m in self._own
            if m.key.version == version or (m.state in NOT_REACHED and m.truth == truth)
        ]
        self._awaited = awaited
        self._now = now
        self._knows = self._last_told(addresses)

    def _last_told(self, addresses: AbstractSet[str]) -> Truth | None:
        """Return what they know of the visit; None if nobody has told them of it."""
        latest = last_told(self._heard, self.contact, addresses)
        if latest is not None:
            return latest.truth
        elsewhere = first_elsewhere(self._own, self.contact)
        return elsewhere.truth if elsewhere else None

    @property
    def _believes(self) -> Truth | None:
        """Return what they were told, if it is not true now."""
        return self._knows if self._knows != self._truth else None

    @property
    def is_served(self) -> bool:
        """Tell whether they know what is true, or will be told in time; and are not cut off."""
        told = any(m.truth == self._truth for m in self._told)
        served = told or any(self._will_tell(m) for m in self._present)
        return served and not self.lacks(CUT_OFF)

    @property
    def counts_on_texts(self) -> bool:
        """Tell whether they were told, and are cut off, or have lost the address."""
        lost = not self._told and any(m.state in TOLD for m in self._heard)
        return lost or bool(self.lacks(CUT_OFF))

    def lacks(self, reasons: AbstractSet[Reason]) -> list[Reason]:
        """Return why they, who were told, get no reminder any more that has not been said since.

        Of these reasons; none if another reminder comes yet.
        """
        due = self._awaited.reminders
        comes = any(
            m.state is State.PLANNED and m.key.version == self._version and m.key.rule in due
            for m in self._heard
        )
        told = [m.went_at for m in self._told if m.truth == self._truth]
        if comes or not told:
            return []
        unsaid = [m for m in self._present if m.key.rule in due and max(told) < due[m.key.rule]]
        return [why for m in unsaid if (why := _why(m)) in reasons and why is not None]

    def _will_tell(self, message: Message) -> bool:
        if message.state is not State.PLANNED or self._is_stuck(message):
            return False
        if self._believes is not None:
            in_time = not message.comes_late or message.due_at <= self._now + NOW
            return message.key.rule in self._awaited.news and in_time
        return message.due_at <= self._now + AT_ONCE or not self._failed_at(message.address_key)

    def _is_stuck(self, message: Message) -> bool:
        """Tell whether a planned message waits in vain: for its channel, or for its own address.

        That is as long as one of its texts has waited for an hour, has an hour left, or is over,
        while nothing goes on the channel, or a provider keeps putting off this address.
        """
        if message.state is not State.PLANNED:
            return False
        down = message.key.channel in self._awaited.down
        theirs = [m for m in self._present if m.key.channel is message.key.channel]
        return any(
            self._waits_long(m)
            for m in theirs
            if down or (m.address_key == message.address_key and m.is_put_off)
        )

    def _waits_long(self, message: Message) -> bool:
        """Tell whether a text has waited for an hour, has an hour left, or is over."""
        late = self._now >= min(message.due_at + AT_ONCE, _helps(message) - AT_ONCE)
        planned = message.state is State.PLANNED
        return message.state is State.EXPIRED or (planned and late)

    def _failed_at(self, address: str) -> bool:
        """Tell whether the last that was sent to an address did not arrive."""
        ended = [m for m in self._heard if m.address_key == address and m.sent_at is not None]
        ended += [m for m in self._heard if m.address_key == address and m.state is State.FAILED]
        return bool(ended) and max(ended, key=lambda m: (m.went_at, m.id)).state in NOT_REACHED

    def unheard(self) -> Unheard | None:
        """Return why to phone them; None if there is no need."""
        unclear = [m.reason or Reason.NO_ANSWER for m in self._present if m.state is State.UNKNOWN]
        if unclear:
            return Unheard(self.contact, unclear[-1], self._believes, unclear=True)
        if self._expects_video and any(m.reason is Reason.NOT_VIDEO for m in self._present):
            return Unheard(self.contact, Reason.NO_LONGER_VIDEO, self._believes)
        unwritten = any(_why(m) is Reason.RENDER_FAILED for m in self._present)
        if not self._matters or (self.is_served and not unwritten):
            return None
        reasons = self.lacks(CUT_OFF) or [
            why for m in self._present if (why := _why(m)) is not None
        ]
        stuck = {m.key.channel for m in self._present if self._is_stuck(m)}
        if stuck:
            down = stuck & self._awaited.down
            reasons = [Reason.OUT_OF_REACH if down else Reason.PROVIDER_BUSY]
        if any(m.state is State.PLANNED and m.comes_late for m in self._present):
            reasons = [Reason.NEWS_TOO_LATE]
        if unwritten:  # told at once, also where a later text may go: a template has to be mended
            reasons = [Reason.RENDER_FAILED]
        if not reasons:
            return None
        texted = any(m.state in TOLD for m in self._heard)
        untexted = self._believes is not None and not texted
        return Unheard(self.contact, reasons[-1], self._believes, untexted=untexted)

    @property
    def _expects_video(self) -> bool:
        """Tell whether they were asked to a screen, and nobody has told them that it is over."""
        return self._knows is not None and self._knows.status is VisitStatus.BOOKED

    @property
    def _matters(self) -> bool:
        """Tell whether there is anything that they should know: of a visit to come, or a change."""
        return self._truth.status is VisitStatus.BOOKED or self._believes is not None


def _helps(message: Message) -> datetime:
    """Return until when a message helps: of a change, until its reader would wait in vain."""
    return min(message.not_after, message.counts_on or message.not_after)


def _why(message: Message) -> Reason | None:
    """Return why a message has told nobody anything; None if that is no reason to phone."""
    if message.state in NOT_REACHED or message.state is State.EXPIRED:
        return message.reason or Reason.NO_ANSWER
    suppressed = message.state is State.SUPPRESSED and message.reason in CALL_FOR
    return message.reason if suppressed else None
