"""From a spreadsheet (.xlsx, .ods) to the records of a table: its first sheet that can be seen.

The reading is done by a process of its own with limited memory: `sheet_worker`.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from reminders.errors import RefusedFileError
from reminders.intake.encoding import LONGEST_LINE
from reminders.intake.problems import ProblemCode, refuse
from reminders.intake.table import Record

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CHUNK = 1 << 20
_TELL_EVERY = 1000
_WORKER = Path(__file__).with_name("sheet_worker.py")
_WORKERS_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH")

_LOCKED = (
    "The spreadsheet is protected with a password. Open it, take the password away, save it, and"
    " choose it again."
)
_TOO_LARGE = (
    "The spreadsheet unpacks to more than a list of bookings could be, or has a cell far outside"
    " the others. Copy the bookings to a new spreadsheet, or save it as CSV."
)
_BROKEN = (
    "This is no spreadsheet (.xlsx or .ods) that can be read, whatever its name says. Open it and"
    " save it anew, or save it as CSV."
)
_NO_SHEET = "The spreadsheet has no sheet that can be seen. Show the one with the bookings."
_OLD = "This is an older spreadsheet (.xls). Open it and save it as .xlsx or CSV."

_REFUSALS: Mapping[str, tuple[ProblemCode, str]] = {
    "password": (ProblemCode.PASSWORD, _LOCKED),
    "no_sheet": (ProblemCode.EMPTY_FILE, _NO_SHEET),
    "too_large": (ProblemCode.TOO_LARGE, _TOO_LARGE),
    "broken": (ProblemCode.BROKEN_SHEET, _BROKEN),
    "old": (ProblemCode.NOT_TEXT, _OLD),
}


def is_sheet(source: bytes | Path) -> bool:
    """Tell whether the first bytes are those of a spreadsheet, whatever the file's name."""
    head = source[:8] if isinstance(source, bytes) else _head(source)
    return head.startswith((_ZIP, _OLE))


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError:
        return b""


def read_sheet(
    source: bytes | Path, progress: Callable[[float], None] | None = None
) -> Iterator[Record]:
    """Yield the header, then each row that is not blank; a record's line is the sheet's row.

    Each record is as wide as the header: what stands under no header is not read. Raise
    RefusedFileError, possibly midway.
    """
    with _opened(source) as stream:
        if stream.read(len(_OLE)) == _OLE:
            raise _refusal("password" if _is_encrypted(stream) else "old")
        stream.seek(0)
        yield from _records(_rows(stream), progress)
    if progress is not None:
        progress(1.0)


@contextmanager
def _opened(source: bytes | Path) -> Iterator[BinaryIO]:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
            yield stream
    except OSError as error:
        why = error.strerror or "it changes meanwhile"
        raise refuse(ProblemCode.UNREADABLE_FILE, f"The file cannot be read: {why}.") from None


def _is_encrypted(stream: BinaryIO) -> bool:
    tail = b""
    while chunk := stream.read(_CHUNK):
        if _ENCRYPTED in tail + chunk:
            return True
        tail = chunk[-len(_ENCRYPTED) :]
    return False


def _refusal(why: str) -> RefusedFileError:
    return refuse(*_REFUSALS[why])


def _rows(stream: BinaryIO) -> Iterator[list[str]]:
    """Yield the rows that the worker writes. Raise RefusedFileError if it refuses or dies."""
    for said in _said(stream):
        if isinstance(said, list):
            yield said
        elif isinstance(said, dict):
            raise _refusal(said["refused"])
        else:
            return
    # It died of its limits, or of a defect in what it reads with: the file is no good either way.
    raise _refusal("too_large")


def _said(stream: BinaryIO) -> Iterator[Any]:
    # Isolated: it sees neither our settings nor what else lies in the folder we run in.
    command = [sys.executable, "-I", str(_WORKER)]
    environ = {name: os.environ[name] for name in _WORKERS_ENVIRONMENT if name in os.environ}
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environ
    ) as worker:
        try:
            if worker.stdin is not None and worker.stdout is not None:
                _feed(stream, worker.stdin)
                yield from map(json.loads, worker.stdout)
        finally:
            worker.kill()


def _feed(stream: BinaryIO, worker: IO[bytes]) -> None:
    try:
        while chunk := stream.read(_CHUNK):
            worker.write(chunk)
        worker.close()
    except BrokenPipeError:
        return  # it has refused the file already, and says so


def _records(
    rows: Iterator[list[str]], progress: Callable[[float], None] | None
) -> Iterator[Record]:
    width = 0
    for number, cells in enumerate(rows, start=1):
        if sum(map(len, cells)) > LONGEST_LINE:
            raise refuse(
                ProblemCode.TOO_LONG,
                f"The row is longer than {LONGEST_LINE} characters. Is this a list of bookings,"
                " one in each row?",
                number,
            )
        if progress is not None and number % _TELL_EVERY == 0:
            progress(0.5)
        if not any(cell and not cell.isspace() for cell in cells):
            continue
        width = width or len(cells)
        yield Record(number, (cells + [""] * (width - len(cells)))[:width])
    if width == 0:
        raise refuse(
            ProblemCode.EMPTY_FILE,
            "The first sheet that can be seen is empty. Put the bookings there, with the names of"
            " the columns in the first row.",
        )


def letters_of(index: int) -> str:
    """Return a column's letters, as a spreadsheet shows them: 0 is A, 27 is AB."""
    letters = ""
    while index >= 0:
        letters = chr(ord("A") + index % 26) + letters
        index = index // 26 - 1
    return letters
