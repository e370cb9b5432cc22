"""What went wrong for the users of other programs does not go wrong here.

Each case names the report that it comes from; many more of them have a story of their own.
"""

from collections import Counter
from collections.abc import Callable

import pytest

from reminders.domain.contact import Channel, Role
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from tests.domain.world import BAD_NUMBER, BUSY, World, clinic

VISIT = "2026-05-12 14:00"
END = "2026-05-20 00:00"
LATER = "2026-05-14 09:00"
TWO = clinic(day={"before": "24h"}, hour={"before": "1h"})


def names(world: World) -> list[str]:
    return [line.split()[2] for line in world.sent]


@pytest.mark.parametrize("passes", [2, 50], ids=["openemr#11477", "medic/cht-core#10802"])
def test_passes_at_one_instant_send_once(passes: int):
    """However often the program passes at the instant that a text is due, it goes once."""
    world = World(TWO).book(VISIT).plan().sleep("2026-05-11 14:00")
    for _ in range(passes):
        world.dispatch().plan()
    assert world.sent == ["05-11 14:00 day patient sms"]


def test_each_reminder_has_its_own_time():
    """The day's and the hour's reminder go once each, at their own times."""  # peer: odoo#195782
    world = World(TWO).book(VISIT).run(until=END)
    assert world.sent == ["05-11 14:00 day patient sms", "05-12 13:00 hour patient sms"]


@pytest.mark.parametrize("starts", ["2026-05-04 09:00", "2026-05-04 10:00"])
def test_nothing_for_what_is_past(starts: str):
    """A visit that is past or begins this moment, when it is booked, gets no text that is for before it."""
    # peer: odoo#62701
    world = World().book(starts, at="2026-05-04 10:00").run(until=END)
    assert [n for n in names(world) if n != "fifteen_minutes"] == []
    assert world.why("booked") == {Reason.TOO_LATE}


CHANGES: dict[str, tuple[Callable[[World], object], list[str]]] = {
    "cal.com#7225 cancelled": (lambda w: w.cancel(), ["booked", "cancelled"]),
    "cal.com#6973 moved": (
        lambda w: w.move(LATER),
        ["booked", "moved", "day_before", "fifteen_minutes"],
    ),
    "cal.com#6905 moved twice": (
        lambda w: w.move("2026-05-13 09:00").plan().move(LATER),
        ["booked", "moved", "day_before", "fifteen_minutes"],
    ),
    "cal.com#13238 moved and cancelled": (
        lambda w: w.move(LATER).plan().cancel(),
        ["booked", "cancelled"],
    ),
    "indico#5554 cancelled and booked again": (
        lambda w: w.cancel().plan().rebook(),
        ["booked", "day_before", "fifteen_minutes"],
    ),
    "ottehr#2620 the cancellation is told": (lambda w: w.cancel(), ["booked", "cancelled"]),
    "Cal-ID#790 rules off and on": (
        lambda w: w.switch(off="day_before").plan().switch(on="day_before"),
        ["booked", "day_before", "fifteen_minutes"],
    ),
    "clientcomm an import that changes nothing": (
        lambda w: w.fact(),
        ["booked", "day_before", "fifteen_minutes"],
    ),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_after_a_change(change: Callable[[World], object], expected: list[str]):
    """After a change exactly the texts go that are true of the visit as it now is."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    change(world)
    world.run(until=END)
    assert names(world) == expected
    times = {m.truth for m in world.rows if m.state is State.ACCEPTED and m.key.rule != "booked"}
    assert len(times) == 1


def test_a_move_is_told_to_those_it_concerns():
    """A moved visit is told to the people of that visit who did not know, and to nobody else."""
    # peer: indico#4893
    world = World().person("mother", phone="phone-1").person("father", phone="phone-2")
    world.book(VISIT).run(until="2026-05-06 10:00").move(LATER).run(until="2026-05-06 11:00")
    world.fact().run(until="2026-05-07 10:00")
    assert Counter(names(world)) == {"booked": 2, "moved": 2}


def test_the_phone_number_of_the_moment():
    """A text goes to the number that is right when it goes, not to that of its planning."""
    # peer: cht-core#3627
    world = World(TWO).book(VISIT).plan().correct("patient", phone="phone-2").run(until=END)
    assert world.went_to == ["phone-2", "phone-2"]


@pytest.mark.parametrize(
    ("lead", "starts"),
    [("24h", "2026-05-04 16:00"), ("72h", "2026-05-05 16:00"), ("24h", "2026-05-04 23:00")],
    ids=["pretix#3757", "Cal-ID#1442", "cal.com#10846"],
)
def test_a_booking_inside_the_lead(lead: str, starts: str):
    """A reminder that is to be left out for late bookings is, and it says so."""
    world = World(clinic(rule={"before": lead, "late": "skip"})).book(starts).run(until=END)
    assert world.sent == []
    assert [(m.state, m.reason) for m in world.rows] == [(State.SUPPRESSED, Reason.BOOKED_TOO_LATE)]


def test_every_rule_and_person_leaves_a_trace():
    """A visit booked inside every window has for each rule a text or the reason for none."""
    # peer: cal.com#7739
    world = World().book("2026-05-04 10:18").plan()
    assert {m.key.rule: m.reason for m in world.rows} == {
        "booked": Reason.TOO_LATE,
        "day_before": Reason.TOO_LATE,
        "fifteen_minutes": None,
    }


def test_no_text_at_three_in_the_night():
    """A text whose time falls in the night goes at a waking hour, and on the right side of it."""
    # peer: citygram#246, simple-server#691
    world = World(clinic(rule={"before": "11h", "quiet_hours": "earlier"}))
    assert world.book(VISIT).run(until=END).sent == ["05-11 20:59 rule patient sms"]


@pytest.mark.parametrize("late", ["2026-05-11 14:01", "2026-05-11 20:00", "2026-05-12 12:59"])
def test_a_missed_tick_is_caught_up(late: str):
    """A text whose minute nobody looked at goes when somebody looks, as long as it helps."""
    # peer: LibreBooking, openemr#11907, Simple
    world = World(clinic(rule={"before": "24h"})).book(VISIT).plan().sleep(late)
    assert len(world.run(until=END).sent) == 1


def test_tries_end_when_the_text_helps_no_more():
    """A last text that the provider is too busy for is not tried on after the visit has begun."""
    # peer: GOV.UK Notify
    world = World(clinic(rule={"before": "15m", "not_after": "-1m"}))
    world.answers["phone-1"] = [BUSY] * 50
    world.book(VISIT).run(until=END)
    row = world.rows[0]
    assert (row.state, row.reason) == (State.EXPIRED, Reason.DEADLINE_PASSED)
    assert row.attempts < 10


def test_one_without_a_phone_takes_nothing_from_the_next():
    """A person who has no phone leaves a reason, and those after them get their text."""
    # peer: Bahmni
    world = World(TWO).person("mother").person("father", phone="phone-2").book(VISIT).run(until=END)
    assert len(world.sent) == 2
    assert world.why("day", "mother") == {Reason.NO_ADDRESS}


def test_a_bad_number_is_tried_once_a_text():
    """A number that cannot receive is not tried for ever."""  # peer: simple-server#3067
    world = World(TWO)
    world.answers["phone-1"] = [BAD_NUMBER] * 50
    world.book(VISIT).run(until=END)
    assert [m.attempts for m in world.rows] == [1, 1]


def test_accepted_and_lost_is_not_sent():
    """A text that was accepted and did not arrive does not keep the next channel from its turn."""
    # peer: simple-server#2552
    world = World(TWO).person("mother", phone="phone-1", email="mail-1").book(VISIT)
    world.run(until="2026-05-11 14:00").undeliver("day", "2026-05-11 14:30").run(
        until="2026-05-12 10:00"
    )
    assert world.sent[-1] == "05-11 14:30 day mother email"


def test_a_no_from_a_shared_phone():
    """A no from a phone that the family shares holds for all who share it, and for no other phone."""
    # peer: carlos-emr#3842
    world = (
        World(TWO).person("mother", phone="shared").person("patient", "shared", role=Role.PATIENT)
    )
    world.person("father", phone="phone-2").book(VISIT).opt("shared", out=True).run(until=END)
    assert set(world.went_to) == {"phone-2"}
    assert world.why("day", "mother") == world.why("day", "patient") == {Reason.OPTED_OUT}


def test_a_visit_copied_from_another_starts_anew():
    """A copied booking has its own life: what was sent for the first does not count for it."""
    # peer: pretix#3181
    first = World().book(VISIT).run(until=END)
    copy = World().book(LATER, ref="B-2042").run(until=END)
    assert names(first) == names(copy)
    assert copy.sent[1] == "05-13 09:00 day_before patient sms"


def test_a_crash_between_the_send_and_its_record():
    """A text whose answer was lost in a crash is not sent again by planning again."""
    # peer: GOV.UK Notify, Indico
    world = World(TWO).book(VISIT).run(until="2026-05-11 14:00").lose_answers("day")
    world.fact().run(until="2026-05-12 10:00")
    assert world.sent == ["05-11 14:00 day patient sms"]


def test_a_refused_channel_is_not_the_only_one():
    """Who refuses one channel is written to on the other, and never on the refused one."""
    world = World(TWO).person("mother", "phone-1", "mail-1", refused=[Channel.SMS]).book(VISIT)
    assert set(world.run(until=END).went_to) == {"mail-1"}
