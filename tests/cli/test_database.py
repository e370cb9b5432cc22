"""Backups, restores and checks of the database."""

import fcntl
import re
import sqlite3
import stat
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory

from tests.cli.conftest import Installation, booking


@pytest.fixture
def backup(here: Installation) -> Path:
    """Return a backup that has the booking B1; the database has B2 besides."""
    here.take(booking("B1"))
    here.ok("db", "backup", here.folder / "monday.db")
    here.take(booking("B1"), booking("B2", time="15:00"))
    return here.folder / "monday.db"


def test_upgrade_makes_a_database_from_nothing(tmp_path: Path):
    """Without key and database `db upgrade` makes both, for their owner alone."""
    here = Installation(tmp_path)
    here.config.write_text('[clinics.a]\nphone = "08-465 004 00"\n')
    here.ok("db", "upgrade")
    here.ok("db", "upgrade")
    here.ok("db", "check")
    for name in ("reminders.db", "reminders.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_database_without_its_key_is_left_alone(here: Installation):
    """A lost key is not replaced by a new one, which could not open the database."""
    (here.folder / "reminders.key").unlink()
    for words in (("db", "upgrade"), ("init",), ("status",)):
        result = here.run(*words)
        assert result.exit_code == 2
        assert "back from your copy" in result.stderr
    assert not (here.folder / "reminders.key").exists()


def test_another_key_does_not_open_it(here: Installation, capfd: pytest.CaptureFixture[str]):
    """With a wrong key the database is not opened, and the key is named as the likely cause."""
    (here.folder / "reminders.key").write_text("ab" * 32)
    result = here.run("status")
    assert result.exit_code == 1
    assert "key file" in result.stderr
    assert capfd.readouterr() == ("", "")  # SQLCipher writes to the terminal by itself


def test_a_backup_is_encrypted_and_private(here: Installation, backup: Path):
    """A backup cannot be read without the key, nor by other users."""
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert b"0701740605" not in backup.read_bytes()
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(backup).execute("SELECT * FROM sqlite_master")


def test_a_backup_overwrites_nothing(here: Installation, backup: Path):
    """A file that is there already is refused and stays."""
    before = backup.read_bytes()
    assert here.run("db", "backup", backup).exit_code == 2
    assert backup.read_bytes() == before


def test_a_restored_database_is_held_until_released(
    here: Installation, backup: Path, clock: FrozenDateTimeFactory
):
    """After a restore nothing is sent and `status` says so, until a person releases it."""
    here.ok("db", "restore", backup, "--replace")
    assert here.run("show", "B2").exit_code == 4
    clock.move_to("2026-11-30 13:03:00")
    assert here.json("status", exits=1)["held"] is True
    assert here.json("tick")["sent"] == 0
    refused = here.run("db", "release")
    assert refused.exit_code == 1
    assert "Emails cannot be looked for" in refused.output
    assert here.json("db", "release", "--yes") == {"released": True, "due": 1}
    assert here.json("tick")["sent"] == 1
    assert here.json("status")["held"] is False


def test_a_restore_keeps_what_was_there(here: Installation, backup: Path):
    """The present database is not replaced unasked, and then kept beside the restored one."""
    assert here.run("db", "restore", backup).exit_code == 2
    assert here.run("show", "B2").exit_code == 0
    here.ok("db", "restore", backup, "--replace")
    kept = here.folder / "reminders.db.before-restore"
    assert kept.is_file()
    assert here.run("db", "restore", backup, "--replace").exit_code == 2
    (here.folder / "reminders.db").unlink()
    kept.rename(here.folder / "reminders.db")
    assert here.run("show", "B2").exit_code == 0


def test_a_damaged_backup_is_not_restored(here: Installation, backup: Path):
    """A backup with damaged pages is refused, and the database stays as it is."""
    whole = bytearray(backup.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    backup.write_bytes(whole)
    assert here.run("db", "restore", backup, "--replace").exit_code == 1
    assert here.run("show", "B2").exit_code == 0
    assert sorted(p.name for p in here.folder.glob("reminders.db*.restoring*")) == []


@pytest.mark.parametrize("content", [b"", b"not a database" * 500])
def test_what_is_no_backup_is_not_restored(here: Installation, content: bytes):
    """An empty or foreign file is refused, and the database stays as it is."""
    foreign = here.folder / "foreign.db"
    foreign.write_bytes(content)
    assert here.run("db", "restore", foreign, "--replace").exit_code == 1
    assert here.run("status").exit_code == 0


def test_a_database_in_use_is_not_taken_for_a_backup(here: Installation, backup: Path):
    """A file with a log beside it would lose what the log holds, and is refused."""
    Path(f"{backup}-wal").write_bytes(b"log")
    assert here.run("db", "restore", backup, "--replace").exit_code == 2


def test_a_restore_waits_for_no_sender(here: Installation, backup: Path):
    """While a daemon sends from the database, nothing is restored over it."""
    with Path(f"{here.folder}/reminders.db.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = here.run("db", "restore", backup, "--replace")
        assert result.exit_code == 2
        assert "Stop it first" in result.stderr
        assert here.json("tick")["sent"] == 0


def test_check_names_damage(here: Installation, backup: Path):
    """`db check` ends with 1 on a damaged database."""
    database = here.folder / "reminders.db"
    whole = bytearray(database.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    database.write_bytes(whole)
    assert here.run("db", "check").exit_code == 1


def test_sending_is_stopped_and_let_go(here: Installation):
    """`db hold` stops all sending, as a person does; again changes nothing."""
    assert here.json("db", "hold") == {"held": True, "held_by": "person"}
    assert "nothing is sent" in here.ok("db", "hold")
    assert here.json("status", exits=1)["held_by"] == "person"
    assert here.json("db", "release", "--yes") == {"released": True, "due": 0}


def test_postgresql_is_held_after_its_own_restore(here: Installation, ready_postgres_url: str):
    """After pg_restore a person says so: then nothing is sent until it is released."""
    text = here.config.read_text("utf-8")
    url = re.search(r'^url = ".*"$', text, re.MULTILINE)
    assert url is not None
    here.config.write_text(text.replace(url[0], f'url = "{ready_postgres_url}"'), "utf-8")
    here.ok("templates", "approve", "--yes")
    here.take(booking("B1"))
    assert "db hold --restored" in here.run("db", "restore", here.config).output
    assert here.json("db", "hold") == {"held": True, "held_by": "person"}
    assert here.json("db", "hold", "--restored") == {"held": True, "held_by": "restored"}
    assert here.json("status", exits=1)["held_by"] == "restored"
    assert here.json("tick")["sent"] == 0
    here.ok("db", "release", "--yes")
    assert here.json("status", exits=0)["held"] is False
