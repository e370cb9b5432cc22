"""The short way for ordinary rows says what the long way says."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.intake import bookings
from reminders.intake.addresses import plain_mobile
from tests.intake.helpers import items as read

HEAD = (
    "ref;patient;starttid;typ;status;mobil;tel;e-post;språk;roll;samtycke;född;skyddad;behandlare\n"
)

CELLS = (
    ["B1", "000123", "1E5", "=1", "2.0", "b_1-x", "åäö", " B2 ", "", "'7", "B1"],
    ["P-17", "1234567", "20160501-1234", "Anna", "1E5", "", "191212121212", "²", "a1b2", "P1"],
    ["2026-12-02 10:00", "2026-12-02 10:00", "1/12-2026 09.00", "2020-01-01 10:00", "nyss", ""],
    ["Video", "video", "Videobesök ", "besök", "", "Telefon"],
    ["bokad", "", "avbokad", "kanske", "Bokad", "Genomförd", "Ankommen"],
    ["070-174 06 05", "0701740606", "+46701740607", "08-123 456", "070-mamma", "7,01E+08", ""],
    ["", "", "0701740608", "08-465 004 00", "0701740605"],
    ["", "", "a@example.org", "a@å.example.org", "ingen", "'a@example.org", "A.b+c@example.org"],
    ["", "svenska", "klingonska", "en"],
    ["", "patient", "mamma", "granne"],
    ["", "ja", "nej", "kanske"],
    ["", "2016-05-01", "1950-02-03", "20160501-1234", "i går", "2099-01-01"],
    ["", "nej", "ja", "kanske"],
    ["", "A. Berg", " a  berg "],
)


@given(st.lists(st.tuples(*map(st.sampled_from, CELLS)), min_size=1, max_size=4))
def test_the_short_way_agrees_with_the_long_way(rows: list[tuple[str, ...]]) -> None:
    """Whatever stands in the cells, rows and problems are those that the long way finds."""
    lines = [f"R{n}{cells[0]};" + ";".join(cells[1:]) for n, cells in enumerate(rows)]
    text = HEAD + "\n".join(lines) + "\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bookings._Reader, "_plain", lambda self, record: None)
        long_way = read(text)
    assert read(text) == long_way


def test_an_ordinary_row_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row that nearly every file is made of is read the short way."""

    def refuse(*_: object) -> None:
        raise AssertionError("the long way")

    monkeypatch.setattr(bookings._Reader, "read_fully", refuse)
    line = (
        "B1;P1;2026-12-02 10:00;video;bokad;070-174 06 05;;a@example.org;sv;;ja;2016-05-01;;A. Berg"
    )
    assert len(read(HEAD + line)) == 1


PREFIX = st.sampled_from(["070", "072", "073", "076", "079", "071", "074", "075", "08", "010"])
COUNTRY = st.sampled_from(["0", "+46", "0046", "46", "+47", "+46 0"])
SPACED = st.lists(st.sampled_from([*"0123456789 -"]), min_size=5, max_size=11).map("".join)


@given(COUNTRY, PREFIX, SPACED, st.sampled_from(["SE", "NO", "FI"]))
def test_a_plain_number_is_what_the_library_says(
    country: str, prefix: str, rest: str, region: str
) -> None:
    """A number taken the short way is a mobile to the library too, and the same one."""
    text = country + prefix.removeprefix("0") + rest
    plain = plain_mobile(text, region)
    if plain is not None:
        number = phonenumbers.parse(text, region)
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
        assert plain == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@given(st.sampled_from(["070", "072", "073", "076", "079"]), st.integers(0, 9_999_999))
def test_every_ordinary_mobile_takes_the_short_way(prefix: str, rest: int) -> None:
    """Whatever the library takes for a Swedish mobile is read the short way in its usual forms."""
    digits = f"{prefix}{rest:07}"
    number = phonenumbers.parse(digits, "SE")
    mobile = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
    usual = f"{digits[:3]}-{digits[3:6]} {digits[6:8]} {digits[8:]}"
    for text in (digits, usual, "+46" + digits[1:], f"+46 {digits[1:3]} {digits[3:]}"):
        assert (plain_mobile(text, "SE") is not None) == mobile
