"""A message as the planner sees it: one row of the outbox."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from reminders.domain.appointment import Truth
from reminders.domain.contact import Channel
from reminders.domain.reasons import Reason
from reminders.domain.state import State


class Key(NamedTuple):
    """What names a message within its appointment; unique in the database."""

    version: int
    rule: str
    contact: int
    channel: Channel
    occasion: int


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asked for a rule's message to be sent now; for one `contact` alone, or for all."""

    id: int
    rule: str
    requested_at: datetime
    contact: int | None = None


def latest_per_rule(requests: Iterable[Request]) -> list[Request]:
    """Return the last request for each rule and person: asking twice in a row sends one text."""
    return list({(r.rule, r.contact): r for r in sorted(requests, key=lambda r: r.id)}.values())


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the outbox. `truth` is what it tells; `attempts` counts tries to hand it over.

    `calendar`: the email that went brought an entry for the calendar. `counts_on`: of the text of a
    change, the start that its reader still expects. `says_own_login`: what went was written for a
    patient who logs in themselves, or (false) for one whose guardian does; None: for any.
    """

    id: int
    key: Key
    state: State
    truth: Truth
    due_at: datetime
    not_after: datetime
    address_key: str = ""
    short: bool = False
    attempts: int = 0
    reason: Reason | None = None
    retryable: bool = False
    sent_at: datetime | None = None
    request_id: int | None = None
    calendar: bool = False
    counts_on: datetime | None = None
    says_own_login: bool | None = None

    @property
    def went_at(self) -> datetime:
        """Return when it left, or was to leave (UTC)."""
        return self.sent_at or self.due_at

    @property
    def comes_late(self) -> bool:
        """Tell whether the text of a change is due only when its reader already waits in vain."""
        return self.counts_on is not None and self.due_at >= self.counts_on

    @property
    def is_put_off(self) -> bool:
        """Tell whether its provider has not taken it for the time being, or until it was over."""
        busy = self.reason in {Reason.PROVIDER_BUSY, Reason.OUT_OF_REACH}
        waits = self.state is State.PLANNED and busy
        return waits or (self.state is State.EXPIRED and self.attempts > 0)


def is_open(message: Message) -> bool:
    """Tell whether the row may still be changed by a plan: planned, or never attempted."""
    if message.state is State.PLANNED:
        return True
    return message.attempts == 0 and message.state in {State.CANCELLED, State.SUPPRESSED}
