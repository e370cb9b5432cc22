"""`--clinic`: a clinic's own texts are checked, shown and approved as its own."""

import re

import pytest

from tests.cli.conftest import Installation, booking

OWN = "Norr: {{ visit.day }} {{ visit.time }}. {{ clinic.phone }}\n"


@pytest.fixture
def two(here: Installation) -> Installation:
    """Return an installation of two clinics, alike but for the second's own day-before SMS.

    What is alike is judged once: the check of hundreds of texts takes seconds.
    """
    text = here.config.read_text("utf-8")
    sections = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    first = "".join(one for one in sections if one.startswith("[clinics.internet"))
    second = first.replace("[clinics.internet", "[clinics.north")
    second = second.replace("[clinics.north]", '[clinics.north]\ntemplates_folder = "north"')
    here.config.write_text(f"{text}\n{second}", "utf-8")
    write(here, OWN)
    return here


def write(here: Installation, text: str, file: str = "day_before.sms.txt") -> None:
    """Write a Swedish text of the northern clinic's own."""
    folder = here.folder / "north" / "sv"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text, "utf-8")


def test_the_own_text_of_one_clinic_is_approved(two: Installation):
    """What waits says whose it is; `--clinic` approves that clinic's alone; it can go back."""
    assert two.json("status")["templates_waiting"] == 1
    shown = two.run("templates", "approve").stdout
    assert "+++ north: sv/day_before, sms: now" in shown
    [waiting] = two.json("templates", "approve", exits=1)["waiting"]
    assert (waiting["clinic"], waiting["name"]) == ("north", "day_before")
    assert two.json("templates", "approve", "--clinic", "internet", "--yes")["approved"] == []
    told = two.json("templates", "approve", "--clinic", "north", "--yes")
    assert [(one["clinic"], one["name"]) for one in told["approved"]] == [("north", "day_before")]
    assert two.json("status")["templates_waiting"] == 0
    (two.folder / "north" / "sv" / "day_before.sms.txt").unlink()
    shown = two.run("templates", "approve").stdout
    assert "+++ north: sv/day_before, sms: every clinic's again" in shown
    two.json("templates", "approve", "--yes")
    assert two.json("status")["templates_waiting"] == 0


def test_who_does_not_exist_has_no_texts(two: Installation):
    """A clinic that is not in the configuration is refused, with those that are."""
    result = two.run("templates", "approve", "--clinic", "south")
    assert result.exit_code == 2
    assert "There are: internet, north." in " ".join(result.output.split())


def test_a_broken_own_file_is_named_with_its_folder(two: Installation):
    """`check`, `doctor` and `approve` say which file it is, and of which clinic."""
    write(two, "Ring\n{% if %}\n")
    findings = two.json("templates", "check", exits=1)["findings"]
    found = {(one["clinic"], one["file"], one["line"], one["code"]) for one in findings}
    assert ("north", "north/sv/day_before.sms.txt", 2, "broken") in found
    assert not any(clinic == "internet" and code == "broken" for clinic, _, _, code in found)
    wrong = [one for one in two.json("doctor", exits=1)["checks"] if one["name"] == "texts"]
    assert "north/sv/day_before.sms.txt, line 2" in wrong[0]["message"]
    assert "north/sv/day_before.sms.txt, line 2" in two.run("templates", "approve").output


def test_a_check_tries_each_clinics_own(two: Installation):
    """Costs, findings and what would be read instead are each clinic's, by the texts it sends."""
    write(two, f"{OWN.strip()} {'x' * 160}\n")
    two.run("import", two.file(booking("B1")), "--clinic", "north", "--yes", "--older-ok")
    told = two.json("templates", "check", exits=1)
    long = [one for one in told["findings"] if one["code"] == "too_long"]
    assert {(one["clinic"], one["file"]) for one in long} == {
        ("north", "north/sv/day_before.sms.txt")
    }
    assert [(one["clinic"], one["name"]) for one in told["waiting"]] == [("north", "day_before")]
    sizes = {
        one["clinic"]: one["units"]
        for one in told["messages"]
        if one["file"] == "sv/day_before.sms.txt"
    }
    assert sizes["north"] != sizes["internet"]
    assert "sv/day_before, sms (north): edited, and waits" in two.run("templates", "check").stdout


def test_a_preview_is_of_the_clinics_texts(two: Installation):
    """Each clinic is shown what it would send."""
    choice = ["--language", "sv", "--name", "day_before", "--channel", "sms"]
    assert "Norr: i morgon" in two.ok("templates", "preview", "--clinic", "north", *choice)
    shown = two.ok("templates", "preview", "--clinic", "internet", *choice)
    assert "Norr" not in shown
    assert "Videobesök i morgon" in shown


def test_a_new_installation_approves_each_clinics(two: Installation):
    """`init` approves what is in a clinic's folder, as what is in the installation's."""
    (two.folder / "reminders.db").unlink()
    assert "Approved" in two.ok("init")
    assert two.json("status")["templates_waiting"] == 0
