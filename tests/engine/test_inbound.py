"""What people write back: stopped, confirmed, helped, shown to staff, and never more than that."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from reminders.config import Config, example
from reminders.domain.inbound import Signal
from reminders.engine import desk, inbound
from reminders.engine.inbound import Taken
from reminders.providers.base import Inbound
from reminders.store import clinics, schema, schema_inbound
from reminders.store import inbound as store
from tests.engine.clinic import Clinic, at, row
from tests.engine.test_calls import by_hand

OURS = "+46701740699"
MOTHER = "+46701740605"
STRANGER = "+46701740690"
TWO_WAY = {"provider": "sandbox", "sender": OURS, "two_way": True}


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return the example clinic, whose sender is a number that can receive."""
    return open_clinic(clinics__internet__sms=TWO_WAY)


def wrote(
    clinic: Clinic, text: str, sender: str = MOTHER, signal: Signal | None = None, ref: str = ""
) -> Taken:
    """Let somebody write to the clinic."""
    came = Inbound("sandbox", ref or clinic.runtime.token(), sender, OURS, text, signal)
    now = clinic.clock.now()
    return clinic.runtime.in_transaction(inbound.receive, clinic.runtime, came, now)


def bodies(clinic: Clinic) -> list[str]:
    """Return the texts that went out."""
    return [text.body for text in clinic.texts()]


def items(clinic: Clinic, kind: str = "answer") -> list[tuple[str | None, str]]:
    """Return what stands on the worklist of this kind: which booking, and why."""
    return [(item.ref, item.reason) for item in clinic.worklist() if item.kind == kind]


def named(clinic: Clinic) -> list[list[str]]:
    """Return the bookings that each waiting answer may be of, where it is not clear which."""
    with clinic.runtime.database.reading() as conn:
        return [[one.ref for one in a.visits] for a in store.answers(conn, "internet")]


def answers_at(clinic: Clinic, ref: str) -> list[store.Answer]:
    """Return what is shown as written at a visit."""
    with clinic.runtime.database.reading() as conn:
        return store.of_visit(conn, clinic.show(ref).visit.id)


def opted_out(clinic: Clinic) -> list[str]:
    """Return the addresses that get nothing more."""
    with clinic.runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, "internet")
        assert clinic_id is not None
        return [address for address, _, _ in clinics.opt_outs(conn, clinic_id)]


def siblings() -> tuple[str, str]:
    """Return rows of two children on one phone."""
    return row("B1"), row("B2", "2026-12-03 09:00", born="2018-03-03")


def test_stop_stops_the_number_for_all_siblings(clinic: Clinic) -> None:
    """STOP stops every text to the number, for each child, tells staff once, and says so."""
    clinic.read(*siblings())
    clinic.plan()
    assert wrote(clinic, "Stopp!") is Taken.TAKEN
    clinic.until("2026-12-03 10:00")
    assert len(bodies(clinic)) == 1
    assert "inga fler SMS" in bodies(clinic)[0]
    assert opted_out(clinic) == [MOTHER]
    assert items(clinic) == [("B1", "wrote_stop")]
    assert {reason for *_, state, reason in clinic.states("B2") if state == "suppressed"} >= {
        "opted_out"
    }


def test_stop_leaves_email_alone(clinic: Clinic) -> None:
    """Who stops the texts and has an email address is reminded there."""
    clinic.read(row(email="hemma@example.org"))
    clinic.plan()
    wrote(clinic, "STOPP")
    clinic.until("2026-12-01 11:00")
    assert [text.channel for text in clinic.texts()] == ["email", "sms"] or [
        text.channel for text in clinic.texts()
    ] == ["sms", "email"]


def test_start_takes_a_stop_back(clinic: Clinic) -> None:
    """START brings the texts back, takes the STOP off the worklist, and says so."""
    clinic.read(*siblings())
    clinic.plan()
    wrote(clinic, "STOPP")
    clinic.until("2026-11-30 12:30")
    wrote(clinic, "start")
    clinic.until("2026-12-01 11:00")
    assert opted_out(clinic) == []
    assert items(clinic) == []
    assert "igen" in bodies(clinic)[1]
    assert "i morgon" in bodies(clinic)[2]


def test_a_stop_after_a_start_is_answered_too(clinic: Clinic) -> None:
    """Who stops the texts again is told so again; who only repeats it is not."""
    clinic.read(*siblings())
    clinic.plan()
    for minute, word in enumerate(("STOPP", "START", "STOPP", "STOPP"), start=10):
        wrote(clinic, word)
        clinic.until(f"2026-11-30 12:{minute}")
    assert ["inga fler SMS" in body for body in bodies(clinic)] == [True, False, True]
    assert opted_out(clinic) == [MOTHER]


@pytest.mark.parametrize("stopped", [False, True])
def test_start_leaves_what_staff_have_recorded(clinic: Clinic, stopped: bool) -> None:
    """An opt-out that staff recorded, after a STOP too, is not lifted by a text: staff are asked."""
    clinic.read(row())
    if stopped:
        wrote(clinic, "STOPP")
        clinic.until("2026-11-30 12:10")
        assert "eller ring om det inte hjälper" in bodies(clinic)[0]
    with clinic.runtime.database.transaction() as conn:
        clinic_id = clinics.clinic_id(conn, "internet")
        clinics.add_opt_out(conn, clinic_id, MOTHER, clinics.STAFF, clinic.clock.now())
    wrote(clinic, "START")
    clinic.until("2026-11-30 13:00")
    assert opted_out(clinic) == [MOTHER]
    assert len(bodies(clinic)) == stopped
    assert items(clinic) == [("B1", "wrote_start")]


def test_a_no_takes_a_yes_back(clinic: Clinic) -> None:
    """Who comes is what was answered last: after a NEJ no visit it may be of is confirmed."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 13:00")
    for word, confirmed in (("JA", True), ("NEJ", False), ("JA", True)):
        wrote(clinic, word)
        patient = clinic.show("B1").patient
        assert (patient.confirmed_at is not None, patient.confirmed_by is not None) == (
            confirmed,
            confirmed,
        )
    assert items(clinic) == [("B1", "wrote_no")]  # somebody has to ask what holds


def test_a_no_that_waits_says_that_yes_has_been_answered_since(clinic: Clinic) -> None:
    """After NEJ and JA the item stays for a person, and says when the JA came; not after a new NEJ."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 13:00")
    told = []
    for word, when in (("NEJ", "13:10"), ("JA", "13:20"), ("NEJ", "13:30"), ("JA", "13:40")):
        wrote(clinic, word)
        told += [(i.reason, i.yes_at) for i in clinic.worklist() if i.kind == "answer"]
        clinic.until(f"2026-11-30 {when}")
    yes = [None, at("2026-11-30 13:10"), None, at("2026-11-30 13:30")]
    assert told == [("wrote_no", at_) for at_ in yes]
    by_hand(clinic, desk.move, "B1", at("2026-12-03 15:00"))  # the JA was to another time
    assert [i.yes_at for i in clinic.worklist() if i.kind == "answer"] == [None]


def test_a_yes_to_one_of_the_visits_of_an_unclear_no_is_said(clinic: Clinic) -> None:
    """A NEJ that may be to several visits says that one of them has been answered YES since."""
    clinic.read(*siblings())
    clinic.until("2026-12-02 09:30")
    wrote(clinic, "NEJ")
    clinic.until("2026-12-02 19:00")
    wrote(clinic, "JA")
    confirmed = {ref: clinic.show(ref).patient.confirmed_at for ref in ("B1", "B2")}
    [item] = [i for i in clinic.worklist() if i.kind == "answer"]
    assert item.reason == "wrote_no_unclear"
    assert item.yes_at == confirmed["B2"] is not None


@pytest.mark.parametrize("stopped", [False, True])
def test_a_yes_that_the_provider_takes_for_start_confirms(clinic: Clinic, stopped: bool) -> None:
    """YES confirms the visit, and brings the texts back if the number had stopped them."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 13:00")
    if stopped:
        wrote(clinic, "STOP", signal=Signal.STOP)
    wrote(clinic, "YES", signal=Signal.START)
    assert opted_out(clinic) == []
    assert items(clinic) == []
    assert clinic.show("B1").patient.confirmed_at is not None
    clinic.until("2026-12-02 09:00")
    assert len(bodies(clinic)) == 2  # the confirmation, and the reminder


@pytest.mark.parametrize("signal", [Signal.STOP, Signal.START])
def test_what_the_provider_answers_we_do_not(clinic: Clinic, signal: Signal) -> None:
    """Where the provider has acted and answered itself, the state follows and no text goes."""
    clinic.read(row())
    clinic.plan()
    wrote(clinic, "adjö", signal=Signal.STOP)
    if signal is Signal.START:
        wrote(clinic, "hej igen", signal=Signal.START)
    clinic.until("2026-11-30 13:00")
    assert bodies(clinic) == []
    assert opted_out(clinic) == ([MOTHER] if signal is Signal.STOP else [])


def test_a_cancel_that_the_provider_takes_for_stop_says_both(clinic: Clinic) -> None:
    """Staff read that the number gets no more texts, and that somebody does not want the visit."""
    clinic.read(row())
    clinic.plan()
    wrote(clinic, "NEJ")
    wrote(clinic, "CANCEL", signal=Signal.STOP)
    assert items(clinic) == [("B1", "wrote_no"), ("B1", "wrote_no_and_stop")]
    assert opted_out(clinic) == [MOTHER]


def test_help_is_sent_to_the_one_who_asks(clinic: Clinic) -> None:
    """HJÄLP sends the help for the nearest visit to that phone alone, also at night."""
    clinic.read(
        row("B2", "2026-12-03 09:00", phone="070-174 06 05", born="2018-03-03"),
        row("B1", phone="070-174 06 05"),
        row("B1", phone="070-174 06 06"),
    )
    clinic.until("2026-11-30 23:00")
    wrote(clinic, "Hjälp")
    clinic.until("2026-11-30 23:10")
    [text] = clinic.texts()
    assert text.to.endswith("605")
    assert "kl 10:00" in text.body
    assert items(clinic) == []


def test_help_is_not_sent_without_end(clinic: Clinic) -> None:
    """After three helps in a day the next HJÄLP is for a person."""
    clinic.read(row())
    for minute in range(5):
        clinic.until(f"2026-11-30 12:{10 + minute}")
        wrote(clinic, "HJÄLP")
    clinic.until("2026-11-30 13:00")
    assert len(bodies(clinic)) == 3
    assert items(clinic) == [("B1", "wrote_help")] * 2


def test_yes_confirms_the_visit(clinic: Clinic) -> None:
    """JA is kept with who and when, staff see it, and nothing is answered."""
    clinic.read(row())
    clinic.until("2026-12-01 11:00")
    wrote(clinic, "Ja tack!")
    clinic.until("2026-12-01 12:00")
    shown = clinic.show("B1")
    assert shown.patient.confirmed_at is not None
    assert shown.patient.confirmed_by == shown.patient.people[0].id
    assert len(bodies(clinic)) == 1
    assert items(clinic) == []


def test_a_confirmation_is_of_one_time(clinic: Clinic) -> None:
    """A visit that is moved after a JA is not confirmed any more."""
    clinic.read(row())
    wrote(clinic, "JA")
    clinic.read(row(start="2026-12-03 14:00"))
    assert clinic.show("B1").patient.confirmed_at is None


def test_yes_is_to_the_text_that_went(clinic: Clinic) -> None:
    """With two visits to come, JA is to the one that the number was texted of."""
    clinic.read(row("B1", "2026-12-02 10:00"), row("B2", "2026-12-20 10:00", born="2018-03-03"))
    clinic.until("2026-12-01 11:00")
    wrote(clinic, "ja")
    assert clinic.show("B1").patient.confirmed_at is not None
    assert clinic.show("B2").patient.confirmed_at is None


def test_an_unclear_yes_is_for_a_person(clinic: Clinic) -> None:
    """Where JA may be to either of two visits, neither is confirmed, and staff are asked."""
    clinic.read(*siblings())
    wrote(clinic, "JA")
    assert clinic.show("B1").patient.confirmed_at is None
    assert clinic.show("B2").patient.confirmed_at is None
    assert items(clinic) == [(None, "wrote_yes")]
    assert named(clinic) == [["B1", "B2"]]


def test_yes_of_who_is_not_asked_confirms_nothing(clinic: Clinic) -> None:
    """A guardian who is not contacted about a visit cannot confirm it: staff are asked."""
    clinic.read(row(born="2010-01-01"))
    wrote(clinic, "JA")
    clinic.until("2026-11-30 13:00")
    assert clinic.show("B1").patient.confirmed_at is None
    assert items(clinic) == [("B1", "wrote_yes_unasked")]
    assert bodies(clinic) == []


def test_yes_is_to_the_only_visit_that_the_number_is_told_of(clinic: Clinic) -> None:
    """JA is to the child's visit that the guardian hears of, not to the teenager's."""
    clinic.read(row("B1"), row("B2", "2026-12-02 09:00", born="2010-01-01"))
    clinic.until("2026-12-01 11:00")
    wrote(clinic, "JA")
    assert clinic.show("B1").patient.confirmed_at is not None
    assert clinic.show("B2").patient.confirmed_at is None


def test_an_unclear_no_names_every_visit_told_of(clinic: Clinic) -> None:
    """A NEJ that may be to several visits is said to be unclear, with all that were told of."""
    clinic.read(*siblings(), row("B3", "2026-12-20 09:00", born="2019-03-03"))
    clinic.until("2026-12-02 09:30")
    wrote(clinic, "NEJ")
    wrote(clinic, "Nej!")
    assert items(clinic) == [(None, "wrote_no_unclear")]
    assert named(clinic) == [["B1", "B2"]]
    [item] = [item for item in clinic.worklist() if item.kind == "answer"]
    assert item.detail.endswith("of one of: B1, B2")
    for ref in ("B1", "B2"):
        assert [a.keyword for a in answers_at(clinic, ref)] == ["no", "no"]
    assert answers_at(clinic, "B3") == []
    clinic.until("2026-12-02 09:32")
    answer = bodies(clinic)[-1]
    assert "Inget är avbokat" in answer
    assert not re.search(r"10:00|9:00|B1|B2|\.\.\.", answer)


def test_a_no_of_which_nobody_was_told_names_all_to_come(clinic: Clinic) -> None:
    """Where the number was told of no visit yet, all that are to come are named."""
    clinic.read(*siblings())
    wrote(clinic, "NEJ")
    assert items(clinic) == [(None, "wrote_no_unclear")]
    assert named(clinic) == [["B1", "B2"]]


def test_a_no_to_the_last_text_is_to_its_visit(clinic: Clinic) -> None:
    """A NEJ after a text about one visit alone is to that one, though another is to come."""
    clinic.read(row("B1"), row("B2", "2026-12-20 10:00", born="2018-03-03"))
    clinic.until("2026-12-01 11:00")
    wrote(clinic, "nej")
    assert items(clinic) == [("B1", "wrote_no")]
    assert named(clinic) == [[]]


WEEKLY = (row("B1"), row("B2", "2026-12-09 10:00"))


def test_an_answer_just_after_the_start_is_to_that_visit(clinic: Clinic) -> None:
    """A NEJ in the first hour is not taken for the next week's, nor is a JA."""
    clinic.read(*WEEKLY)
    clinic.until("2026-12-02 10:05")
    wrote(clinic, "Nej, tack")
    assert items(clinic) == [("B1", "wrote_no")]
    wrote(clinic, "JA")
    assert clinic.show("B1").patient.confirmed_at is not None
    assert clinic.show("B2").patient.confirmed_at is None


def test_a_yes_to_a_visit_that_is_cancelled_confirms_no_other(clinic: Clinic) -> None:
    """Of the visit in two weeks they have heard nothing, and of the cancellation nothing yet."""
    clinic.read(row("B1"), row("B2", "2026-12-16 10:00"))
    clinic.until("2026-12-01 22:00")
    runtime = clinic.runtime
    runtime.in_transaction(desk.cancel, runtime, "internet", ["B1"], clinic.clock.now())
    wrote(clinic, "JA")
    assert clinic.show("B2").patient.confirmed_at is None
    assert [reason for _, reason in items(clinic)] == ["wrote_yes"]


@pytest.mark.parametrize(("word", "reason"), [("JA", "wrote_yes"), ("NEJ", "wrote_no_unclear")])
def test_an_answer_to_a_cancellation_is_not_of_the_other_visit(
    clinic: Clinic, word: str, reason: str
) -> None:
    """To "is a new time needed?", a JA or NEJ neither confirms nor declines a sibling's visit."""
    clinic.read(*siblings(), confirmations=True)
    clinic.until("2026-12-01 09:00")
    runtime = clinic.runtime
    runtime.in_transaction(desk.cancel, runtime, "internet", ["B1"], clinic.clock.now())
    clinic.until("2026-12-01 09:05")
    wrote(clinic, word)
    clinic.until("2026-12-01 09:06")
    assert clinic.show("B2").patient.confirmed_at is None
    assert [found for _, found in items(clinic)] == [reason]
    assert named(clinic) == [["B1", "B2"]]
    assert "läser det på vår telefontid" in bodies(clinic)[-1]


def test_a_no_where_nothing_is_booked_is_not_told_that_nothing_is_cancelled(
    clinic: Clinic,
) -> None:
    """Who has just been told that the visit is cancelled is not told that nothing is."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-12-01 09:00")
    runtime = clinic.runtime
    runtime.in_transaction(desk.cancel, runtime, "internet", ["B1"], clinic.clock.now())
    clinic.until("2026-12-01 09:05")
    wrote(clinic, "NEJ")
    clinic.until("2026-12-01 09:06")
    assert items(clinic) == [("B1", "wrote_no")]
    assert "läser det på vår telefontid" in bodies(clinic)[-1]


def test_who_asks_for_help_that_cannot_go_is_told_whom_to_phone(clinic: Clinic) -> None:
    """After the visit, HJÄLP is for a person; whoever wrote it is not left without a word."""
    clinic.read(row())
    clinic.until("2026-12-02 15:00")
    before = len(bodies(clinic))
    wrote(clinic, "HJÄLP")
    wrote(clinic, "HJÄLP")
    clinic.until("2026-12-02 15:05")
    assert items(clinic) == [("B1", "wrote_help")] * 2
    assert ["ring 112" in body for body in bodies(clinic)[before:]] == [True]


def test_a_yes_to_the_old_time_does_not_confirm_the_new_one(clinic: Clinic) -> None:
    """Who has not been told of the move yet has said yes to the time that they know."""
    clinic.read(row())
    clinic.until("2026-12-01 22:00")
    runtime, later = clinic.runtime, at("2026-12-03 15:00")
    runtime.in_transaction(desk.move, runtime, "internet", "B1", later, clinic.clock.now())
    wrote(clinic, "JA")
    assert clinic.show("B1").patient.confirmed_at is None
    assert [reason for _, reason in items(clinic)] == ["wrote_yes"]


def test_no_cancels_nothing(clinic: Clinic) -> None:
    """NEJ leaves the visit booked, stands on the worklist at once, and says what happens next."""
    clinic.read(row())
    clinic.plan()
    wrote(clinic, "NEJ")
    assert items(clinic) == [("B1", "wrote_no")]
    clinic.until("2026-12-01 11:00")
    assert clinic.show("B1").visit.status == "booked"
    assert "Inget är avbokat" in bodies(clinic)[0]
    assert "i morgon" in bodies(clinic)[1]


def test_anything_else_is_read_and_answered_once(clinic: Clinic) -> None:
    """Free words go to staff each time, and are answered once a day with the phone number."""
    clinic.read(row())
    for text in ("Kan vi byta tid?", "Hallå?", "Svara då"):
        wrote(clinic, text)
    clinic.until("2026-11-30 13:00")
    assert len(bodies(clinic)) == 1
    assert clinic.config.clinics["internet"].phone in bodies(clinic)[0]
    assert items(clinic) == [("B1", "wrote_other")] * 3
    clinic.until("2026-12-01 12:01")
    wrote(clinic, "Hallå igen")
    clinic.until("2026-12-01 12:10")
    assert len([b for b in bodies(clinic) if "fått ditt svar" in b]) == 2


def test_a_stranger_is_told_nothing(clinic: Clinic) -> None:
    """A number that no patient has gets no answer to anything, and staff see that it wrote."""
    clinic.read(row())
    for text in ("HJÄLP", "JA", "NEJ", "Vem är det här?", "START"):
        wrote(clinic, text, sender=STRANGER)
    clinic.until("2026-11-30 13:00")
    assert bodies(clinic) == []
    assert items(clinic) == [(None, "wrote_unknown")] * 4


def test_a_strangers_stop_holds_when_they_become_known(clinic: Clinic) -> None:
    """A STOP counts for the number although no patient has it yet."""
    wrote(clinic, "STOP", sender=MOTHER)
    clinic.read(row())
    clinic.until("2026-12-02 11:00")
    assert bodies(clinic) == []


def test_a_protected_patient_is_not_answered(clinic: Clinic) -> None:
    """Whose identity is protected gets no text, not even an answer; staff see what was written."""
    clinic.read(
        "B1;2026-12-02 10:00;Videobesök;070-174 06 05;;vårdnadshavare;2016-05-01;bokad;ja\n",
        head="boknings-id;starttid;besökstyp;mobil;e-post;roll;födelsedatum;status;skyddad\n",
    )
    for text in ("HJÄLP", "Hej", "STOPP", "NEJ"):
        wrote(clinic, text)
    clinic.until("2026-11-30 13:00")
    assert bodies(clinic) == []
    reasons = [reason for _, reason in items(clinic)]
    assert reasons == ["wrote_help", "wrote_other", "wrote_stop", "wrote_no"]


def test_a_repeated_request_is_harmless(clinic: Clinic) -> None:
    """The same text reported again by the provider changes nothing."""
    clinic.read(row())
    assert wrote(clinic, "Hej", ref="SM1") is Taken.TAKEN
    assert wrote(clinic, "Hej", ref="SM1") is Taken.REPEATED
    assert items(clinic) == [("B1", "wrote_other")]


def test_a_number_of_our_own_is_left_alone(clinic: Clinic) -> None:
    """What comes from a sender of ours, or to a number that is not ours, is not taken in."""
    assert wrote(clinic, "Hej", sender=OURS) is Taken.OWN_NUMBER
    came = Inbound("sandbox", "x", MOTHER, "+46701740698", "Hej")
    now = clinic.clock.now()
    assert (
        clinic.runtime.in_transaction(inbound.receive, clinic.runtime, came, now) is Taken.NOT_OURS
    )
    with clinic.runtime.database.reading() as conn:
        assert (
            conn.execute(select(func.count()).select_from(schema_inbound.inbound)).scalar_one() == 0
        )


def test_one_who_never_stops_writing(clinic: Clinic) -> None:
    """A machine that answers each of our texts gets one answer a day, and fills no table."""
    clinic.read(row())
    outcomes = [wrote(clinic, f"Automatiskt svar {n}") for n in range(50)]
    clinic.until("2026-11-30 13:00")
    assert len(bodies(clinic)) == 1
    assert outcomes.count(Taken.TAKEN) == inbound.MOST_KEPT
    assert wrote(clinic, "STOPP") is Taken.TAKEN
    assert opted_out(clinic) == [MOTHER]
    assert ("B1", "wrote_stop") in items(clinic)


def test_words_are_sealed_and_gone_when_done(clinic: Clinic) -> None:
    """What was written stands unreadable in the database, and is gone once staff are done."""
    clinic.read(row())
    wrote(clinic, "Kan vi byta tid?")
    with clinic.runtime.database.transaction() as conn:
        [answer] = store.answers(conn, "internet")
        assert answer.sealed is not None
        assert b"byta" not in answer.sealed
        assert store.finish(conn, answer.id, None, "anna", clinic.clock.now())
        assert not store.finish(conn, answer.id, None, "anna", clinic.clock.now())
        assert conn.execute(select(schema_inbound.inbound.c.sealed)).scalar() is None
    assert items(clinic) == []


def test_two_clinics_on_one_number(open_clinic: Callable[..., Clinic]) -> None:
    """Where two clinics share a number, staff of those that know the sender are told, each once."""
    second = {"phone": "08-465 004 00", "sms": TWO_WAY}
    clinic = open_clinic(clinics__internet__sms=TWO_WAY, clinics__second=second)
    clinic.read(row())
    wrote(clinic, "Hej")
    wrote(clinic, "Hej", sender=STRANGER)
    with clinic.runtime.database.reading() as conn:
        found = [(a.clinic, a.reason) for a in store.answers(conn, None)]
    assert found == [
        ("internet", "wrote_other"),
        ("internet", "wrote_unknown"),
        ("second", "wrote_unknown"),
    ]
    wrote(clinic, "STOPP")
    with clinic.runtime.database.reading() as conn:
        rows = conn.execute(select(schema.opt_out.c.address)).scalars().all()
    assert rows == [MOTHER, MOTHER]


def test_a_start_counts_at_each_clinic_for_itself(open_clinic: Callable[..., Clinic]) -> None:
    """What one clinic's staff have recorded stays there, and the answer comes from the other."""
    second = {"phone": "08-465 004 00", "sms": TWO_WAY}
    clinic = open_clinic(clinics__internet__sms=TWO_WAY, clinics__second=second)
    clinic.read(row())
    wrote(clinic, "STOPP")
    clinic.until("2026-11-30 12:10")
    with clinic.runtime.database.transaction() as conn:
        other = clinics.clinic_id(conn, "second")
        clinics.add_opt_out(conn, other, MOTHER, clinics.STAFF, clinic.clock.now())
    wrote(clinic, "START")
    clinic.until("2026-11-30 13:00")
    assert opted_out(clinic) == []
    with clinic.runtime.database.reading() as conn:
        assert [address for address, _, _ in clinics.opt_outs(conn, other)] == [MOTHER]
    assert "igen" in bodies(clinic)[1]
    assert items(clinic) == []


def test_nothing_private_is_logged(clinic: Clinic, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a number nor a word of what was written stands in a log or in the ledger."""
    clinic.read(row())
    wrote(clinic, "Hemlig fråga")
    wrote(clinic, "Hemlig fråga", sender=STRANGER)
    out = "".join(capsys.readouterr())
    with clinic.runtime.database.reading() as conn:
        facts = conn.execute(select(schema.ledger.c.detail)).scalars().all()
    assert "1740605" not in out + repr(facts)
    assert "1740690" not in out + repr(facts)
    assert "Hemlig" not in out + repr(facts)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"sms": {"sender": "Videobesok", "two_way": True}}, "nobody can answer"),
        ({"sms": {"sender": "", "two_way": True}}, "nobody can answer"),
        ({"email": {"sender": "a@example.org", "two_way": True}}, "reply_to"),
    ],
)
def test_two_way_needs_a_number(section: dict[str, Any], words: str) -> None:
    """Only a sender that can receive may be switched to two-way."""
    data = example().model_dump(by_alias=True)
    data["clinics"]["internet"].update(section)
    with pytest.raises(ValidationError, match=words):
        Config.model_validate(data)


def test_a_rule_cannot_be_called_like_an_answer() -> None:
    """The names of our answers are taken."""
    data = example().model_dump(by_alias=True)
    data["rules"]["reply_stop"] = {"before": "24h"}
    with pytest.raises(ValidationError, match="program's own"):
        Config.model_validate(data)


def test_without_two_way_there_are_no_answers() -> None:
    """A clinic with a name for a sender has no rules for answers."""
    practice = example().practice("internet")
    assert not [rule for rule in practice.rules if rule.key.startswith("reply_")]


def test_a_no_to_another_visit_stands_for_itself(clinic: Clinic) -> None:
    """A NEJ is taken for a repetition only soon after the first, and only of the same visit."""
    clinic.read(row("B1"), row("B2", "2026-12-04 09:00", born="2018-03-03"), confirmations=True)
    clinic.until("2026-11-30 12:05")
    wrote(clinic, "NEJ")
    wrote(clinic, "nej")
    assert items(clinic) == [(None, "wrote_no_unclear")]
    clinic.until("2026-11-30 12:20")
    runtime = clinic.runtime
    runtime.in_transaction(desk.cancel, runtime, "internet", ["B1"], clinic.clock.now())
    wrote(clinic, "NEJ")
    assert items(clinic) == [(None, "wrote_no_unclear"), ("B2", "wrote_no")]


def test_who_asks_for_help_is_not_told_that_they_are_waited_for(
    open_clinic: Callable[..., Clinic],
) -> None:
    """HELP never sends the text for who has not come: without other help it is for a person."""
    rules = ("booked", "day_before", "not_come")
    clinic = open_clinic(clinics__internet__sms=TWO_WAY, clinics__internet__rules=rules)
    clinic.read(row())
    clinic.until("2026-11-30 12:05")
    wrote(clinic, "HJÄLP")
    clinic.until("2026-11-30 12:10")
    sent = [rule for rule, _, state, _ in clinic.states("B1") if state == "delivered"]
    assert sent == ["reply_other"]
    assert items(clinic) == [("B1", "wrote_help")]
