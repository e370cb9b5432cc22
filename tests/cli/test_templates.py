"""`templates`: an edited text waits until a person approves it."""

from pathlib import Path

import pytest
from freezegun.api import FrozenDateTimeFactory

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
    assert "Sent from an edited text. i morgon 14:10" in sent(edited)


def test_approve_shows_the_difference_and_asks(edited: Installation):
    """Without a yes the difference is shown, nothing is approved, and it ends with 1."""
    result = edited.run("templates", "approve")
    assert result.exit_code == 1
    assert "+Sent from an edited text." in result.stdout
    [waiting] = edited.json("templates", "approve", exits=1)["waiting"]
    assert set(waiting) == {"language", "name", "channel", "version"}


def test_with_nothing_to_approve_it_ends_well(here: Installation):
    """Where every text is approved, `approve` says so and ends with 0."""
    assert "Every text is approved." in here.ok("templates", "approve")
