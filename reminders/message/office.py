"""When the clinic's phone is answered, at the least: what a text may promise about calling.

Holidays are Sweden's, with the eves on which offices are closed. A clinic adds days of its own.
"""

import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.easter import easter

OPENS, CLOSES = time(9), time(16)
"""The hours in which somebody answers, whatever a clinic's own are."""

ENOUGH = timedelta(hours=2)
"""A deadline is mentioned only if the phone is answered for at least this long before it."""

_FRIDAY, _WEEKEND = 4, 5
_DAY = timedelta(days=1)
_AFTER_EASTER = (-2, 1, 39)
"""Good Friday, Easter Monday, Ascension Day, counted from Easter Sunday."""


@functools.lru_cache(maxsize=4096)
def answered(since: datetime, until: datetime, zone: ZoneInfo, closed: tuple[date, ...]) -> bool:
    """Tell whether the phone is answered for long enough between two instants to get through."""
    total = timedelta()
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    while day <= last and total < ENOUGH:
        for opens, closes in _hours(day, zone, closed):
            total += max(min(closes, until) - max(opens, since), timedelta())
        day += _DAY
    return total >= ENOUGH


@functools.lru_cache(maxsize=4096)
def last_call(
    until: datetime, since: datetime, zone: ZoneInfo, closed: tuple[date, ...]
) -> datetime:
    """Return the last moment up to a deadline at which somebody answers: Friday for a Sunday.

    Where nobody answers between `since` and it, that is the deadline itself.
    """
    day, first = until.astimezone(zone).date(), since.astimezone(zone).date()
    while day >= first:
        for opens, closes in _hours(day, zone, closed):
            if opens < until:
                return min(closes, until)
        day -= _DAY
    return until


def _hours(
    day: date, zone: ZoneInfo, closed: tuple[date, ...]
) -> Iterator[tuple[datetime, datetime]]:
    if day.weekday() < _WEEKEND and day not in holidays(day.year) and day not in closed:
        opens, closes = (datetime.combine(day, at, zone).astimezone(UTC) for at in (OPENS, CLOSES))
        yield opens, closes


@functools.cache
def holidays(year: int) -> frozenset[date]:
    """Return the days of a year on which Swedish offices are closed, weekends aside."""
    sunday = easter(year)
    by_easter = (sunday + timedelta(days=days) for days in _AFTER_EASTER)
    june = (date(year, 6, day) for day in range(19, 26))
    midsummer = next(day for day in june if day.weekday() == _FRIDAY)  # its eve
    fixed = ((1, 1), (1, 6), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26), (12, 31))
    return frozenset({*by_easter, midsummer, *(date(year, *day) for day in fixed)})
