"""What is handed to a provider, and what comes back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from reminders.domain.contact import Channel
from reminders.domain.reasons import Reason
from reminders.domain.state import State


class Refusal(StrEnum):
    """Why a provider definitely did not take a message."""

    ADDRESS = "address"  # this number or mailbox cannot receive
    OPT_OUT = "opt_out"  # the recipient said no, there
    BLOCKED = "blocked"  # an operator refuses it
    CONTENT = "content"  # the text itself is refused
    CONFIGURATION = "configuration"  # credentials, sender, account: no message can go
    THROTTLED = "throttled"  # nothing is processed just now, try again later
    DEFERRED = "deferred"  # this recipient cannot receive just now, try again later; others can
    ENVIRONMENT = "environment"  # this installation may not write to that address


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message and calls it `ref`."""

    ref: str
    segments: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider has definitely not taken it. `code` is the provider's own, for the operator."""

    code: str
    kind: Refusal
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may or may not have been taken: a timeout, a server error, a connection cut."""

    cause: str


Outcome = Accepted | Rejected | Ambiguous


@dataclass(frozen=True, slots=True)
class Receipt:
    """A report on delivery. `state` None means: still under way."""

    ref: str
    state: State | None
    reason: Reason | None = None
    code: str | None = None
    opt_out: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with an email. The text shows an `inline` picture, by its name."""

    name: str
    kind: str
    content: bytes = field(repr=False)
    inline: bool = False


class LeaseLostError(Exception):
    """The right to send has run out or gone to another worker: nothing may be written."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One rendered message on its way out. It lives in memory only.

    `token` names this attempt and comes back in callbacks; `message_key` names the message in all
    its attempts. `before_write` is called directly before the first byte that could make the
    provider accept; it raises LeaseLostError if nothing may be sent any more. Before that, a
    provider that stamps awaits `stamp`, which writes the attempt down or raises LeaseLostError.
    `unsubscribe_url` is an address that takes a recipient off at one request, if one answers.
    """

    channel: Channel
    to: str = field(repr=False)
    body: str = field(repr=False)
    token: str
    message_key: str
    started_at: datetime
    valid_for: timedelta
    language: str
    before_write: Callable[[], None]
    stamp: Callable[[], Awaitable[None]]
    subject: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)
    unsubscribe_url: str | None = field(default=None, repr=False)


CLOCKS_DIFFER_BY = timedelta(minutes=30)
"""So far may our wall clock have been from the provider's: if it jumps by more, nothing is sent."""


@dataclass(frozen=True, slots=True)
class Sought:
    """An attempt whose fate is not known, as a provider can look for it.

    `others` are the provider's names of texts that are known to be other messages: the same words
    may have gone to this number for another reason. `any_words`: it may have been written in other
    words than these, so a text that is nobody's leaves it open.
    """

    to: str = field(repr=False)
    token: str
    body_digest: str
    started_at: datetime
    digest: Callable[[str], str]
    others: frozenset[str] = frozenset()
    any_words: bool = False

    def since(self, ahead: timedelta) -> datetime:
        """Return the earliest time, by the provider's clock, of a text that came of the attempt.

        `ahead`: how far our clock is before theirs now. Since the attempt it may have been set.
        """
        return self.started_at - CLOCKS_DIFFER_BY - max(ahead, timedelta(0))
