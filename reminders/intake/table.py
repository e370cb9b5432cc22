"""From the bytes of a file to the records of a table, in bounded memory."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from reminders.errors import RefusedFileError
from reminders.intake.encoding import detect_encoding
from reminders.intake.problems import ProblemCode, refuse

LONGEST_LINE = 1 << 16
"""Characters a line may have. A longer one is no row of bookings."""

_DELIMITERS = ";,\t"
_TELL_EVERY = 1000


class Record(NamedTuple):
    """One record: the 1-based physical line that it begins on, and its cells as written."""

    line: int
    cells: list[str]


def read_table(
    source: bytes | Path,
    is_header: Callable[[str], bool],
    progress: Callable[[float], None] | None = None,
) -> Iterator[Record]:
    """Yield the header, and each record that is not blank, with no fewer cells than written.

    `is_header` tells a known header, by which the delimiter is found. `progress` is told the share
    of the file that is read, 0 to 1. Raise RefusedFileError naming the line, possibly midway.
    """
    with _opened(source) as stream:
        size = max(_size(stream), 1)
        encoding = detect_encoding(stream)
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            lines = _Lines(text)
            for count, record in enumerate(_records(lines, is_header)):
                if progress is not None and count % _TELL_EVERY == 0:
                    progress(min(stream.tell() / size, 1.0))
                yield record
    if progress is not None:
        progress(1.0)


def assumed_encoding(source: bytes | Path) -> str:
    """Return the codec that the file is read with. Raise RefusedFileError."""
    with _opened(source) as stream:
        return detect_encoding(stream)


def _opened(source: bytes | Path) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise refuse(
            ProblemCode.UNREADABLE_FILE, f"The file cannot be opened: {error.strerror}."
        ) from None


def _size(stream: BinaryIO) -> int:
    return stream.seek(0, io.SEEK_END)


class _Lines:
    """The physical lines of a text, each with its line ending, refused if one is too long."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self.ended = line.endswith(("\n", "\r"))
        if len(line) >= LONGEST_LINE and not self.ended:
            raise refuse(
                ProblemCode.TOO_LONG,
                f"The line is longer than {LONGEST_LINE} characters. Is this a list of bookings, "
                "one on each line?",
                self.number,
            )
        if "\0" in line:
            raise refuse(
                ProblemCode.NUL_CHARACTER,
                "There is a NUL character in the line, so the file is damaged. Export it again.",
                self.number,
            )
        return line


def _records(lines: _Lines, is_header: Callable[[str], bool]) -> Iterator[Record]:
    """Yield the header and the records below it."""
    first, delimiter = _first_line(lines, is_header)
    start = lines.number - 1
    reader = csv.reader(
        _chained(first, lines), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    width = 0
    while True:
        line = start + reader.line_num + 1
        cells = _next_cells(reader, line, lines)
        if cells is None:
            return
        if not any(cell and not cell.isspace() for cell in cells):
            continue
        width = width or len(_without_blank_end(cells))
        if len(cells) < width and not lines.ended:
            raise refuse(
                ProblemCode.CUT_OFF,
                f"The file ends in the middle of a row: {len(cells)} cells of {width}. Was it "
                "still being written? Export or copy it again.",
                line,
            )
        yield Record(line, cells)


def _chained(first: str, lines: _Lines) -> Iterator[str]:
    yield first
    yield from lines


def _next_cells(reader: Iterator[list[str]], line: int, lines: _Lines) -> list[str] | None:
    """Return the cells of the next record; None after the last."""
    try:
        return next(reader)
    except StopIteration:
        return None
    except csv.Error:
        raise _open_quote(line, lines) from None


def _open_quote(line: int, lines: _Lines) -> RefusedFileError:
    noticed = "" if lines.number == line else f" (noticed on line {lines.number})"
    return refuse(
        ProblemCode.OPEN_QUOTE,
        f'A quotation mark (") in the row is not closed, or stands inside a text{noticed}. '
        'Put the text between quotation marks, and write each one inside it twice ("").',
        line,
    )


def _without_blank_end(cells: list[str]) -> list[str]:
    """Return the cells up to the last that is not blank."""
    end = next((n for n in range(len(cells), 0, -1) if cells[n - 1].strip()), 0)
    return cells[:end]


def _first_line(lines: _Lines, is_header: Callable[[str], bool]) -> tuple[str, str]:
    """Return the line that the header begins on, and the delimiter."""
    declared = None
    for line in lines:
        stripped = line.strip()
        if declared is None and _declares(stripped):
            declared = stripped.strip('"')[4]
        elif stripped.strip(_DELIMITERS + '" '):
            return line, declared or _sniff(line, is_header)
    raise refuse(
        ProblemCode.EMPTY_FILE,
        "The file is empty. The first line names the columns, and each line below is a booking.",
    )


def _declares(line: str) -> bool:
    """Tell whether this is the line `sep=;` that spreadsheets put first."""
    plain = line.strip('"')
    return len(plain) == len("sep=;") and plain.casefold().startswith("sep=")


def _sniff(line: str, is_header: Callable[[str], bool]) -> str:
    """Return the delimiter that makes the most known headers of the line, or the most cells."""

    def score(delimiter: str) -> tuple[int, int]:
        cells = line.rstrip("\r\n").replace('"', "").split(delimiter)
        return sum(map(is_header, cells)), len(cells)

    return max(_DELIMITERS, key=score)
