"""Identity numbers: made-up ones, told and checked, and never kept."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.intake.identity import Identity, read_identity, resembles_identity
from reminders.intake.problems import Fault, ProblemCode
from tests.intake.helpers import one, problems, table

TODAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("text", "number", "born"),
    [
        ("19121212-1212", "191212121212", date(1912, 12, 12)),
        ("191212121212", "191212121212", date(1912, 12, 12)),
        ("121212-1212", "201212121212", date(2012, 12, 12)),
        ("121212+1212", "191212121212", date(1912, 12, 12)),
        ("1212121212", "201212121212", date(2012, 12, 12)),
        ("121212 1212", "201212121212", date(2012, 12, 12)),
        ("1212121212.0", "201212121212", date(2012, 12, 12)),
        ("000101-0008", "200001010008", date(2000, 1, 1)),
        ("261201-0005", "192612010005", date(1926, 12, 1)),  # not born yet in 2026
        ("121272-1219", "201212721219", date(2012, 12, 12)),  # a coordination number
        ("992014010124", "992014010124", None),  # a region's reserve number
    ],
)
def test_identity_numbers(text: str, number: str, born: date | None) -> None:
    """Each way to write a number is the same twelve digits, with the birth date it tells."""
    identity = read_identity(text, TODAY)
    assert isinstance(identity, Identity)
    assert identity.number == number
    assert identity.birth_date == born
    assert resembles_identity(text)


@pytest.mark.parametrize(
    "text",
    [
        "19121212-1213",
        "121312-1212",
        "20270101-0007",
        "20120230-0008",
        "1212121",
        "121212-121X",
        "2,01212E+11",
        "",
        "B1001",
    ],
)
def test_wrong_identity_numbers(text: str) -> None:
    """A number with a wrong length, date or last digit is told of, without its digits."""
    fault = read_identity(text, TODAY)
    assert isinstance(fault, Fault)
    assert fault.code is ProblemCode.BAD_IDENTITY


def test_lost_zero() -> None:
    """The zero that a spreadsheet takes from a number of ten digits is put back."""
    assert read_identity("001010008", TODAY) == read_identity("0001010008", TODAY)


@pytest.mark.parametrize("text", ["P201", "1001", "20261201", "121312-1212", "551212121212"])
def test_what_resembles_none(text: str) -> None:
    """A clinic's own number is not taken for an identity number."""
    assert not resembles_identity(text)


@given(st.text(max_size=20))
def test_any_text(text: str) -> None:
    """No text makes the reader fail."""
    assert isinstance(read_identity(text, TODAY), Identity | Fault)


@pytest.mark.parametrize("number", ["20150307-9806", "201503079806", "150307-9806"])
def test_an_identity_number_is_no_reference(number: str):
    """An identity number as the booking's reference is refused without repeating it."""
    [problem] = problems(table(ref=number))
    assert (problem.code, number in problem.message, problem.ref) == (
        ProblemCode.BAD_REF,
        False,
        None,
    )


def test_an_identity_number_is_no_clinician():
    """An identity number where the clinician stands is not kept."""
    assert one(behandlare="20150307-9806").clinician is None
    assert one(behandlare="A. Berg").clinician == "A. Berg"
