"""The last look before a message leaves: what may have changed since it was planned."""

from collections.abc import Callable
from dataclasses import replace
from datetime import time

import pytest

from reminders.domain.contact import Channel, Consent
from reminders.domain.gate import Go, Replan, Stop, Verdict, Wait, gate
from reminders.domain.quiet import QuietHours
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from tests.domain.world import World, clinic, local

VISIT = "2026-05-12 14:00"
DUE = "2026-05-11 14:00"
PRACTICE = clinic(day={"before": "24h", "not_after": "-1h"}, quarter={"before": "15m"})


def world() -> World:
    """Return a visit whose reminder has just fallen due."""
    return World(PRACTICE).book(VISIT).plan().sleep(DUE)


def verdict(at: World) -> Verdict:
    return gate(at.rows[0], at.case, at.practice, at.now)


def test_what_was_planned_goes():
    """A due message of which nothing has changed goes to its contact."""
    at = world()
    assert verdict(at) == Go(at.people["patient"])


CHANGES: dict[str, Callable[[World], object]] = {
    "moved": lambda w: w.move("2026-05-12 15:00"),
    "cancelled": lambda w: w.cancel(),
    "protected": lambda w: w.fact(protected=True),
    "no video": lambda w: w.fact(kind="telefonbesök"),
    "opted out": lambda w: w.opt("phone-1", out=True),
    "refused": lambda w: w.wish("patient", Channel.SMS, Consent.REFUSED),
    "corrected": lambda w: w.correct("patient", phone="phone-2"),
    "no address": lambda w: w.correct("patient"),
    "removed": lambda w: w.remove("patient"),
    "rule off": lambda w: w.switch(off="day"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_planned_again(change: Callable[[World], object]):
    """A message does not go when what it was planned from has changed; the planner decides."""
    at = world()
    change(at)
    assert verdict(at) == Replan()


def test_what_helps_no_more_is_ended():
    """A message that helps no more ends as expired; at its very last moment it still goes."""
    assert verdict(world().sleep("2026-05-12 13:00")) == Go(world().people["patient"])
    ended = verdict(world().sleep("2026-05-12 13:00:01"))
    assert ended == Stop(State.EXPIRED, Reason.DEADLINE_PASSED)


def test_the_night_waits_for_the_morning():
    """A message that is late into the night waits for its end."""
    assert verdict(world().sleep("2026-05-11 23:00")) == Wait(local("2026-05-12 08:00"))


def test_the_night_that_has_become_longer():
    """A message that the morning is too late for now goes back to the planner, which says so."""
    at = world().sleep("2026-05-11 23:00")
    at.practice = replace(at.practice, quiet=QuietHours(time(21), time(13, 30)))
    assert verdict(at) == Replan()
    at.plan()
    assert at.why("day") == {Reason.QUIET_HOURS}


def test_two_that_are_due_together():
    """Of two messages that are due for one person neither goes before the planner has chosen."""
    at = World(clinic(day={"before": "24h"}, hour={"before": "1h"})).book(VISIT).plan()
    at.sleep("2026-05-12 13:30")
    assert [gate(row, at.case, at.practice, at.now) for row in at.rows] == [
        Go(at.people["patient"]),
        Replan(),
    ]


def test_a_move_that_a_reminder_has_told_meanwhile():
    """A move that waited for the morning does not go after a reminder has told the new time."""
    practice = clinic(
        booked={"on": "booked"},
        moved={"on": "moved"},
        two={"before": "2h", "quiet_hours": "ignore"},
    )
    at = World(practice).book(VISIT).run(until="2026-05-11 22:00")
    at.move("2026-05-12 09:00").run(until="2026-05-12 10:00")
    assert [line.split()[2] for line in at.sent] == ["booked", "two"]
