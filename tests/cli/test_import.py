"""`import`: what it shows, when it applies, how it ends."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Installation, booking

GOOD = booking("B1")
BAD = booking("B2", phone="070-174 06 05 mamma")


def status_of(here: Installation, ref: str) -> int:
    return here.run("show", ref).exit_code


def test_it_applies_with_yes(here: Installation):
    """A good file with --yes is applied, and its messages are there at once."""
    shown = here.json("import", here.file(GOOD), "--yes")
    assert shown["applied"] is True
    planned = [m for m in here.json("show", "B1")["messages"] if m["state"] == "planned"]
    assert {m["rule"] for m in planned} == {"day_before", "fifteen_minutes"}


def test_without_a_terminal_it_only_shows(here: Installation):
    """With nobody to ask and no --yes, nothing is changed and it ends with 1."""
    result = here.run("import", here.file(GOOD))
    assert result.exit_code == 1
    assert "1 new" in result.stdout
    assert "Add --yes" in result.stderr
    assert status_of(here, "B1") == 4


def test_a_dry_run_only_shows(here: Installation):
    """--dry-run ends with 0 and changes nothing, even with --yes."""
    assert here.json("import", here.file(GOOD), "--dry-run", "--yes")["applied"] is False
    assert status_of(here, "B1") == 4


def test_problem_rows_end_with_3(here: Installation):
    """Good rows are applied, and the others are named by line and column."""
    result = here.run("import", here.file(GOOD, BAD), "--yes")
    assert result.exit_code == 3
    assert "Line 3, column Mobil:" in result.stdout
    assert status_of(here, "B1") == 0


def test_strict_refuses_problem_rows(here: Installation):
    """--strict refuses the whole file, names its lines, and ends with 2."""
    result = here.run("import", here.file(GOOD, BAD), "--yes", "--strict")
    assert result.exit_code == 2
    assert "1 row has problems, and --strict" in result.stderr
    assert "Line 3, column Mobil:" in result.stderr
    assert "mamma" not in result.output
    assert status_of(here, "B1") == 4


def test_a_refused_file_is_json_too(here: Installation):
    """A refused file prints the contract's keys and the problems, and ends with 2."""
    path = here.folder / "broken.csv"
    path.write_text("nothing;of;use\n1;2;3\n")
    told = here.json("import", path, "--yes", exits=2)
    assert told["applied"] is False
    assert told["new"] == 0
    assert told["problems"][0]["code"] == "missing_column"
    assert "error" in told


def test_a_missing_file_is_told(here: Installation):
    """A file that is not there is named, and it ends with 2."""
    result = here.run("import", "nowhere.csv", "--yes")
    assert result.exit_code == 2
    assert "nowhere.csv" in result.stderr


def test_a_name_of_windows_is_read_and_told(here: Installation):
    """A file whose name is not UTF-8 is imported; if it is not there, it is named legibly."""
    path = Path(here.file(GOOD))
    name = path.with_name(os.fsdecode("från journalen.csv".encode("cp1252")))
    missing = here.run("import", str(name), "--yes")
    assert missing.exit_code == 2
    assert "från journalen.csv:" in " ".join(missing.stderr.split())
    path.rename(name)
    assert here.json("import", str(name), "--yes")["applied"] is True


def test_the_json_keys_are_the_contract(here: Installation):
    """Scripts find every key that they were promised, and counts are integers."""
    shown = here.json("import", here.file(GOOD, BAD), "--yes", exits=3)
    counts = [
        "new",
        "moved",
        "cancelled",
        "unchanged",
        "missing",
        "ignored",
        "messages",
        "segments",
    ]
    assert all(type(shown[key]) is int for key in counts)
    assert set(shown["problems"][0]) == {"line", "column", "code", "message"}
    assert shown["first_at"] == "2026-11-30T14:00:00+01:00"
    assert shown["cost"] > 0


def test_the_difference_is_told_in_words(here: Installation):
    """Moved visits are shown with both times, cancelled ones by reference."""
    here.take(booking("B1"), booking("B2"))
    moved, cancelled = booking("B1", time="15:30"), booking("B2", status="Avbokad")
    text = here.run("import", here.file(moved, cancelled), "--older-ok", "--dry-run").stdout
    assert "B1  2026-12-01 14:00 → 2026-12-01 15:30" in text
    assert "1 cancelled\n         B2\n" in text


def test_what_is_not_read_or_only_assumed_is_shown(here: Installation):
    """A mistyped header is seen before anything is sent: it stands among the columns not read."""
    path = here.folder / "bookings.csv"
    path.write_text(
        "boknings-id;starttid;besökstypp;mobil;rum\nB1;2026-12-01 14:00;Fysiskt;0701740605;3\n"
    )
    text = here.run("import", path, "--dry-run").stdout
    assert "Columns that are not read: besökstypp, rum" in text
    assert "every row is taken for a video visit" in text
    assert "every row is taken as booked" in text
    shown = here.json("import", path, "--dry-run")
    assert (shown["unread_columns"], shown["assumed"]) == (
        ["besökstypp", "rum"],
        ["kind", "status"],
    )
    assert "not read" not in here.run("import", here.file(booking("B1")), "--dry-run").stdout


def test_missing_bookings_are_cancelled_only_when_asked(here: Installation):
    """--full lists what the file lacks; --cancel-missing cancels it."""
    here.take(booking("B1"), booking("B2"))
    file = here.file(booking("B1"))
    listed = here.json("import", file, "--full", "--yes", "--older-ok")
    assert (listed["missing"], listed["missing_refs"]) == (1, ["B2"])
    assert here.json("show", "B2")["status"] == "booked"
    here.json("import", file, "--full", "--cancel-missing", "--yes", "--older-ok")
    assert here.json("show", "B2")["status"] == "cancelled"


def test_the_first_import_confirms_nothing_unless_asked(here: Installation):
    """A clinic's first import sends no confirmations and says how to; --confirmations does."""
    file = here.file(GOOD)
    shown = here.run("import", file, "--dry-run").stdout
    assert "--confirmations" in shown
    assert here.json("import", file, "--dry-run")["by_rule"].get("booked") is None
    assert here.json("import", file, "--dry-run", "--confirmations")["by_rule"]["booked"] == 1


def test_later_imports_confirm_unless_told_not_to(here: Installation):
    """From the second import on new bookings are confirmed; --no-confirmations leaves it."""
    here.take(booking("B1"))
    file = here.file(booking("B1"), booking("B2"))
    more = ("import", file, "--dry-run", "--older-ok")
    assert here.json(*more)["by_rule"]["booked"] == 1
    assert "booked" not in here.json(*more, "--no-confirmations")["by_rule"]


def test_an_older_file_is_refused(here: Installation):
    """A file exported before the one imported last is refused, unless --older-ok."""
    here.ok("import", here.file(GOOD), "--yes", "--exported-at", "2026-11-30 10:00")
    older = ("import", here.file(GOOD), "--yes", "--exported-at", "2026-11-29T10:00+01:00")
    result = here.run(*older)
    assert result.exit_code == 2
    assert "--older-ok" in result.stderr
    assert here.run(*older, "--older-ok").exit_code == 0


def test_an_export_time_to_come_is_refused_in_words(here: Installation):
    """A slip of the year is told at once, and a file's own time to come is told of."""
    file = here.file(GOOD)
    result = here.run("import", file, "--yes", "--exported-at", "2027-11-30 11:00")
    assert result.exit_code == 2
    assert "2027-11-30 11:00" in result.stderr
    ahead = datetime(2027, 11, 30, 10, tzinfo=UTC).timestamp()
    os.utime(file, (ahead, ahead))
    assert "2027-11-30 11:00, is yet to come" in here.ok("import", file, "--yes")
    assert here.json("import", file, "--dry-run")["file_time_ahead"] == "2027-11-30T11:00:00+01:00"


@pytest.mark.parametrize("words", [("import",), ("import", "a.csv", "--nope"), ("nope",)])
def test_a_command_that_is_not_understood_ends_with_2(here: Installation, words: tuple[str, ...]):
    """Missing words, unknown options and unknown commands are usage errors."""
    assert here.run(*words).exit_code == 2


def test_what_has_no_text_is_not_promised(here: Installation):
    """A rule without a text, on either channel, is told apart from what will be sent."""
    text = here.config.read_text("utf-8")
    text += '\n[rules.week_before]\nbefore = "7d"\ntemplate = "not_written"\ndeliver = "each"\n'
    here.config.write_text(text, "utf-8")
    file = here.file(booking("B1", email="a@example.org"))
    shown = here.json("import", file, "--dry-run")
    assert "week_before" not in shown["by_rule"]
    assert shown["messages"] == sum(shown["by_rule"].values())
    assert shown["unwritten"] == 2
    assert "Cannot be sent: 2 messages." in here.run("import", file).stdout


def test_what_the_guard_holds_is_told_apart(here: Installation):
    """Before production an import tells what it would send, and what the guard holds back."""
    text = here.config.read_text("utf-8")
    for channel, provider in (("sms", "elks46"), ("email", "smtp")):
        head = f"[clinics.internet.{channel}]\nprovider = "
        assert f'{head}"sandbox"' in text
        text = text.replace(f'{head}"sandbox"', f'{head}"{provider}"')
    text = text.replace("allowed_recipients = []", 'allowed_recipients = ["070-174 06 06"]')
    text += '\n[providers.smtp]\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\n'
    here.config.write_text(f'{text}\n[providers.elks46]\nusername = "u"\npassword = "p"\n', "utf-8")
    file = here.file(booking("B1", email="a@example.org"), booking("B2", phone="070-174 06 06"))
    shown = here.json("import", file, "--dry-run")
    assert (shown["messages"], shown["kept_back"]) == (2, 2)
    told = here.run("import", file, "--yes").stdout
    assert "Will be sent: 2 messages" in told
    assert "Kept back: 2 messages. This installation is not in production" in told
    calls = [i for i in here.json("worklist")["items"] if i["kind"] == "call"]
    assert [(i["ref"], i["reason"]) for i in calls] == [("B1", "environment")]
    assert here.json("status")["guarded"] is True
    assert "Not in production" in here.run("status").stdout


def test_what_refuses_a_file_fits_the_page(here: Installation):
    """Errors on standard error are wrapped at 80 columns, with the lines that they are about."""
    file = here.file(GOOD)
    file.write_text(file.read_text("utf-8") + "B2;2026-12-01;14", "utf-8")
    cut = here.run("import", file, "--yes")
    assert "Line 3: The file ends in the middle of a row" in cut.stderr
    here.take(GOOD)
    older = here.run("import", here.file(GOOD), "--yes", "--exported-at", "2026-11-01 10:00")
    for result in (cut, older):
        assert result.exit_code == 2
        assert max(map(len, result.stderr.splitlines())) <= 80


def test_what_is_sent_no_longer_is_told(here: Installation):
    """Texts that a cancellation takes back are counted, in words and for a machine."""
    here.run("import", here.file(GOOD), "--yes")
    gone = here.file(booking("B1", status="avbokad"))
    assert here.json("import", gone, "--dry-run")["withdrawn"] == 2
    assert "No longer sent: 2 planned messages." in here.run("import", gone, "--dry-run").stdout
