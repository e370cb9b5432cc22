"""Reads a spreadsheet on standard input and writes its rows: run as a process of its own.

A spreadsheet is another's program text: a few bytes can unpack to gigabytes, or name a cell in
the last corner of a sheet. Here that can only end this process, which has a limit on memory and
time; `sheet.py` starts it and reads what it writes: a JSON array a row, then "end". It imports
nothing of ours, so that it starts in a moment.
"""

import contextlib
import io
import json
import re
import resource
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import MAXYEAR, date, datetime, time, timedelta
from typing import IO

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

MEMORY = 1 << 30
SECONDS = 120
LARGEST_FILE = 100_000_000
LARGEST_UNPACKED = 400_000_000
MOST_PARTS = 2000
MOST_CELLS = 20_000_000

_CHUNK = 1 << 20
_EXACT = 10**15
"""A spreadsheet keeps fifteen digits of a number; a longer one has lost some."""

_ERROR_CELL = re.compile(rb'<(?:\w+:)?c\s(?=[^>]*\bt="e")[^>]*\br="([A-Z]{1,3})(\d{1,7})"')
_OVERLAP = 512
_MANIFEST = "META-INF/manifest.xml"
"""Of an OpenDocument file: it tells whether the others are encrypted."""

_ERROR_TEXT = "#VALUE!"
_DAY = timedelta(days=1)
_MIDNIGHT = datetime(1900, 1, 1)  # noqa: DTZ001 - a day for times of day
_HALF_SECOND = 500_000

Cell = int | float | str | bool | time | date | datetime | timedelta
Place = tuple[int, int]


class RefusedError(Exception):
    """The file is not read; its text is the code that is written in place of rows."""


def main() -> None:
    """Read standard input, write rows to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    out = sys.stdout
    try:
        data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        for row in rows(data):
            out.write(json.dumps(row, ensure_ascii=True) + "\n")
        out.write('"end"\n')
    except RefusedError as refused:
        out.write(json.dumps({"refused": str(refused)}) + "\n")
    except MemoryError:
        out.write('{"refused": "too_large"}\n')
    with contextlib.suppress(BrokenPipeError):
        out.flush()


def rows(data: bytes) -> Iterator[list[str]]:
    """Yield the rows of the first sheet that can be seen, from the first row of it on."""
    if len(data) > LARGEST_FILE:
        raise RefusedError("too_large")
    errors = _unpacked_within_limits(data)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheet = _first_visible(book)
            yield from _texts(sheet, errors)
    except PasswordError:
        raise RefusedError("password") from None
    except (CalamineError, OSError, ValueError):
        raise RefusedError("broken") from None


def _unpacked_within_limits(data: bytes) -> frozenset[Place]:
    """Check the sizes that the archive tells, then the real ones; return cells with errors."""
    errors: set[Place] = set()
    left = LARGEST_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            told = sum(part.file_size for part in parts)
            if len(parts) > MOST_PARTS or told > LARGEST_UNPACKED:
                raise RefusedError("too_large")
            for part in parts:
                with archive.open(part) as stream:
                    left = _read_through(stream, part.filename, left, errors)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
        raise RefusedError("broken") from None
    except RuntimeError:  # the module's word for an encrypted part
        raise RefusedError("password") from None
    except (ValueError, OverflowError):
        raise RefusedError("broken") from None
    return frozenset(errors)


def _read_through(stream: IO[bytes], name: str, left: int, errors: set[Place]) -> int:
    """Unpack a part, keeping nothing of it but which cells hold errors; return what is left."""
    is_sheet = name.startswith("xl/worksheets/")
    tail = b""
    while chunk := stream.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise RefusedError("too_large")
        text = tail + chunk
        if name == _MANIFEST and b"encryption-data" in text:
            raise RefusedError("password")
        if is_sheet and b't="e"' in text:
            places = _ERROR_CELL.findall(text)
            errors.update((int(row) - 1, _column_number(letters)) for letters, row in places)
        tail = text[-_OVERLAP:]
    return left


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


def _first_visible(book: CalamineWorkbook) -> CalamineSheet:
    for index, sheet in enumerate(book.sheets_metadata):
        if sheet.visible is SheetVisibleEnum.Visible and sheet.typ is SheetTypeEnum.WorkSheet:
            return book.get_sheet_by_index(index)
    raise RefusedError("no_sheet")


def _texts(sheet: CalamineSheet, errors: frozenset[Place]) -> Iterator[list[str]]:
    if sheet.start is None:
        return
    if sheet.total_height * sheet.total_width > MOST_CELLS:
        raise RefusedError("too_large")
    margin = [""] * sheet.start[1]
    merged = _Merged(sheet.merged_cell_ranges or ())
    for number, row in enumerate(sheet.iter_rows()):
        cells = margin + [text_of(cell) for cell in row]
        for at, cell in enumerate(cells):
            if not cell and (number, at) in errors:
                cells[at] = _ERROR_TEXT
        yield _trimmed(merged.filled(number, cells))


def _trimmed(cells: list[str]) -> list[str]:
    end = next((n for n in range(len(cells), 0, -1) if cells[n - 1]), 0)
    return cells[:end]


class _Merged:
    """Cells merged downwards hold for each of their rows: one booking of two guardians."""

    def __init__(self, ranges: Iterable[tuple[Place, Place]]) -> None:
        self._begins: dict[int, list[tuple[int, int]]] = {}
        for (top, left), (bottom, right) in ranges:
            if left == right and bottom > top:
                self._begins.setdefault(top, []).append((left, bottom))
        self._open: dict[int, tuple[str, int]] = {}

    def filled(self, number: int, cells: list[str]) -> list[str]:
        """Return the row with the cells that hold for it from above."""
        if not self._begins:
            return cells
        for column, bottom in self._begins.get(number, ()):
            if column < len(cells):
                self._open[column] = (cells[column], bottom)
        for column, (text, bottom) in list(self._open.items()):
            if number > bottom:
                del self._open[column]
            elif column < len(cells) and any(cells):
                cells[column] = cells[column] or text
        return cells


def text_of(cell: Cell) -> str:
    """Return a cell as it would stand in a CSV file."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        return _number(cell)
    if isinstance(cell, timedelta):
        return _clock((_MIDNIGHT + cell).time()) if timedelta() <= cell < _DAY else str(cell)
    if isinstance(cell, datetime):
        return _moment(cell)
    return _clock(cell) if isinstance(cell, time) else cell.isoformat()


def _number(value: float) -> str:
    if abs(value) >= _EXACT or value != value:  # noqa: PLR0124 - what is not a number
        return f"{value:E}"
    return str(int(value)) if value == int(value) else repr(value)


def _moment(value: datetime) -> str:
    """Return date and time; midnight is how a spreadsheet writes a date alone."""
    if value.microsecond >= _HALF_SECOND and value.year < MAXYEAR:
        value += timedelta(seconds=1)
    text = value.date().isoformat()
    return text if not any((value.hour, value.minute, value.second)) else f"{text} {_clock(value)}"


def _clock(value: time | datetime) -> str:
    return f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"


if __name__ == "__main__":
    main()
