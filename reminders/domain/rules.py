"""Rules: which message goes when, to whom, and how. They come from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from reminders.domain.appointment import age_at
from reminders.domain.contact import Channel, Role
from reminders.domain.quiet import QuietHours

NOT_COME = "not_come"
"""The template for a patient whom staff are waiting for."""


class Event(StrEnum):
    """What a rule can wait for other than a time: something that happened."""

    BOOKED = "booked"
    MOVED = "moved"
    CANCELLED = "cancelled"
    REQUEST = "request"  # a person of the clinic asks for it
    REPLY = "reply"  # somebody has written to us: no rule of a configuration


@dataclass(frozen=True, slots=True)
class Before:
    """An elapsed time before the start: 24 h is 24 h, also when the clocks change."""

    lead: timedelta


@dataclass(frozen=True, slots=True)
class DaysBefore:
    """A wall-clock time some calendar days before; `at` None means the visit's own time of day."""

    days: int
    at: time | None = None


@dataclass(frozen=True, slots=True)
class After:
    """An elapsed time after the start."""

    delay: timedelta


When = Before | DaysBefore | After | Event


class Deliver(StrEnum):
    """Whether the first channel that can is used, or each."""

    FIRST = "first"
    EACH = "each"


class QuietPolicy(StrEnum):
    """What a rule does when its time falls in quiet hours."""

    EARLIER = "earlier"
    LATER = "later"
    IGNORE = "ignore"


class Late(StrEnum):
    """What a rule does for a visit that became known after the rule's time."""

    SEND = "send"
    SHORT = "short"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a rule is for. Ages are at the visit, in whole years; an unknown age matches any."""

    roles: frozenset[Role] = frozenset(Role)
    min_age: int | None = None
    max_age: int | None = None

    def includes(self, role: Role, age: int | None) -> bool:
        """Tell whether a person of this role, for a patient of this age, is meant."""
        if role not in self.roles:
            return False
        if age is None:
            return True
        return (self.min_age is None or age >= self.min_age) and (
            self.max_age is None or age <= self.max_age
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `not_after` is relative to the visit's start: negative is before it.

    `despite_opt_out` is for the one text that tells somebody that they get no more.
    """

    key: str
    when: When
    template: str
    channels: tuple[Channel, ...] = (Channel.SMS, Channel.EMAIL)
    audience: Audience = Audience()
    deliver: Deliver = Deliver.FIRST
    not_after: timedelta = timedelta(0)
    quiet: QuietPolicy = QuietPolicy.LATER
    late: Late = Late.SEND
    despite_opt_out: bool = False


@dataclass(frozen=True, slots=True)
class Practice:
    """How one clinic works, as far as planning goes.

    `guarded` are the channels that reach people, in an installation that may not yet write to
    anybody; `allowed` are those to whom it may, by the keys of their addresses.
    """

    clinic: str
    zone: ZoneInfo
    video_kinds: frozenset[str]
    rules: tuple[Rule, ...]
    quiet: QuietHours | None = None
    confirm_within: timedelta = timedelta(days=3)
    own_from_age: int = 13
    guarded: frozenset[Channel] = frozenset()
    allowed: frozenset[str] = frozenset()
    rule: Mapping[str, Rule] = field(init=False, repr=False, compare=False)
    """The rules by key."""

    def __post_init__(self) -> None:
        """Look the rules up once: the planner asks for them again and again."""
        object.__setattr__(self, "rule", {rule.key: rule for rule in self.rules})

    def own_login(self, birth_date: date | None, starts_at: datetime) -> bool | None:
        """Tell whether a patient is of the age for a login of their own then; None if not known."""
        age = age_at(birth_date, starts_at, self.zone)
        return None if age is None else age >= self.own_from_age

    def may_write_to(self, channel: Channel, address_key: str) -> bool:
        """Tell whether this installation may send to an address: the environment guard."""
        return channel not in self.guarded or address_key in self.allowed
