"""Swedish identity numbers: told, checked, and turned into a birth date. Never kept."""

import re
from dataclasses import dataclass
from datetime import date

from reminders.intake.problems import Fault, ProblemCode

_NUMBER = re.compile(r"(\d{2})?(\d{2})(\d{2})(\d{2})([-+–]?)(\d{4})", re.ASCII)
_UNMISTAKABLE = re.compile(r"(\d{2})?\d{6}[-+–]\d{4}|(18|19|20|99)\d{10}", re.ASCII)
_RESERVE = "99"
_COORDINATION = 60
_LAST_DAY = 31
_LAST_MONTH = 12
_CENTURY = 100
_DIGITS_WITHOUT_ZERO = 9

_FAULT = Fault(
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


def is_identity(text: str, today: date) -> bool:
    """Tell whether a text is an identity number beyond doubt: ten digits alone may not be."""
    written = _compact(text)
    return _UNMISTAKABLE.fullmatch(written) is not None and isinstance(
        read_identity(written, today), Identity
    )


def read_identity(text: str, today: date) -> Identity | Fault:
    """Return the identity number, with or without century; one of a reserve series has no date."""
    compact = _compact(text)
    if len(compact) == _DIGITS_WITHOUT_ZERO and compact.isdecimal():
        compact = "0" + compact
    match = _NUMBER.fullmatch(compact)
    if match is None:
        return _FAULT
    century, year, month, day, sign, serial = match.groups()
    if not _checks(year + month + day + serial):
        return _FAULT
    if century == _RESERVE:
        return Identity(century + year + month + day + serial, None)
    years = [int(century + year)] if century else _possible_years(int(year), sign, today)
    for full_year in years:
        born = _date(full_year, int(month), int(day) % _COORDINATION)
        if born is not None and born <= today:
            return Identity(f"{full_year:04}{month}{day}{serial}", born)
    return _FAULT


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
