"""The whole path, command by command, as a clinic walks it."""

from freezegun.api import FrozenDateTimeFactory

from reminders.resources import examples
from tests.cli.conftest import Installation, booking


def test_the_example_file_goes_from_import_to_delivered(
    here: Installation, clock: FrozenDateTimeFactory
):
    """The shipped example is imported, its texts go out in time, and nothing is left over."""
    shown = here.json("import", examples() / "bokningar.csv", "--yes", exits=3)
    assert shown["applied"] is True
    assert shown["new"] > 30
    assert shown["messages"] > 60
    first = here.json("tick")
    assert first["sent"] > 0
    for hour in range(12, 24 * 3):
        clock.move_to(
            f"2026-{'11-30' if hour < 24 else f'12-{hour // 24:02}'} {hour % 24:02}:00:00"
        )
        here.run("tick")
    end = here.json("status")
    assert (end["ok"], end["due"], end["unknown"], end["failed_24h"]) == (True, 0, 0, 0)


def test_a_visit_is_moved_and_its_patient_told(here: Installation, clock: FrozenDateTimeFactory):
    """A reminder goes out, the visit is moved, and the patient gets the new time."""
    here.take(booking("B1"))
    clock.move_to("2026-11-30 13:00:30")
    assert here.json("tick")["sent"] == 1
    assert "moved" in here.ok("move", "B1", "--to", "2026-12-02 09:00")
    assert here.json("tick")["sent"] == 1
    rules = {
        m["rule"]: m["state"] for m in here.json("show", "B1")["messages"] if m["version"] == 2
    }
    assert rules["moved"] in {"accepted", "delivered"}
    assert rules["day_before"] == "planned"


def test_what_failed_stands_on_the_worklist(here: Installation, clock: FrozenDateTimeFactory):
    """A number that cannot be texted puts its patient on the list of those to phone."""
    with here.config.open("a") as file:
        file.write('fail = { "0605" = "blocked" }\n')
    here.take(booking("B1"))
    clock.move_to("2026-12-01 12:45:30")
    assert here.json("tick")["failed"] == 1
    items = here.json("worklist")["items"]
    [item] = [item for item in items if item["kind"] != "login"]
    assert (item["kind"], item["ref"], item["reason"]) == ("call", "B1", "blocked")
    assert "Phone instead." in here.ok("worklist")
    assert here.json("status")["failed_24h"] == 1


def test_a_channel_that_is_down_is_told_everywhere(
    here: Installation, clock: FrozenDateTimeFactory
):
    """A refused account ends `tick` and `status` with 1, and heads the worklist."""
    with here.config.open("a") as file:
        file.write('fail = { "0605" = "configuration" }\n')
    here.take(booking("B1"))
    clock.move_to("2026-11-30 13:00:30")
    result = here.run("tick")
    assert result.exit_code == 1
    assert "Down: internet/sms" in result.stderr
    status = here.json("status", exits=1)
    assert "The next message tries it again" in " ".join(here.run("status").output.split())
    assert status["channels_down"] == ["internet/sms"]
    assert here.json("worklist")["items"][0]["kind"] == "channel"
    assert here.run("doctor").exit_code == 1
