"""What patients are told when a visit moves, is cancelled, comes back: each change once."""

import pytest

from reminders.domain.contact import Channel
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.domain.told import knew
from tests.domain.world import BUSY, World, clinic, local

VISIT = "2026-05-12 14:00"
LATER = "2026-05-14 09:00"
END = "2026-05-20 00:00"


def rules_of(world: World) -> list[str]:
    return [line.split()[2] for line in world.sent]


def test_a_move_is_told_at_once_and_reminded_of_anew():
    """A moved visit is told of when it moves, and reminded of at its new time only."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.move(LATER).run(until=END)
    assert world.sent == [
        "05-04 10:00 booked patient sms",
        "05-06 10:00 moved patient sms",
        "05-13 09:00 day_before patient sms",
        "05-14 08:45 fifteen_minutes patient sms",
    ]


def test_a_confirmation_is_sent_once_in_a_visits_life():
    """A visit that moves again and again is confirmed once, and its moves are told each time."""
    world = World().book(VISIT).run(until="2026-05-05 10:00")
    world.move(LATER).run(until="2026-05-06 10:00")
    world.move("2026-05-18 14:00").run(until="2026-05-07 10:00")
    assert rules_of(world) == ["booked", "moved", "moved"]


def test_moved_to_within_a_day():
    """A visit moved to three hours ahead gets the move told, which covers the late reminder."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.move("2026-05-06 13:00").run(until=END)
    assert world.sent[1:] == [
        "05-06 10:00 moved patient sms",
        "05-06 12:45 fifteen_minutes patient sms",
    ]
    assert world.why("day_before") == {Reason.COVERED_BY}


def test_moved_to_ten_minutes_ahead():
    """A visit moved to ten minutes ahead gets one text: that it has moved."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.move("2026-05-06 10:10").run(until=END)
    assert world.sent[1:] == ["05-06 10:00 moved patient sms"]


def test_several_moves_become_one_text():
    """Moves that nobody has been told of yet collapse into the last of them."""
    world = World().book(VISIT).run(until="2026-05-06 22:00")
    world.move(LATER).plan().move("2026-05-15 09:00", at="2026-05-06 22:30").plan()
    world.move("2026-05-18 09:00", at="2026-05-06 23:00").run(until="2026-05-07 12:00")
    assert world.sent[1:] == ["05-07 08:00 moved patient sms"]
    assert world.states("moved") == [State.CANCELLED, State.CANCELLED, State.ACCEPTED]


def test_there_and_back_before_it_is_told():
    """A visit moved and moved back before anybody was told leaves everything as it was."""
    world = World().book(VISIT).run(until="2026-05-06 22:00")
    world.move(LATER).plan().move(VISIT, at="2026-05-06 23:00").run(until=END)
    assert rules_of(world) == ["booked", "day_before", "fifteen_minutes"]
    assert world.sent[1].startswith("05-11 14:00")


def test_there_and_back_between_two_plans():
    """A move that is taken back before the planner looks is no change at all."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.move(LATER).move(VISIT).plan()
    assert world.booked.version == 1


def test_there_and_back_after_it_was_told():
    """Who was told of a move is told of the move back as well."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.move(LATER).run(until="2026-05-06 12:00")
    world.move(VISIT).run(until=END)
    assert rules_of(world) == ["booked", "moved", "moved", "day_before", "fifteen_minutes"]


def test_there_and_back_after_the_reminder():
    """A reminder that has gone for a time is not sent again when the visit comes back to it."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.book(VISIT).run(until="2026-05-11 15:00")
    world.move(LATER).run(until="2026-05-11 16:00")
    world.move(VISIT).run(until=END)
    assert world.sent.count("05-11 14:00 day_before mother sms") == 1
    assert [line for line in world.sent if "day_before" in line] == [
        "05-11 14:00 day_before mother sms"
    ]


def test_there_and_back_with_the_row_of_the_reminder():
    """A visit that comes back to a time it was reminded of says so for its new version."""
    world = World(clinic(day={"before": "24h"})).book(VISIT).run(until="2026-05-11 15:00")
    world.move(LATER).plan().move(VISIT).plan()
    assert world.booked.version == 3
    assert world.why("day") == {Reason.ALREADY_SENT}


def test_there_and_there_again():
    """A visit moved to a time that was told before, and taken back since, is told of again."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.book(VISIT).run(until="2026-05-05 10:00")
    for starts, until in ((LATER, "06"), (VISIT, "07"), (LATER, "08")):
        world.move(starts).run(until=f"2026-05-{until} 10:00")
    assert rules_of(world) == ["booked", "moved", "moved", "moved"]


def test_a_move_that_nobody_was_told_of_the_booking_before():
    """A visit moved before its confirmation went is confirmed at its new time, not moved."""
    world = World().book(VISIT, at="2026-05-04 22:00").plan()
    world.move(LATER, at="2026-05-04 23:00").run(until="2026-05-05 12:00")
    assert world.sent == ["05-05 08:00 booked patient sms"]
    assert world.states("moved") == []


def test_a_move_while_the_confirmation_is_on_its_way():
    """A confirmation whose fate is unknown counts as told: the move is told of."""
    world = World().book(VISIT).run(until="2026-05-04 11:00").lose_answers("booked")
    world.move(LATER).run(until="2026-05-04 12:00")
    assert rules_of(world) == ["booked", "moved"]


def test_a_move_while_a_text_waits_for_another_try():
    """A text that the provider was too busy for does not go for the old time after a move."""
    world = World()
    world.answers["phone-1"] = [BUSY]
    world.book(VISIT).plan().dispatch()
    world.move(LATER).run(until="2026-05-04 12:00")
    assert world.sent == ["05-04 10:00 booked patient sms"]
    assert world.states("booked") == [State.CANCELLED, State.ACCEPTED]


def test_a_cancellation_is_told_and_nothing_follows():
    """A cancelled visit is told of once, and its reminders do not go."""
    world = World().book(VISIT).run(until="2026-05-06 10:00").cancel().run(until=END)
    assert rules_of(world) == ["booked", "cancelled"]


def test_cancelled_before_anybody_heard():
    """Nobody is told of a cancellation of something that they never heard of."""
    world = World().book(VISIT, at="2026-05-04 22:00").plan()
    world.cancel(at="2026-05-04 23:00").run(until=END)
    assert world.sent == []
    assert world.states("cancelled") == []


def test_cancelled_after_a_confirmation_that_failed():
    """A confirmation that did not arrive has told nobody, so there is no cancellation to tell."""
    world = World().book(VISIT).run(until="2026-05-04 11:00").undeliver("booked")
    world.cancel().run(until=END)
    assert rules_of(world) == ["booked"]


def test_moved_and_cancelled_at_once():
    """A visit that is moved and cancelled before a plan is told of as cancelled only."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.move(LATER).cancel().run(until=END)
    assert rules_of(world) == ["booked", "cancelled"]


def test_a_cancelled_visit_that_is_moved_stays_silent():
    """A cancelled visit whose time is changed is not told of a second time."""
    world = World().book(VISIT).run(until="2026-05-06 10:00").cancel().run(until="2026-05-06 11:00")
    world.move(LATER).cancel().run(until=END)
    assert rules_of(world) == ["booked", "cancelled"]


def test_booked_again_before_the_cancellation_was_told():
    """A cancellation taken back in the same night is not told of at all."""
    world = World().book(VISIT).run(until="2026-05-06 22:00").cancel().plan()
    world.rebook(at="2026-05-06 23:00").run(until=END)
    assert rules_of(world) == ["booked", "day_before", "fifteen_minutes"]


def test_booked_again_after_the_cancellation_was_told():
    """Who was told that a visit is cancelled is told that it takes place after all."""
    world = World().book(VISIT).run(until="2026-05-06 10:00").cancel().run(until="2026-05-06 11:00")
    world.rebook().run(until=END)
    assert rules_of(world) == ["booked", "cancelled", "moved", "day_before", "fifteen_minutes"]


def test_cancelled_at_night():
    """A cancellation in the night is told in the morning, if that is before the visit."""
    world = World().book("2026-05-12 08:15").run(until="2026-05-11 22:00")
    assert world.cancel().run(until=END).sent[-1] == "05-12 08:00 cancelled patient sms"


def test_cancelled_in_the_night_before_an_early_visit():
    """A cancellation that only the night could tell is kept from it, with the reason."""
    world = World().book("2026-05-12 07:30").run(until="2026-05-11 22:00")
    world.cancel().plan()
    assert world.why("cancelled") == {Reason.QUIET_HOURS}


def test_without_confirmations_a_move_is_told_all_the_same():
    """Bookings that were confirmed elsewhere before the first import are told of when they move."""
    world = World().book(VISIT, confirm=False).run(until="2026-05-06 10:00")
    world.move(LATER).run(until=END)
    assert rules_of(world) == ["moved", "day_before", "fifteen_minutes"]


def test_without_confirmations_a_cancellation_is_told_all_the_same():
    """Nobody waits before a screen for a visit that came in without confirmations and was cancelled."""
    world = World().book(VISIT, confirm=False).run(until="2026-05-06 10:00")
    assert rules_of(world.cancel().run(until=END)) == ["cancelled"]


def test_without_confirmations_there_and_back():
    """A move taken back before it was told is nothing, also where no confirmation was sent."""
    world = World().book(VISIT, confirm=False).run(until="2026-05-06 22:00")
    world.move(LATER).plan().move(VISIT, at="2026-05-06 23:00").run(until=END)
    assert rules_of(world) == ["day_before", "fifteen_minutes"]


def entry_by_email() -> World:
    """Return a world whose mother had an email with an entry, and wants texts since."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.wants("mother", prefers=Channel.EMAIL).book(VISIT).run(until="2026-05-05 10:00")
    return world.wants("mother", prefers=None)


def test_a_move_told_by_text_puts_the_calendar_right_too():
    """Who has the visit in a calendar from an email gets its change by email besides the text."""
    world = entry_by_email().move(LATER).run(until="2026-05-05 12:00")
    world.move("2026-05-18 14:00").plan().run(until="2026-05-06 10:00")
    assert world.sent[1:] == [
        "05-05 10:00 moved mother sms",
        "05-05 10:00 moved mother email",
        "05-05 12:00 moved mother sms",
        "05-05 12:00 moved mother email",
    ]
    assert rules_of(world.run(until=END))[5:] == [
        "day_before",
        "fifteen_minutes",
        "fifteen_minutes",
    ]


def test_a_cancellation_told_by_text_takes_the_entry_away_too():
    """Who has the visit in a calendar from an email gets its cancellation by email as well, once."""
    world = entry_by_email().cancel().run(until="2026-05-06 10:00").cancel().run(until=END)
    assert world.sent[1:] == [
        "05-05 10:00 cancelled mother sms",
        "05-05 10:00 cancelled mother email",
    ]


def test_an_email_without_an_entry_leaves_nothing_to_put_right():
    """Whose only email was that of the connection tips, which brings no entry, gets a change once."""
    world = World().person("mother", phone="phone-1", email="mail-1").book(VISIT)
    world.run(until="2026-05-12 13:50").move(LATER).run(until="2026-05-12 14:00")
    assert world.sent[2:] == [
        "05-12 13:45 fifteen_minutes mother sms",
        "05-12 13:45 fifteen_minutes mother email",
        "05-12 13:50 moved mother sms",
    ]


def test_the_email_for_the_calendar_is_not_taken_back_by_the_text():
    """The email that puts an entry right still goes when a plan is made after the text has gone."""
    world = entry_by_email()
    world.answers["mail-1"] = [BUSY]
    world.move(LATER).plan().dispatch().plan()
    assert world.sent[1:] == ["05-05 10:00 moved mother sms"]
    assert rules_of(world.run(until="2026-05-05 12:00")) == ["booked", "moved", "moved"]


def test_a_change_on_each_channel_goes_on_each():
    """Where a rule uses each channel, the text that went first does not take the other back."""
    each = {"deliver": "each"}
    world = World(clinic(booked={"on": "booked", **each}, moved={"on": "moved", **each}))
    world.answers["mail-1"] = [BUSY]
    world.person("mother", phone="phone-1", email="mail-1").book(VISIT).plan().dispatch().plan()
    world.run(until="2026-05-05 10:00").move(LATER)
    world.answers["mail-1"] = [BUSY]
    world.plan().dispatch().plan().run(until="2026-05-06 10:00")
    assert rules_of(world) == ["booked", "booked", "moved", "moved"]


def test_an_entry_is_not_put_right_against_their_will():
    """Who has opted out of email since gets the text alone, and the reason is kept."""
    world = entry_by_email().opt("mail-1", out=True).move(LATER).run(until="2026-05-06 10:00")
    assert world.sent[1:] == ["05-05 10:00 moved mother sms"]
    assert world.why("moved", "mother") == {Reason.OPTED_OUT}


def test_an_entry_that_never_arrived_needs_no_email():
    """Who had the text because the email did not arrive has no entry that could be wrong."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.wants("mother", prefers=Channel.EMAIL).book(VISIT).run(until="2026-05-04 10:00")
    world.undeliver("booked").wants("mother", prefers=None).run(until="2026-05-05 10:00")
    world.move(LATER).run(until="2026-05-06 10:00")
    assert [line[12:] for line in world.sent] == [
        "booked mother email",
        "booked mother sms",
        "moved mother sms",
    ]


def test_another_system_writes_the_row():
    """A time written straight into the row counts as known when the planner sees it."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.move("2026-05-06 13:00", silently=True).sleep("2026-05-06 10:05").run(until=END)
    assert world.sent[1] == "05-06 10:05 moved patient sms"
    assert world.booked.known_at == local("2026-05-06 10:05")


def test_a_move_during_an_outage_is_known_when_it_was_written():
    """A move written while the planner was down is judged by when it was written."""
    practice = clinic(hour={"before": "5h", "late": "skip"})
    world = World(practice).book(VISIT).plan()
    world.move("2026-05-06 14:00", at="2026-05-06 08:00").sleep("2026-05-06 12:00").run(until=END)
    assert world.sent == ["05-06 12:00 hour patient sms"]


def test_a_rule_switched_off_and_on():
    """A rule that is switched off takes its text back; switched on again in time, it goes once."""
    world = World(clinic(day={"before": "24h"})).book(VISIT).plan().switch(off="day").plan()
    assert [(m.state, m.reason) for m in world.rows] == [(State.CANCELLED, Reason.RULE_OFF)]
    world.switch(on="day").run(until=END)
    assert world.sent == ["05-11 14:00 day patient sms"]
    assert len(world.rows) == 1


def test_a_rule_switched_off_and_on_between_two_tries():
    """A text that was tried once before its rule was off goes as a new row when it is on again."""
    world = World(clinic(day={"before": "24h"}))
    world.answers["phone-1"] = [BUSY]
    world.book(VISIT).sleep("2026-05-11 14:00").plan().dispatch()
    world.switch(off="day").plan().switch(on="day").run(until=END)
    assert world.sent == ["05-11 14:00 day patient sms"]
    assert world.states("day") == [State.CANCELLED, State.ACCEPTED]


def test_a_rule_switched_off_after_its_text_went():
    """A rule switched off and on after its text has gone does not send it again."""
    world = World().book(VISIT).run(until="2026-05-11 15:00")
    world.switch(off="day_before").plan().switch(on="day_before").run(until="2026-05-12 10:00")
    assert rules_of(world) == ["booked", "day_before"]


def test_a_rule_that_is_off_sends_nothing():
    """A text whose rule is gone does not go, even if no plan has run since."""
    world = World().book(VISIT).plan().switch(off="day_before")
    world.pending = False
    world.sleep("2026-05-11 14:00").dispatch()
    assert "day_before" not in rules_of(world)


def test_a_corrected_number_is_told_of_the_booking():
    """Who is behind a corrected number heard nothing: the confirmation goes there too, once."""
    world = World().person("mother", phone="phone-1").book(VISIT).run(until="2026-05-09 10:00")
    world.correct("mother", phone="phone-2").run(until="2026-05-10 10:00").plan()
    assert rules_of(world) == ["booked", "booked"]
    assert world.went_to == ["phone-1", "phone-2"]
    world.correct("mother", phone="phone-1").run(until=END)
    assert rules_of(world) == ["booked", "booked", "day_before", "fifteen_minutes"]


def test_a_number_corrected_after_the_reminder_gets_one_text():
    """The confirmation says all that the reminder said: the new number is not told both."""
    world = World().person("mother", phone="phone-1").book(VISIT).run(until="2026-05-11 15:00")
    world.correct("mother", phone="phone-2").run(until="2026-05-12 10:00")
    assert rules_of(world) == ["booked", "day_before", "booked"]


def test_who_has_an_email_that_was_told_needs_no_second_confirmation():
    """A person who was told by email, at an address that they still have, has been told."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.wants("mother", prefers=Channel.EMAIL).book(VISIT).run(until="2026-05-05 10:00")
    world.correct("mother", phone="phone-2", email="mail-1").run(until="2026-05-06 10:00")
    assert rules_of(world) == ["booked"]


def test_a_number_corrected_as_the_visit_moves_gets_the_confirmation():
    """The new number has not read how to get in: it gets the whole text, with the new time."""
    world = World().person("mother", phone="phone-1").book(VISIT).run(until="2026-05-05 10:00")
    world.correct("mother", phone="phone-2").move(LATER).run(until="2026-05-06 10:00")
    assert rules_of(world) == ["booked", "booked"]
    assert world.went_to == ["phone-1", "phone-2"]
    assert world.why("moved", "mother") == {Reason.COVERED_BY}
    world.move(VISIT).run(until="2026-05-06 12:00").plan()
    assert rules_of(world)[2:] == ["moved"]


def test_a_confirmation_that_comes_after_the_time_they_count_on():
    """Whoever counts on an earlier time than the confirmation goes at is known to wait in vain."""
    world = World().person("mother", phone="phone-1").book("2026-05-06 07:15")
    world.run(until="2026-05-05 23:00").correct("mother", phone="phone-2").move(LATER).plan()
    [row] = [m for m in world.rows if m.key[:2] == (2, "booked")]
    assert (row.state, row.counts_on) == (State.PLANNED, local("2026-05-06 07:15"))
    assert row.comes_late


def test_a_number_corrected_as_the_visit_is_cancelled_is_told_so():
    """Whoever has changed numbers is not left waiting: a cancellation goes to the new one."""
    world = World().person("mother", phone="phone-1").book(VISIT).run(until="2026-05-05 10:00")
    world.correct("mother", phone="phone-2").cancel().run(until=END)
    assert rules_of(world) == ["booked", "cancelled"]


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("cancelled", [False, True])
def test_a_number_corrected_back_is_told_what_went_to_the_other(
    *, at_once: bool, cancelled: bool
) -> None:
    """Each number is told what it has not read: the first of the change, as news to it, once."""
    world = World().person("mother", phone="phone-1").book(VISIT).run(until="2026-05-05 10:00")
    world.correct("mother", phone="phone-2")
    if not at_once:
        world.run(until="2026-05-05 11:00")
    change = world.cancel() if cancelled else world.move(LATER)
    change.run(until="2026-05-05 12:00")
    for phone in ("phone-1", "phone-2", "phone-1"):
        world.correct("mother", phone=phone).run(until="2026-05-05 13:00").plan()
    rule = "cancelled" if cancelled else "moved"
    to_new = "booked" if at_once and not cancelled else rule
    assert rules_of(world) == ["booked"] * (1 if at_once else 2) + [to_new, rule]
    assert world.went_to[-2:] == ["phone-2", "phone-1"]
    [*_, row] = [m for m in world.rows if m.key.rule == rule]
    before = knew(world.rows, row.key, row.address_key)
    assert before is not None
    assert before.truth.starts_at == local(VISIT)


def test_a_calendar_at_the_address_corrected_back_is_put_right():
    """The entry of an address that missed the change is put right by email, besides the text."""
    world = entry_by_email().correct("mother", phone="phone-1", email="mail-2")
    world.move(LATER).run(until="2026-05-05 12:00")
    sent = len(world.sent)
    world.correct("mother", phone="phone-1", email="mail-1").run(until="2026-05-05 13:00")
    assert world.went_to[sent:] == ["mail-1"]
