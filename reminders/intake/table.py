"""From the bytes of a file to the records of a table, in bounded memory."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from reminders.errors import RefusedFileError
from reminders.intake.cut import LastColumn
from reminders.intake.encoding import LONGEST_LINE, detect_encoding, line_too_long
from reminders.intake.problems import ProblemCode, refuse

LONGEST_RECORD = 200
"""Lines that one record may run over, inside quotation marks."""

_DELIMITERS = ";,\t"
_DECLARABLE = ";,\t|"
_DECLARATION = re.compile(rf'"?sep=([{_DECLARABLE}])"?', re.IGNORECASE)
_TELL_EVERY = 1000
_ENOUGH = 3
"""So many columns make a row that cannot stand in a text by accident."""


class Record(NamedTuple):
    """One record: the 1-based physical line that it begins on, and its cells as written."""

    line: int
    cells: list[str]


def read_table(
    source: bytes | Path,
    is_header: Callable[[str], bool],
    progress: Callable[[float], None] | None = None,
    last_of: Callable[[str], LastColumn] = lambda _: LastColumn(),
) -> Iterator[Record]:
    """Yield the header, then each record that is not blank; blank records at any place are skipped.

    `is_header` tells a known header, by which the delimiter is found, and `last_of` returns what
    judges by the last column whether the file is cut off. `progress` is told the share of the file
    that is read, 0 to 1. Raise RefusedFileError naming the line, possibly midway.
    """
    with _opened(source) as stream:
        size = max(stream.seek(0, io.SEEK_END), 1)
        encoding = detect_encoding(stream)
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            for count, record in enumerate(_records(_Lines(text), is_header, last_of)):
                if progress is not None and count % _TELL_EVERY == 0:
                    progress(min(stream.tell() / size, 1.0))
                yield record
    if progress is not None:
        progress(1.0)


def assumed_encoding(source: bytes | Path) -> str:
    """Return the codec that the file is read with. Raise RefusedFileError."""
    with _opened(source) as stream:
        return detect_encoding(stream)


@contextmanager
def _opened(source: bytes | Path) -> Iterator[BinaryIO]:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
            yield stream
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it changes meanwhile, or can be read only once"
        raise refuse(ProblemCode.UNREADABLE_FILE, f"The file cannot be read: {why}.") from None


class _Lines:
    """The physical lines of a text, each with its line ending, refused if one is too long."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.ended = True
        self.tail = ""
        self.record = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        if self.number >= self.record + LONGEST_RECORD:
            raise _open_quote(self.record, self.number)
        self.ended, self.tail = line.endswith(("\n", "\r")), line[-1]
        if len(line) >= LONGEST_LINE and not self.ended:
            raise line_too_long(self.number)
        if "\0" in line:
            raise refuse(
                ProblemCode.NUL_CHARACTER,
                "There is a NUL character in the line, so the file is damaged. Export it again.",
                self.number,
            )
        return line


def _swallowed(cells: list[str], width: int, delimiter: str) -> bool:
    """Tell whether a quoted cell holds a whole row: then its quotation mark was never meant."""
    return width >= _ENOUGH and any(
        line.count(delimiter) == width - 1 for cell in cells for line in cell.splitlines()[1:]
    )


def _records(
    lines: _Lines, is_header: Callable[[str], bool], last_of: Callable[[str], LastColumn]
) -> Iterator[Record]:
    """Yield the header and the records below it."""
    first, delimiter = _first_line(lines, is_header)
    start = lines.number - 1
    reader = csv.reader(
        _chained(first, lines), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    width, last = 0, LastColumn()
    while True:
        line = lines.record = start + reader.line_num + 1
        cells = _next_cells(reader, lines)
        if cells is None:
            return
        if not any(cell and not cell.isspace() for cell in cells):
            continue
        header = not width
        if header:
            width = len(_without_blank_end(cells))
            last = last_of(cells[width - 1])
        if lines.number > line and _swallowed(cells, width, delimiter):
            raise _open_quote(line, lines.number)
        if not header:
            _refuse_cut(lines, line, cells, width, last)
        yield Record(line, cells)


def _refuse_cut(lines: _Lines, line: int, cells: list[str], width: int, last: LastColumn) -> None:
    """Refuse a file that ends within a row, or within the row's last cell."""
    cell = cells[width - 1] if len(cells) >= width else None
    # What follows the last cell, or quotation marks around nothing, show that it is whole.
    whole = len(cells) > width or lines.tail == '"'
    if not lines.ended and (cell is None or (not whole and last.cut(cell))):
        raise refuse(
            ProblemCode.CUT_OFF,
            f"The file ends in the middle of a row: {len(cells)} cells of {width}, the last of "
            "them not whole. Was it still being written? Export or copy it again. If it is whole, "
            "put a line break at its end.",
            line,
        )
    if cell is not None:
        last.add(cell)


def _chained(first: str, lines: _Lines) -> Iterator[str]:
    yield first
    yield from lines


def _next_cells(reader: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    """Return the cells of the next record; None after the last."""
    try:
        return next(reader)
    except StopIteration:
        return None
    except csv.Error:
        raise _open_quote(lines.record, lines.number) from None


def _open_quote(line: int, noticed_on: int) -> RefusedFileError:
    noticed = "" if noticed_on == line else f" (noticed on line {noticed_on})"
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
    delimiter = None
    for line in lines:
        lines.record = lines.number + 1
        if delimiter is None and (declared := _DECLARATION.fullmatch(line.strip("\r\n"))):
            delimiter = declared[1]
        elif line.strip(_DECLARABLE + '" \r\n'):
            return line, delimiter or _sniff(line, is_header)
    raise refuse(
        ProblemCode.EMPTY_FILE,
        "The file is empty. The first line names the columns, and each line below is a booking.",
    )


def _sniff(line: str, is_header: Callable[[str], bool]) -> str:
    """Return the delimiter that makes the most known headers of the line, or the most cells."""

    def score(delimiter: str) -> tuple[int, int]:
        cells = line.strip("\r\n").replace('"', "").split(delimiter)
        return sum(map(is_header, cells)), len(cells)

    return max(_DELIMITERS, key=score)
