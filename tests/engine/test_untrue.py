"""What staff ask for is sent only if it is true when it goes."""

from datetime import timedelta

import pytest

from reminders.config import example
from reminders.engine import desk
from reminders.errors import UsageError
from tests.engine.clinic import Clinic, at, row
from tests.engine.test_calls import by_hand
from tests.engine.test_inbound import TWO_WAY


def test_texts_that_would_be_untrue_are_refused(open_clinic) -> None:
    """No answer to what nobody wrote, no new time that is none, no 'begins shortly' days before."""
    clinic = open_clinic(clinics__internet__sms=TWO_WAY)
    clinic.read(row(start="2026-12-02 10:00"))
    clinic.plan()
    for rule in ("reply_stop", "reply_other", "moved", "not_come"):
        with pytest.raises(UsageError):
            by_hand(clinic, desk.resend, "B1", rule)
    by_hand(clinic, desk.move, "B1", at("2026-12-02 12:00"))
    by_hand(clinic, desk.resend, "B1", "moved")
    clinic.until("2026-12-02 11:50")
    by_hand(clinic, desk.resend, "B1", "not_come")
    clinic.until("2026-12-02 11:51")
    assert [rule for rule, _, state, _ in clinic.states("B1") if state == "delivered"][-1] == (
        "not_come"
    )


def test_that_a_visit_is_cancelled_is_not_said_while_it_is_booked(clinic: Clinic) -> None:
    """The text of a cancellation is refused, with what to do; nothing is asked for or written."""
    clinic.read(row(start="2026-12-02 10:00"))
    clinic.plan()
    with pytest.raises(UsageError, match="cancel it: those who know of it are told"):
        by_hand(clinic, desk.resend, "B1", "cancelled")
    assert "asked_to_send" not in [entry.event for entry in clinic.show("B1").entries]
    by_hand(clinic, desk.cancel, ["B1"])
    by_hand(clinic, desk.resend, "B1", "cancelled")


def test_that_a_visit_is_over_is_not_said_before_it_is(open_clinic) -> None:
    """What comes after the visit can be sent by hand once it is over, and not before."""
    rules = example().model_dump(by_alias=True)["rules"]
    after = {"after": "3h", "not_after": "+12h"}
    clinic = open_clinic(rules={**rules, "next_steps": after})
    clinic.read(row(start="2026-12-02 10:00"))
    for when in ("2026-12-01 11:00", "2026-12-02 09:00", "2026-12-02 10:40"):
        clinic.until(when)
        with pytest.raises(UsageError, match="once the visit is over"):
            by_hand(clinic, desk.resend, "B1", "next_steps")
    clinic.until("2026-12-02 10:46")
    by_hand(clinic, desk.resend, "B1", "next_steps")
    clinic.until("2026-12-02 10:47")
    assert "är över" in clinic.texts()[-1].body


def test_a_move_is_to_another_time_that_can_be_meant(clinic: Clinic) -> None:
    """A year that cannot be meant is refused; the time that it has already changes nothing."""
    clinic.read(row(start="2026-12-02 10:00"))
    clinic.plan()
    with pytest.raises(UsageError, match="year"):
        by_hand(clinic, desk.move, "B1", at("2026-12-02 10:00") + timedelta(days=4 * 365))
    by_hand(clinic, desk.move, "B1", at("2026-12-02 10:00"))
    assert "moved_by_hand" not in [entry.event for entry in clinic.show("B1").entries]


def test_a_text_for_shortly_before_is_not_sent_a_day_early(clinic: Clinic) -> None:
    """The text of a quarter of an hour before names no day: it goes on the day, not before it."""
    clinic.read(row(start="2026-12-02 10:00"))
    clinic.until("2026-12-01 11:00")
    with pytest.raises(UsageError, match="shortly before"):
        by_hand(clinic, desk.resend, "B1", "fifteen_minutes")
    clinic.until("2026-12-02 07:00")
    by_hand(clinic, desk.resend, "B1", "fifteen_minutes")
    clinic.until("2026-12-02 07:05")
    sent = [rule for rule, _, state, _ in clinic.states("B1") if state == "delivered"]
    assert sent[-1] == "fifteen_minutes"
