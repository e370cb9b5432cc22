"""What people type as a day or a time, in the clinic's zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reminders.errors import UsageError
from reminders.web.language import N_

YEARS = range(1900, 2200)
"""Of these a day can be asked for: other years are typing mistakes, and no time can be reckoned."""

NOT_A_TIME = N_("That is not a time. Write it like 2026-12-01 09:30.")
NOT_A_DAY = N_("That is not a day. Write it like 2026-12-01.")
GAP = N_("That time does not exist: the clocks are put forward past it.")
DOUBLED = N_("That time comes twice that night, as the clocks are put back. Choose another.")


def read_day(text: str) -> date:
    """Return the day. Raise UsageError saying how to write it."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(NOT_A_DAY) from None
    if day.year not in YEARS:
        raise UsageError(NOT_A_DAY)
    return day


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) at which a day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def span_of(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when a day begins and when the next one does, in UTC."""
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)


def read_moment(day: str, clock: str, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) of a day and a time of day. Raise UsageError."""
    chosen = read_day(day)
    try:
        at = time.fromisoformat(clock.strip().replace(".", ":"))
    except ValueError:
        raise UsageError(NOT_A_TIME) from None
    if at.tzinfo is not None:
        raise UsageError(NOT_A_TIME)
    first, second = (datetime.combine(chosen, at.replace(fold=fold), zone) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    there = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    raise UsageError(DOUBLED if there == first.replace(tzinfo=None, fold=0) else GAP)
