"""When a file was exported, by which an older one is told from a newer, and how it is called."""

import hashlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from reminders.errors import RefusedFileError
from reminders.store import imports
from reminders.store.database import Connection

CLOCKS_DIFFER = timedelta(minutes=5)
"""So far ahead, a time is another clock's now."""


class OlderFileError(RefusedFileError):
    """A file that was exported before one that has been imported."""


def spelled(name: str) -> str:
    """Return a file's name or path as text that can be kept and shown.

    On the disk it is bytes: what is not UTF-8 is taken for what Windows has.
    """
    return re.sub("[\udc80-\udcff]+", _of_windows, name)


def _of_windows(found: re.Match[str]) -> str:
    return os.fsencode(found[0]).decode("cp1252", "replace")


def digest_of(path: Path) -> str:
    """Return a digest of what is in a file. Raise RefusedFileError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RefusedFileError(
            "%(path)s: cannot be read (%(why)s).", path=spelled(str(path)), why=error.strerror
        ) from None


@dataclass(frozen=True, slots=True)
class Exported:
    """When a file was exported. `file_time` is its own on the disk, where that is yet to come."""

    at: datetime
    file_time: datetime | None = None


def export_of(path: Path, told: datetime | None, zone: ZoneInfo, now: datetime) -> Exported:
    """Return when a file was exported: as told, else its own time; never later than now.

    Raise RefusedFileError for a time told that is to come: every file until then would be older.
    """
    at = told or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if at <= now + CLOCKS_DIFFER:
        return Exported(min(at, now))
    if told is None:
        return Exported(now, at)
    raise RefusedFileError(
        "%(name)s: a file cannot have been exported %(at)s, as it is %(now)s now. Give the time at"
        " which it was, or leave out --exported-at.",
        name=spelled(path.name),
        at=f"{at.astimezone(zone):%Y-%m-%d %H:%M}",
        now=f"{now.astimezone(zone):%Y-%m-%d %H:%M}",
    )


def refuse_older(
    conn: Connection, clinic_id: int, name: str, exported_at: datetime, zone: ZoneInfo
) -> None:
    """Raise RefusedFileError if a file is older than one that was imported before."""
    newest = imports.last_export(conn, clinic_id)
    if newest is not None and exported_at < newest:
        raise OlderFileError(
            "%(name)s: this file was exported %(at)s, before the one imported last (%(newest)s)."
            " Import a newer export; if this one is right all the same, add --older-ok.",
            name=name,
            at=f"{exported_at.astimezone(zone):%Y-%m-%d %H:%M}",
            newest=f"{newest.astimezone(zone):%Y-%m-%d %H:%M}",
        )
