"""How a language writes days, times, digits and lists; what Babel leaves open is decided here.

Dates are in the Gregorian calendar in every language, Persian and Dari too: the visit takes place
in Sweden, and its letters and the app count so. A reader who converts can, one who is shown another
calendar than the app's may come on another day.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.lists import format_list

from reminders.errors import TemplateError
from reminders.message.sms import outside_gsm

FAR = timedelta(days=183)
"""A date that is further ahead than this is said with its year: half a year passes between."""

_DIGITS = {"arab": "٠١٢٣٤٥٦٧٨٩", "arabext": "۰۱۲۳۴۵۶۷۸۹"}
_ISOLATE, _END_ISOLATE = "\N{LEFT-TO-RIGHT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


@dataclass(frozen=True, slots=True)
class _Habit:
    """What CLDR does not say in the form a sentence needs."""

    locale: str
    day: str = "EEEE d MMMM"
    short_day: str = "EEE d MMM"
    near: tuple[str, ...] = ()
    """Yesterday, today, tomorrow."""


_HABITS = {
    "sv": _Habit("sv", near=("i går", "i dag", "i morgon")),
    "en": _Habit("en_GB", near=("yesterday", "today", "tomorrow")),
    "ar": _Habit("ar", "EEEE، d MMMM", "EEE، d MMM", ("أمس", "اليوم", "غدًا")),
    "fa": _Habit("fa", near=("دیروز", "امروز", "فردا")),
    "fi": _Habit("fi", "EEEE d. MMMM", "EEE d.M.", ("eilen", "tänään", "huomenna")),
    "prs": _Habit("fa_AF", near=("دیروز", "امروز", "فردا")),  # Dari: Persian in Afghanistan
    "ru": _Habit("ru", "EEEE, d MMMM", "EEE, d MMM", ("вчера", "сегодня", "завтра")),
    "so": _Habit("so", "EEEE, d MMMM", "EEE, d MMM", ("shalay", "maanta", "berri")),
    "ti": _Habit("ti", "EEEE፣ d MMMM", "EEE፣ d MMM", ("ትማሊ", "ሎሚ", "ጽባሕ")),
}


@dataclass(frozen=True, slots=True)
class Language:
    """One language, by the code that its template folder has."""

    code: str
    locale: Locale
    habit: _Habit

    @property
    def right_to_left(self) -> bool:
        """Tell whether it is written from right to left."""
        return self.locale.text_direction == "rtl"

    @property
    def plain(self) -> bool:
        """Tell whether its words fit the cheap alphabet of SMS: its days and months do."""
        return _plain(self.locale)

    def day(self, day: date, today: date) -> str:
        """Return the weekday and the date; with the year where `today` does not tell which."""
        year = "" if _this_year(day, today) else " y"
        return self._digits(_written(_day_of(day), self.habit.day + year, self.locale))

    def short_day(self, day: date) -> str:
        """Return the weekday and the date, in short."""
        return self._digits(_written(_day_of(day), self.habit.short_day, self.locale))

    def said(self, day: date, today: date, *, short: bool = False) -> str:
        """Return a day as it is said on `today`: yesterday, today, tomorrow, or the date.

        A text that says "tomorrow" may be read when that day has come: its weekday is said too.
        """
        away = (_day_of(day) - _day_of(today)).days
        near = dict(enumerate(self.habit.near, start=-1)).get(away)
        if near is None:
            return self.short_day(day) if short else self.day(day, today)
        weekday = _written(_day_of(day), "EEE" if short else "EEEE", self.locale)
        return f"{near} {weekday}" if away > 0 else near

    def time(self, at: datetime) -> str:
        """Return the time of day, by the 12 or 24 hours that the language counts."""
        return self._digits(_clock(at.hour, at.minute, self.locale))

    def foreign(self, text: str) -> str:
        """Return a text in Latin letters or digits so that it keeps its order in a line.

        Within a line from right to left, a phone number would be shown with its groups reversed.
        """
        return f"{_ISOLATE}{text}{_END_ISOLATE}" if text and self.right_to_left else text

    def either(self, names: Sequence[str]) -> str:
        """Return 'A, B or C'."""
        return _either(tuple(self.foreign(name) for name in names), self.locale)

    def _digits(self, text: str) -> str:
        digits = _DIGITS.get(self.locale.default_numbering_system)
        return text.translate(str.maketrans("0123456789", digits)) if digits else text


def _this_year(day: date, today: date) -> bool:
    """Tell whether somebody who reads a date on `today` takes it to be in the right year."""
    return day.year == today.year and (_day_of(day) - _day_of(today)) <= FAR


def _day_of(day: date) -> date:
    """Return the calendar day alone, also of a time in a zone.

    Two such times are equal where they are one instant, though it be on different days there: what
    is remembered of one would be said of the other.
    """
    return date(day.year, day.month, day.day)


@functools.lru_cache(maxsize=4096)
def _written(day: date, pattern: str, locale: Locale) -> str:
    return format_date(day, pattern, locale=locale)


@functools.lru_cache(maxsize=4096)
def _clock(hour: int, minute: int, locale: Locale) -> str:
    return format_time(clock_time(hour, minute), "short", locale=locale)


@functools.lru_cache(maxsize=256)
def _either(names: tuple[str, ...], locale: Locale) -> str:
    return format_list(names, style="or", locale=locale) if names else ""


@functools.cache
def _plain(locale: Locale) -> bool:
    names = [*locale.days["format"]["wide"].values()]
    names += locale.months["format"]["wide"].values()
    return not outside_gsm("".join(names))


@functools.cache
def language_of(code: str) -> Language:
    """Return a language by its code. Raise TemplateError if there is none."""
    habit = _HABITS.get(code) or _Habit(code.replace("-", "_"))
    try:
        return Language(code, Locale.parse(habit.locale), habit)
    except (UnknownLocaleError, ValueError):
        raise TemplateError(
            f"There is no language {code!r}; a template folder is named like 'sv' or 'en'."
        ) from None


def right_to_left(code: str) -> bool:
    """Tell whether a language is written from right to left."""
    return language_of(code).right_to_left
