"""The watched folders: where they are, and which of them cannot be reached."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.store import folders
from reminders.store.database import Connection

TOLD_AFTER = timedelta(minutes=5)
"""A share that comes back before disturbs nobody: exports come a few times a day."""

FOLDER_AWAY = "folder_away"


@dataclass(frozen=True, slots=True)
class Away:
    """A clinic's watched folder that cannot be reached: no export is read meanwhile."""

    clinic: str
    since: datetime


def watched(runtime: Runtime) -> dict[str, Path]:
    """Return the folder that is watched for each clinic that has one, by its key."""
    config = runtime.config
    return {
        key: config.path(clinic.watch.folder)
        for key, clinic in config.clinics.items()
        if clinic.watch.folder is not None
    }


def fault(folder: Path) -> str | None:
    """Return what is wrong with a folder for this process and its user; None if nothing is."""
    if not os.path.isdir(folder):  # noqa: PTH112 - pathlib's fails where a folder above is closed
        return "is not there, or closed to this user: is its share mounted?"
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return "cannot be read and written by this user"
    return None


def record(runtime: Runtime, away: Collection[str], now: datetime) -> None:
    """Keep which clinics' folders a look found away, and since when each has been."""
    with runtime.database.reading() as conn:
        known = folders.away(conn)
    found = {clinic: known.get(clinic, now) for clinic in away}
    if found != known:
        runtime.in_transaction(folders.keep, found)


def away(conn: Connection, runtime: Runtime, clinic: str | None, now: datetime) -> list[Away]:
    """Return the folders that have not been reached for minutes, of a clinic or of all."""
    ours = [key for key in watched(runtime) if clinic in {None, key}]
    since = folders.away(conn) if ours else {}
    return [Away(key, since[key]) for key in ours if key in since and _is_told(since[key], now)]


def _is_told(since: datetime, now: datetime) -> bool:
    return now - since >= TOLD_AFTER


def items(conn: Connection, runtime: Runtime, clinic: str | None, now: datetime) -> Iterator[Item]:
    """Yield these folders as the worklist has them."""
    for one in away(conn, runtime, clinic, now):
        since = one.since.astimezone(runtime.clinic(one.clinic).zone)
        said = (
            f"Since {since:%Y-%m-%d %H:%M} it cannot be reached, and no export is imported until it"
            " can. Is the share there, and may the program read and write in it? 'reminders doctor'"
            " says more. Meanwhile files can be imported on the page."
        )
        yield Item("folder", one.clinic, None, None, None, FOLDER_AWAY, said)
