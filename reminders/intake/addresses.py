"""Phone numbers and email addresses, with what spreadsheets do to them undone or told."""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from reminders.intake.problems import Fault, ProblemCode

_FORMULA = re.compile(r"[=@]|[+-].*[^\W\d_]|[+-].*[|!]")
_EXPONENT = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]?\d+", re.IGNORECASE)
_DECIMAL_END = re.compile(r"(\d{4,})[.,]0")
_PHONE = re.compile(r"\+?[\d\s()./\u002d\u2010-\u2015\u2212]+")
_LONGEST_PHONE = 40
_SWEDISH_MOBILE = re.compile(r"(?:\+46|0)(7[02369]\d{7})", re.ASCII)
_SEPARATORS = str.maketrans("", "", " -")
_PLAIN_LOCAL_PART = re.compile(r"[a-z0-9_]+(?:[.+-][a-z0-9_]+)*", re.ASCII | re.IGNORECASE)
_LONGEST_LOCAL_PART = 64
_LONGEST_EMAIL = 254

_FORMULA_FAULT = Fault(
    ProblemCode.FORMULA,
    "The cell holds a spreadsheet formula, which is never run. Write the value itself.",
)
_LOST_DIGITS_FAULT = Fault(
    ProblemCode.LOST_DIGITS,
    "The spreadsheet has shortened the number (as in 7,01E+08), and digits are lost. Format the "
    "column as text, fill it in again and export again.",
)
_LETTERS_FAULT = Fault(
    ProblemCode.BAD_PHONE,
    "The phone number has letters or other signs in it. Write one number alone, "
    "like 070-174 06 05.",
)
_PHONE_FAULT = Fault(
    ProblemCode.BAD_PHONE,
    "This is not a whole phone number. Write it like 070-174 06 05, or from another country like "
    "+47 and the number.",
)
_NOT_MOBILE_FAULT = Fault(
    ProblemCode.NOT_MOBILE,
    "The phone number takes no text messages. Write a mobile number, like 070-174 06 05.",
)
_EMAIL_FAULT = Fault(
    ProblemCode.BAD_EMAIL,
    "This is not an email address. Write one address alone, like name@example.org, with no "
    "å, ä or ö before the @.",
)
_MOBILE_TYPES = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


def damage(text: str) -> Fault | None:
    """Return what a spreadsheet did to a value that stands for itself, if it cannot be undone."""
    if _FORMULA.match(text):
        return _FORMULA_FAULT
    return _LOST_DIGITS_FAULT if _EXPONENT.fullmatch(text) else None


def without_decimals(text: str) -> str:
    """Return a whole number without the `.0` that some exports put after it."""
    match = _DECIMAL_END.fullmatch(text)
    return match[1] if match else text


def plain_mobile(text: str, region: str) -> str | None:
    """Return an ordinary Swedish mobile number in E.164; None for every other text.

    Nearly every number is one of these, and the library's full grammar is slow in a large file.
    """
    plain = _SWEDISH_MOBILE.fullmatch(text.translate(_SEPARATORS))
    return "+46" + plain[1] if plain and (region == "SE" or text[0] == "+") else None


def mobile_number(text: str, region: str) -> str | Fault:
    """Return a mobile number in E.164. `region` (ISO 3166) is that of numbers without a country."""
    plain = plain_mobile(text, region)
    if plain is not None:
        return plain
    damaged = damage(text)
    if damaged is not None:
        return damaged
    digits = without_decimals(unicodedata.normalize("NFKC", text))
    # Before parsing: libphonenumber takes the letters of '070-1234567 (mamma)' for digits.
    if not _PHONE.fullmatch(digits):
        return _LETTERS_FAULT
    if len(digits) > _LONGEST_PHONE:
        return _PHONE_FAULT
    try:
        number = phonenumbers.parse(digits, region)
    except NumberParseException:
        return _PHONE_FAULT
    if not phonenumbers.is_valid_number(number):
        return _PHONE_FAULT
    if phonenumbers.number_type(number) not in _MOBILE_TYPES:
        return _NOT_MOBILE_FAULT
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def email_address(text: str) -> str | Fault:
    """Return an email address in the form that mail is sent to."""
    damaged = damage(text)
    if damaged is not None:
        return damaged
    if len(text) > _LONGEST_EMAIL:
        return _EMAIL_FAULT
    local_part, _, domain = text.rpartition("@")
    if len(local_part) <= _LONGEST_LOCAL_PART and _PLAIN_LOCAL_PART.fullmatch(local_part):
        checked = _domain(domain)
        return _EMAIL_FAULT if checked is None else f"{local_part}@{checked}"
    return _checked_email(text) or _EMAIL_FAULT


@lru_cache(maxsize=1024)
def _domain(domain: str) -> str | None:
    """Return the domain in ASCII if mail can be sent there; most addresses share a few."""
    checked = _checked_email(f"name@{domain}")
    return checked and checked.removeprefix("name@")


def _checked_email(text: str) -> str | None:
    try:
        valid = validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        return None
    return valid.ascii_email
