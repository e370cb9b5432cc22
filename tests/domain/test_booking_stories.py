"""What a booking brings: the confirmation, the reminders, and what a late or nightly one gets."""

from datetime import timedelta
from typing import Any

import pytest

from reminders.domain.decision import Send
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from tests.domain.world import World, clinic

VISIT = "2026-05-12 14:00"


def test_a_visit_booked_in_good_time_gets_three_texts():
    """A confirmation at once, a reminder a day before, and one fifteen minutes before."""
    world = World().book(VISIT).run(until="2026-05-12 15:00")
    assert world.sent == [
        "05-04 10:00 booked patient sms",
        "05-11 14:00 day_before patient sms",
        "05-12 13:45 fifteen_minutes patient sms",
    ]


def test_each_channel_of_the_last_text():
    """The fifteen-minute rule delivers by SMS and by email, the others by the first that can."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.book(VISIT).run(until="2026-05-12 15:00")
    assert world.sent == [
        "05-04 10:00 booked mother sms",
        "05-11 14:00 day_before mother sms",
        "05-12 13:45 fifteen_minutes mother sms",
        "05-12 13:45 fifteen_minutes mother email",
    ]


def test_three_hours_ahead_one_text_now():
    """A booking three hours ahead gets one text now, which covers the late reminder."""
    world = World().book("2026-05-04 13:00").run(until="2026-05-04 14:00")
    assert world.sent == [
        "05-04 10:00 booked patient sms",
        "05-04 12:45 fifteen_minutes patient sms",
    ]
    assert world.why("day_before") == {Reason.COVERED_BY}
    assert "booked" in world.covered_by.values()


def test_ten_minutes_ahead():
    """A booking ten minutes ahead gets the text on how to get in, at once, and nothing else."""
    world = World().book("2026-05-04 10:10").run(until="2026-05-04 11:00")
    assert world.sent == ["05-04 10:00 fifteen_minutes patient sms"]
    assert world.why("booked") == {Reason.TOO_LATE}
    assert world.why("day_before") == {Reason.TOO_LATE}


@pytest.mark.parametrize(
    ("late", "sent", "short"),
    [
        ("send", ["05-12 10:00 hour patient sms"], [False]),
        ("short", ["05-12 10:00 hour patient sms"], [True]),
        ("skip", [], []),
    ],
)
def test_late_booking(late: str, sent: list[str], short: list[bool]):
    """A visit known after the rule's time is sent the text, a short one, or none, as it says."""
    world = World(clinic(hour={"before": "5h", "late": late}))
    world.book(VISIT, at="2026-05-12 10:00").run(until="2026-05-12 15:00")
    assert world.sent == sent
    assert [m.short for m in world.rows if m.state is State.ACCEPTED] == short
    assert (world.why("hour") == {Reason.BOOKED_TOO_LATE}) == (late == "skip")


def test_a_booking_in_time_is_not_short():
    """A rule with a short late text sends the whole one to whoever booked in time."""
    world = World(clinic(hour={"before": "5h", "late": "short"})).book(VISIT)
    world.run(until="2026-05-12 15:00")
    assert [m.short for m in world.rows] == [False]


@pytest.mark.parametrize("policy", ["send", "short", "skip"])
def test_an_outage_is_not_a_late_booking(policy: str):
    """A planner that was down over a rule's time still sends the whole text, whatever is late."""
    world = World(clinic(day={"before": "24h", "late": policy})).book(VISIT)
    world.sleep("2026-05-11 18:00").run(until="2026-05-12 15:00")
    assert world.sent == ["05-11 18:00 day patient sms"]
    assert [m.short for m in world.rows] == [False]


def test_an_outage_over_two_reminders():
    """Of two reminders that fell due while the program was down, the one with most to say goes."""
    world = World(clinic(two_days={"before": "48h"}, day={"before": "24h"}))
    world.book(VISIT).plan().sleep("2026-05-12 09:00").run(until="2026-05-12 15:00")
    assert world.sent == ["05-12 09:00 two_days patient sms"]
    assert world.why("day") == {Reason.COVERED_BY}


def test_an_outage_over_everything():
    """After an outage over the whole visit nothing goes, and each rule says that it is too late."""
    world = World().book(VISIT).plan().sleep("2026-05-12 16:00").run(until="2026-05-12 20:00")
    assert world.sent == []
    assert set(world.states("day_before")) == {State.EXPIRED}
    assert world.why("day_before") == {Reason.DEADLINE_PASSED}


def test_planning_after_the_end_expires_what_was_planned():
    """A text that a plan finds too late has expired: it was to go, and did not."""
    world = World().book(VISIT).plan().sleep("2026-05-12 16:00").plan()
    assert world.states("day_before") == [State.EXPIRED]
    assert world.why("day_before") == {Reason.DEADLINE_PASSED}


def test_a_planner_that_never_ran_says_why():
    """A visit first planned when it is over gets no text, with the reason for each rule."""
    world = World().book(VISIT).sleep("2026-05-12 16:00").run(until="2026-05-12 20:00")
    assert world.sent == []
    assert world.why("booked") == {Reason.CONFIRMATION_TOO_OLD}
    assert world.why("fifteen_minutes") == {Reason.TOO_LATE}


def test_a_confirmation_a_week_late_is_not_sent():
    """A booking that could not be confirmed for days is reminded of, but not confirmed any more."""
    world = World().book(VISIT).sleep("2026-05-08 10:00").run(until="2026-05-12 15:00")
    assert world.why("booked") == {Reason.CONFIRMATION_TOO_OLD}
    assert world.sent[0] == "05-11 14:00 day_before patient sms"


def test_a_planned_confirmation_that_could_not_leave_for_days():
    """The gate keeps a confirmation that has waited for days, as the planner would."""
    world = World().book(VISIT).plan().sleep("2026-05-08 10:00").run(until="2026-05-08 11:00")
    assert world.sent == []
    assert world.states("booked") == [State.SUPPRESSED]


def test_booked_at_night_is_told_in_the_morning():
    """A confirmation that falls in the night waits until the night is over."""
    world = World().book(VISIT, at="2026-05-04 22:30").run(until="2026-05-05 12:00")
    assert world.sent == ["05-05 08:00 booked patient sms"]


def test_booked_at_night_for_the_morning():
    """What would have to go out at night is suppressed; the last text, which may, is not."""
    world = World().book("2026-05-05 08:15", at="2026-05-04 22:30").run(until="2026-05-05 09:00")
    assert world.sent == ["05-05 08:00 fifteen_minutes patient sms"]
    assert world.why("booked") == {Reason.QUIET_HOURS}
    assert world.why("day_before") == {Reason.QUIET_HOURS}


def test_the_last_text_is_never_delayed():
    """The fifteen-minute text goes on time in the middle of the night."""
    world = World().book("2026-05-12 03:00").run(until="2026-05-12 04:00")
    assert world.sent[-1] == "05-12 02:45 fifteen_minutes patient sms"


@pytest.mark.parametrize(
    ("policy", "sent"),
    [
        ("earlier", "05-11 20:59 rule patient sms"),
        ("later", "05-12 08:00 rule patient sms"),
        ("ignore", "05-11 22:00 rule patient sms"),
    ],
)
def test_a_reminder_that_falls_in_the_night(policy: str, sent: str):
    """A text due at night goes the evening before, in the morning, or all the same."""
    world = World(clinic(rule={"before": "12h", "quiet_hours": policy}))
    assert world.book("2026-05-12 10:00").run(until="2026-05-12 11:00").sent == [sent]


def test_earlier_but_the_evening_has_passed():
    """A text that should have gone the evening before a late booking goes in the morning."""
    world = World(clinic(rule={"before": "12h", "quiet_hours": "earlier"}))
    world.book("2026-05-12 10:00", at="2026-05-11 21:30").plan()
    assert world.waiting() == ["05-12 08:00 rule patient sms"]
    assert world.run(until="2026-05-12 11:00").sent == ["05-12 08:00 rule patient sms"]


def test_earlier_has_passed_and_the_morning_is_too_late():
    """With the evening gone and the morning too late, the text is suppressed for the night."""
    world = World(clinic(rule={"before": "12h", "quiet_hours": "earlier", "not_after": "-3h"}))
    world.book("2026-05-12 10:00", at="2026-05-11 21:30").run(until="2026-05-12 11:00")
    assert world.sent == []
    assert world.why("rule") == {Reason.QUIET_HOURS}


def test_an_outage_over_the_evening():
    """A text of the evening that an outage left over waits for the morning, never for the night."""
    world = World(clinic(rule={"before": "12h", "quiet_hours": "earlier"}))
    world.book("2026-05-12 10:00").plan().sleep("2026-05-12 02:00").run(until="2026-05-12 11:00")
    assert world.sent == ["05-12 08:00 rule patient sms"]


def test_an_outage_over_the_evening_with_no_time_left():
    """A text of the evening that the morning is too late for is suppressed, and stays so."""
    world = World(clinic(rule={"before": "12h", "quiet_hours": "earlier", "not_after": "-3h"}))
    world.book("2026-05-12 10:00").plan().sleep("2026-05-12 02:00").run(until="2026-05-12 02:30")
    assert world.states("rule") == [State.SUPPRESSED]
    world.plan().run(until="2026-05-12 11:00")
    assert world.states("rule") == [State.SUPPRESSED]
    assert world.sent == []


def test_a_rule_after_the_visit():
    """A rule after the visit sends when the time has passed, and a day later no more."""
    practice = clinic(thanks={"after": "2h"})
    assert World(practice).book(VISIT).run(until="2026-05-12 18:00").sent == [
        "05-12 16:00 thanks patient sms"
    ]
    late = World(practice).book(VISIT).sleep("2026-05-13 16:01").run(until="2026-05-14 12:00")
    assert late.why("thanks") == {Reason.TOO_LATE}


def test_an_evening_of_the_day_before():
    """Days before at a time of day sends that evening."""
    world = World(clinic(evening={"days_before": 1, "at": "18:00"}))
    assert world.book(VISIT).run(until=VISIT).sent == ["05-11 18:00 evening patient sms"]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"confirm": False}, Reason.NO_CONFIRMATIONS),
        ({"kind": "telefonbesök"}, Reason.NOT_VIDEO),
        ({"protected": True}, Reason.PROTECTED_IDENTITY),
    ],
)
def test_no_confirmation_and_why(facts: dict[str, Any], reason: Reason):
    """A booking that is not to be confirmed is not, and the reason is kept."""
    world = World().book(VISIT, **facts).run(until="2026-05-04 11:00")
    assert world.sent == []
    assert world.why("booked") == {reason}
    assert world.states("booked") == [State.SUPPRESSED]


def test_an_import_without_confirmations_still_reminds():
    """An import without confirmations leaves out the confirmation alone."""
    world = World().book(VISIT, confirm=False).run(until="2026-05-12 15:00")
    assert [line.split()[2] for line in world.sent] == ["day_before", "fifteen_minutes"]


def test_a_restart_in_the_middle_changes_nothing():
    """Planning again at any moment changes no row and sends nothing twice."""
    world = World().person("mother", phone="phone-1", email="mail-1").book(VISIT)
    for until in ("2026-05-04 11:00", "2026-05-11 14:00", "2026-05-12 13:45", "2026-05-12 15:00"):
        world.run(until=until)
        before = list(world.rows)
        world.plan()
        assert world.rows == before
    assert len(world.sent) == 4


def test_a_tie_at_the_due_instant_sends_once():
    """A pass at the very instant a text falls due sends it once, however often it is repeated."""
    world = World().book(VISIT).plan()
    world.sleep("2026-05-11 14:00")
    for _ in range(5):
        world.dispatch()
    assert world.sent.count("05-11 14:00 day_before patient sms") == 1


def test_urgency():
    """A text that helps for less than an hour more is urgent, a confirmation a week ahead is not."""
    decisions = World().book(VISIT).planned().decisions
    sends = {d.key.rule: d for d in decisions if isinstance(d, Send)}
    last = sends["fifteen_minutes"]
    assert last.urgent
    assert not sends["booked"].urgent
    assert last.not_after - last.due_at == timedelta(minutes=14)
