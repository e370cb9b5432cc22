"""Is the time zone data up to date? The operating system's is used where there is one.

An old one knows nothing of a country that has changed its clocks since, and every text there would
go an hour wrong. So it is held against the newer one that came with the program.
"""

import zoneinfo
from collections.abc import Iterable
from datetime import datetime, timedelta
from importlib import resources
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from zoneinfo import ZoneInfo

AHEAD = timedelta(days=500)
STEP = timedelta(hours=3)


def look(names: Iterable[str], now: datetime) -> tuple[bool, str]:
    """Tell whether the data in use is right for these zones, and what it is, in words."""
    system, packaged = _system(), _packaged()
    if packaged is None:
        return True, f"the operating system's, {system or 'of a version that it does not tell'}"
    if system is None:
        return True, f"tzdata {packaged}"
    for name in sorted(set(names)):
        apart = _parts_at(name, now)
        if apart is not None:
            return False, (
                f"the operating system's data, {system}, is out of date: from {apart:%Y-%m-%d} on"
                f" the time in {name} is not what tzdata {packaged} says. Update the system's"
                " package, which is mostly called tzdata"
            )
    return True, f"the operating system's, {system}, which agrees with tzdata {packaged}"


def _system() -> str | None:
    """Return the version of the operating system's data; None if it has none."""
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "UTC").exists():
            listing = folder / "tzdata.zi"
            first = listing.read_text("utf-8").partition("\n")[0] if listing.is_file() else ""
            return first.removeprefix("# version ") or "of a version that it does not tell"
    return None


def _packaged() -> str | None:
    try:
        return installed_version("tzdata")
    except PackageNotFoundError:
        return None


def _parts_at(name: str, now: datetime) -> datetime | None:
    """Return when the zone in use and the one that came with the program part, if they do."""
    source = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    if not source.is_file():
        return None
    with source.open("rb") as file:
        ours = ZoneInfo.from_file(file, name)
    used, at = ZoneInfo.no_cache(name), now
    while at < now + AHEAD:
        if at.astimezone(used).utcoffset() != at.astimezone(ours).utcoffset():
            return at
        at += STEP
    return None
