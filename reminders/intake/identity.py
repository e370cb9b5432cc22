"""Swedish identity numbers: told, checked, and turned into a birth date. Never kept."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from unicodedata import normalize

from reminders.intake.problems import Fault, ProblemCode

_NUMBER = re.compile(r"(\d{2})?(\d{2})(\d{2})(\d{2})([-+–]?)(\d{4})", re.ASCII)
_WITHIN = re.compile(
    r"(?<![0-9])(?=((?:[0-9]{2})?[0-9]{2}([-./\s]?)[0-9]{2}\2[0-9]{2})"
    r"\s?([-+\u2010-\u2015\u2212/]?)\s?([0-9]{4})(?![0-9]))"
)
_IN_LONGER_NUMBER = re.compile(r"(?=((?:18|19|20)[0-9]{6})()()([0-9]{4}))")
_RESERVE = "99"
_COORDINATION = 60
_LAST_DAY = 31
_LAST_MONTH = 12
_CENTURY = 100
_DIGITS_WITHOUT_ZERO = 9
_DIGITS = 10
_SHORTEST_WITHOUT_ZEROS = 7
# What booking systems number by their own dates looks like this too.
_LATELY, _SOON = timedelta(days=2 * 365), timedelta(days=3 * 365)

BAD_IDENTITY = Fault(
    ProblemCode.BAD_IDENTITY,
    "This is not an identity number: its length, date or last digit is wrong. Write it like "
    "YYYYMMDD-NNNN, or leave it out and give the birth date. It is never kept.",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity number in twelve digits, and the birth date that it tells, if it does."""

    number: str
    birth_date: date | None


def resembles_identity(text: str) -> bool:
    """Tell whether a text could be an identity number, rightly written or not."""
    match = _NUMBER.fullmatch(_compact(text))
    if match is None:
        return False
    century, _, month, day, _, _ = match.groups()
    if century == _RESERVE:
        return True
    in_date = 1 <= int(month) <= _LAST_MONTH and 1 <= int(day) % _COORDINATION <= _LAST_DAY
    return in_date and century in {None, "18", "19", "20"}


def find_identities(text: str, today: date) -> list[Identity]:
    """Return the identity numbers that stand anywhere in a text, however they are written.

    In digits alone a date of these days is no birth date: booking systems number by the day.
    """
    found = _found(text, today)
    return list(dict.fromkeys(one for one, plainly, lately in found if plainly or not lately))


def birth_dates_in(text: str, today: date) -> tuple[set[date | None], set[date | None]]:
    """Return the birth dates of what could be identity numbers in a text; None for one without.

    First those of identity numbers and nothing else; then those of these days: so booking systems
    number by the day, with a sign between it and the serial number or without.
    """
    sure, lately = set[date | None](), set[date | None]()
    for identity, _, of_these_days in _found(text, today):
        (lately if of_these_days else sure).add(identity.birth_date)
    return sure, lately


def _found(text: str, today: date) -> Iterator[tuple[Identity, bool, bool]]:
    """Yield identity numbers, whether each is written as only they are, and is of these days."""
    if len(text) < _DIGITS:
        return
    for written, plainly in _candidates(text):
        identity = read_identity(written, today)
        if isinstance(identity, Identity):
            yield identity, plainly, _of_these_days(written, today)


def tries_identity(text: str) -> bool:
    """Tell whether something stands in a text that is written as identity numbers are."""
    return any(plainly and resembles_identity(written) for written, plainly in _candidates(text))


def may_hold_identity(text: str) -> bool:
    """Tell whether something in a text could be an identity number, rightly written or not."""
    return any(resembles_identity(written) for written, _ in _candidates(text))


def _candidates(text: str) -> Iterator[tuple[str, bool]]:
    """Yield what could be identity numbers, and whether each is written as only they are."""
    plain = text if text.isascii() else normalize("NFKC", text)
    for pattern in (_WITHIN, _IN_LONGER_NUMBER):
        for born, parted, sign, serial in pattern.findall(plain):
            digits = re.sub(r"[^0-9]", "", born)
            plus = "+" if sign == "+" else ""
            yield digits + plus + serial, bool(sign) and not parted


def _of_these_days(written: str, today: date) -> bool:
    """Tell whether the date of a number, in this century if it has none, is about now."""
    if "+" in written:
        return False
    year, month, day = written[:-8], written[-8:-6], written[-6:-4]
    century = today.year // _CENTURY * _CENTURY if len(year) == len("YY") else 0
    at = _date(century + int(year), int(month), int(day))
    return at is not None and today - _LATELY <= at <= today + _SOON


def lost_its_zeros(digits: str, today: date) -> bool:
    """Tell whether digits may be an identity number whose first zeros a spreadsheet took."""
    return _SHORTEST_WITHOUT_ZEROS <= len(digits) < _DIGITS and isinstance(
        read_identity(digits.zfill(_DIGITS), today), Identity
    )


def read_identity(text: str, today: date) -> Identity | Fault:
    """Return the identity number, with or without century; one of a reserve series has no date."""
    compact = _compact(text)
    if len(compact) == _DIGITS_WITHOUT_ZERO and compact.isdecimal():
        compact = "0" + compact
    match = _NUMBER.fullmatch(compact)
    if match is None:
        return BAD_IDENTITY
    century, year, month, day, sign, serial = match.groups()
    if not _checks(year + month + day + serial):
        return BAD_IDENTITY
    if century == _RESERVE:
        return Identity(century + year + month + day + serial, None)
    years = [int(century + year)] if century else _possible_years(int(year), sign, today)
    for full_year in years:
        born = _date(full_year, int(month), int(day) % _COORDINATION)
        if born is not None and born <= today:
            return Identity(f"{full_year:04}{month}{day}{serial}", born)
    return BAD_IDENTITY


def _compact(text: str) -> str:
    """Return the number without spaces, and without the `.0` of a spreadsheet."""
    return re.sub(r"\s|[.,]0$", "", text)


def _possible_years(year: int, sign: str, today: date) -> list[int]:
    """Return the years that two digits can mean, latest first; `+` is for those of 100 and over."""
    latest = today.year - (today.year - year) % _CENTURY
    first = latest - _CENTURY if sign == "+" else latest
    return [first, first - _CENTURY]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _checks(ten_digits: str) -> bool:
    """Tell whether the last digit is right (Luhn)."""
    total = 0
    for place, digit in enumerate(map(int, ten_digits)):
        doubled = digit * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return total % 10 == 0
