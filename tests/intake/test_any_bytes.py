"""Whatever the bytes: rows and problems, or the file refused in words. Nothing else is raised."""

import codecs

from hypothesis import given, settings
from hypothesis import strategies as st

from reminders.errors import RefusedFileError
from reminders.intake.bookings import Item, Problem, read
from reminders.intake.columns import HEADERS
from tests.intake.helpers import FORM, HEADER, NOW, ROW

NASTY = [
    "", " ", "\u00a0", "A1", "Ek, Alma", '"', '""', "'", "=1+1", "=HYPERLINK(1)", "+cmd|' /C'!A0",
    "@SUM(1)", "-", "--", "0", "1", "-1", "1e9", "7,01741E+08", "NaN", "inf", "NULL", "x" * 300,
    "2026-12-01", "2026-12-01 09:00", "09:00", "kl 9", "46357,375", "00:00", "2026-02-30",
    "0001-01-01 00:00", "9999-12-31 23:59", "2026-12-01T09:00+14:00", "0,999999999999", "٢٠٢٦",
    "070-174 06 05", "070-174 06 05 (mamma)", "+", "+46", "00", "031-390 06 00", "²³", "１２３",
    "alma@example.org", "@", "a@b", "a@" + "ü" * 80 + ".org", "a@[127.0.0.1]", "a@xn--.org",
    "19121212-1212", "121212+1212", "201201019999", "990000000000", "00000000-0000",
    "ja", "nej", "Avbokad", "Videobesök", "mamma", "sv-SE", "-_-", "\u202e", "\ud7ff", "ﷺ", "İ",
    "\n", "\r", "a\nb", "\x0b", "\x85", "\u2028", "\x1f", "\U0001f600", "\x00",
]  # fmt: skip
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "mac_roman"]

known_headers = st.sampled_from([header for headers in HEADERS.values() for header in headers])
headers = st.one_of(
    known_headers,
    st.builds(" ".join, st.tuples(st.sampled_from(["guardian1", "vh2", "patient"]), known_headers)),
    st.text(max_size=10),
)
cells = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))


def check(data: bytes) -> None:
    """Read the bytes, and check all that holds for any file."""
    found, refused = read_or_refuse(data)
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert all(1 <= result.line <= lines for result in found)
    if refused is not None:
        assert refused.problems
        assert len(str(refused).splitlines()) <= 12


def read_or_refuse(data: bytes) -> tuple[list[Item], RefusedFileError | None]:
    """Return what was read, and the refusal that ended it if one did."""
    found: list[Item] = []
    try:
        found.extend(read(data, FORM, NOW))
    except RefusedFileError as error:
        return found, error
    return found, None


@settings(max_examples=400)
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    """Random bytes are read or refused."""
    check(data)


@settings(max_examples=400)
@given(st.binary(max_size=100))
def test_random_bytes_under_a_header(data: bytes) -> None:
    """Random bytes under a sound header are read or refused."""
    check(f"{HEADER}\n{ROW}\n".encode() + data)


@settings(max_examples=400)
@given(st.data())
def test_mutated_files(data: st.DataObject) -> None:
    """A sound file with bytes changed, put in or taken away is read or refused."""
    content = bytearray(f"{HEADER};status\n{ROW};bokad\nA2;1/12-2026 kl 9;x;å@ä.ö;\n".encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content)))
        taken = data.draw(st.integers(0, 3))
        content[place : place + taken] = data.draw(st.binary(max_size=3))
    check(bytes(content))


@settings(max_examples=400)
@given(
    st.lists(headers, max_size=6),
    st.lists(st.lists(cells, max_size=8), max_size=5),
    st.sampled_from([";", ",", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(ENCODINGS),
    st.booleans(),
)
def test_structured_files(
    header: list[str],
    records: list[list[str]],
    delimiter: str,
    ending: str,
    encoding: str,
    quoted: bool,
) -> None:
    """Tables of nasty cells under known headers, in any dialect, are read or refused."""

    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if quoted else cell

    lines = [["ref", "starts_at", "mobil", *header], *(["A1", *record] for record in records)]
    text = ending.join(delimiter.join(map(written, line)) for line in lines)
    check(codecs.encode(text, encoding, "ignore"))


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from([h for hs in HEADERS.values() for h in hs]), cells))
def test_what_is_said_repeats_no_cell(columns: dict[str, str]) -> None:
    """No problem repeats what is in a cell: it may be a person's."""
    secret = "070-1740699qq"
    row = {"ref": "A1", "starts_at": secret, "mobil": secret, "e-post": secret} | {
        header: f"{cell}{secret}" for header, cell in columns.items() if header != "ref"
    }
    text = ";".join(row) + "\n" + ";".join(f'"{c.replace(chr(34), "")}"' for c in row.values())
    found, refused = read_or_refuse(text.encode("utf-8", "ignore"))
    said = [result for result in found if isinstance(result, Problem)]
    assert refused or said
    assert secret not in repr(said)
    assert refused is None or secret not in str(refused) + repr(refused.problems)
