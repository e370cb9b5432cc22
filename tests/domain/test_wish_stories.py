"""What people wish: guardians from 13, a way that is preferred, hours without SMS, answers."""

from dataclasses import replace
from datetime import date

import pytest

from reminders.domain.contact import Channel, Consent, Role, Wishes
from reminders.domain.reasons import Reason
from reminders.domain.replies import REPLIES, Reply
from reminders.domain.rules import Practice
from tests.domain.world import EXAMPLE, World, born, clinic

VISIT = "2026-05-12 14:00"
END = "2026-05-20 00:00"
DAY = clinic(day={"before": "24h"})
CHOSEN = Wishes(from_13=True)
DECLINED = Wishes(from_13=False)
TEENAGER = born("2012-01-01")
CHILD = born("2018-01-01")


def to(world: World) -> list[str]:
    """Return who got the texts of the story, in order."""
    return [line.split()[3] for line in world.run(until=END).sent]


# ------------------------------------------------------------------ guardians from 13


def test_a_teenagers_guardian_without_a_choice():
    """A teenager with only a guardian and no choice recorded is told by nobody, and it is said."""
    world = World(DAY).person("mother", phone="phone-1").book(VISIT, birth_date=TEENAGER)
    assert to(world) == []
    assert world.why("day", "mother") == {Reason.GUARDIAN_NOT_CHOSEN}


def test_a_teenagers_guardian_by_choice():
    """A guardian who is to be told of a teenager's visits is told."""
    world = World(DAY).person("mother", phone="phone-1", wishes=CHOSEN)
    assert to(world.book(VISIT, birth_date=TEENAGER)) == ["mother"]


def test_a_teenager_who_wants_it_alone():
    """A teenager is told, and the guardian who was declined is not, each with its reason."""
    world = World(DAY).person("patient", phone="phone-1", role=Role.PATIENT)
    world.person("mother", phone="phone-2", wishes=DECLINED).book(VISIT, birth_date=TEENAGER)
    assert to(world) == ["patient"]
    assert world.why("day", "mother") == {Reason.GUARDIAN_DECLINED}


def test_several_guardians_and_one_is_chosen():
    """Of two guardians of a teenager the chosen one alone is told."""
    world = World(DAY).person("mother", phone="phone-1", wishes=CHOSEN)
    assert to(world.person("father", phone="phone-2").book(VISIT, birth_date=TEENAGER)) == [
        "mother"
    ]


def test_one_phone_of_a_teenager_and_a_guardian():
    """On a phone that a teenager shares with an unchosen guardian the text is the teenager's."""
    world = World(DAY).person("mother", phone="shared")
    world.person("patient", phone="shared", role=Role.PATIENT).book(VISIT, birth_date=TEENAGER)
    assert to(world) == ["patient"]
    assert world.why("day", "mother") == {Reason.GUARDIAN_NOT_CHOSEN}


@pytest.mark.parametrize(
    ("birth_date", "told"), [("2013-05-12", []), ("2013-05-13", ["mother"]), ("2013-05-11", [])]
)
def test_the_age_is_that_of_the_day_of_the_visit(birth_date: str, told: list[str]):
    """A birthday between booking and visit counts: on the day itself the child is 13."""
    world = World(DAY).person("mother", phone="phone-1").book(VISIT, birth_date=born(birth_date))
    assert to(world) == told


def test_an_unknown_age():
    """Where no birth date is known the guardian is told: nobody can say that they should not."""
    assert to(World(DAY).person("mother", phone="phone-1").book(VISIT)) == ["mother"]


def test_a_visit_moved_over_the_birthday():
    """A guardian who was told of a visit before the birthday is to be phoned when it moves past it."""
    world = World(EXAMPLE).person("mother", phone="phone-1")
    world.book("2026-05-11 14:00", birth_date=born("2013-05-12")).run(until="2026-05-05 10:00")
    world.move(VISIT).run(until=END)
    assert [line.split()[2] for line in world.sent] == ["booked"]
    assert world.why("moved", "mother") == {Reason.GUARDIAN_NOT_CHOSEN}


@pytest.mark.parametrize(("before", "after"), [(TEENAGER, CHILD), (CHILD, TEENAGER)])
def test_a_birth_date_corrected_over_the_age(before: date, after: date):
    """Who was told that somebody else logs in than who does is told anew, once; also there and back."""
    world = World(EXAMPLE).person("mother", phone="phone-1").wants("mother", from_13=True)
    world.book(VISIT, birth_date=before).run(until="2026-05-10 10:00")
    world.fact(birth_date=after).run(until="2026-05-10 12:00").plan()
    assert [line.split()[2] for line in world.sent] == ["booked", "booked"]
    world.fact(birth_date=before).run(until=END)
    expected = ["booked", "booked", "booked", "day_before", "fifteen_minutes"]
    assert [line.split()[2] for line in world.sent] == expected


def test_a_birth_date_corrected_after_the_reminder():
    """The reminder that named the wrong login is put right by one text, not by two."""
    world = World(EXAMPLE).person("mother", phone="phone-1").wants("mother", from_13=True)
    world.book(VISIT, birth_date=CHILD).run(until="2026-05-11 15:00")
    world.fact(birth_date=TEENAGER).run(until="2026-05-12 10:00")
    assert [line.split()[2] for line in world.sent] == ["booked", "day_before", "booked"]


@pytest.mark.parametrize(
    ("before", "after"), [(None, CHILD), (CHILD, None), (CHILD, born("2016-05-01"))]
)
def test_a_birth_date_that_changes_nothing_of_the_login(before: date | None, after: date | None):
    """A text for an unknown age says who logs in at each; nobody is told again what they know."""
    world = World(EXAMPLE).person("mother", phone="phone-1")
    world.book(VISIT, birth_date=before).run(until="2026-05-10 10:00")
    world.fact(birth_date=after).run(until="2026-05-10 12:00")
    assert [line.split()[2] for line in world.sent] == ["booked"]


def test_what_needs_no_text_needs_no_choice():
    """A rule with nothing to tell leaves no row about the guardian's choice."""
    world = World(EXAMPLE).person("mother", phone="phone-1").book(VISIT, birth_date=TEENAGER)
    assert {m.key.rule for m in world.plan().rows} == {"booked", "day_before", "fifteen_minutes"}


def test_a_choice_that_comes_later():
    """A choice recorded before the reminder is due lets it go; one taken back stops it."""
    world = World(DAY).person("mother", phone="phone-1").book(VISIT, birth_date=TEENAGER).plan()
    world.wants("mother", from_13=True).plan()
    assert len(world.waiting()) == 1
    world.wants("mother", from_13=None)
    world.pending = False
    world.sleep("2026-05-11 14:00").dispatch()
    assert world.sent == []


def test_help_for_a_teenager_is_not_for_the_guardian():
    """Help that staff send goes to the teenager, not to a guardian without a choice."""
    world = World(EXAMPLE).person("mother", phone="phone-1").book(VISIT, birth_date=TEENAGER)
    world.person("patient", phone="phone-2", role=Role.PATIENT)
    world.run(until="2026-05-12 13:58").ask("help")
    assert world.why("help", "mother") == {Reason.GUARDIAN_NOT_CHOSEN}
    assert "patient" in world.run(until="2026-05-12 13:59").sent[-1]


# ------------------------------------------------------------------ a way that is preferred


def test_the_preferred_channel_is_tried_first():
    """Who prefers email gets it there, although the rule says SMS first."""
    world = World(DAY).person("mother", phone="phone-1", email="mail-1")
    world.wants("mother", prefers=Channel.EMAIL).book(VISIT)
    assert world.run(until=END).sent == ["05-11 14:00 day mother email"]


def test_the_preferred_channel_that_cannot():
    """Where the preferred channel cannot be used the other one is."""
    world = World(DAY).person("mother", phone="phone-1", email="mail-1", refused=[Channel.EMAIL])
    world.wants("mother", prefers=Channel.EMAIL).book(VISIT)
    assert world.run(until=END).sent == ["05-11 14:00 day mother sms"]


def test_a_preference_after_the_text_sends_no_second():
    """Who was told by SMS is not told again by email because they prefer it now."""
    world = World(DAY).person("mother", phone="phone-1", email="mail-1").book(VISIT)
    world.run(until="2026-05-11 15:00").wants("mother", prefers=Channel.EMAIL)
    assert world.run(until=END).sent == ["05-11 14:00 day mother sms"]


def test_a_preference_changes_what_is_planned():
    """A text that waits goes the way that is preferred now, and the other row says so."""
    world = World(DAY).person("mother", phone="phone-1", email="mail-1").book(VISIT).plan()
    world.wants("mother", prefers=Channel.EMAIL)
    assert world.run(until=END).sent == ["05-11 14:00 day mother email"]
    assert Reason.OTHER_CHANNEL in {m.reason for m in world.rows}


def test_a_preference_does_not_silence_each():
    """A rule that uses each channel still uses each."""
    world = World(clinic(day={"before": "24h", "deliver": "each"}))
    world.person("mother", phone="phone-1", email="mail-1").wants("mother", prefers=Channel.EMAIL)
    assert len(world.book(VISIT).run(until=END).sent) == 2


# ------------------------------------------------------------------ hours without SMS


def test_hours_without_sms_put_it_off():
    """An SMS that falls into a person's own hours waits for their end."""
    world = World(DAY).person("mother", phone="phone-1").wants("mother", no_sms="13:00-16:30")
    assert world.book(VISIT).run(until=END).sent == ["05-11 16:30 day mother sms"]


def test_hours_without_sms_are_for_sms_alone():
    """An email goes in the hours without SMS."""
    world = World(DAY).person("mother", email="mail-1").wants("mother", no_sms="13:00-16:30")
    assert world.book(VISIT).run(until=END).sent == ["05-11 14:00 day mother email"]


def test_hours_that_lead_into_the_night():
    """Own hours that end at night lead to the morning."""
    world = World(DAY).person("mother", phone="phone-1").wants("mother", no_sms="13:00-22:00")
    assert world.book(VISIT).run(until=END).sent == ["05-12 08:00 day mother sms"]


def test_earlier_than_both():
    """A rule that goes earlier goes before the night and before the person's own hours."""
    world = World(clinic(day={"before": "16h", "quiet_hours": "earlier"}))
    world.person("mother", phone="phone-1").wants("mother", no_sms="17:00-21:00")
    assert world.book(VISIT).run(until=END).sent == ["05-11 16:59 day mother sms"]


def test_hours_that_leave_no_time():
    """Where own hours leave no time for an SMS it goes by email, or the reason is kept."""
    practice = clinic(soon={"before": "2h", "not_after": "-1h"})
    world = World(practice).person("mother", phone="phone-1", email="mail-1")
    world.person("father", phone="phone-2").wants("father", no_sms="08:00-15:00")
    world.wants("mother", no_sms="08:00-15:00").book(VISIT).run(until=END)
    assert world.sent == ["05-12 12:00 soon mother email"]
    assert world.why("soon", "father") == {Reason.OWN_HOURS}


def test_hours_and_night_that_cover_the_day():
    """Own hours that leave nothing of the day end in a reason, not in a search without end."""
    world = World(DAY).person("mother", phone="phone-1").wants("mother", no_sms="08:00-21:00")
    assert world.book(VISIT).run(until=END).sent == []
    assert world.why("day", "mother") == {Reason.OWN_HOURS}


QUARTER = {"before": "15m", "not_after": "-1m", "quiet_hours": "ignore"}


def test_what_ignores_the_night_heeds_own_hours():
    """The text shortly before the visit goes at night, but not in hours that a person asked for."""
    world = World(clinic(quarter={**QUARTER, "deliver": "each"}))
    world.person("mother", phone="phone-1", email="mail-1").wants("mother", no_sms="13:00-16:30")
    world.person("father", phone="phone-2")
    assert world.book(VISIT).run(until=END).sent == [
        "05-12 13:45 quarter mother email",
        "05-12 13:45 quarter father sms",
    ]
    assert world.why("quarter", "mother") == {Reason.OWN_HOURS}


def test_own_hours_that_end_just_before_the_visit():
    """The text shortly before the visit goes when a person's own hours end, if it still helps."""
    world = World(clinic(quarter=QUARTER)).person("mother", phone="phone-1")
    world.wants("mother", no_sms="09:00-13:50").book(VISIT).run(until=END)
    assert world.sent == ["05-12 13:50 quarter mother sms"]


def test_own_hours_given_after_the_plan_hold_for_it_too():
    """Own hours given when the text shortly before the visit was planned keep it from going."""
    world = World(clinic(quarter=QUARTER)).person("mother", phone="phone-1").book(VISIT).plan()
    world.wants("mother", no_sms="13:00-16:30")
    world.pending = False
    world.sleep("2026-05-12 13:45").dispatch()
    assert world.run(until=END).sent == []


def test_what_somebody_asked_for_goes_in_own_hours():
    """Help that is asked for goes at once: somebody sits before the screen and waits for it."""
    world = World().person("mother", phone="phone-1").wants("mother", no_sms="13:00-16:30")
    world.book(VISIT).run(until="2026-05-12 13:58").ask("help").run(until="2026-05-12 13:59")
    assert world.sent[-1] == "05-12 13:58 help mother sms"


def test_hours_that_came_after_the_plan():
    """Own hours hold from the moment they are there, planned again or not."""
    world = World(DAY).person("mother", phone="phone-1").book(VISIT).plan()
    world.wants("mother", no_sms="13:00-16:30")
    world.pending = False
    world.sleep("2026-05-11 14:00").dispatch()
    assert world.sent == []
    assert world.run(until=END).sent == ["05-11 16:30 day mother sms"]


# ------------------------------------------------------------------ answers


def two_way() -> Practice:
    """Return a clinic that can be answered."""
    return replace(EXAMPLE, rules=(*EXAMPLE.rules, *REPLIES))


def test_an_answer_goes_to_the_one_who_wrote():
    """An answer goes at once, also at night, to one person."""
    world = World(two_way()).person("mother", phone="phone-1").person("father", phone="phone-2")
    world.book(VISIT).run(until="2026-05-05 23:00").ask(Reply.OTHER, who="father")
    assert world.run(until="2026-05-05 23:01").sent[-1] == "05-05 23:00 reply_other father sms"
    assert len(world.sent) == 3


def test_the_answer_to_stop_goes_despite_it():
    """Who has said stop is told so once; every other answer obeys the opt-out."""
    world = World(two_way()).person("mother", phone="phone-1").book(VISIT)
    world.run(until="2026-05-05 12:00").opt("phone-1", out=True)
    world.ask(Reply.STOPPED, who="mother").ask(Reply.OTHER, who="mother").run(until=END)
    assert [line.split()[2] for line in world.sent] == ["booked", "reply_stop"]
    assert world.why("reply_other", "mother") == {Reason.OPTED_OUT}


def test_an_answer_obeys_consent_and_protection():
    """A refusal of SMS and a protected identity hold for answers too."""
    world = World(two_way()).person("mother", phone="phone-1").book(VISIT)
    world.wish("mother", Channel.SMS, Consent.REFUSED).ask(Reply.STOPPED, who="mother")
    assert world.why("reply_stop", "mother") == {Reason.NO_CONSENT}
    world.fact(protected=True).ask(Reply.OTHER, who="mother").run(until=END)
    assert world.why("reply_other", "mother") == {Reason.PROTECTED_IDENTITY}
    assert world.sent == []


def test_an_answer_about_a_cancelled_visit():
    """Who answers to a cancellation is answered as well."""
    world = World(two_way()).person("mother", phone="phone-1").book(VISIT)
    world.run(until="2026-05-05 12:00").cancel().run(until="2026-05-05 13:00")
    world.ask(Reply.OTHER, who="mother").run(until=END)
    assert [line.split()[2] for line in world.sent] == ["booked", "cancelled", "reply_other"]


def test_an_answer_has_told_nobody_of_the_visit():
    """An answer is no news of the visit: who got nothing else is still told of the booking."""
    world = World(two_way()).person("mother", phone="phone-1").book(VISIT, at="2026-05-04 22:00")
    world.ask(Reply.OTHER, who="mother").run(until="2026-05-05 09:00")
    assert world.sent == ["05-04 22:00 reply_other mother sms", "05-05 08:00 booked mother sms"]


def test_an_answer_that_is_late_does_not_go():
    """An answer that could not go within the hour is not sent the next day."""
    world = World(two_way()).person("mother", phone="phone-1").book(VISIT)
    world.run(until="2026-05-05 12:00").ask(Reply.OTHER, who="mother")
    world.sleep("2026-05-05 14:00").run(until="2026-05-06 12:00")
    assert [line.split()[2] for line in world.sent] == ["booked"]


def test_a_move_meanwhile_sends_no_second_answer():
    """A visit that moves after the answer went is not answered again."""
    world = World(two_way()).person("mother", phone="phone-1").book(VISIT)
    world.run(until="2026-05-05 12:00").ask(Reply.OTHER, who="mother")
    world.run(until="2026-05-05 12:05").move("2026-05-13 10:00").run(until=END)
    assert sum("reply_other" in line for line in world.sent) == 1
