"""Calendar arithmetic: when a rule's message is due, and how it keeps out of the night."""

import functools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from dateutil import tz
from dateutil.relativedelta import relativedelta

from reminders.domain.quiet import QuietHours
from reminders.domain.rules import After, Before, DaysBefore

_MINUTE = timedelta(minutes=1)
_STEP = timedelta(minutes=15)
REMEMBERED = 2**14
"""Visits start at the same times: what is worked out for one is remembered for the others."""


@functools.lru_cache(maxsize=REMEMBERED)
def due_time(when: Before | DaysBefore | After, starts_at: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) that `when` means for a visit starting at `starts_at`.

    A wall-clock time that does not exist that day is taken as much later as the clocks jump; of
    one that comes twice, the first is meant.
    """
    match when:
        case Before(lead=lead):
            return starts_at - lead
        case After(delay=delay):
            return starts_at + delay
        case DaysBefore(days=days, at=at):
            local = starts_at.astimezone(zone)
            wall = local.replace(tzinfo=None, fold=0) - relativedelta(days=days)
            if at is not None:
                wall = datetime.combine(wall.date(), at)
            return instant_of(wall, zone)
        case _:
            assert_never(when)


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) of a naive wall-clock time, moved on over a gap in the clock."""
    return tz.resolve_imaginary(wall.replace(tzinfo=zone)).astimezone(UTC)


@functools.lru_cache(maxsize=REMEMBERED)
def is_quiet(instant: datetime, quiet: QuietHours | None, zone: ZoneInfo) -> bool:
    """Tell whether `instant` falls in the clinic's quiet hours."""
    if quiet is None or quiet.start == quiet.end:
        return False
    at = instant.astimezone(zone).time()
    if quiet.start < quiet.end:
        return quiet.start <= at < quiet.end
    return at >= quiet.start or at < quiet.end


@functools.lru_cache(maxsize=REMEMBERED)
def quiet_end(instant: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime:
    """Return the first waking instant at or after `instant` (UTC)."""
    moment = instant
    while is_quiet(moment, quiet, zone):
        following = _next_wall(moment, quiet.end, zone)
        # Where the clocks go back over the end of the night, night falls again: step through it.
        moment = following if following > moment else moment + _STEP
    return moment


def before_quiet(instant: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime:
    """Return a waking instant before `instant` (UTC): the minute before the night, as a rule."""
    local = instant.astimezone(zone)
    begins = local.replace(tzinfo=None, fold=0)
    begins = datetime.combine(begins.date(), quiet.start)
    if local.time() < quiet.start:
        begins -= relativedelta(days=1)
    moment = instant_of(begins - _MINUTE, zone)
    moment = min(moment, instant)
    while is_quiet(moment, quiet, zone):
        moment -= _STEP
    return moment


MOST_SPANS = 8
"""So often in a row one span may lead into another: after that, there is no waking hour."""


def is_quiet_in(instant: datetime, spans: Sequence[QuietHours], zone: ZoneInfo) -> bool:
    """Tell whether `instant` falls in any of these spans."""
    return any(is_quiet(instant, span, zone) for span in spans)


def next_waking(instant: datetime, spans: Sequence[QuietHours], zone: ZoneInfo) -> datetime | None:
    """Return the first instant from `instant` on outside all spans; None if they cover the day."""
    return _outside(instant, spans, zone, quiet_end)


def last_waking(instant: datetime, spans: Sequence[QuietHours], zone: ZoneInfo) -> datetime | None:
    """Return an instant at or before `instant` outside all spans; None if they cover the day."""
    return _outside(instant, spans, zone, before_quiet)


def _outside(
    instant: datetime,
    spans: Sequence[QuietHours],
    zone: ZoneInfo,
    leave: Callable[[datetime, QuietHours, ZoneInfo], datetime],
) -> datetime | None:
    moment = instant
    for _ in range(MOST_SPANS):
        span = next((span for span in spans if is_quiet(moment, span, zone)), None)
        if span is None:
            return moment
        moment = leave(moment, span, zone)
    return None


def _next_wall(instant: datetime, at: time, zone: ZoneInfo) -> datetime:
    wall = instant.astimezone(zone).replace(tzinfo=None, fold=0)
    target = datetime.combine(wall.date(), at)
    if target <= wall:
        target += relativedelta(days=1)
    return instant_of(target, zone)


def next_quiet(instant: datetime, quiet: QuietHours, zone: ZoneInfo) -> datetime:
    """Return when the next night begins after a waking `instant` (UTC)."""
    return _next_wall(instant, quiet.start, zone)


def next_day(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return when the next day begins (UTC)."""
    return _next_wall(instant, time(), zone)
