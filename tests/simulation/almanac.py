"""The oracle's own calendar: when a rule's text is due, found by walking minute by minute.

It shares no code with the program, so that the two can disagree.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
MONTHS = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
]
EVENTS = frozenset({"booked", "moved", "cancelled", "request"})
_UNITS = {"m": 60, "h": 3600, "d": 86_400}


def length(text: str) -> timedelta:
    """Return the time that '24h' or '-30m' means."""
    number, unit = re.fullmatch(r"([+-]?\d+)([mhd])", text).groups()  # type: ignore[union-attr]
    return timedelta(seconds=int(number) * _UNITS[unit])


def night(instant: datetime, hours: str, zone: ZoneInfo) -> bool:
    """Tell whether an instant is within the clinic's quiet hours."""
    if not hours:
        return False
    begins, ends = (time.fromisoformat(part) for part in hours.split("-"))
    at = instant.astimezone(zone).time()
    return at >= begins or at < ends if begins > ends else begins <= at < ends


def minds_the_night(rule: Mapping[str, Any]) -> bool:
    """Tell whether a rule's texts keep out of the night."""
    return bool(rule.get("quiet_hours", "later") != "ignore")


def deadline(rule: Mapping[str, Any], starts_at: datetime) -> datetime:
    """Return when a rule's text no longer helps."""
    return starts_at + length(rule.get("not_after", "0m"))


def wanted(
    rule: Mapping[str, Any], starts_at: datetime, known: datetime, zone: ZoneInfo
) -> datetime:
    """Return when a rule's text is due, the night aside: not before the visit was known."""
    if "on" in rule:
        return known
    local = starts_at.astimezone(zone)
    if "days_before" in rule:
        at = time.fromisoformat(rule["at"])
        day = local.date() - timedelta(days=rule["days_before"])
        nominal = datetime.combine(day, at, zone)
    elif rule["before"].endswith("d"):
        day = local.date() - timedelta(days=int(rule["before"][:-1]))
        nominal = datetime.combine(day, local.time(), zone)
    else:
        nominal = starts_at - length(rule["before"])
    return max(nominal.astimezone(UTC), known)


def due(
    rule: Mapping[str, Any], starts_at: datetime, known: datetime, hours: str, zone: ZoneInfo
) -> datetime:
    """Return when a rule's text is to go."""
    moment = wanted(rule, starts_at, known, zone)
    if not minds_the_night(rule):
        return moment
    if rule.get("quiet_hours") == "earlier":
        evening = moment
        while night(evening, hours, zone):
            evening = _whole(evening) - MINUTE
        if evening >= known:
            return evening
    while night(moment, hours, zone):
        moment = _whole(moment) + MINUTE
    return moment


def _whole(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


def written(day: str, clock: str, near: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the instant that a text's 'tisdag 1 december' and '10:00' mean, near to `near`."""
    _, number, month = day.split()
    for year in (near.year, near.year + 1, near.year - 1):
        at = time.fromisoformat(clock)
        found = datetime.combine(date(year, MONTHS.index(month) + 1, int(number)), at, zone)
        if abs(found - near) < timedelta(days=60):
            return found.astimezone(UTC)
    return None
