"""Each clinic of an installation may have texts of its own, and is sent no other's."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reminders.domain.contact import Channel
from reminders.engine import approval, desk, gallery, showing
from reminders.engine.proof import Proof, prove
from reminders.engine.vetting import NotApprovableError
from reminders.engine.wording import words_of
from reminders.engine.written import looked_into
from reminders.providers.sandbox import Sandbox
from reminders.simulation.world import World
from reminders.store import consents, templates
from reminders.store.handed import handed
from tests.engine.clinic import SECOND, Clinic, row

OWN = "Norr: {{ visit.day }} {{ visit.time }}. {{ clinic.phone }}\n"
NORTH = {"phone": "08-465 004 00", "templates_folder": "north"}
AT_NORTH, AT_INTERNET = "•••• 606", "•••• 605"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """Return two clinics, the second of which has a folder of its own, in which there is nothing."""
    (tmp_path / "north" / "sv").mkdir(parents=True)
    return open_clinic(clinics__north=NORTH)


@pytest.fixture
def overlaid(open_clinic: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """Return two clinics with a folder for both; the second one's own text is approved."""
    for folder in ("north", "all"):
        (tmp_path / folder / "sv").mkdir(parents=True)
    made = open_clinic(clinics__north=NORTH, templates_folder="all")
    write(made, OWN)
    approve(made)
    return made


def write(clinic: Clinic, text: str, file: str = "day_before.sms.txt") -> Path:
    """Write a Swedish text of the northern clinic's own."""
    path = clinic.folder / "north" / "sv" / file
    path.write_text(text, "utf-8")
    return path


def waiting(clinic: Clinic) -> list[tuple[str, str, str, bool]]:
    """Return (clinic, name, channel, back) of what waits."""
    with clinic.runtime.database.reading() as conn:
        found = approval.waiting(conn, clinic.runtime)
    return [(w.source.clinic, w.source.name, w.source.channel.value, w.back) for w in found]


def approve(clinic: Clinic, *, changes_meaning: bool = False) -> None:
    """Let a person approve all that waits, a second later."""
    clinic.clock.set(clinic.clock.now() + SECOND)
    with clinic.runtime.database.transaction() as conn:
        now = clinic.clock.now()
        approval.approve(conn, clinic.runtime, "anna", now, changes_meaning=changes_meaning)


def both(clinic: Clinic, ref: str = "B1", day: str = "2026-12-02") -> None:
    """Book a visit at each clinic."""
    clinic.read(row(ref, f"{day} 10:00"))
    clinic.read(row(ref, f"{day} 10:00", phone="070-174 06 06"), clinic="north")


def proof(clinic: Clinic) -> Proof:
    """Return what a check finds in what is planned."""
    with clinic.runtime.database.reading() as conn:
        written = looked_into(clinic.runtime.config)
        return prove(conn, clinic.runtime, written, clinic.clock.now())


def told(clinic: Clinic) -> dict[str, str]:
    """Return the last text that each phone got."""
    return {text.to: text.body for text in clinic.texts()}


def test_one_clinic_has_its_own_text(clinic: Clinic) -> None:
    """It waits for a person, as every edit; then it goes to that clinic's people and to no others."""
    both(clinic)
    write(clinic, OWN)
    assert waiting(clinic) == [("north", "day_before", "sms", False)]
    approve(clinic)
    assert waiting(clinic) == []
    clinic.until("2026-12-01 10:30")
    assert told(clinic)[AT_NORTH] == "Norr: i morgon onsdag 10:00. 08-465 004 00"
    assert told(clinic)[AT_INTERNET].startswith("Videobesök i morgon ons 10:00 i Alltid Öppet.")


def test_until_it_is_approved_every_clinics_goes_out(clinic: Clinic) -> None:
    """An own text that nobody has approved changes nothing."""
    both(clinic)
    write(clinic, OWN)
    clinic.until("2026-12-01 10:30")
    assert [body.split(".")[0] for body in told(clinic).values()] == [
        "Videobesök i morgon ons 10:00 i Alltid Öppet"
    ] * 2


def test_an_own_part_is_in_every_text_that_includes_it(clinic: Clinic) -> None:
    """A partial file of the folder changes each text of that clinic with it, and no other's."""
    both(clinic)
    write(clinic, "Norrs egen rad om inloggning.\n", "_try_login.j2")
    names = {name for owner, name, _, _ in waiting(clinic) if owner == "north"}
    assert "day_before" in names
    assert len(names) < 10
    assert {owner for owner, *_ in waiting(clinic)} == {"north"}
    approve(clinic)
    clinic.until("2026-12-01 10:30")
    assert "Norrs egen rad om inloggning." in told(clinic)[AT_NORTH]
    assert "Norrs egen rad" not in told(clinic)[AT_INTERNET]


def test_a_text_taken_away_waits_to_go_back(clinic: Clinic) -> None:
    """The own one goes on until somebody agrees; then every clinic's does, with its later edits."""
    path = write(clinic, OWN)
    approve(clinic)
    both(clinic)
    path.unlink()
    assert waiting(clinic) == [("north", "day_before", "sms", True)]
    clinic.until("2026-12-01 10:30")
    assert told(clinic)[AT_NORTH].startswith("Norr: ")
    approve(clinic)
    assert waiting(clinic) == []
    both(clinic, "B2", "2026-12-03")
    clinic.until("2026-12-02 10:30")
    assert told(clinic)[AT_NORTH].startswith("Videobesök i morgon tors")
    write(clinic, OWN)
    approve(clinic)
    assert waiting(clinic) == []
    both(clinic, "B3", "2026-12-04")
    clinic.until("2026-12-03 10:30")
    assert told(clinic)[AT_NORTH].startswith("Norr: ")


def test_a_folder_that_is_away_takes_no_text_back(clinic: Clinic) -> None:
    """Where the folder cannot be found, that is told, and what was approved goes on."""
    write(clinic, OWN)
    approve(clinic)
    shutil.rmtree(clinic.folder / "north")
    with clinic.runtime.database.reading() as conn:
        found = approval.pending(clinic.runtime, templates.approved(conn))
    assert found.waiting == ()
    assert [str(clinic.folder / "north") in one.message for one in found.broken] == [True]


def test_a_clinic_without_a_folder_any_more(clinic: Clinic) -> None:
    """Where the setting is gone, each text of its own waits to go back."""
    write(clinic, OWN)
    approve(clinic)
    clinic.restart(clinics__north={"phone": "08-465 004 00"})
    assert waiting(clinic) == [("north", "day_before", "sms", True)]
    assert [(key, edit.waiting.back) for key, edit in proof(clinic).edits] == [("north", True)]


def test_a_broken_own_file(clinic: Clinic) -> None:
    """It is named as the clinic's, keeps no other text from approval, and the approved one goes on."""
    both(clinic)
    write(clinic, "Ring\n{% if %} oss\n")
    write(clinic, "Ny tid: {{ visit.time }}. {{ clinic.phone }}\n", "moved.sms.txt")
    with clinic.runtime.database.reading() as conn:
        approved = templates.approved(conn)
    found = approval.pending(clinic.runtime, approved)
    assert [(one.file, one.line) for one in found.broken] == [("north/sv/day_before.sms.txt", 2)]
    assert [one.source.name for one in found.waiting] == ["moved"]
    assert approval.pending(clinic.runtime, approved, clinic="internet").broken == ()
    clinic.until("2026-12-01 10:30")
    assert told(clinic)[AT_NORTH].startswith("Videobesök i morgon ons")


def test_a_copy_of_every_clinics_is_not_its_own(clinic: Clinic) -> None:
    """A file that says the same follows every clinic's text; nothing waits."""
    source = approval.on_disk(clinic.runtime)["sv", "cancelled", Channel.SMS]
    assert "{#>" not in source.text  # it has no part
    write(clinic, source.text, "cancelled.sms.txt")
    assert waiting(clinic) == []


def test_a_draft_of_one_clinics_own(clinic: Clinic) -> None:
    """Approved by name, it makes no draft of every clinic's wait; and no other clinic sends it."""
    (clinic.folder / "north" / "ar").mkdir()
    (clinic.folder / "north" / "ar" / "help.sms.txt").write_text("{{ clinic.phone }}\n", "utf-8")
    assert waiting(clinic) == []
    with clinic.runtime.database.transaction() as conn:
        found = approval.pending(clinic.runtime, templates.approved(conn), {"ar"}, "north")
        own = [item for item in found.waiting if item.source.clinic]
        chosen = approval.approvals(own, changes_meaning=False)
        approval.approve_these(conn, chosen, "anna", clinic.clock.now())
    assert [item.source.name for item in own] == ["help"]
    assert waiting(clinic) == []
    with clinic.runtime.database.reading() as conn:
        library = approval.Shelf().library(conn)
    sent = {key: library.of(key).pick("help", Channel.SMS, ["ar"]) for key in ("north", "internet")}
    assert [bool(source) for source in sent.values()] == [True, False]


def test_a_private_word_is_the_clinics_own(open_clinic: Callable[..., Clinic], tmp_path: Path):
    """An own text is looked at as its clinic sends it, and kept back by that clinic's words alone."""
    (tmp_path / "north" / "sv").mkdir(parents=True)
    made = open_clinic(
        clinics__north={**NORTH, "private_words": ["Norr"]},
        clinics__south={"phone": "08-1", "private_words": ["onsdag", "visit"]},
    )
    write(made, OWN)
    with made.runtime.database.transaction() as conn:
        [item] = approval.waiting(conn, made.runtime)
        with pytest.raises(NotApprovableError) as refused:
            gallery.approve(
                conn, made.runtime, item.source.identity, made.clock.now(), clinic="north"
            )
    assert {one.file for one in refused.value.findings} == {"north/sv/day_before.sms.txt"}
    assert {one.what for one in refused.value.findings} == {"Norr"}


def informed(clinic: Clinic, key: str) -> list[str]:
    """Return the bookings of a clinic whose people have to hear what the texts say now."""
    with clinic.runtime.database.reading() as conn:
        items = desk.worklist(conn, clinic.runtime, key, clinic.clock.now())
    return [item.clinic for item in items if item.kind == "inform"]


def test_a_change_of_meaning_concerns_that_clinics_people(clinic: Clinic) -> None:
    """Who agreed at another clinic has to hear nothing of an own text, nor of going back from it."""
    both(clinic)
    path = write(clinic, OWN)
    approve(clinic, changes_meaning=True)
    assert (informed(clinic, "north"), informed(clinic, "internet")) == (["north"], [])
    path.unlink()
    approve(clinic, changes_meaning=True)
    assert (informed(clinic, "north"), informed(clinic, "internet")) == (["north"], [])


def test_what_every_clinics_says_concerns_nobody_who_reads_another(overlaid: Clinic) -> None:
    """A change of every clinic's text is not told to those whose clinic sends its own."""
    both(overlaid)
    (overlaid.folder / "all" / "sv" / "day_before.sms.txt").write_text(f"Alla: {OWN}", "utf-8")
    assert waiting(overlaid) == [("", "day_before", "sms", False)]
    approve(overlaid, changes_meaning=True)
    assert (informed(overlaid, "north"), informed(overlaid, "internet")) == ([], ["internet"])


def test_consent_is_to_what_the_clinic_sends(clinic: Clinic) -> None:
    """The edition of one clinic changes with its own text, and that of no other."""

    def edition(key: str) -> Mapping[tuple[str, str], str]:
        with clinic.runtime.database.reading() as conn:
            return consents.editions(conn, key, ("sv",)).digests

    before = edition("north")
    assert before == edition("internet")
    path = write(clinic, OWN)
    approve(clinic)
    assert edition("internet") == before
    assert {place for place, digest in edition("north").items() if digest != before[place]} == {
        ("sv", "sms")
    }
    path.unlink()
    approve(clinic)
    assert edition("north") == before


def test_what_was_sent_can_be_shown(clinic: Clinic) -> None:
    """Word for word, also when the text has gone back since, and is another clinic's as well."""
    write(clinic, OWN)
    approve(clinic)
    both(clinic)
    clinic.until("2026-12-01 10:30")
    (clinic.folder / "north" / "sv" / "day_before.sms.txt").unlink()
    approve(clinic)
    for key, begins in (("north", "Norr: i morgon"), ("internet", "Videobesök i morgon")):
        with clinic.runtime.database.reading() as conn:
            shown = showing.show(conn, clinic.runtime, key, "B1", clinic.clock.now())
            words = words_of(conn, clinic.runtime, shown, clinic.clock.now())
        went = [words[line.message.id] for line in shown.lines if line.message.attempts]
        assert [(one.exact, one.rendered.body.startswith(begins)) for one in went] == [(True, True)]


def test_one_text_approved_by_two_is_shown_once(overlaid: Clinic) -> None:
    """What is every clinic's and a clinic's own, word for word, is one text."""
    (overlaid.folder / "all" / "sv" / "day_before.sms.txt").write_text(OWN, "utf-8")
    assert [(owner, back) for owner, _, _, back in waiting(overlaid)] == [
        ("", False),
        ("north", True),
    ]
    approve(overlaid)
    both(overlaid)
    overlaid.until("2026-12-01 10:30")
    with overlaid.runtime.database.reading() as conn:
        shown = showing.show(conn, overlaid.runtime, "north", "B1", overlaid.clock.now())
        words = words_of(conn, overlaid.runtime, shown, overlaid.clock.now())
        went = handed(conn, [line.message.id for line in shown.lines])
    assert [one.exact for one in words.values() if one.exact is not None] == [True]
    assert [len(one.sources) for one in went.values()] == [1]


def test_a_forecast_has_the_clinics_text(clinic: Clinic) -> None:
    """What an import shows beforehand is what that clinic sends."""
    write(clinic, OWN)
    approve(clinic)

    def shown(key: str) -> str:
        return clinic.read(row(), clinic=key, apply=False).sends.samples["day_before"]

    assert shown("north").startswith("Norr: ")
    assert shown("internet").startswith("Videobesök")


def test_a_world_has_the_clinics_texts(clinic: Clinic, tmp_path: Path) -> None:
    """A rehearsal is played with each clinic's own texts, found where they are."""
    write(clinic, OWN)
    folder = tmp_path / "world"
    folder.mkdir()
    world = World(clinic.config, folder, clinic.clock.now(), lambda _, setup: Sandbox(setup))
    with world.runtime.database.reading() as conn:
        own = [source.text for source in templates.approved(conn) if source.clinic == "north"]
    world.run(world.end())
    assert own == [OWN]


def test_an_own_text_is_tried_on_its_own_bookings(clinic: Clinic) -> None:
    """A check fills in what is planned at that clinic with its own text, and shows it to it alone."""
    both(clinic)
    clinic.plan()
    write(clinic, "Norr {{ clinic.phone }}. " + "x" * 160)
    found = proof(clinic)
    assert {(key, one.code.value) for key, one in found.findings()} == {("north", "too_long")}
    assert [key for key, _ in found.edits] == ["north"]
