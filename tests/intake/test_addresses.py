"""Phone numbers and email addresses as clinics' files have them."""

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from reminders.intake.addresses import email_address, mobile_number
from reminders.intake.problems import Fault, ProblemCode

NUMBER = "+46701740605"

SAME_NUMBER = [
    "070-174 06 05",
    "0701740605",
    "070 1740605",
    "070/174 06 05",
    "(070) 174 06 05",
    "070–174 06 05",
    "070‑174 06 05",  # a non-breaking hyphen
    "070\u2212174 06 05",  # a minus sign
    "070-174\u00a006\u202f05",
    "+46701740605",
    "+46 70 174 06 05",
    "+46 (0)70 174 06 05",
    "0046 70 174 06 05",
    "46701740605",
    "701740605",
    "701740605.0",
    "46701740605,0",
    "０７０１７４０６０５",
]


@pytest.mark.parametrize("text", SAME_NUMBER)
def test_ways_to_write_a_number(text: str) -> None:
    """A number is the same in any spelling, and with its leading zero lost."""
    assert mobile_number(text, "SE") == NUMBER


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("070-174 06 05 (mamma)", ProblemCode.BAD_PHONE),
        ("mamma 070-174 06 05", ProblemCode.BAD_PHONE),
        ("070-174 06 05, 070-174 06 06", ProblemCode.BAD_PHONE),
        ("070-174 06 05 070-174 06 06", ProblemCode.BAD_PHONE),
        ("0701740605/0701740606", ProblemCode.BAD_PHONE),
        ("070-174 06 05;ext=1", ProblemCode.BAD_PHONE),
        ("070-174 06 05#1", ProblemCode.BAD_PHONE),
        ("070-174 06 0", ProblemCode.BAD_PHONE),
        ("070-174 06 055", ProblemCode.BAD_PHONE),
        ("112", ProblemCode.BAD_PHONE),
        ("-", ProblemCode.BAD_PHONE),
        ("saknas", ProblemCode.BAD_PHONE),
        ("0" * 41, ProblemCode.BAD_PHONE),
        ("7,01741E+08", ProblemCode.LOST_DIGITS),
        ("7.01741e+08", ProblemCode.LOST_DIGITS),
        ("4,67E+10", ProblemCode.LOST_DIGITS),
        ('=HYPERLINK("http://example.org")', ProblemCode.FORMULA),
        ("+cmd|' /C calc'!A0", ProblemCode.FORMULA),
        ("@SUM(1+1)", ProblemCode.FORMULA),
        ("-A1", ProblemCode.FORMULA),
        ("031-390 06 00", ProblemCode.NOT_MOBILE),
        ("08-465 004 00", ProblemCode.NOT_MOBILE),
        ("010-123 45 67", ProblemCode.NOT_MOBILE),
        ("0740-12 34 56", ProblemCode.NOT_MOBILE),
    ],
)
def test_numbers_that_take_no_text(text: str, code: ProblemCode) -> None:
    """A number that is not whole, not alone or not mobile is told of, and never repaired."""
    fault = mobile_number(text, "SE")
    assert isinstance(fault, Fault)
    assert fault.code is code


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+1 201 555 0123", "SE", "+12015550123"),  # fixed or mobile: the country does not tell
        ("0701740605", "FI", None),
        ("+46 70 174 06 05", "FI", NUMBER),
        ("050 123 4567", "FI", "+358501234567"),
    ],
)
def test_other_countries(text: str, region: str, number: str | None) -> None:
    """A number without a country is of the clinic's region; one with a country is of that."""
    read = mobile_number(text, region)
    assert (None if isinstance(read, Fault) else read) == number


@pytest.mark.parametrize("prefix", ["70", "72", "73", "76", "79"])
@pytest.mark.parametrize("rest", ["0000000", "1740605", "4999999", "9999999"])
def test_the_short_way_agrees(prefix: str, rest: str) -> None:
    """Swedish mobile numbers are what libphonenumber, which is not asked for them, says."""
    number = phonenumbers.parse(f"0{prefix}{rest}", "SE")
    assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert mobile_number(f"0{prefix}{rest}", "SE") == expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("alma.ek@example.org", "alma.ek@example.org"),
        ("Alma.Ek@Example.ORG", "Alma.Ek@example.org"),
        ("alma+video@example.org", "alma+video@example.org"),
        ("o'ek@example.org", "o'ek@example.org"),
        ("alma@exempel-räksmörgås.se", "alma@xn--exempel-rksmrgs-8kbw71a.se"),
    ],
)
def test_email(text: str, address: str) -> None:
    """An address is kept as mail is sent to it."""
    assert email_address(text) == address


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("alma.ek", ProblemCode.BAD_EMAIL),
        ("alma@", ProblemCode.BAD_EMAIL),
        ("@example.org", ProblemCode.FORMULA),
        ("alma@example", ProblemCode.BAD_EMAIL),
        ("alma..ek@example.org", ProblemCode.BAD_EMAIL),
        ("alma@example.org, bo@example.org", ProblemCode.BAD_EMAIL),
        ("Alma Ek <alma@example.org>", ProblemCode.BAD_EMAIL),
        ("älma@example.org", ProblemCode.BAD_EMAIL),
        ("alma ek@example.org", ProblemCode.BAD_EMAIL),
        ("alma@example.org\nBcc: x@example.org", ProblemCode.BAD_EMAIL),
        ("a" * 65 + "@example.org", ProblemCode.BAD_EMAIL),
        ("a@" + "b." * 200 + "se", ProblemCode.BAD_EMAIL),
        ("=cmd@example.org", ProblemCode.FORMULA),
    ],
)
def test_what_is_no_email(text: str, code: ProblemCode) -> None:
    """What mail cannot be sent to is told of."""
    fault = email_address(text)
    assert isinstance(fault, Fault)
    assert fault.code is code
    assert text not in fault.message


@given(st.one_of(st.emails(), st.from_regex(r"\A[a-zA-Z0-9._+-]{1,70}@[a-z0-9.-]{1,20}\Z")))
def test_the_short_way_agrees_on_email(text: str) -> None:
    """Plain addresses are judged as email-validator, which sees their domain alone, judges them."""
    read = email_address(text)
    if isinstance(read, Fault) and read.code is ProblemCode.FORMULA:
        return
    try:
        expected = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except EmailNotValidError:
        assert isinstance(read, Fault)
    else:
        assert read == expected.ascii_email


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """No text makes the readers fail."""
    assert isinstance(mobile_number(text, "SE"), str | Fault)
    assert isinstance(email_address(text), str | Fault)
