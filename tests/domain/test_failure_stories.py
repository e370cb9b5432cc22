"""What happens when a text does not arrive, and when staff lend a hand."""

from dataclasses import replace

import pytest

from reminders.domain.contact import Channel, Consent
from reminders.domain.outcome import Refusal, Rejected
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from tests.domain.world import BAD_NUMBER, BUSY, World, clinic, minutes

VISIT = "2026-05-12 14:00"
END = "2026-05-20 00:00"
DAY = clinic(day={"before": "24h"})


def mother(world: World | None = None) -> World:
    return (world or World(DAY)).person("mother", phone="phone-1", email="mail-1")


def test_an_undelivered_text_goes_by_the_next_channel():
    """A text that did not arrive by SMS goes by email."""
    world = mother().book(VISIT).run(until="2026-05-11 14:05").undeliver("day").run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms", "05-11 14:05 day mother email"]


def test_a_refused_number_goes_by_the_next_channel():
    """A number that the provider refuses is not tried again; the email goes at once."""
    world = mother()
    world.answers["phone-1"] = [BAD_NUMBER]
    assert world.book(VISIT).run(until=END).sent == ["05-11 14:00 day mother email"]
    assert world.states("day") == [State.FAILED, State.ACCEPTED]


def test_a_phone_out_of_reach_gets_one_more_try():
    """A phone that was out of reach is tried once more, and then the email."""
    world = mother().book(VISIT).run(until="2026-05-11 14:00")
    world.undeliver("day", "2026-05-11 14:05", Reason.UNREACHABLE).run(until="2026-05-11 14:06")
    world.undeliver("day", "2026-05-11 14:10", Reason.UNREACHABLE).run(until=END)
    assert world.sent == [
        "05-11 14:00 day mother sms",
        "05-11 14:05 day mother sms",
        "05-11 14:10 day mother email",
    ]


def test_too_late_for_another_channel():
    """A text that is reported lost when it helps no more is not sent another way."""
    world = mother().book(VISIT).run(until="2026-05-11 14:00")
    world.undeliver("day", "2026-05-12 14:01").run(until=END)
    assert len(world.sent) == 1
    assert world.why("day", "mother") == {Reason.BLOCKED, Reason.TOO_LATE}


def test_each_channel_stands_for_itself():
    """Where each channel is used, one that fails takes nothing from the other."""
    world = mother(World(clinic(day={"before": "24h", "deliver": "each"})))
    world.answers["phone-1"] = [BAD_NUMBER]
    assert world.book(VISIT).run(until=END).sent == ["05-11 14:00 day mother email"]


def test_everything_failed():
    """When no channel is left, the rows say what failed, and nothing is tried for ever."""
    world = mother()
    world.answers = {"phone-1": [BAD_NUMBER], "mail-1": [Rejected("550", Refusal.ADDRESS)]}
    world.book(VISIT).run(until=END)
    assert world.sent == []
    assert world.why("day", "mother") == {Reason.INVALID_ADDRESS}
    assert sum(m.attempts for m in world.rows) == 2


def test_a_busy_provider_is_tried_again():
    """A text that the provider was too busy for goes a little later, as the same row."""
    world = mother()
    world.answers["phone-1"] = [BUSY, BUSY]
    world.book(VISIT).run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms"]
    assert [(m.state, m.attempts) for m in world.rows] == [(State.ACCEPTED, 3)]


def test_a_provider_that_is_busy_for_longer_than_the_text_helps():
    """A text that the first channel cannot take in time goes by the next while it helps."""
    world = mother(World(clinic(quarter={"before": "15m"})))
    world.answers["phone-1"] = [Rejected("429", Refusal.THROTTLED, retry_after=minutes(60))]
    world.book(VISIT).run(until=END)
    assert world.sent == ["05-12 13:45 quarter mother email"]


def test_an_opt_out_while_a_text_waits_for_another_try():
    """Who opts out while a text waits gets it the other way, and planning again keeps it so."""
    world = mother()
    world.answers["phone-1"] = [BUSY]
    world.book(VISIT).sleep("2026-05-11 14:00").plan().dispatch()
    world.opt("phone-1", out=True).plan().plan()
    assert world.waiting() == ["05-11 14:00 day mother email"]
    assert world.run(until=END).sent == ["05-11 14:00 day mother email"]


def test_an_opt_out_at_the_provider():
    """An opt-out that the provider tells of fails the text and holds for all that follow."""
    world = World()
    world.answers["phone-1"] = [Rejected("21610", Refusal.OPT_OUT)]
    world.book(VISIT).run(until=END)
    assert world.sent == []
    assert world.why("booked") == {Reason.OPTED_OUT_AT_PROVIDER}
    assert world.why("day_before") == {Reason.OPTED_OUT}


def test_a_phone_corrected_after_a_failure():
    """A corrected number gets the text that failed, and the old number nothing more."""
    world = World(DAY)
    world.answers["phone-1"] = [BAD_NUMBER]
    world.book(VISIT).run(until="2026-05-11 15:00")
    world.correct("patient", phone="phone-2").run(until=END)
    assert world.went_to == ["phone-2"]
    assert [m.key.occasion for m in world.rows] == [0, 1]


def test_a_phone_corrected_before_the_text():
    """A text that was planned for an old number goes to the corrected one alone."""
    world = World(DAY).book(VISIT).plan().correct("patient", phone="phone-2").run(until=END)
    assert world.went_to == ["phone-2"]
    assert [m.key.occasion for m in world.rows] == [0]


def test_a_phone_corrected_with_no_plan_since():
    """A text planned for an old number does not go there, even if no plan has run since."""
    world = World(DAY).book(VISIT).plan().correct("patient", phone="phone-2")
    world.pending = False
    world.sleep("2026-05-11 14:00").dispatch()
    assert world.went_to == []
    assert world.pending


def test_a_phone_corrected_after_the_email_stood_in():
    """A correction after the email has told it does not tell it again by SMS."""
    world = mother()
    world.answers["phone-1"] = [BAD_NUMBER]
    world.book(VISIT).run(until="2026-05-11 15:00")
    world.correct("mother", phone="phone-2", email="mail-1").run(until=END)
    assert world.sent == ["05-11 14:00 day mother email"]


def test_a_covering_text_that_failed_covers_no_more():
    """A late reminder that a confirmation covered goes when the confirmation did not arrive."""
    world = World().book("2026-05-04 13:00").run(until="2026-05-04 10:05")
    world.undeliver("booked").run(until="2026-05-04 10:06")
    assert world.sent == ["05-04 10:00 booked patient sms", "05-04 10:05 day_before patient sms"]


def test_a_text_whose_fate_is_unknown_is_not_sent_again():
    """A text that may have arrived is not sent again, nor another way."""
    world = mother().book(VISIT).run(until="2026-05-11 14:00").lose_answers("day")
    world.fact().run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms"]


# ---------------------------------------------------------------- what staff ask for


def test_staff_resend_a_text():
    """A text that staff ask for goes at once, beside the one that went by the rule."""
    world = World().book(VISIT).run(until="2026-05-05 10:00").ask("booked")
    world.run(until="2026-05-05 11:00")
    assert world.sent == ["05-04 10:00 booked patient sms", "05-05 10:00 booked patient sms"]


def test_asked_for_twice_before_it_goes():
    """Asking twice before the text has gone sends it once."""
    world = World().book(VISIT).run(until="2026-05-05 10:00").ask("help").ask("help")
    assert world.run(until="2026-05-05 11:00").sent[1:] == ["05-05 10:00 help patient sms"]


def test_what_is_asked_for_again_is_said_to_be():
    """Of two requests in a row the first is taken back as asked for again: by the same channel."""
    world = World().book(VISIT).run(until="2026-05-05 10:00").ask("help").plan().ask("help").plan()
    gone = [m.reason for m in world.rows if m.state is State.CANCELLED]
    assert gone == [Reason.ASKED_AGAIN]
    assert world.run(until="2026-05-05 11:00").sent[1:] == ["05-05 10:00 help patient sms"]


def test_asked_for_twice_with_time_between():
    """Asking again after the text has gone sends it again."""
    world = (
        World().book(VISIT).run(until="2026-05-12 14:05").ask("help").run(until="2026-05-12 14:10")
    )
    world.ask("help").run(until=END)
    assert world.sent[-2:] == ["05-12 14:05 help patient sms", "05-12 14:10 help patient sms"]


def test_asked_for_at_night():
    """What staff ask for goes at night as well: they have the patient on the line."""
    world = (
        World()
        .book(VISIT)
        .run(until="2026-05-05 23:00")
        .ask("booked")
        .run(until="2026-05-06 07:00")
    )
    assert world.sent[-1] == "05-05 23:00 booked patient sms"


def test_asked_for_too_late():
    """What staff ask for too late is not sent, and the reason is there to be shown."""
    world = World().book(VISIT).run(until="2026-05-12 14:46").ask("help").run(until=END)
    assert world.states("help") == [State.SUPPRESSED]
    assert world.why("help") == {Reason.TOO_LATE}


def test_asked_for_a_cancelled_visit():
    """Help for a cancelled visit is not sent."""
    world = World().book(VISIT).run(until="2026-05-05 10:00").cancel().ask("help").run(until=END)
    assert [line.split()[2] for line in world.sent] == ["booked", "cancelled"]


def test_asked_for_without_consent():
    """A request does not beat a refusal."""
    world = World().person("mother", phone="phone-1", refused=[Channel.SMS]).book(VISIT).ask("help")
    assert world.run(until=END).sent == []
    assert world.why("help", "mother") == {Reason.NO_CONSENT}


def test_help_is_not_sent_again_when_the_visit_moves():
    """Help that was sent for a visit is not sent again when the visit gets a new time."""
    world = (
        World().book(VISIT).run(until="2026-05-12 14:05").ask("help").run(until="2026-05-12 14:10")
    )
    world.move("2026-05-19 14:00").run(until="2026-05-13 10:00")
    assert [line for line in world.sent if "help" in line] == ["05-12 14:05 help patient sms"]


def test_help_that_was_too_late_does_not_wait_for_a_new_time():
    """Help asked for too late is not sent days later because the visit got a new time."""
    world = World().book(VISIT).run(until="2026-05-12 14:50").ask("help")
    world.move("2026-05-19 14:00", at="2026-05-12 15:00").run(until="2026-05-13 10:00")
    assert not [line for line in world.sent if "help" in line]


def test_a_request_does_not_wait_for_a_consent():
    """A request that a refusal stopped is not sent days later, when consent comes in."""
    world = World().book(VISIT).run(until="2026-05-05 10:00")
    world.wish("patient", Channel.SMS, Consent.REFUSED).ask("help").run(until="2026-05-06 23:00")
    world.wish("patient", Channel.SMS, Consent.GIVEN).run(until="2026-05-07 10:00")
    assert not [line for line in world.sent if "help" in line]


def test_a_request_is_not_for_people_who_come_later():
    """A guardian who is added the day after is not sent what was asked for the others."""
    world = World().person("mother", phone="phone-1").book(VISIT).run(until="2026-05-05 10:00")
    world.ask("help").run(until="2026-05-06 10:00").person("father", phone="phone-2").plan()
    assert world.why("help", "father") == {Reason.ON_REQUEST}
    assert len(world.states("help")) == 1


def test_a_resent_text_undelivered():
    """A text that staff asked for and that did not arrive goes by the next channel."""
    world = mother(World()).book(VISIT).run(until="2026-05-05 10:00").ask("help")
    world.run(until="2026-05-05 10:01").undeliver("help").run(until="2026-05-05 11:00")
    assert world.sent[-1] == "05-05 10:01 help mother email"


def test_an_early_resend_does_not_cost_the_timely_text():
    """The last text is sent on time even if staff had it sent the day before."""
    world = World(clinic(quarter={"before": "15m"})).book(VISIT).run(until="2026-05-11 10:00")
    world.ask("quarter").run(until=END)
    assert world.sent == ["05-11 10:00 quarter patient sms", "05-12 13:45 quarter patient sms"]


def test_a_resend_after_the_time_stands_for_the_rules_own():
    """A text that staff had sent after the rule's time is not sent by the rule as well."""
    world = World(DAY).book(VISIT).sleep("2026-05-11 15:00").ask("day")
    world.rows = [m for m in world.rows if m.request_id]
    world.run(until=END)
    assert world.sent.count("05-11 15:00 day patient sms") == 1


def test_a_resend_that_stands_for_the_rules_own_is_the_reason():
    """The rule's own text, which waited and is not needed any more, says that it was sent already."""
    world = World(DAY).book(VISIT).plan().sleep("2026-05-11 15:00").ask("day").plan()
    own, asked = sorted(world.rows, key=lambda row: row.request_id or 0)
    gone = replace(asked, state=State.ACCEPTED, attempts=1, sent_at=world.now)
    world.rows = [replace(own, state=State.PLANNED, reason=None), gone]
    world.plan()
    assert State.CANCELLED in world.states("day")
    assert world.why("day") == {Reason.ALREADY_SENT}


def test_a_resend_shortly_before_the_rules_own_takes_its_place():
    """What staff send shortly before its time is sent once, and the plan says what stands for it."""
    world = World(DAY).book(VISIT).run(until="2026-05-11 13:30").ask("day")
    assert world.why("day") == {Reason.COVERED_BY}
    assert world.run(until=END).sent == ["05-11 13:30 day patient sms"]


def test_a_resend_of_news_that_is_about_to_go():
    """A confirmation that staff ask for while it waits is sent once."""
    world = World().book(VISIT).plan().ask("booked").run(until="2026-05-05 10:00")
    assert world.sent == ["05-04 10:00 booked patient sms"]


@pytest.mark.parametrize(
    ("pressed", "sent"),
    [
        ("13:42", ["05-12 13:42 help mother sms"]),
        (
            "13:30",
            [
                "05-12 13:30 help mother sms",
                "05-12 13:45 quarter mother sms",
                "05-12 13:45 quarter mother email",
            ],
        ),
    ],
)
def test_help_shortly_before_the_last_text_takes_its_place(pressed: str, sent: list[str]):
    """Help with connecting says all that the last text says, if it goes shortly before it."""
    practice = clinic(quarter={"before": "15m", "deliver": "each"}, help={"on": "request"})
    world = mother(World(practice)).book(VISIT).run(until=f"2026-05-12 {pressed}").ask("help")
    assert world.run(until=END).sent == sent


def test_help_and_the_last_text_that_waited_together():
    """Where both are due at once, as sending was held, the help goes alone."""
    practice = clinic(quarter={"before": "15m"}, help={"on": "request"})
    world = World(practice).book(VISIT).run(until="2026-05-12 13:42").ask("help")
    world.sleep("2026-05-12 13:50").run(until=END)
    assert world.sent == ["05-12 13:50 help patient sms"]


def test_a_resend_that_fails_gives_the_rules_own_its_place_back():
    """Where the text that staff asked for cannot be handed over in time, the planned one goes."""
    world = World(DAY).book(VISIT).run(until="2026-05-11 13:30")
    world.answers["phone-1"] = [BAD_NUMBER]
    world.ask("day").run(until=END)
    assert world.sent == ["05-11 14:00 day patient sms"]


def test_a_resend_that_runs_out_of_time_gives_the_rules_own_its_place_back():
    """What staff asked for while nothing could be sent is not the reason that nothing goes."""
    world = World(DAY).book(VISIT).run(until="2026-05-11 13:30").ask("day")
    world.sleep("2026-05-11 15:00").run(until=END)
    assert world.sent == ["05-11 15:00 day patient sms"]


def test_a_resend_to_a_shared_phone_shortly_before():
    """Two guardians with one phone get one text, by hand or by itself."""
    world = World(DAY).person("mother", phone="shared").person("father", phone="shared")
    world.book(VISIT).run(until="2026-05-11 13:30").ask("day").run(until=END)
    assert world.went_to == ["shared"]


@pytest.mark.parametrize("phones", [("shared", "shared"), ("phone-1", "phone-2")])
def test_a_resend_to_two_guardians(phones: tuple[str, str]):
    """A text that staff ask for goes to each guardian, and to a shared phone once."""
    world = World().person("mother", phone=phones[0]).person("father", phone=phones[1]).book(VISIT)
    world.run(until="2026-05-05 10:00").ask("booked").run(until="2026-05-05 11:00")
    assert world.went_to[len(set(phones)) :] == sorted(set(phones))


def test_what_waits_for_a_channel_that_is_down_goes_the_other_way():
    """A text out of reach goes by email, and by no way twice; where there is no other, it waits."""
    world = mother().book(VISIT).run(until="2026-05-11 13:59").out_of_reach("phone-1")
    world.run(until=END)
    assert world.sent == ["05-11 14:00 day mother email"]
    assert world.states("day") == [State.SUPPRESSED, State.ACCEPTED]
    world = World(DAY).person("mother", phone="phone-1")
    world.book(VISIT).run(until="2026-05-11 13:59").out_of_reach("phone-1").run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms"]


def test_where_both_ways_are_down_the_first_is_tried_again_and_stays():
    """A text out of reach on each channel waits for the first of them, in one row at a time."""
    world = mother().book(VISIT).run(until="2026-05-11 13:59").out_of_reach("phone-1").plan()
    assert world.waiting() == ["05-11 14:00 day mother email"]
    world.out_of_reach("mail-1").plan()
    assert world.waiting() == ["05-11 14:00 day mother sms"]
    world.out_of_reach("phone-1").plan().plan()
    assert world.waiting() == ["05-11 14:00 day mother sms"]
    assert len(world.rows) == 2


def test_whichever_way_is_back_first_has_the_text():
    """With both ways down, the email goes once that way is back, and no SMS when it follows."""
    world = mother().book(VISIT).run(until="2026-05-11 13:59").out_of_reach("phone-1").plan()
    world.out_of_reach("mail-1").plan().out_of_reach("phone-1").plan().back(Channel.EMAIL).plan()
    assert world.waiting() == ["05-11 14:00 day mother email"]
    world.run(until="2026-05-11 15:00").back(Channel.SMS).run(until=END)
    assert world.sent == ["05-11 14:00 day mother email"]


def test_an_email_that_failed_hands_back_to_the_phone_out_of_reach():
    """Who was to get the email instead, and cannot, waits for the SMS after all."""
    world = mother()
    world.answers["mail-1"] = [BAD_NUMBER]
    world.book(VISIT).run(until="2026-05-11 13:59").out_of_reach("phone-1").run(until=END)
    assert world.sent == ["05-11 14:00 day mother sms"]
