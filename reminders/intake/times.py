"""When a visit begins: from every way that clinics write it, to an instant. Never guessed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from reminders.intake.problems import Fault, ProblemCode

_SERIAL_EPOCH = date(1899, 12, 30)
_EMPTY_DATES = ("1899-12-30", "1899-12-31", "1900-01-00", "1900-01-01")
_YEARS = range(1900, 2200)
_SERIALS = range(36526, 73051)  # the years 2000 to 2099
_MINUTES = 24 * 60
_MINUTE_ROUNDED = 0.1
_TELLING_DECIMALS = 4
_NOON = 12
_LONGEST = 60
_LARGEST_OFFSET = timedelta(hours=14)

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.]) ?(\d{1,2})([-/. ]) ?(\d{4})", re.ASCII)
_DAY_NAMED = re.compile(r"(\d{1,2})(?::?[ae]|st|nd|rd|th|\.)? ?([^\W\d_]{3,9})\.?,? (\d{4})")
_MONTH_NAMED = re.compile(r"([^\W\d_]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_WEEKDAY = re.compile(
    r"(?:mån|tis|ons|tor|fre|lör|sön|mon|tue|wed|thu|fri|sat|sun)[^\W\d_]*\.?,? (?:den )?"
)
_SERIAL = re.compile(r"(\d{5})(?:[.,](\d+))?", re.ASCII)
_MIDNIGHT = re.compile(r"[t ]00[:.]00(?:[:.]00(?:[.,]0+)?)?$")
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2}|\d{8})t(.+)", re.ASCII)

_CLOCK = re.compile(
    r"(?:klockan |kl\.? ?)?(\d{1,2})(?:[:.](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?)? ?([ap]\.?m\.?)?",
    re.ASCII,
)
_COMPACT_CLOCK = re.compile(r"(?:klockan |kl\.? ?)?(\d{1,2})(\d{2})", re.ASCII)
_DAY_SHARE = re.compile(r"0(?:,(\d+)|\.(\d|\d{3,}))", re.ASCII)
_OFFSET = re.compile(r"(.*\d) ?(z|[+-]\d{2}(?::?\d{2})?)", re.ASCII)
_SPAN = re.compile(r"(.+?) ?[-–—] ?(.+)")

_MONTHS: Mapping[str, int] = {
    name: number
    for number, names in enumerate(
        [
            "jan januari january",
            "feb februari february",
            "mar mars march",
            "apr april",
            "maj may",
            "jun juni june",
            "jul juli july",
            "aug augusti august",
            "sep sept september",
            "okt oct oktober october",
            "nov november",
            "dec december",
        ],
        start=1,
    )
    for name in names.split()
}

_NO_TIME = Fault(ProblemCode.BAD_TIME, "The time of the visit is missing. Write 2026-12-01 09:00.")
_UNREADABLE = Fault(
    ProblemCode.BAD_TIME,
    "The date or time cannot be read. Write the date like 2026-12-01 and the time like 09:00.",
)
_AMBIGUOUS = Fault(
    ProblemCode.AMBIGUOUS_DATE,
    "The date can be read with the day first or the month first. Write it like 2026-12-01.",
)
_IMPOSSIBLE = Fault(
    ProblemCode.IMPOSSIBLE_TIME,
    "There is no such time that day: the clocks go forward past it. Give the time that is meant.",
)
_DOUBLED = Fault(
    ProblemCode.DOUBLED_TIME,
    "The time comes twice that day: the clocks go back over it. Say which is meant by adding the "
    "offset from UTC, like 2026-10-25 02:30+02:00 for the first.",
)


@dataclass(frozen=True, slots=True)
class _Clock:
    at: time
    offset: timezone | None = None


@lru_cache(maxsize=1 << 14)
def read_start(texts: tuple[str, ...], zone: ZoneInfo) -> datetime | Fault:
    """Return the instant (UTC) that the cells mean: date and time in one, or one cell each.

    Without an offset they are wall-clock time in `zone`; one that the clocks pass over, or show
    twice, is a fault.
    """
    written = tuple(" ".join(text.casefold().split()) for text in texts)
    if not all(written):
        return _NO_TIME
    if max(map(len, written)) > _LONGEST:
        return _UNREADABLE
    read = _read_one(*written) if len(written) == 1 else _read_two(*written)
    if isinstance(read, Fault):
        return read
    day, clock = read
    if clock.offset is not None:
        return datetime.combine(day, clock.at, clock.offset).astimezone(UTC)
    return _instant(datetime.combine(day, clock.at), zone)


def read_date(text: str) -> date | Fault:
    """Return the date that a cell means, in any of the ways that say it without doubt."""
    return _date(" ".join(text.casefold().split())) if len(text) <= _LONGEST else _UNREADABLE


def _instant(wall: datetime, zone: ZoneInfo) -> datetime | Fault:
    first, second = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before is None or after is None or before == after:
        return first.astimezone(UTC)
    return _IMPOSSIBLE if before < after else _DOUBLED


def _read_one(text: str) -> tuple[date, _Clock] | Fault:
    serial = _SERIAL.fullmatch(text)
    if serial and serial[2] and serial[2].strip("0"):
        day = _from_serial(int(serial[1]))
        clock = _share_of_day(serial[2])
        return _UNREADABLE if isinstance(day, Fault) or clock is None else (day, clock)
    ambiguous = False
    for date_text, time_text, iso in _partings(text):
        day = _date(date_text)
        clock = _clock(time_text, iso=iso)
        ambiguous = ambiguous or (day is _AMBIGUOUS and clock is not None)
        if isinstance(day, date) and clock is not None:
            return day, clock
    return _AMBIGUOUS if ambiguous else _UNREADABLE


def _partings(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield each way to part a text into date and time, and whether it is by ISO's `T`."""
    iso = _ISO.fullmatch(text)
    if iso is not None:
        yield iso[1], iso[2], True
        return
    words = text.split(" ")
    for count in range(1, len(words)):
        yield " ".join(words[:count]).removesuffix(","), " ".join(words[count:]), False


def _read_two(date_text: str, time_text: str) -> tuple[date, _Clock] | Fault:
    day = _date(_MIDNIGHT.sub("", date_text))
    if isinstance(day, Fault):
        return day
    for repeated in (*_EMPTY_DATES, date_text, day.isoformat()):
        if time_text.startswith((repeated + " ", repeated + "t")):
            time_text = time_text[len(repeated) + 1 :]
    share = _DAY_SHARE.fullmatch(time_text)
    clock = _share_of_day(share[1] or share[2]) if share else _clock(time_text)
    return _UNREADABLE if clock is None else (day, clock)


def _date(text: str) -> date | Fault:
    text = _WEEKDAY.sub("", text, count=1)
    if match := _YEAR_FIRST.fullmatch(text):
        return _day(match[1], match[3], match[4])
    if match := _COMPACT.fullmatch(text):
        return _day(*match.groups())
    if match := _DAY_FIRST.fullmatch(text):
        return _day_first(match)
    if match := _DAY_NAMED.fullmatch(text):
        return _day(match[3], _MONTHS.get(match[2], 0), match[1])
    if match := _MONTH_NAMED.fullmatch(text):
        return _day(match[3], _MONTHS.get(match[1], 0), match[2])
    match = _SERIAL.fullmatch(text)
    if match and not (match[2] or "").strip("0"):
        return _from_serial(int(match[1]))
    return _UNREADABLE


def _day_first(match: re.Match[str]) -> date | Fault:
    first, separator, second, last_separator, year = match.groups()
    if separator == "-" == last_separator or separator == "/" == last_separator:
        if int(second) > _MONTHS["dec"]:
            return _day(year, first, second)
        if int(first) <= _MONTHS["dec"] and int(first) != int(second):
            return _AMBIGUOUS
    elif separator + last_separator not in {"..", ". ", "/-", "/ "}:
        return _UNREADABLE
    return _day(year, second, first)


def _day(year: str | int, month: str | int, day: str | int) -> date | Fault:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return _UNREADABLE
    return found if found.year in _YEARS else _UNREADABLE


def _from_serial(serial: int) -> date | Fault:
    return _SERIAL_EPOCH + timedelta(days=serial) if serial in _SERIALS else _UNREADABLE


def _share_of_day(decimals: str) -> _Clock | None:
    """Return the time that decimals of a day mean, if there are enough of them to tell it."""
    exact = int(decimals) * _MINUTES / 10 ** len(decimals)
    minutes = round(exact)
    if minutes >= _MINUTES or abs(exact - minutes) > _MINUTE_ROUNDED:
        return None
    # Few decimals may be 09:30 rounded to 09:36; a time on the five minutes is no such accident.
    if len(decimals) < _TELLING_DECIMALS and minutes % 5:
        return None
    return _Clock(time(minutes // 60, minutes % 60))


def _clock(text: str, *, iso: bool = False) -> _Clock | None:
    """Return the time of day, of a span its beginning."""
    match = _OFFSET.fullmatch(text)
    # 09:00-10:00 is a span; programs write offsets as 09:00:00-10:00, or with ISO's T before.
    if match and (iso or match[2][0] != "-" or match[1].count(":") == len("::")):
        return _with_offset(match[1], match[2])
    at = _time(text)
    if at is None and (span := _SPAN.fullmatch(text)):
        start, end = _time(span[1]), _time(span[2])
        at = start if start and end and start < end else None
    return None if at is None else _Clock(at)


def _with_offset(clock_text: str, offset_text: str) -> _Clock | None:
    at = _time(clock_text)
    digits = offset_text.lstrip("z+-").replace(":", "")
    offset = timedelta(hours=int(digits[:2] or 0), minutes=int(digits[2:] or 0))
    if at is None or offset > _LARGEST_OFFSET:
        return None
    return _Clock(at, timezone(-offset if offset_text[0] == "-" else offset))


def _time(text: str) -> time | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        compact = _COMPACT_CLOCK.fullmatch(text)
        return _time_of(compact[1], compact[2]) if compact else None
    hour, minute, second, half = match.groups()
    if half is None:
        return _time_of(hour, minute, second)
    if not 1 <= int(hour) <= _NOON:
        return None
    return _time_of(int(hour) % _NOON + (_NOON if half[0] == "p" else 0), minute, second)


def _time_of(hour: str | int, minute: str | None = None, second: str | None = None) -> time | None:
    try:
        return time(int(hour), int(minute or 0), int(second or 0))
    except ValueError:
        return None
