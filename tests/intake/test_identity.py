"""Identity numbers: made-up ones, told and checked, and never kept."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.intake.identity import Identity, read_identity, resembles_identity
from reminders.intake.problems import Fault, Problem, ProblemCode
from tests.intake.helpers import FORM, one, problems, results, rows, table

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


BORN = date(2016, 5, 1)


@pytest.mark.parametrize(
    ("patient", "number"),
    [
        ("Berg, Nils 20160501-2382", "201605012382"),
        ("Nils Berg (20160501-2382)", "201605012382"),
        ("Berg Nils 201605012382", "201605012382"),
        ("P-160501-2382", "201605012382"),
        ("P1605012382", "201605012382"),
        ("160501 2382 Nils", "201605012382"),
        ("2016-05-01 2382", "201605012382"),
        ("P\N{NO-BREAK SPACE}160501\N{NON-BREAKING HYPHEN}2382", "201605012382"),
        ("Nils 160561-2389", "201605612389"),  # a coordination number
        ("12:201605012382001", "201605012382"),
    ],
)
def test_an_identity_number_within_the_patient_is_read_and_not_kept(patient: str, number: str):
    """Wherever it stands in the patient's cell, it gives the birth date and a pseudonym."""
    row = one(patient=patient)
    assert (row.patient_key, row.birth_date) == (FORM.pseudonym(number), BORN)


@pytest.mark.parametrize(
    "patient", ["Nils Berg, 10 år", "Berg Nils 2016", "Bo 10", "20160501-2382 och 19121212-1212"]
)
def test_a_name_is_no_key(patient: str):
    """A text with a name in it is not kept, and two who are called alike are not taken for one."""
    assert one(patient=patient).patient_key is None


def test_a_wrong_identity_number_beside_a_name_is_told():
    """Of a number that is not right staff hear, without the number."""
    text = table(patient="Berg, Nils 20160501-2383")
    [problem] = problems(text)
    assert (problem.code, "2383" in problem.message) == (ProblemCode.BAD_IDENTITY, False)
    assert [row.patient_key for row in rows(text)] == [None]


@pytest.mark.parametrize("key", ["P201", "K-31", "000123", "pat17"])
def test_a_plain_number_is_kept(key: str):
    """A clinic's own number, which can be nothing else, is the key."""
    assert one(patient=key).patient_key == key


@pytest.mark.parametrize(
    "key",
    [
        "nils.berg2016",
        "Berg2016",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "P-160501-2383",
        "MVC 201 17",
        "505010009",  # an identity number whose first zero a spreadsheet took
    ],
)
def test_a_key_that_may_tell_more_is_kept_as_its_pseudonym(key: str):
    """A key that may be made of a name, or of an identity number, is known again and not kept."""
    assert one(patient=key).patient_key == FORM.pseudonym(key)


@pytest.mark.parametrize(
    "ref",
    [
        "B5-160501-2382",
        "B-1605012382",
        "1605012382",
        "20160501-2382/2",
        "B 2016-05-01 2382",
        "B5-160561-2389",
        "B-201605012382001",
    ],
)
def test_an_identity_number_within_a_reference_is_a_problem(ref: str):
    """A row whose reference has one in it is not read, and what is said of it repeats no digit."""
    [problem] = results(table(ref=ref))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.ref) == (ProblemCode.BAD_REF, None)
    assert not any(map(str.isdigit, problem.message))


@pytest.mark.parametrize(
    "ref",
    [
        *("B-2611300005", "202611300900", "20261130090000", "B1234567890"),
        *("20261130-0001", "20250601-0004", "20261201-0005", "261130-0001", "B 2026-11-30-0001"),
    ],
)
def test_a_reference_numbered_by_the_day_is_none(ref: str):
    """Booking systems number by date and time; such a reference is read, whatever its digits."""
    found = [one(ref=f"{ref[:-1]}{last}").ref for last in range(10)]
    assert len(found) == 10


@pytest.mark.parametrize("ref", ["20250601-0004", "202506010004", "B-250601-0004"])
@pytest.mark.parametrize(
    "told",
    [
        {"födelsedatum": "2025-06-01"},
        {"personnummer": "20250601-0004"},
        {"patientnr": "20250601-0004"},
        {"patientnr": "Nils 250601-0004"},
    ],
)
def test_the_identity_number_of_a_child_born_lately_is_no_reference(ref: str, told: dict[str, str]):
    """A date of these days on which the row's patient was born is a birth date."""
    [problem] = results(table(ref=ref, **told))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.ref) == (ProblemCode.BAD_REF, None)
    assert one(ref=ref, födelsedatum="2025-06-02").ref == ref


@pytest.mark.parametrize("ref", ["192611300001", "19261130-0001", "261130+0001"])
def test_the_identity_number_of_one_of_a_hundred_years_is_no_reference(ref: str):
    """A day of another century, or with the sign for it, is none of these days."""
    assert [problem.code for problem in problems(table(ref=ref))] == [ProblemCode.BAD_REF]


@pytest.mark.parametrize("name", ["A. Berg 20150307-9806", "Berg (1503079806)"])
def test_an_identity_number_beside_the_clinicians_name(name: str):
    """A clinician with a number after the name is not kept."""
    assert one(behandlare=name).clinician is None
