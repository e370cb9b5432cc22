"""`users` and `users token`: who may use the pages and the JSON API."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory

from reminders.domain.access import Scope
from reminders.engine import accounts
from reminders.wiring import open_store
from tests.cli.conftest import Installation, booking


def add(here: Installation, login: str, *words: str, password: str = "tre ord i rad"):
    """Add a user whose password is in a file."""
    file = here.folder / "password"
    file.write_text(password + "\nand a second line\n", "utf-8")
    return here.run("users", "add", login, "--password-file", file, *words)


def test_the_first_user_is_made_here(here: Installation):
    """A user is added with a password from a file, listed, disabled and let in again."""
    assert add(here, "Anna").exit_code == 0
    assert add(here, "bo", "--role", "viewer", "--clinic", "internet").exit_code == 0
    listed = here.json("users", "list")
    assert [(u["login"], u["roles"]) for u in listed["users"]] == [
        ("anna", {"*": "admin"}),
        ("bo", {"internet": "viewer"}),
    ]
    here.ok("users", "disable", "BO")
    assert here.json("users", "list")["users"][1]["disabled_at"] is not None
    here.ok("users", "enable", "bo")
    assert here.json("users", "list")["users"][1]["disabled_at"] is None
    assert "admin of all clinics" in here.ok("users", "list")


def test_a_password_is_changed_from_a_pipe(here: Installation):
    """`--password-file -` reads the password from standard input."""
    add(here, "anna")
    words = ["--config", str(here.config), "users", "password", "anna", "--password-file", "-"]
    from typer.testing import CliRunner

    from reminders.cli.app import app

    result = CliRunner().invoke(app, words, input="fyra helt nya ord\n")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("users", "add", "anna"), 2, "no terminal"),
        (("users", "password", "nobody"), 4, "no user nobody"),
        (("users", "disable", "nobody"), 4, "no user nobody"),
        (("users", "token", "revoke", "nothing"), 4, "no token nothing"),
        (("users", "token", "add", ""), 2, "one line"),
    ],
)
def test_what_cannot_be_done_is_said(here: Installation, words, status: int, said: str):
    """Each command that cannot be done says why, with its exit status."""
    result = here.run(*words)
    assert (result.exit_code, said in result.stderr) == (status, True), result.output


def test_what_is_no_good_is_refused(here: Installation):
    """A short password, a second user of one name, an unknown clinic: nothing is changed."""
    assert add(here, "anna", password="short").exit_code == 2
    assert add(here, "anna", "--clinic", "nowhere").exit_code == 2
    assert add(here, "anna").exit_code == 0
    assert add(here, "ANNA").exit_code == 2
    assert here.json("users", "list")["count"] == 1


def test_a_token_is_shown_once(here: Installation):
    """A token works until it is revoked, and is not in the list or the database."""
    secret = here.json("users", "token", "add", "system", "--scope", "read", "--scope", "write")[
        "token"
    ]
    assert secret not in here.ok("users", "token", "list")
    assert secret not in here.ok("users", "token", "list", "--json")
    from reminders.clock import SystemClock
    from reminders.config import load_config

    database = open_store(load_config(here.config))
    now = SystemClock().now()
    found = accounts.find_client(database, secret, now)
    assert found is not None
    assert (found.name, found.clinic, found.scopes) == ("system", "internet", frozenset(Scope))
    assert here.run("users", "token", "add", "system").exit_code == 2
    here.ok("users", "token", "revoke", "system")
    assert accounts.find_client(database, secret, now) is None
    database.close()


def test_a_token_can_run_out(here: Installation, clock):
    """A token with --days is worth nothing after them."""
    from datetime import UTC, datetime, timedelta

    from reminders.config import load_config

    secret = here.json("users", "token", "add", "dashboard", "--days", "90")["token"]
    database = open_store(load_config(here.config))
    now = datetime.fromisoformat("2026-11-30 11:00").replace(tzinfo=UTC)
    assert accounts.find_client(database, secret, now + timedelta(days=89)) is not None
    assert accounts.find_client(database, secret, now + timedelta(days=90)) is None
    database.close()


def test_a_password_is_asked_for_twice(here: Installation, monkeypatch: pytest.MonkeyPatch):
    """On a terminal the password is asked for twice, and both have to be the same."""
    from reminders.cli import users

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    answers = iter(["tre ord i rad", "tre ord i rab"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
    from reminders.errors import UsageError

    with pytest.raises(UsageError, match="not the same"):
        users._password(None)


@pytest.fixture
def exports(here: Installation) -> Path:
    """Return a folder that is watched."""
    text = here.config.read_text("utf-8")
    section = '[clinics.internet.watch]\nfolder = "exports"\nsettle = "0s"\n\n'
    here.config.write_text(
        text.replace("[clinics.internet.app]", section + "[clinics.internet.app]")
    )
    folder = here.folder / "exports"
    folder.mkdir()
    return folder


def test_a_folder_that_is_away_is_told(
    here: Installation, exports: Path, clock: FrozenDateTimeFactory
):
    """`watch` and `doctor` tell at once, `status` and the worklist when it has lasted."""
    exports.rmdir()
    assert here.run("watch").exit_code == 1
    assert here.json("status")["folders_away"] == []
    clock.tick(timedelta(minutes=6))
    assert "Away" in here.run("watch").stderr
    assert here.json("status", exits=1)["folders_away"] == ["internet"]
    assert "The watched folder is away: internet" in here.run("status").stdout
    assert here.json("worklist")["items"][0]["reason"] == "folder_away"
    assert "The watched folder is away" in here.run("worklist").stdout
    assert watched(here, exits=1) == (False, f"{exports} is not there, or closed to this user")
    exports.mkdir()
    assert watched(here, exits=1)[1].startswith(f"{exports} is there, but who watches has not")
    assert here.run("watch").exit_code == 0
    assert watched(here) == (True, f"{exports} can be read and written")
    assert here.ok("worklist")


def watched(here: Installation, exits: int = 0) -> tuple[bool, str]:
    """Return what doctor says of the watched folder."""
    checks = {check["name"]: check for check in here.json("doctor", exits=exits)["checks"]}
    found = checks["watched folder of internet"]
    return found["ok"], found["message"].partition(":")[0]


def test_the_folder_is_looked_into_once(here: Installation, exports: Path):
    """`watch` imports what lies in the folder, and tells by its exit status of what does not go."""
    here.file(booking("A1")).rename(exports / "bookings.csv")
    assert here.json("watch") == {"done": 1, "waiting": 0, "refused": 0}
    assert here.json("show", "A1")["status"] == "booked"
    (exports / "broken.csv").write_text('"')
    assert here.run("watch").exit_code == 1
    assert len(list((exports / "refused").iterdir())) == 2
