"""`templates`: an edited text waits until a person approves it."""

from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory

from reminders.clock import SystemClock
from reminders.config import load_config
from reminders.message.lint import Code, lint
from reminders.message.places import placed
from reminders.resources import templates
from tests.cli.conftest import Installation, booking

EDITED = "Sent from an edited text. {{ visit.day }} {{ visit.time }}\n"


@pytest.fixture
def edited(here: Installation) -> Installation:
    """Return an installation whose Swedish day-before SMS was edited."""
    folder = here.folder / "texts" / "sv"
    folder.mkdir(parents=True)
    (folder / "day_before.sms.txt").write_text(EDITED, "utf-8")
    text = here.config.read_text("utf-8")
    here.config.write_text(f'templates_folder = "texts"\n{text}', "utf-8")
    return here


def sent(here: Installation) -> str:
    """Return the last text that was kept on the pretended phone."""
    kept = sorted((Path(here.folder) / "sandbox" / "sms").glob("*.txt"))
    return kept[-1].read_text("utf-8")


def test_an_edit_waits_for_a_person(edited: Installation, clock: FrozenDateTimeFactory):
    """Until it is approved the old text goes out; `status` and `doctor` say that one waits."""
    edited.take(booking("B1"), booking("B2", time="14:10", phone="070-174 06 06"))
    assert edited.json("status")["templates_waiting"] == 1
    assert edited.run("doctor").exit_code == 1
    clock.move_to("2026-11-30 13:00:30")
    edited.json("tick")
    assert "edited" not in sent(edited)
    assert edited.json("templates", "approve", "--yes")["approved"][0]["name"] == "day_before"
    clock.move_to("2026-11-30 13:10:30")
    edited.json("tick")
    assert "Sent from an edited text. i morgon tisdag 14:10" in sent(edited)


def test_approve_shows_the_difference_and_asks(edited: Installation):
    """Without a yes the difference is shown, nothing is approved, and it ends with 1."""
    result = edited.run("templates", "approve")
    assert result.exit_code == 1
    assert "+Sent from an edited text." in result.stdout
    [waiting] = edited.json("templates", "approve", exits=1)["waiting"]
    assert set(waiting) == {"language", "name", "channel", "version"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("From BUP: a visit {{ visit.day }}.", "private_word"),
        ("A visit {{ visit.dya }}.", "unknown_name"),
        ("{% if age %}{{ 1 // 0 }}{% endif %}A visit.", "broken"),
        ("A visit: https://example.org", "link"),
        ("A visit at {{ clinic.name }}.", "clinic_name"),
    ],
)
def test_what_must_never_be_sent_is_not_approved(edited: Installation, words: str, code: str):
    """A text that says too much or cannot be filled in stays unapproved; the others are approved."""
    folder = edited.folder / "texts" / "sv"
    (folder / "moved.sms.txt").write_text(words, "utf-8")
    told = edited.json("templates", "approve", "--yes", exits=1)
    assert [one["name"] for one in told["approved"]] == ["day_before"]
    assert [one["name"] for one in told["waiting"]] == ["moved"] == [told["refused"][0]["name"]]
    assert code in {one["code"] for one in told["findings"] if one["file"] == "sv/moved.sms.txt"}
    again = edited.run("templates", "approve", "--yes")
    assert again.exit_code == 1
    assert "sv/moved.sms.txt, line 1" in again.output
    assert "Not to be approved as it is: sv/moved (sms)." in again.output


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_approved(edited: Installation):
    """It is told with its place, and waits; the others are approved, and it ends with 1."""
    folder = edited.folder / "texts" / "sv"
    (folder / "next_steps.sms.txt").write_text("A visit.\n{% if x\n", "utf-8")
    told = edited.json("templates", "approve", "--yes", exits=1)
    assert [one["name"] for one in told["approved"]] == ["day_before"]
    [found] = [one for one in told["findings"] if one["code"] == "broken"]
    assert (found["file"], found["line"]) == ("sv/next_steps.sms.txt", 2)
    again = edited.run("templates", "approve")
    assert again.exit_code == 1
    assert "sv/next_steps.sms.txt, line 2: " in again.output
    assert "Every text is approved." not in again.output
    wrong = [one for one in edited.json("doctor", exits=1)["checks"] if one["name"] == "texts"]
    assert "sv/next_steps.sms.txt, line 2" in wrong[0]["message"]


def test_a_new_installation_approves_what_can_be_read(
    edited: Installation, clock: FrozenDateTimeFactory
):
    """`init` says which own file cannot be used; the shipped text goes out for it."""
    (edited.folder / "reminders.db").unlink()
    (edited.folder / "texts" / "sv" / "day_before.sms.txt").write_text("{% if x\n", "utf-8")
    begun = edited.run("init")
    assert "sv/day_before.sms.txt, line 1: " in begun.output
    found = edited.json("templates", "check", exits=1)["findings"]
    assert {one["code"] for one in found if one["file"] == "sv/day_before.sms.txt"} == {"broken"}
    assert "'reminders templates approve'" in begun.output
    edited.take(booking("B1"))
    clock.move_to("2026-11-30 13:00:30")
    edited.json("tick")
    assert "Videobesök i morgon" in sent(edited)  # the shipped text, and not English


def test_what_else_is_found_is_said(edited: Installation):
    """A text that is dear, or no longer says something, is approved by who has been told so."""
    told = edited.json("templates", "approve", "--yes")
    assert {one["code"] for one in told["findings"]} == {"not_said"}
    assert [one["name"] for one in told["approved"]] == ["day_before"]


def test_a_check_fits_the_page(edited: Installation):
    """What would be read before and after is wrapped at 80 columns."""
    folder = edited.folder / "texts" / "sv"
    (folder / "moved.sms.txt").write_text("A long text of one line. " * 6 + "{{ visit.time }}")
    shown = edited.run("templates", "check").stdout
    assert "    + A long text of one line." in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_every_text_that_is_shown_fits_the_page(here: Installation):
    """A preview of all texts is folded at 80 columns, with every word; `--json` has them whole."""
    shown = here.ok("templates", "preview", "--channel", "email")
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    texts = here.json("templates", "preview", "--channel", "email")
    assert any(len(line) > 80 for text in texts for line in text["body"].split("\n"))
    words = " ".join(shown.split())
    assert [text["name"] for text in texts if " ".join(text["body"].split()) not in words] == []


def test_a_difference_that_is_folded_stays_on_its_side(edited: Installation):
    """What goes on below a long line of an edited text has the mark of that line."""
    long = "A long text of one line. " * 6 + "{{ visit.time }} {{ clinic.phone }}"
    (edited.folder / "texts" / "sv" / "moved.sms.txt").write_text(long + "\n", "utf-8")
    shown = edited.run("templates", "approve").stdout
    folded = [line for line in shown.splitlines() if line.startswith("+") and "A long" in line]
    assert [line[:6] for line in folded] == ["+A lon", "+    l"]


def test_a_finding_about_a_setting_names_the_file_and_the_line(here: Installation):
    """Whatever the configuration is called, and with several clinics in it."""
    text = here.config.read_text("utf-8")
    other = here.folder / "bad5.toml"
    more = 'phone = "08-123 456"\nsms.sender = "BUP Videobesök"\n'
    other.write_text(f"{text}\n[clinics.north]\n{more}", "utf-8")
    line = len(other.read_text("utf-8").splitlines())
    config = load_config(other)
    found = lint([], "north", config.clinics["north"], SystemClock().now()).findings
    [told] = [one for one in placed(found, config) if "sms.sender" in one.message]
    assert (told.file, told.line, told.code) == (str(other), line, Code.SENDER)
    assert "clinics.north.sms.sender" in told.message


def test_a_rule_whose_text_is_not_there_is_found(here: Installation):
    """`templates check` and `doctor` name the rule, and each file that it lacks."""
    text = here.config.read_text("utf-8")
    here.config.write_text(
        text.replace('on = "moved"', 'on = "moved"\ntemplate = "flyttad"', 1), "utf-8"
    )
    found = here.json("templates", "check", exits=1)["findings"]
    assert [(one["file"], one["line"], one["code"]) for one in found] == [
        ("sv/flyttad.sms.txt", 1, "missing"),
        ("sv/flyttad.email.md", 1, "missing"),
    ]
    assert "the rule 'moved' sends nobody this sms" in found[0]["message"]
    [texts] = [one for one in here.json("doctor", exits=1)["checks"] if one["name"] == "texts"]
    assert (texts["ok"], texts["message"].count("the rule 'moved'")) == (False, 2)


def test_a_text_for_a_rule_that_waits_is_not_missing(here: Installation):
    """A rule's own text that is written is there; that nobody has approved it is said alone."""
    folder = here.folder / "texts" / "sv"
    folder.mkdir(parents=True)
    (folder / "flyttad.sms.txt").write_text("Ny tid {{ visit.time }}. {{ clinic.phone }}", "utf-8")
    text = here.config.read_text("utf-8")
    rule = 'on = "moved"\ntemplate = "flyttad"\nchannels = ["sms"]'
    text = text.replace('on = "moved"', rule, 1)
    here.config.write_text(f'templates_folder = "texts"\n{text}', "utf-8")
    [texts] = [one for one in here.json("doctor", exits=1)["checks"] if one["name"] == "texts"]
    assert texts["message"] == "1 text not approved: 'reminders templates approve'"
    here.ok("templates", "approve", "--yes")
    assert here.json("doctor")["ok"]


def test_a_statement_that_is_gone_is_told_where_it_stood(here: Installation):
    """The file is named in which the approved text still said it."""
    shipped = (templates() / "sv" / "day_before.sms.txt").read_text("utf-8")
    folder = here.folder / "texts" / "sv"
    folder.mkdir(parents=True)
    (folder / "day_before.sms.txt").write_text("{{ visit.day }} {{ visit.time }}\n", "utf-8")
    assert "S13" in shipped
    config = here.config.read_text("utf-8")
    here.config.write_text(f'templates_folder = "texts"\n{config}', "utf-8")
    found = here.json("templates", "check", exits=1)["findings"]
    told = [one for one in found if one["code"] == "not_said"]
    assert {one["file"] for one in told} == {"sv/day_before.sms.txt"}
    assert any("S13" in one["message"] for one in told)


def test_with_nothing_to_approve_it_ends_well(here: Installation):
    """Where every text is approved, `approve` says so and ends with 0."""
    assert "Every text is approved." in here.ok("templates", "approve")


def test_check_tells_all_it_finds(edited: Installation):
    """One check tells what is broken, what is edited and how it reads, and tries real bookings."""
    (edited.folder / "texts" / "sv" / "help.sms.txt").write_text("\n{% if %}\n", "utf-8")
    edited.take(booking("B1"), booking("B2", time="14:10", phone="070-174 06 06"))
    told = edited.json("templates", "check", exits=1)
    assert (told["ok"], told["upcoming"] > 1) == (False, True)
    found = {(one["file"], one["line"], one["code"]) for one in told["findings"]}
    assert ("sv/help.sms.txt", 2, "broken") in found
    assert ("sv/confirmation.sms.txt", 1, "not_said") not in found  # help is not to be judged
    [waiting] = told["waiting"]
    assert (waiting["name"], waiting["clinic"]) == ("day_before", "internet")
    assert waiting["approved_version"] != waiting["version"]
    assert {change["now"].split(".")[0] for change in waiting["changes"]} == {
        "Sent from an edited text"
    }
    text = edited.run("templates", "check").stdout
    assert "sv/help.sms.txt, line 2" in text
    assert "+ Sent from an edited text. i morgon torsdag 13:00" in text
    assert "upcoming messages." in text


def test_preview_is_as_on_a_phone_and_as_an_email(here: Installation):
    """The terminal breaks an SMS as a phone does, under its sender; an email has its head."""
    choice = ["templates", "preview", "--language", "sv", "--name", "day_before", "--channel"]
    sms = here.ok(*choice, "sms")
    assert "guardian of a child of 8, tomorrow" in sms
    assert "\n  Videobesok\n  | Videobesök i morgon tors 13:00 i\n  | Alltid Öppet." in sms
    assert max(len(line) for line in sms.splitlines() if line.startswith("  |")) <= 42
    email = here.ok(*choice, "email")
    assert "\nSubject: Påminnelse: videobesök" in email
    assert "\nFiles: calendar.ics\n" in email


def test_preview_writes_a_page(here: Installation):
    """The page shows phones and whole emails, right to left where they are, and loads nothing."""
    choice = ["templates", "preview", "--name", "fifteen_minutes", "--language"]
    page = here.ok(*choice, "ar", "--html", "-")
    assert 'dir="rtl"' in page
    assert '<template shadowrootmode="open">' in page
    assert "<iframe" not in page  # a page of all texts would start a thousand processes
    assert "data:image/png;base64," in page
    assert "cid:" not in page
    path = here.folder / "texts.html"
    assert "Wrote" in here.ok(*choice, "sv", "--html", path)
    assert "Mina ärenden" in path.read_text("utf-8")
    nowhere = here.run(*choice, "sv", "--html", here.folder / "none" / "x.html")
    assert nowhere.exit_code == 2
