"""`simulate`: what a file would send, what an outage would do, and nothing sent or changed."""

import pytest

from tests.cli.conftest import Installation, booking


def test_the_timeline_of_a_file(here: Installation) -> None:
    """Each text of the file stands at its time, and the real database stays empty."""
    file = here.file(booking("B1"), booking("B2", "2026-12-02", "10:00"))
    said = here.json("simulate", file)
    assert said["outage"] is None
    assert (said["late"], said["expired"], said["phone"]) == (0, 0, [])
    sent = [(m["ref"], m["rule"], m["sent_at"]) for m in said["messages"]]
    assert sent == [
        ("B1", "day_before", "2026-11-30T14:00:00+01:00"),
        ("B2", "day_before", "2026-12-01T10:00:00+01:00"),
        ("B1", "fifteen_minutes", "2026-12-01T13:45:00+01:00"),
        ("B2", "fifteen_minutes", "2026-12-02T09:45:00+01:00"),
    ]
    assert here.json("timeline", "--hours", 72)["count"] == 0
    assert not list(here.folder.glob("sandbox/*/*"))


def test_an_outage_makes_late_and_loses(here: Installation) -> None:
    """What falls due in an outage goes after it if it still helps; else it is listed, and phoned."""
    file = here.file(booking("B1", "2026-12-01", "08:30"), booking("B2", "2026-12-02", "08:30"))
    said = here.json("simulate", file, "--outage", "2026-11-30 12:05/24h")
    assert said["outage"] == {
        "from": "2026-11-30T12:05:00+01:00",
        "until": "2026-12-01T12:05:00+01:00",
    }
    assert [(m["ref"], m["rule"]) for m in said["expired_messages"]] == [("B1", "fifteen_minutes")]
    assert [m["ref"] for m in said["messages"] if m["sent_at"] == "2026-12-01T12:05:00+01:00"] == [
        "B2"
    ]
    assert said["late"] == 1
    shown = here.ok("simulate", file, "--outage", "12:05/24h")
    assert "late: it was due 2026-12-01 08:30" in shown
    assert "Nothing was sent to anybody" in shown


def test_who_has_to_be_phoned_after_an_outage(here: Installation) -> None:
    """Whoever had a visit in an outage and got nothing at all stands on the list to phone."""
    file = here.file(booking("B1", "2026-11-30", "14:00"))
    said = here.json("simulate", file, "--outage", "12:00/6h", "--confirmations")
    assert [(p["ref"], p["contact"]) for p in said["phone"]] == [("B1", "patient …605")]


def test_the_plan_as_it_is(here: Installation) -> None:
    """Without a file it is what is planned that goes, at the times of the plan; nothing changes."""
    here.take(booking("B1"), booking("B2", "2026-12-02", "10:00"), booking("B3", "2026-12-20"))
    here.ok("tick")
    here.ok("cancel", "B2")
    before = here.json("timeline", "--hours", 72)
    said = here.json("simulate")
    assert said["imported_at"] is None
    sent = [(m["ref"], m["rule"], m["contact"], m["sent_at"]) for m in said["messages"]]
    assert sent == [
        (m["ref"], m["rule"], m["contact"], m["due_at"])
        for m in before["messages"]
        if m["state"] == "planned"
    ]
    assert [one[:2] for one in sent] == [
        ("B2", "cancelled"),
        ("B1", "day_before"),
        ("B1", "fifteen_minutes"),
    ]
    assert here.json("timeline", "--hours", 72) == before


def test_an_outage_of_the_plan(here: Installation) -> None:
    """What would be late and lost of the real plan is told, and who would have to be phoned."""
    here.take(booking("B1", "2026-12-01", "08:30"), booking("B2", "2026-12-02", "08:30"))
    said = here.json("simulate", "--outage", "2026-11-30 12:05/24h", "--days", 1)
    assert [(m["ref"], m["rule"]) for m in said["expired_messages"]] == [("B1", "fifteen_minutes")]
    assert said["late"] == 1


def test_what_is_of_a_file_needs_one(here: Installation) -> None:
    """When a file is imported can only be said of a file."""
    assert here.run("simulate", "--at", "2026-12-01 08:00").exit_code == 2


@pytest.mark.parametrize(
    "outage", ["soon", "01:00", "01:00/-8h", "25:00/8h", "2026-11-01 01:00/8h"]
)
def test_an_outage_that_cannot_be_read(here: Installation, outage: str) -> None:
    """What is not an outage is answered with how to write one."""
    result = here.run("simulate", here.file(booking("B1")), "--outage", outage)
    assert result.exit_code == 2
