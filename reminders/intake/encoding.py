"""Which characters the bytes of a file stand for. Detected once, from the whole file."""

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from reminders.errors import RefusedFileError
from reminders.intake.problems import ProblemCode, refuse

LONGEST_LINE = 1 << 16
"""Characters a line may have. A longer one is no row of bookings."""

_CHUNK = 1 << 20
_HEAD = 1 << 12

_NOT_TEXT: Mapping[bytes, str] = {
    b"PK\x03\x04": "a spreadsheet (.xlsx) or a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "an older spreadsheet (.xls)",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a compressed file (.gz)",
    b"<": "a web page or XML",
}
_MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# å ä ö Å Ä Ö beside a plain letter, as each single-byte encoding writes them. Statistics over a
# table of digits and addresses do not tell these encodings apart; the Swedish letters do.
_SWEDISH: Mapping[str, bytes] = {
    "cp1252": rb"\xe5\xe4\xf6\xc5\xc4\xd6",
    "mac_roman": rb"\x8c\x8a\x9a\x81\x80\x85",
    "cp850": rb"\x86\x84\x94\x8f\x8e\x99",
}
_LETTERS = {
    name: re.compile(rb"(?<=[A-Za-z])[%b]|[%b](?=[A-Za-z])" % (letters, letters))
    for name, letters in _SWEDISH.items()
}
# UTF-8's å ä ö é Å Ä Ö, dashes and quotes, and no-break space: as Windows-1252 they make no sense.
_UTF8_TRACES = re.compile(rb"\xc3[\xa5\xa4\xb6\xa9\x85\x84\x96]|\xe2\x80[\x90-\x9d]|\xc2\xa0")


def detect_encoding(stream: BinaryIO) -> str:
    """Return the name of the codec that reads the whole stream, and go back to its beginning.

    Raise RefusedFileError if it is no text, or text of no one encoding, naming the first line.
    """
    encoding = _detect(stream)
    stream.seek(0)
    return encoding


def _detect(stream: BinaryIO) -> str:
    stream.seek(0)
    head = stream.read(_HEAD)
    _refuse_other_files(head)
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    encoding = marked or _unmarked_utf16(head) or "utf-8"
    line = _first_undecodable(stream, encoding)
    if line is None:
        return encoding
    if encoding != "utf-8" or _has_utf8_traces(stream):
        raise _undecodable(line)
    encoding = _single_byte(stream)
    line = _first_undecodable(stream, encoding)
    if line is not None:
        raise _undecodable(line)
    return encoding


def _refuse_other_files(head: bytes) -> None:
    begins = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for mark, what in _NOT_TEXT.items():
        if begins.startswith(mark):
            raise refuse(
                ProblemCode.NOT_TEXT,
                f"This is {what}, whatever its name says. Open it and save it as CSV, "
                "for example as 'CSV UTF-8' in Excel.",
            )


def _unmarked_utf16(head: bytes) -> str | None:
    """Tell UTF-16 without a mark by its zero bytes: nearly every second one, in Western text."""
    pairs = len(head) // 2
    if pairs and head[1::2].count(0) > pairs * 0.7 and head[0::2].count(0) == 0:
        return "utf-16-le"
    if pairs and head[0::2].count(0) > pairs * 0.7 and head[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def _first_undecodable(stream: BinaryIO, encoding: str) -> int | None:
    """Return the 1-based line of the first byte that the codec cannot read, or None.

    Raise RefusedFileError at a line that is far too long: gigabytes of it are not looked through.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line, since = 1, 0
    for chunk, final in _chunks(stream):
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            return line + _line_ends(error.object[: error.start].decode(encoding, "ignore"))
        ends = max(text.rfind("\n"), text.rfind("\r"))
        since = since + len(text) if ends < 0 else len(text) - ends - 1
        line += _line_ends(text)
        if since > LONGEST_LINE:
            raise line_too_long(line)
    return None


def line_too_long(line: int) -> RefusedFileError:
    """Return the error that refuses a file for a line that is no row."""
    return refuse(
        ProblemCode.TOO_LONG,
        f"The line is longer than {LONGEST_LINE} characters. Is this a list of bookings, "
        "one on each line?",
        line,
    )


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield the stream from its beginning, in parts, with an empty last part marked final."""
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        yield chunk, False
    yield b"", True


def _has_utf8_traces(stream: BinaryIO) -> bool:
    return any(_UTF8_TRACES.search(chunk) for chunk, _ in _chunks(stream))


def _single_byte(stream: BinaryIO) -> str:
    found: Counter[str] = Counter({"cp1252": 0})
    for chunk, _ in _chunks(stream):
        for name, letters in _LETTERS.items():
            found[name] += len(letters.findall(chunk))
    return found.most_common(1)[0][0]


def _undecodable(line: int) -> RefusedFileError:
    return refuse(
        ProblemCode.MIXED_ENCODING,
        "Here is a character in another encoding than the rest of the file. "
        "Export the file again, as 'CSV UTF-8' where there is a choice.",
        line,
    )
