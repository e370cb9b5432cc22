"""The `[rules.*]` sections: from what is written to rules of the domain."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reminders.domain.contact import Channel, Role
from reminders.domain.quiet import QuietHours
from reminders.domain.rules import (
    After,
    Audience,
    Before,
    DaysBefore,
    Deliver,
    Event,
    Late,
    QuietPolicy,
    Rule,
    When,
)

_DURATION = re.compile(r"([+-]?)(\d{1,5})\s*([smhdw])")
_UNIT: Mapping[str, timedelta] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_CALENDAR = re.compile(r"(\d{1,3})\s*([dw])")
_SPAN = re.compile(r"([0-2]?\d):([0-5]\d)\s*-\s*([0-2]?\d):([0-5]\d)")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")

AFTER_HELPS = timedelta(days=1)
"""How long after its time a text that follows the visit is still sent, if nothing is said."""


def parse_duration(text: str) -> timedelta:
    """Return the time that '15m', '24h', '-2h' or '3d' means. Raise ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a length of time; write one like '15m', '24h' or '3d'")
    sign, count, unit = match.groups()
    return _UNIT[unit] * int(count) * (-1 if sign == "-" else 1)


def parse_length(text: str) -> timedelta:
    """Return the time that '15m' or '24h' means, without a sign. Raise ValueError."""
    if text.strip().startswith(("+", "-")):
        raise ValueError(f"{text!r} has a sign; 'before' and 'after' say which way, write '24h'")
    return parse_duration(text)


def parse_clock(text: str) -> time:
    """Return the time of day that '18:00' means. Raise ValueError."""
    match = _CLOCK.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a time of day; write one like '18:00'")
    return time(int(match[1]), int(match[2]))


def parse_quiet(text: str) -> QuietHours | None:
    """Return the span that '21:00-08:00' means; None for an empty text. Raise ValueError."""
    if not text.strip():
        return None
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a span of hours; write one like '21:00-08:00', or ''")
    start, end = f"{match[1]}:{match[2]}", f"{match[3]}:{match[4]}"
    return QuietHours(parse_clock(start), parse_clock(end))


class AudienceConfig(BaseModel):
    """Whom a rule is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    roles: frozenset[Role] = Field(default=frozenset(Role), min_length=1)
    min_age: int | None = Field(default=None, ge=0, le=130)
    max_age: int | None = Field(default=None, ge=0, le=130)

    @model_validator(mode="after")
    def _means_somebody(self) -> Self:
        if self.min_age is not None and self.max_age is not None and self.min_age > self.max_age:
            raise ValueError("'min_age' is above 'max_age', so the rule is for nobody; swap them")
        return self


class RuleConfig(BaseModel):
    """One rule as written; exactly one of `before`, `days_before`, `after`, `on` says when."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    before: str | None = None
    days_before: int | None = Field(default=None, ge=0, le=365)
    at: str | None = None
    after: str | None = None
    on: Literal["booked", "moved", "cancelled", "request"] | None = None
    template: str | None = None
    audience: AudienceConfig = AudienceConfig()
    channels: tuple[Channel, ...] = Field(default=(Channel.SMS, Channel.EMAIL), min_length=1)
    deliver: Deliver = Deliver.FIRST
    not_after: str | None = None
    quiet_hours: QuietPolicy = QuietPolicy.LATER
    late: Late = Late.SEND

    @model_validator(mode="after")
    def _makes_a_rule(self) -> Self:
        given = [self.before, self.days_before, self.after, self.on]
        if sum(value is not None for value in given) != 1:
            raise ValueError("a rule needs exactly one of 'before', 'days_before', 'after' or 'on'")
        if self.at is not None and self.days_before is None:
            raise ValueError("'at' goes with 'days_before' only")
        self.rule("check")
        return self

    def rule(self, key: str) -> Rule:
        """Return the rule of the domain. Raise ValueError on a value that cannot be read."""
        return Rule(
            key=key,
            when=self._when(),
            template=self.template or key,
            channels=self.channels,
            audience=Audience(self.audience.roles, self.audience.min_age, self.audience.max_age),
            deliver=self.deliver,
            not_after=self._not_after(),
            quiet=self.quiet_hours,
            late=self.late,
        )

    def _when(self) -> When:
        if self.on is not None:
            return Event(self.on)
        if self.after is not None:
            return After(parse_length(self.after))
        if self.days_before is not None:
            return DaysBefore(self.days_before, parse_clock(self.at) if self.at else None)
        before = (self.before or "").strip()
        calendar = _CALENDAR.fullmatch(before)
        if calendar:
            days = int(calendar[1]) * (7 if calendar[2] == "w" else 1)
            return DaysBefore(days)
        return Before(parse_length(before))

    def _not_after(self) -> timedelta:
        if self.not_after is not None:
            return parse_duration(self.not_after)
        if self.after is not None:
            return parse_duration(self.after) + AFTER_HELPS
        return timedelta(0)
