"""Spreadsheets: what is in them is read as it is meant, or told; what is not one is refused."""

import io
import random
import zipfile
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Role
from reminders.errors import RefusedFileError
from reminders.intake import sheet_worker
from reminders.intake.bookings import Problem, ProblemCode, Row
from reminders.intake.sheet_worker import RefusedError
from tests.intake.helpers import codes, problems, refused, results, rows
from tests.intake.sheets import Fault, Formula, Value, book, ods, sheet_xml, xlsx, zipped

HEADER = ("Boknings-ID", "Starttid", "Mobil", "Status")
START = datetime(2026, 12, 1, 9, 0)
BOOKING = ("A1", START, "070-174 06 05", "Bokad")


def one(*values: Value, header: tuple[str, ...] = HEADER) -> Row:
    """Return the row of a sheet of one booking, which has no problems."""
    (row,) = results(xlsx(header, values))
    assert isinstance(row, Row)
    return row


def test_a_date_is_a_date() -> None:
    """A cell with date and time is the clinic's wall-clock time."""
    row = one(*BOOKING)
    assert row.starts_at == datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    assert (row.line, row.ref, row.people[0].phone) == (2, "A1", "+46701740605")


def test_date_and_time_in_two_columns() -> None:
    """A date cell and a time cell together are the time of the visit."""
    header = ("Boknings-ID", "Datum", "Tid", "Mobil")
    row = one("A1", date(2026, 12, 1), time(9, 30), "0701740605", header=header)
    assert row.starts_at == datetime(2026, 12, 1, 8, 30, tzinfo=UTC)


def test_a_date_alone_is_no_time_of_a_visit() -> None:
    """A date without a time is a problem, and nobody is asked to come at midnight."""
    assert codes(xlsx(HEADER, ("A1", date(2026, 12, 1), "0701740605", ""))) == [
        ProblemCode.BAD_TIME
    ]


@pytest.mark.parametrize(
    ("number", "phone"),
    [
        (701740605, "+46701740605"),
        (701740605.0, "+46701740605"),
        (46701740605, "+46701740605"),
        (812352207, ProblemCode.NOT_MOBILE),
        (7.01740605e20, ProblemCode.LOST_DIGITS),
        (70174060, ProblemCode.BAD_PHONE),
        (701740605.5, ProblemCode.BAD_PHONE),
        (True, ProblemCode.BAD_PHONE),
        (START, ProblemCode.BAD_PHONE),
        (Fault("#N/A"), ProblemCode.BAD_PHONE),
    ],
)
def test_a_number_without_its_zero_is_right_or_a_problem(number, phone) -> None:
    """A phone number that lost its zero is put right; one that lost more is never guessed."""
    found = results(xlsx(HEADER, ("A1", START, number, "")))
    people = [person.phone for item in found if isinstance(item, Row) for person in item.people]
    told = [item.code for item in found if isinstance(item, Problem)]
    assert [*people, *told] == [phone]


def test_numbers_that_stand_for_themselves() -> None:
    """A reference and an identity number that are numbers are read whole."""
    header = ("Boknings-ID", "Starttid", "Mobil", "Personnummer")
    row = one(12345678, START, "0701740605", 201212121212, header=header)
    assert row.ref == "12345678"
    assert row.birth_date == date(2012, 12, 12)


def test_yes_and_no_are_cells_of_their_own() -> None:
    """A cell of true or false answers yes or no."""
    header = ("Boknings-ID", "Starttid", "Mobil", "Avbokad", "Skyddad")
    row = one("A1", START, "0701740605", True, False, header=header)
    assert (row.status, row.protected) == (VisitStatus.CANCELLED, False)


def test_a_formula_is_taken_by_its_value() -> None:
    """Of a formula its last value is taken."""
    assert one("A1", START, Formula("070-174 06 05"), "").people[0].phone == "+46701740605"


def test_an_error_in_a_status_is_not_an_empty_status() -> None:
    """A status that shows #N/A is a problem; it is not taken as booked."""
    assert codes(xlsx(HEADER, ("A1", START, "0701740605", Fault("#N/A")))) == [
        ProblemCode.UNKNOWN_STATUS
    ]


def test_text_that_looks_like_a_formula_is_text() -> None:
    """A text that begins with = is data, and a problem where a phone number should be."""
    said = '=HYPERLINK("http://evil.example";"070-174 06 05")'
    assert codes(xlsx(HEADER, ("A1", START, said, ""))) == [ProblemCode.FORMULA]


def test_the_first_sheet_that_can_be_seen() -> None:
    """A hidden sheet before it, and further sheets after it, are not read."""
    sheets = {
        "hidden": sheet_xml([HEADER, ("H1", START, "0701740605", "")]),
        "Bokningar": sheet_xml([HEADER, BOOKING]),
        "Annat": sheet_xml([HEADER, ("X1", START, "0701740605", "")]),
    }
    assert [row.ref for row in rows(book(sheets, hidden=["hidden"]))] == ["A1"]
    assert refused(book(sheets, hidden=list(sheets))) == [(ProblemCode.EMPTY_FILE, 1)]


def test_a_problem_names_row_and_column() -> None:
    """Rows are numbered as the sheet shows them, empty ones too, and columns have their letters."""
    late, bad = ("", "A2", "x", "1", ""), ("", "A3", START, "1", "")
    told = problems(xlsx(("", *HEADER), (), ("", *BOOKING), (None, None), late, bad, first=4))
    assert [(p.line, p.column) for p in told] == [(8, "Starttid (C)"), (9, "Mobil (D)")]


def test_merged_cells_hold_for_each_row() -> None:
    """A reference merged over two rows is the booking of both guardians."""
    header = ("Boknings-ID", "Starttid", "Mobil", "Roll")
    first = ("A1", START, "070-174 06 05", "mamma")
    second = (None, START, "070-174 06 06", "pappa")
    found = rows(xlsx(header, first, second, merged="A2:A3"))
    assert [(row.ref, row.people[0].role) for row in found] == [("A1", Role.GUARDIAN)] * 2
    assert codes(xlsx(header, first, second)) == [ProblemCode.BAD_REF]


def test_what_stands_under_no_header_is_not_read() -> None:
    """A remark to the right of the table does no harm."""
    assert [row.ref for row in rows(xlsx(HEADER, (*BOOKING, "", "ring mamma!")))] == ["A1"]


def test_an_open_document() -> None:
    """An .ods file is read the same way; a protected one is refused with what to do."""
    assert [row.ref for row in rows(ods(HEADER, BOOKING))] == ["A1"]
    assert refused(ods(HEADER, BOOKING, encrypted=True)) == [(ProblemCode.PASSWORD, 1)]


def _bomb() -> bytes:
    return zipped({"xl/workbook.xml": b"\0" * (sheet_worker.LARGEST_UNPACKED // 4)})


def _lying_bomb() -> bytes:
    """Return an archive whose directory says that its part is small."""
    data = bytearray(zipped({"xl/worksheets/sheet1.xml": b" " * 3_000_000}))
    told = (3_000_000).to_bytes(4, "little")
    while (place := data.find(told)) >= 0:
        data[place : place + 4] = (10).to_bytes(4, "little")
    return bytes(data)


CELL_FAR_AWAY = book(
    {
        "Blad1": sheet_xml([HEADER, BOOKING]).replace(
            "</sheetData>",
            '<row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row></sheetData>',
        )
    }
)
LOCKED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (LOCKED, ProblemCode.PASSWORD),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, ProblemCode.NOT_TEXT),
        (xlsx(HEADER, BOOKING)[:900], ProblemCode.BROKEN_SHEET),
        (zipped({"word/document.xml": "<w/>"}), ProblemCode.BROKEN_SHEET),
        (xlsx(), ProblemCode.EMPTY_FILE),
        (xlsx((None, None), ("  ",)), ProblemCode.EMPTY_FILE),
        (xlsx(("rubrik", "annan")), ProblemCode.MISSING_COLUMN),
        (xlsx(HEADER, ("A1", START, "x" * 70_000, "")), ProblemCode.TOO_LONG),
        (CELL_FAR_AWAY, ProblemCode.TOO_LARGE),
        (_lying_bomb(), ProblemCode.BROKEN_SHEET),
        (zipped({f"part{n}": b"" for n in range(3000)}), ProblemCode.TOO_LARGE),
    ],
)
def test_what_is_refused(data: bytes, code: ProblemCode) -> None:
    """What is locked, broken, empty or a bomb is refused in words, and nothing is read of it."""
    assert [found for found, _ in refused(data)] == [code]


def test_a_bomb_is_refused_by_its_real_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that tells a small size and unpacks to more is stopped while it unpacks."""
    monkeypatch.setattr(sheet_worker, "LARGEST_UNPACKED", 2_000_000)
    stream = io.BytesIO(b"a" * 3_000_000)
    with pytest.raises(RefusedError, match="too_large"):
        sheet_worker._read_through(stream, "x", sheet_worker.LARGEST_UNPACKED, set())
    with pytest.raises(RefusedError, match="too_large"):
        list(sheet_worker.rows(zipped({"a": b"\0" * 3_000_000})))


@pytest.mark.long
def test_a_great_bomb_takes_little_memory(tmp_path: Path) -> None:
    """Two gigabytes in two megabytes are refused, and this process hardly grows."""
    import resource

    path = tmp_path / "bomb.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(2_000):
            part.write(b"\0" * 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(path) == [(ProblemCode.TOO_LARGE, 1)]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_worker_that_dies_refuses_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If the process that reads a sheet dies midway, the file is refused; its rows are not kept."""
    from reminders.intake import sheet

    dying = tmp_path / "dying.py"
    dying.write_text('import os\nprint(\'["ref","start","mobil"]\', flush=True)\nos.abort()\n')
    monkeypatch.setattr(sheet, "_WORKER", dying)
    assert refused(xlsx(HEADER, BOOKING)) == [(ProblemCode.TOO_LARGE, 1)]


@settings(max_examples=20)
@given(st.data())
def test_any_bytes_like_a_spreadsheet(data: st.DataObject) -> None:
    """A spreadsheet with bytes changed, put in or taken away is read or refused."""
    content = bytearray(xlsx(HEADER, BOOKING, ("A2", START, 701740606, Fault("#N/A"))))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(4, len(content)))
        taken = data.draw(st.integers(0, 40))
        content[place : place + taken] = data.draw(st.binary(max_size=8))
    try:
        results(bytes(content))
    except RefusedFileError as error:
        assert error.problems


values = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**18), 10**18),
    st.datetimes(datetime(1900, 3, 1), datetime(2200, 1, 1)),
    st.times(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20).filter(
        lambda text: "\ufffe" not in text and "\uffff" not in text
    ),
)


TABLES = st.lists(st.lists(values, max_size=7), max_size=5)
UNDER = ("ref", "starts_at", "mobil", "status", "personnummer", "e-post")


@given(TABLES)
def test_any_cells(table: list[list[Value]]) -> None:
    """Cells of any kind become texts, a row for each."""
    found = list(sheet_worker.rows(xlsx(UNDER, *table)))
    assert all(isinstance(cell, str) for row in found for cell in row)
    assert len(found) <= len(table) + 1


@settings(max_examples=8)
@given(TABLES)
def test_any_cells_as_bookings(table: list[list[Value]]) -> None:
    """Cells of any kind under known headers are rows and problems, or are refused in words."""
    try:
        results(xlsx(UNDER, *table))
    except RefusedFileError as error:
        assert error.problems


def test_bytes_that_begin_like_an_archive() -> None:
    """Random bytes behind an archive's first four are refused."""
    chance = random.Random(4)
    for _ in range(20):
        data = b"PK\x03\x04" + chance.randbytes(chance.randrange(400))
        with pytest.raises(RefusedError):
            list(sheet_worker.rows(data))
