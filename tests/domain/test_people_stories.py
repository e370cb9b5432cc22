"""Who is told: guardians, siblings, wishes, ages, and people who come and go."""

import pytest

from reminders.domain.contact import Channel, Consent, Role
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from tests.domain.world import BAD_NUMBER, World, born, clinic

VISIT = "2026-05-12 14:00"
END = "2026-05-20 00:00"
BOTH = ("mother", "father")


def family(email: str | None = None) -> World:
    """Return a world with two guardians on one phone; the father may have an email."""
    world = World(clinic(day={"before": "24h"})).person("mother", phone="shared")
    return world.person("father", phone="shared", email=email)


def test_two_guardians_with_a_phone_each():
    """Each guardian gets each text on their own phone."""
    world = World().person("mother", phone="phone-1").person("father", phone="phone-2")
    assert world.book(VISIT).run(until="2026-05-04 11:00").sent == [
        "05-04 10:00 booked mother sms",
        "05-04 10:00 booked father sms",
    ]


def test_two_guardians_with_one_phone():
    """Two guardians with one phone get one text, and the other's row says why."""
    world = family().book(VISIT).run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms"]
    assert world.why("day", "father") == {Reason.SHARED_ADDRESS}


def test_one_phone_and_one_of_them_has_not_consented():
    """A phone that two share gets the text for the one who has consented."""
    world = family().wish("mother", Channel.SMS, Consent.REFUSED).book(VISIT).run(until=END)
    assert world.sent == ["05-11 14:00 day father sms"]
    assert world.why("day", "mother") == {Reason.NO_CONSENT}


def test_one_phone_and_one_of_them_withdraws_at_the_last_moment():
    """When the one whose text it was withdraws, the other of the shared phone gets it."""
    world = family().book(VISIT).run(until="2026-05-10 10:00")
    world.wish("mother", Channel.SMS, Consent.REFUSED).run(until=END)
    assert world.sent == ["05-11 14:00 day father sms"]


def test_one_phone_opted_out():
    """An opt-out of a shared phone beats the consent of both, and each row says so."""
    world = family().book(VISIT).opt("shared", out=True).run(until=END)
    assert world.sent == []
    assert {who: world.why("day", who) for who in BOTH} == {who: {Reason.OPTED_OUT} for who in BOTH}


def test_one_phone_that_cannot_be_reached():
    """A text that failed for one guardian is not tried again at the same phone for the other."""
    world = family()
    world.answers["shared"] = [BAD_NUMBER]
    world.book(VISIT).run(until=END)
    assert world.sent == []
    assert sum(m.attempts for m in world.rows) == 1


def test_one_bad_phone_and_one_of_them_has_an_email():
    """Where the shared phone fails, the guardian with an email gets the text there."""
    world = family(email="mail-2")
    world.answers["shared"] = [BAD_NUMBER]
    world.book(VISIT).run(until=END)
    assert world.sent == ["05-11 14:00 day father email"]


def test_one_phone_with_one_retry():
    """A shared phone that was out of reach gets one more try, not one for each guardian."""
    world = family().book(VISIT).run(until="2026-05-11 14:00")
    world.undeliver("day", reason=Reason.UNREACHABLE).run(until="2026-05-11 14:10")
    world.undeliver("day", reason=Reason.UNREACHABLE).run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms", "05-11 14:00 day mother sms"]


def test_the_first_of_a_shared_phone_leaves():
    """A contact removed after the text went does not make it go again to the same phone."""
    world = family().book(VISIT).run(until="2026-05-11 15:00").remove("mother").run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms"]


def test_who_heard_on_a_shared_phone_is_told_of_the_cancellation():
    """A confirmation to a shared phone has told both: the one who stays hears of the cancellation."""
    world = World().person("mother", phone="shared").person("father", phone="shared").book(VISIT)
    world.run(until="2026-05-05 10:00").remove("mother").cancel().run(until=END)
    assert world.sent[-1] == "05-05 10:00 cancelled father sms"


def test_a_shared_email_and_a_phone_of_ones_own():
    """Who shares only the email gets the text there when the other's phone text covers theirs."""
    practice = clinic(
        day={"before": "24h", "channels": ["sms"]}, tips={"before": "24h", "channels": ["email"]}
    )
    world = World(practice).person("mother", phone="phone-1", email="family")
    world.person("father", email="family").book(VISIT).run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms", "05-11 14:00 tips father email"]


def test_a_text_that_does_not_go_covers_nothing():
    """A text covered by another cannot itself stand for a third person's."""
    practice = clinic(
        first={"before": "24h", "channels": ["email"], "audience": {"roles": ["guardian"]}},
        second={"before": "23h", "channels": ["sms"], "audience": {"roles": ["guardian"]}},
        third={"before": "22h", "channels": ["sms"], "audience": {"roles": ["patient"]}},
    )
    world = World(practice).person("mother", phone="shared", email="mail-1")
    world.person("patient", phone="shared", role=Role.PATIENT)
    world.book(VISIT, at="2026-05-12 10:00").run(until=END)
    assert world.sent == ["05-12 10:00 first mother email", "05-12 10:00 third patient sms"]


def test_two_rules_for_two_people_with_one_phone():
    """Two rules due at once for two people with one phone send one text, also after an outage."""
    practice = clinic(
        theirs={"before": "24h", "audience": {"roles": ["guardian"]}},
        own={"before": "23h", "audience": {"roles": ["patient"]}},
    )
    world = World(practice).person("mother", phone="shared")
    world.person("patient", phone="shared", role=Role.PATIENT).book(VISIT).plan()
    world.sleep("2026-05-12 08:30").run(until=END)
    assert world.sent == ["05-12 08:30 theirs mother sms"]


def test_siblings_get_a_text_each():
    """Two children with one phone and a visit each get a text for each visit."""
    for ref in ("B-2041", "B-2042"):
        world = World().book(VISIT, ref=ref).run(until="2026-05-04 11:00")
        assert world.sent == ["05-04 10:00 booked patient sms"]


def test_consent_withdrawn():
    """A text planned before a consent was withdrawn does not go, and the reason is kept."""
    world = World().book(VISIT).run(until="2026-05-06 10:00")
    world.wish("patient", Channel.SMS, Consent.REFUSED).run(until=END)
    assert len(world.sent) == 1
    assert world.why("day_before") == {Reason.NO_CONSENT}


def test_consent_for_email_alone():
    """Who has refused SMS and allows email gets the text by email."""
    world = World().person("mother", phone="phone-1", email="mail-1", refused=[Channel.SMS])
    world.book(VISIT).run(until="2026-05-04 11:00")
    assert world.sent == ["05-04 10:00 booked mother email"]
    assert world.why("booked", "mother") == {Reason.NO_CONSENT}


def test_an_opt_out_taken_back():
    """A text kept back by an opt-out goes when the opt-out is taken back in time."""
    world = World().book(VISIT).run(until="2026-05-06 10:00").opt("phone-1", out=True).plan()
    assert world.why("day_before") == {Reason.OPTED_OUT}
    world.opt("phone-1", out=False).run(until=END)
    assert len(world.sent) == 3


def test_an_opt_out_without_a_plan_since():
    """An opt-out holds from the moment it is there, planned again or not."""
    world = World().book(VISIT).plan().opt("phone-1", out=True)
    world.pending = False
    world.dispatch()
    assert world.sent == []


def test_a_contact_removed():
    """A contact that is removed gets nothing more, and the row says why."""
    world = World().person("mother", phone="phone-1").person("father", phone="phone-2")
    world.book(VISIT).run(until="2026-05-06 10:00").remove("father").run(until=END)
    assert [line for line in world.sent if "father" in line] == ["05-04 10:00 booked father sms"]
    assert Reason.CONTACT_REMOVED in {m.reason for m in world.rows}


def test_a_contact_added():
    """A guardian who is added later gets what is still to come, and hears of the booking."""
    world = World().person("mother", phone="phone-1").book(VISIT).run(until="2026-05-06 10:00")
    world.person("father", phone="phone-2").run(until=END)
    assert [line for line in world.sent if "father" in line] == [
        "05-06 10:00 booked father sms",
        "05-11 14:00 day_before father sms",
        "05-12 13:45 fifteen_minutes father sms",
    ]


def test_a_contact_added_between_reminder_and_visit():
    """A guardian added after the reminder went gets one text at once, not one of each kind."""
    world = World().person("mother", phone="phone-1").book(VISIT, at="2026-05-10 10:00")
    world.run(until="2026-05-11 16:00").person("father", phone="phone-2")
    world.run(until="2026-05-11 17:00")
    assert [line for line in world.sent if "father" in line] == ["05-11 16:00 booked father sms"]


def test_a_phone_added_after_the_email_went():
    """Who was reminded by email is not reminded again when a phone number comes in."""
    world = World(clinic(day={"before": "24h"})).person("mother", email="mail-1")
    world.book(VISIT).run(until="2026-05-11 15:00")
    world.correct("mother", phone="phone-1", email="mail-1").run(until=END)
    assert world.sent == ["05-11 14:00 day mother email"]


def test_nobody_can_be_reached():
    """A person without any address leaves one row a rule that says so."""
    world = World().person("mother").book(VISIT).plan()
    assert world.why("booked", "mother") == {Reason.NO_ADDRESS}
    assert [m.key.rule for m in world.rows] == ["booked", "day_before", "fifteen_minutes"]


def test_one_person_without_an_address_does_not_silence_the_next():
    """A person who cannot be reached takes nothing from those who can."""
    world = World().person("mother").person("father", phone="phone-2")
    world.book(VISIT).run(until="2026-05-04 11:00")
    assert world.sent == ["05-04 10:00 booked father sms"]


def test_protected_identity():
    """A patient with a protected identity is never written to, not even on request."""
    world = World().book(VISIT, protected=True).ask("help").run(until=END)
    assert world.sent == []
    assert world.why("fifteen_minutes") == {Reason.PROTECTED_IDENTITY}
    assert world.why("help") == {Reason.PROTECTED_IDENTITY}


def test_protected_from_now_on():
    """Protection that comes in after the plan stops what was planned, without a plan as well."""
    world = World().book(VISIT).run(until="2026-05-06 10:00").fact(protected=True)
    world.pending = False
    world.sleep("2026-05-11 14:00").dispatch()
    assert len(world.sent) == 1
    world.run(until=END)
    assert world.states("day_before") == [State.SUPPRESSED]


AGES = clinic(
    young={"before": "24h", "audience": {"max_age": 12}},
    own={"before": "24h", "audience": {"min_age": 13}},
)


@pytest.mark.parametrize(
    ("birth_date", "rule"),
    [
        ("2013-05-12", "own"),
        ("2013-05-13", "young"),
        ("2013-05-11", "own"),
        ("2016-02-29", "young"),
        ("2008-02-29", "own"),
    ],
    ids=["on the birthday", "the day before it", "the day after", "leap young", "leap old"],
)
def test_age_is_that_of_the_day_of_the_visit(birth_date: str, rule: str):
    """The audience goes by the age on the day of the visit, whatever it is when the text goes."""
    world = World(AGES).book(VISIT, birth_date=born(birth_date)).run(until=END)
    assert [line.split()[2] for line in world.sent] == [rule]


@pytest.mark.parametrize(
    ("visit", "rule"), [("2027-02-27 14:00", "young"), ("2027-02-28 14:00", "own")]
)
def test_born_on_the_leap_day(visit: str, rule: str):
    """Who is born on 29 February comes of age on 28 February, as Swedish law counts."""
    practice = clinic(
        young={"before": "24h", "audience": {"max_age": 14}},
        own={"before": "24h", "audience": {"min_age": 15}},
    )
    world = World(practice).book(visit, at="2027-02-20 10:00", birth_date=born("2012-02-29"))
    world.run(until=visit)
    assert [line.split()[2] for line in world.sent] == [rule]


def test_the_day_is_the_clinics():
    """A visit shortly after midnight in the clinic's zone is on the birthday, not the day before."""
    world = World(AGES).book("2026-05-12 00:30", birth_date=born("2013-05-12"))
    assert [line.split()[2] for line in world.run(until=END).sent] == ["own"]


def test_a_birthday_between_two_times_of_a_visit():
    """A visit moved over the birthday is reminded of by the rule for the new age."""
    world = World(AGES).book("2026-05-11 14:00", birth_date=born("2013-05-12")).plan()
    assert [line.split()[2] for line in world.waiting()] == ["young"]
    world.move(VISIT).plan()
    assert [line.split()[2] for line in world.waiting()] == ["own"]


def test_an_unknown_age_gets_one_text():
    """Where no birth date is known both rules are meant, and one text goes."""
    world = World(AGES).book(VISIT).run(until=END)
    assert len(world.sent) == 1


def test_a_birth_date_that_comes_in_later():
    """A birth date that becomes known moves the text to the rule that is meant."""
    world = World(AGES).book(VISIT).plan().fact(birth_date=born("2010-01-01")).run(until=END)
    assert [line.split()[2] for line in world.sent] == ["own"]


@pytest.mark.parametrize("late", [False, True])
def test_an_address_that_is_gone_has_told_nothing(*, late: bool) -> None:
    """Who was told by email, and has a phone alone by now, is told there as long as it helps."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.wants("mother", prefers=Channel.EMAIL).book("2026-05-12 14:00")
    world.run(until="2026-05-11 15:00" if late else "2026-05-05 10:00")
    assert set(world.went_to) == {"mail-1"}
    before = len(world.sent)
    world.correct("mother", phone="phone-1").run(until="2026-05-11 16:00").plan()
    first = ["booked"] if late else ["booked", "day_before"]
    assert [line.split()[2] for line in world.sent[before:]] == first
    assert set(world.went_to[before:]) == {"phone-1"}


def test_what_a_gone_address_was_told_covers_nothing() -> None:
    """Of a move that was told by email alone, the phone that is left is told as well."""
    world = World().person("mother", phone="phone-1", email="mail-1")
    world.wants("mother", prefers=Channel.EMAIL).book("2026-05-12 14:00")
    world.run(until="2026-05-05 10:00").move("2026-05-14 14:00").run(until="2026-05-05 11:00")
    world.correct("mother", phone="phone-1").run(until="2026-05-05 12:00").plan()
    assert world.went_to == ["mail-1", "mail-1", "phone-1"]
