"""What the command line says of the machine: its journal, its time zones, its disk, its clock."""

import re
import zoneinfo
from importlib import resources
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory

from reminders.store import database
from tests.cli.conftest import Installation

OLD = "Europe/Stockholm"


def said(here: Installation, name: str, *, exits: int = 0) -> dict[str, object]:
    """Return one of doctor's checks."""
    checks = here.json("doctor", exits=exits)["checks"]
    return next(check for check in checks if check["name"] == name)


def test_doctor_says_which_journal_and_why(here: Installation):
    """With a SQLite that has the fix, the journal is WAL, and doctor says why."""
    message = str(said(here, "database")["message"])
    assert re.search(r"journal WAL: SQLite \d+\.\d+\.\d+ has the fix", message)


def test_an_old_sqlite_has_the_safe_journal(here: Installation, monkeypatch: pytest.MonkeyPatch):
    """With a SQLite that can damage a WAL database, another journal is used, and doctor says why."""
    monkeypatch.setattr(database, "WAL_SAFE", ((99, 0, 0),))
    message = str(said(here, "database")["message"])
    assert "journal DELETE, which is safe and slower" in message
    assert "WAL-reset fault" in message
    with database.open_database(
        f"sqlite:///{here.folder / 'reminders.db'}",
        bytes.fromhex((here.folder / "reminders.key").read_text().strip()),
    ).reading() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 3  # EXTRA


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 7, 0), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 1), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_which_versions_are_safe(version: tuple[int, ...], safe: bool):
    """The fix is in 3.51.3 and later, and in two older lines."""
    assert database.wal_is_safe(version) is safe


def test_time_zones_that_are_up_to_date(here: Installation):
    """Data in use that agrees with what came with the program is fine, and named."""
    check = said(here, "time zones")
    assert check["ok"]
    assert re.search(r"20\d\d", str(check["message"]))


@pytest.fixture
def stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let the operating system's data be of a time when Stockholm never changed its clocks."""
    folder = tmp_path / "zoneinfo"
    (folder / "Europe").mkdir(parents=True)
    with resources.files("tzdata").joinpath("zoneinfo", "Etc", "GMT-1").open("rb") as file:
        (folder / OLD).write_bytes(file.read())
        (folder / "UTC").write_bytes((folder / OLD).read_bytes())
    (folder / "tzdata.zi").write_text("# version 1979a\n")
    zoneinfo.reset_tzpath(to=[str(folder)])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("stale")
def test_stale_time_zones_are_wrong(here: Installation):
    """Data that would make texts an hour wrong is told, with the zone and from when on."""
    check = said(here, "time zones", exits=1)
    assert not check["ok"]
    assert "1979a" in str(check["message"])
    assert OLD in str(check["message"])


def test_a_clock_that_went_back_is_told(here: Installation, clock: FrozenDateTimeFactory):
    """After a worker was at work hours later than now, sending is held, and all say why."""
    here.ok("tick")
    clock.move_to("2026-11-30 03:00+00:00")
    here.ok("tick")
    assert "clock has jumped" in here.run("status").stdout
    assert here.json("status", exits=1)["held_by"] == "clock"
    assert not said(here, "sending", exits=1)["ok"]


def test_a_locked_database_is_told_in_words(here: Installation, monkeypatch: pytest.MonkeyPatch):
    """A database that another process keeps locked is told as such, not as a fault of ours."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    key = bytes.fromhex((here.folder / "reminders.key").read_text().strip())
    with database.open_database(f"sqlite:///{here.folder / 'reminders.db'}", key).transaction():
        result = here.run("optout", "add", "070-174 06 05")
    assert result.exit_code == 1
    assert "Another process is writing" in result.stderr
