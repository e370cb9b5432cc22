"""Edited and broken texts: found before anybody gets them, and harmful to nobody else's message."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reminders.domain.contact import Channel
from reminders.engine import approval
from reminders.engine.proof import Proof, prove
from reminders.engine.written import looked_into
from tests.engine.clinic import HEAD, SECOND, Clinic, row

SPOKEN = HEAD.rstrip("\n") + ";språk\n"
ODD = "{% if age == 9 %}{{ clinic.phone / 2 }}{% endif %}Ring {{ clinic.phone }}.\n"
"""Wrong for no sample reader, but for a child of nine."""


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """Return a clinic with a folder of its own for texts, in which there is nothing yet."""
    (tmp_path / "texts").mkdir()
    return open_clinic(templates_folder=str(tmp_path / "texts"))


def write(clinic: Clinic, text: str, file: str = "sv/day_before.sms.txt") -> None:
    """Let the clinic edit a text."""
    path = clinic.folder / "texts" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")


def proof(clinic: Clinic) -> Proof:
    """Return what a check finds in what is planned."""
    with clinic.runtime.database.reading() as conn:
        written = looked_into(clinic.runtime.config)
        return prove(conn, clinic.runtime, written, clinic.clock.now())


def approve(clinic: Clinic, *languages: str) -> None:
    """Let a person approve what waits, or these languages, a second later."""
    clinic.clock.set(clinic.clock.now() + SECOND)
    clinic.runtime.in_transaction(
        approval.approve, clinic.runtime, "anna", clinic.clock.now(), set(languages) or None
    )


def test_every_upcoming_message_is_filled_in(clinic: Clinic) -> None:
    """With the shipped texts every message of the database can be filled in, and has no fault."""
    clinic.read(row(email="hemma@example.org"), row("B2", phone="070-174 06 06"))
    clinic.plan()
    planned = [s for ref in ("B1", "B2") for s in clinic.states(ref) if s[2] == "planned"]
    found = proof(clinic)
    assert (found.messages, list(found.findings()), found.edits) == (len(planned), [], [])
    assert planned


def test_an_edit_is_tried_on_real_bookings_before_it_is_approved(clinic: Clinic) -> None:
    """An edit that one real booking breaks is told with that booking; the text itself is not."""
    clinic.read(row("B1", born="2017-05-01"), row("B2", phone="070-174 06 06"))
    clinic.plan()
    write(clinic, ODD)
    [(key, finding)] = proof(clinic).findings()
    assert (key, finding.file, finding.code.value) == (
        "internet",
        "sv/day_before.sms.txt",
        "broken",
    )
    assert finding.message.startswith("booking B1: ")
    assert "08-" not in finding.message
    clinic.until("2026-12-01 10:30")
    assert len(clinic.texts()) == 2  # the approved text goes on


def test_a_fault_of_many_bookings_is_told_once(clinic: Clinic) -> None:
    """What many bookings have in common is one finding, with their number."""
    phones = ("070-174 06 05", "070-174 06 06", "070-174 06 07")
    clinic.read(*(row(f"B{n}", phone=phone) for n, phone in enumerate(phones)))
    clinic.plan()
    write(clinic, "Ring {{ clinic.phone }}. " + "x" * 160)
    found = [finding for _, finding in proof(clinic).findings()]
    assert [(one.code.value, "and 2 more" in one.message) for one in found] == [("too_long", True)]


def test_an_edit_is_shown_as_its_readers_would_read_it(clinic: Clinic) -> None:
    """What would be read is shown against the approved text, each difference with its readers."""
    shipped = approval.on_disk(clinic.runtime)["sv", "cancelled", Channel.SMS].text
    write(clinic, shipped.replace("Ingen behöver", "Du behöver inte"), "sv/cancelled.sms.txt")
    [(_, edit)] = proof(clinic).edits
    lines = edit.changes[0].lines()
    assert [mark for mark, _ in lines] == ["-", "+"]
    assert "Du behöver inte logga in" in lines[1][1]
    readers = [reader for change in edit.changes for reader in change.readers]
    assert len(readers) == len(set(readers))
    assert "guardian of a child of 8, tomorrow" in readers


def test_a_broken_text_among_good_ones(clinic: Clinic) -> None:
    """A text approved though it breaks for some keeps those on the worklist; all others get theirs."""
    write(clinic, ODD)
    approve(clinic)
    clinic.read(row("B1", born="2017-05-01"), row("B2", phone="070-174 06 06"))
    clinic.until("2026-12-01 10:30")
    assert [(text.to[-3:], text.body) for text in clinic.texts()] == [
        ("606", "Ring 08-123 522 07.")
    ]
    assert [(i.kind, i.ref, i.reason) for i in clinic.worklist()] == [
        ("call", "B1", "render_failed")
    ]
    write(clinic, "Ring {{ clinic.phone }}.\n")
    approve(clinic)
    clinic.until("2026-12-01 10:40")
    assert {text.to[-3:] for text in clinic.texts()} == {"605", "606"}
    assert [item.reason for item in clinic.worklist()] == []


def test_a_language_without_approved_texts_falls_back(clinic: Clinic) -> None:
    """Who reads a language that is only a draft gets the clinic's, and the ledger says so."""
    clinic.read(row().rstrip("\n") + ";ar\n", head=SPOKEN)
    clinic.until("2026-12-01 10:30")
    assert "Videobesök" in clinic.texts()[-1].body
    noted = [e.detail.get("instead_of") for e in clinic.show("B1").entries if e.event == "sending"]
    assert noted == ["ar"] * len(noted)
    assert noted


def test_a_draft_goes_out_once_a_person_approves_it(clinic: Clinic) -> None:
    """Nothing but an approval by the language's name lets a draft go out; then it does."""
    clinic.read(row().rstrip("\n") + ";fi\n", head=SPOKEN)
    approve(clinic)
    clinic.until("2026-11-30 13:00")
    before = len(clinic.texts())
    assert all("Videobesök" in text.body for text in clinic.texts())
    approve(clinic, "fi")
    clinic.until("2026-12-01 10:30")
    sent = clinic.texts()[before:]
    assert sent
    assert all("huomenna" in text.body for text in sent)
    told = [e.detail for e in clinic.show("B1").entries if e.event == "sending"][before:]
    assert all("instead_of" not in detail for detail in told)
