"""From bytes to records: encodings, delimiters, and files that are broken as a whole."""

import io
import zipfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from reminders.errors import RefusedFileError
from reminders.intake import table as table_module
from reminders.intake.bookings import Problem, ProblemCode, read
from reminders.intake.encoding import LONGEST_LINE, detect_encoding
from reminders.intake.table import assumed_encoding
from tests.intake.helpers import (
    FILE,
    FORM,
    HEADER,
    NOW,
    ROW,
    codes,
    problems,
    refusal,
    refused,
    results,
    rows,
)

SWEDISH = "Boknings-ID;Tidpunkt;Besökstyp;Mobil\nÅÄÖ-1;2026-12-01 09:00;Videobesök;070–174 06 05\n"


@pytest.mark.parametrize(
    ("encoding", "mark", "assumed"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8-sig", b"", "utf-8-sig"),
        ("utf-16-le", b"\xff\xfe", "utf-16"),
        ("utf-16-be", b"\xfe\xff", "utf-16"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("cp1252", b"", "cp1252"),
        ("mac_roman", b"", "mac_roman"),
    ],
)
def test_encodings(encoding: str, mark: bytes, assumed: str) -> None:
    """A file reads the same in each encoding that clinics' programs write."""
    data = mark + SWEDISH.encode(encoding)
    (row,) = rows(data)
    assert (row.ref, row.kind, row.video) == ("ÅÄÖ-1", "Videobesök", True)
    assert row.people[0].phone == "+46701740605"
    assert assumed_encoding(data) == assumed


def test_dos_encoding() -> None:
    """A file of an old program in code page 850 keeps its Swedish letters."""
    (row,) = rows(SWEDISH.replace("–", "-").encode("cp850"))
    assert row.video


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_delimiters(delimiter: str, ending: str) -> None:
    """The delimiter is found from the header, and any line ending is understood."""
    assert len(rows(FILE.replace(";", delimiter).replace("\n", ending))) == 1


def test_delimiter_by_known_headers() -> None:
    """Commas inside a header do not hide that semicolons part the columns."""
    text = 'ref;starts_at;"namn, efternamn, titel, annat";mobil\nA1;2026-12-01 09:00;x;0701740605\n'
    assert len(rows(text)) == 1


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\n\n", ";;;"])
def test_lines_before_the_header(first: str) -> None:
    """A line that declares the delimiter, and blank lines, may come before the header."""
    assert [row.line for row in rows(f"{first}\n{FILE}")] == [first.count("\n") + 3]


def test_declared_delimiter() -> None:
    """A delimiter that is declared is believed."""
    assert len(rows("sep=|\n" + FILE.replace(";", "|"))) == 1


def test_line_breaks_in_quotes() -> None:
    """A line break inside quotation marks belongs to the text, and lines are still counted."""
    text = f'{HEADER};anteckning\n{ROW};"en\ntvå\ntre"\nA2;x;;;\n'
    assert [(r.line, r.ref) for r in results(text)] == [(2, "A1"), (5, "A2")]


def test_no_newline_at_the_end() -> None:
    """The last row needs no newline when it is whole."""
    assert len(rows(FILE.rstrip("\n"))) == 1


class EndlessLine(io.RawIOBase):
    """Two gigabytes of one line, made as they are read; `given` counts them."""

    size, given = 2 << 30, 0

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self.place = self.size + place if whence == io.SEEK_END else place
        return self.place

    def read(self, size: int = -1) -> bytes:
        """Return what is asked for; all of it would not fit."""
        assert 0 <= size <= 1 << 20
        self.given += size
        return b"x" * size


def test_a_line_of_two_gigabytes_is_not_read_to_its_end() -> None:
    """A line without an end is refused after a small part of it."""
    line = EndlessLine()
    with pytest.raises(RefusedFileError) as found:
        detect_encoding(cast("BinaryIO", line))
    [problem] = found.value.problems
    assert isinstance(problem, Problem)
    assert problem.code is ProblemCode.TOO_LONG
    assert line.given <= 2 << 20


def test_trailing_blanks_are_fast() -> None:
    """A hundred thousand empty rows, and ten thousand empty columns, are passed over."""
    wide = "".join(line + ";" * 10_000 + "\n" for line in FILE.splitlines())
    assert len(results(wide + ";;;\n" * 50_000 + "\n" * 50_000)) == 1


def test_cells_left_off_at_the_end_of_a_row() -> None:
    """Empty cells that a spreadsheet leaves off at the end of a row are empty."""
    assert len(rows(f"{HEADER};roll;språk\nA1;2026-12-01 09:00;0701740605\n{ROW}\n")) == 2


@pytest.mark.parametrize("vital", ["status", "Skyddad", "Samtycke SMS", "vh1 samtycke", "avbokad"])
def test_a_row_without_a_cell_that_may_forbid_a_text(vital: str) -> None:
    """A row that ends before status, protection or consent is a problem, and nobody is texted."""
    text = f"{HEADER};vh1_mobil;{vital};språk\n{ROW};\n{ROW.replace('A1', 'A2')};;;\n"
    assert [(p.code, p.ref) for p in problems(text)] == [(ProblemCode.BROKEN_ROW, "A1")]
    assert [row.ref for row in rows(text)] == ["A2"]
    assert len(rows(text.replace(f"{ROW};\n", f"{ROW};;\n"))) == 2


def test_header_alone() -> None:
    """A file with a header and no bookings has nothing in it, and nothing wrong."""
    assert results(HEADER) == []


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


UTF8_ROW = "B1;2026-12-01 10:00;0701740606;å@example.org\n".encode()
BROKEN: dict[str, tuple[bytes, ProblemCode, int]] = {
    "nothing": (b"", ProblemCode.EMPTY_FILE, 1),
    "a byte order mark alone": (b"\xef\xbb\xbf", ProblemCode.EMPTY_FILE, 1),
    "blank lines alone": (b"\n;;;\n \n", ProblemCode.EMPTY_FILE, 1),
    "no-break spaces alone": ("\u00a0\n\u00a0;\n".encode(), ProblemCode.EMPTY_FILE, 1),
    "a zip archive that is no spreadsheet": (zipped(), ProblemCode.BROKEN_SHEET, 1),
    "an older spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99, ProblemCode.NOT_TEXT, 1),
    "a PDF": (b"%PDF-1.7\n...", ProblemCode.NOT_TEXT, 1),
    "a web page": (b"\xef\xbb\xbf \n<html><table>", ProblemCode.NOT_TEXT, 1),
    "a compressed file": (b"\x1f\x8b\x08\x00" * 9, ProblemCode.NOT_TEXT, 1),
    "UTF-8 and Windows-1252 in one": (
        FILE.encode() + UTF8_ROW + "B2;å;;\n".encode("cp1252"),
        ProblemCode.MIXED_ENCODING,
        4,
    ),
    "Windows-1252 before UTF-8": (
        FILE.encode() + "B2;å;;\n".encode("cp1252") + UTF8_ROW,
        ProblemCode.MIXED_ENCODING,
        3,
    ),
    "a byte that no encoding has": (FILE.encode() + b"B2;\xe5\x81;;\n", ProblemCode.MIXED_ENCODING, 3),
    "UTF-16 cut in the middle of a letter": (
        FILE.encode("utf-16")[:-1],
        ProblemCode.MIXED_ENCODING,
        2,
    ),
    "an unclosed quotation mark": (
        f'{FILE}B1;"2026-12-01 10:00;;\n{ROW}\n'.encode(),
        ProblemCode.OPEN_QUOTE,
        3,
    ),
    "an unclosed quotation mark before a quoted text": (
        f'{FILE}B1;"2026;;\n{ROW}\nB2;"2026-12-01 10:00";;\n'.encode(),
        ProblemCode.OPEN_QUOTE,
        3,
    ),
    "an unclosed quotation mark before very many rows": (
        f'{FILE}B1;"2026;;\n'.encode() + f"{ROW}\n".encode() * 9999,
        ProblemCode.OPEN_QUOTE,
        3,
    ),
    "a quotation mark inside a quoted text": (
        f'{FILE}B1;"2026" kl 9;;\n'.encode(),
        ProblemCode.OPEN_QUOTE,
        3,
    ),
    "a row cut off": (FILE.encode() + b"B1;2026-12-01 10:00;0701", ProblemCode.CUT_OFF, 3),
    "a row cut off in quotes": (FILE.encode() + b'B1;"2026-12-0', ProblemCode.OPEN_QUOTE, 3),
    "a NUL": (FILE.encode() + b"B1;\x00;;\n", ProblemCode.NUL_CHARACTER, 3),
    "a line that never ends": (
        FILE.encode() + b"B1;" + b"x" * (2 * LONGEST_LINE),
        ProblemCode.TOO_LONG,
        3,
    ),
    "no header": (f"{ROW}\n{ROW}\n".encode(), ProblemCode.MISSING_COLUMN, 1),
    "no column for the time": (b"ref;mobil\nA1;0701740605\n", ProblemCode.MISSING_COLUMN, 1),
    "no column for an address": (b"ref;starts_at\nA1;x\n", ProblemCode.MISSING_COLUMN, 1),
    "a column twice": (b"ref;starts_at;mobil;Mobil\n", ProblemCode.REPEATED_COLUMN, 1),
    "two names for one column": (b"sep=;\nref;starts_at;mobil;mobilnr\n", ProblemCode.REPEATED_COLUMN, 2),
    "two columns for the time": (b"ref;start;tid;mobil\n", ProblemCode.REPEATED_COLUMN, 1),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(case: str) -> None:
    """A file that cannot be trusted as a whole is refused, and the line is named."""
    data, code, line = BROKEN[case]
    assert refused(data) == [(code, line)]


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_on_disk(case: str, tmp_path: Path) -> None:
    """A file on disk is refused as its bytes are."""
    data, code, line = BROKEN[case]
    path = tmp_path / "bookings.csv"
    path.write_bytes(data)
    assert refused(path) == [(code, line)]


def test_refusal_repeats_nobody() -> None:
    """Where the header is missing, its place is held by a person's data, which is not repeated."""
    error = refusal(f"Ek, Alma;{ROW}\n")
    assert "Alma" not in str(error)
    assert "06 05" not in str(error)
    assert "Known columns of the 5 in this line: none" in str(error)


def test_missing_file(tmp_path: Path) -> None:
    """A path that cannot be opened is refused in words, and so is a folder."""
    assert refused(tmp_path / "none.csv") == [(ProblemCode.UNREADABLE_FILE, 1)]
    assert refused(tmp_path) == [(ProblemCode.UNREADABLE_FILE, 1)]


def test_too_many_cells() -> None:
    """A row with more cells than headers has moved to the side, and is not read."""
    assert codes(f"{HEADER}\n{ROW};Ek\n") == [ProblemCode.BROKEN_ROW]


def test_broken_row() -> None:
    """A row that a line break has parted is one problem, whatever its halves look like."""
    halves = "A1;2026-12-01 09:00;0701740605\nmamma;avbokad;ja"
    text = f"ref;starts_at;mobil;status;skyddad\n{halves}\n"
    (problem,) = problems(text)
    assert (problem.code, problem.line, problem.ref) == (ProblemCode.BROKEN_ROW, 2, "A1")
    assert rows(text) == []


def test_progress() -> None:
    """Progress goes from nothing to all, and never back."""
    shares: list[float] = []
    lines = "".join(f"A{n};2026-12-01 09:00;0701740605;\n" for n in range(5000))
    data = f"{HEADER}\n{lines}".encode()
    assert len(list(read(data, FORM, NOW, shares.append))) == 5000
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 3


def test_rows_come_one_by_one(tmp_path: Path) -> None:
    """Rows are given before the rest of the file is read."""
    lines = "".join(f"A{n};2026-12-01 09:00;0701740605;\n" for n in range(20_000))
    path = tmp_path / "bookings.csv"
    path.write_text(f"{HEADER}\n{lines}", "utf-8")
    shares: list[float] = []
    found = read(path, FORM, NOW, shares.append)
    next(found)
    assert shares[-1] < 0.5


def test_a_file_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose text turns out to be in another encoding than was found is refused."""
    monkeypatch.setattr(table_module, "detect_encoding", lambda stream: stream.seek(0) or "ascii")
    assert refused(SWEDISH) == [(ProblemCode.UNREADABLE_FILE, 1)]


@pytest.mark.parametrize("note", ['"ring mamma', '"'])
@pytest.mark.parametrize("last", ['A3;2026-12-01 11:00;070-174 06 07;;9"\n', 'x"\n'])
def test_a_quote_that_swallows_bookings_refuses_the_file(note: str, last: str):
    """A quotation mark that is closed rows later is refused: the bookings between would be lost."""
    text = f"{HEADER};not\n{ROW};{note}\nA2;2026-12-01 10:00;070-174 06 06;;x\n{last}"
    assert refused(text) == [(ProblemCode.OPEN_QUOTE, 2)]


def test_an_honest_line_break_in_a_text_is_kept_together():
    """A text in several lines, with delimiters in it, is one cell."""
    text = f'{HEADER};not\n{ROW};"ring; sedan\nskriv; eller\nvänta"\n{ROW.replace("A1", "A2")};\n'
    assert [row.ref for row in rows(text)] == ["A1", "A2"]


@pytest.mark.parametrize("cut", ["1", "11", "11:", "11:0"])
def test_a_time_that_is_cut_off_refuses_the_file(cut: str):
    """A file that ends within its last time is refused, though the row has all its cells."""
    head, phone = "ref;mobil;datum;tid", "070-174 06 05;2026-12-01"
    text = f"{head}\nA1;{phone};09:00\nA2;{phone};10:30\nA3;{phone};{cut}"
    assert refused(text) == [(ProblemCode.CUT_OFF, 4)]
    assert len(rows(f"{text}\n")) == (3 if cut in {"1", "11"} else 2)


def moments(texts: list[str], head: str) -> str:
    """Return a file without a line end, whose last column has these."""
    columns, rest = (
        ("ref;mobil;datum;tid", "070-174 06 05;2026-12-01;")
        if head == "tid"
        else (f"ref;mobil;{head}", "070-174 06 05;")
    )
    return "\n".join([columns, *(f"A{n};{rest}{text}" for n, text in enumerate(texts))])


@pytest.mark.parametrize(
    ("head", "texts"),
    [
        ("tid", ["0930", "1030", "133"]),
        ("tid", ["900", "1330", "133"]),
        ("tid", ["800", "900", "133"]),
        ("tid", ["9.30", "10.30", "13"]),
        ("tid", ["9", "8", "1"]),
        ("tid", ["kl 9", "kl 1"]),
        ("tid", ["9 AM", "10"]),
        ("tid", ["13"]),
        ("tid", ["133"]),
        ("tid", ["kl 10"]),
        ("starttid", ["2026-12-02 9:30", "2026-12-02 10:30", "2026-12-02 1"]),
        ("starttid", ["2026-12-02 1"]),
        ("starttid", ["2026-12-02 13:3"]),
    ],
)
def test_the_beginning_of_a_time_is_not_taken_for_another(head: str, texts: list[str]):
    """What could go on to another time, in a form that the file has, refuses a file without an end."""
    text = moments(texts, head)
    assert refused(text) == [(ProblemCode.CUT_OFF, len(texts) + 1)]
    assert len(rows(f"{text}\n")) >= len(texts) - 1


@pytest.mark.parametrize(
    ("head", "texts"),
    [
        ("tid", ["10.30", "11.30", "9.30"]),
        ("tid", ["9.30", "10.30"]),
        ("tid", ["0930", "1330"]),
        ("tid", ["900", "930", "1030"]),
        ("tid", ["1330", "900"]),
        ("tid", ["13:30"]),
        ("tid", ["1330"]),
        ("tid", ["9:30 AM", "10:30 AM", "1:30 PM"]),
        ("tid", ["9 AM", "10 AM"]),
        ("tid", ["9 AM"]),
        ("tid", ["kl 9", "kl 10"]),
        ("tid", ["9", "10"]),
        ("tid", ["klockan 9.30", "kl 10.30"]),
        ("tid", ["9-10", "10:00-10:30"]),
        ("tid", ["", "13:30"]),
        ("starttid", ["2026-12-02 13:30"]),
        ("starttid", ["2026-12-02T13:30Z"]),
        ("starttid", ["tis 1 dec 2026 09:00", "ons 2 dec 2026 10:00"]),
        ("starttid", ["30 nov 2026 15:00", "1 dec 2026 09:00"]),
    ],
)
def test_a_whole_time_at_the_end_is_taken(head: str, texts: list[str]):
    """A file need not end with a line end, in whichever form its times are."""
    found = rows(moments(texts, head))
    assert len(found) == len([text for text in texts if text])


@pytest.mark.parametrize("end", ["", " "])
@pytest.mark.parametrize("vital", ["status", "Skyddad", "Samtycke SMS", "avbokad"])
def test_a_file_cut_off_before_a_cell_that_may_forbid_a_text(vital: str, end: str):
    """After the last delimiter may have stood a 'ja': without a line end the file is refused."""
    text = f"{HEADER};{vital}\n{ROW};\n{ROW.replace('A1', 'A2')};{end}"
    assert refused(text) == [(ProblemCode.CUT_OFF, 3)]
    assert len(rows(f"{text}\n")) == len(rows(f'{text}""')) == len(rows(f"{text};")) == 2


def test_a_file_cut_off_before_a_cell_that_all_others_have():
    """Where every row has the last cell, one that ends with the file was not written yet."""
    full = "".join(f"{ROW.replace('A1', f'A{n}')};sv\n" for n in range(2, 4))
    assert refused(f"{HEADER};språk\n{full}{ROW};") == [(ProblemCode.CUT_OFF, 4)]
    assert len(rows(f"{HEADER};språk\n{full}{ROW.replace('A1', 'A4')};\n{ROW};")) == 4


@pytest.mark.parametrize("last", ["9", "b@example.org", "11"])
def test_a_file_may_end_without_a_line_end(last: str):
    """A last cell that may be whole is taken, also where the file ends with it."""
    text = (
        f"{HEADER};antal\n{ROW};10\n{ROW.replace('A1', 'A2')};12\n{ROW.replace('A1', 'A3')};{last}"
    )
    assert [row.ref for row in rows(text)] == ["A1", "A2", "A3"]
