"""Two bookings of one patient at one time, and how they end: their family is told of it once."""

import pytest

from reminders.engine import desk
from tests.engine.clinic import Clinic, at
from tests.engine.test_twins import FRIDAY, HEAD, THURSDAY, begun, bodies, bring, line

PHYSICAL = "Fysiskt besök"


def off(ref: str, start: str = THURSDAY) -> str:
    return line(ref, start, status="Avbokad")


def calls(clinic: Clinic) -> list[tuple[str | None, str | None, str | None]]:
    return [(i.ref, i.reason, i.news) for i in clinic.worklist() if i.kind == "call"]


def rebooked(clinic: Clinic) -> None:
    """Let a visit be told of, and booked anew at its time under another reference."""
    bring(clinic, line("B1001"))
    clinic.until("2026-11-30 13:00")
    bring(clinic, off("B1001"), line("B1002"))
    clinic.until("2026-11-30 14:00")


@pytest.mark.parametrize("two", [False, True], ids=["rebooked", "two clinicians"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_what_both_have_told_of_is_cancelled_once(
    clinic: Clinic, *, two: bool, by_hand: bool
) -> None:
    """The first told of it, the second reminded: when that goes too, one text says that it is over."""
    if two:
        begun(clinic)
        bring(clinic, off("B1001"), line("B1002"))
    else:
        rebooked(clinic)
    clinic.until("2026-12-02 15:00")
    assert len(bodies(clinic)) == 2
    if by_hand:
        now = clinic.clock.now()
        told = clinic.runtime.in_transaction(
            desk.cancel, clinic.runtime, "internet", ["B1002"], now
        )
        assert [one.visit.ref for one in told] == ["B1001"]
    else:
        assert bring(clinic, off("B1001"), off("B1002")).sends.messages == 1
    clinic.until("2026-12-08 20:00")
    [over] = bodies(clinic, 2)
    assert over.startswith("Videobesöket i morgon torsdag kl 14:00 är avbokat")


def test_both_have_told_and_are_cancelled_in_one_file(clinic: Clinic) -> None:
    """One moved to the time of the other, of which that had told: it is over once."""
    bring(clinic, line("B1001"), line("B1002", FRIDAY))
    clinic.until("2026-11-30 13:00")
    bring(clinic, line("B1001", FRIDAY), line("B1002", FRIDAY))
    clinic.until("2026-11-30 14:00")
    assert bring(clinic, off("B1001", FRIDAY), off("B1002", FRIDAY)).sends.messages == 1
    clinic.until("2026-11-30 15:00")
    assert ["avbokat" in body for body in bodies(clinic, 3)] == [True]


def test_a_new_time_says_that_the_old_one_is_over(clinic: Clinic) -> None:
    """The one that reminded moves away from a time of which the other told: the move says it all."""
    rebooked(clinic)
    clinic.until("2026-12-02 15:00")
    shown = bring(clinic, off("B1001"), line("B1002", "2026-12-08 10:00"))
    clinic.until("2026-12-02 16:00")
    [moved] = bodies(clinic, 2)
    assert "inte i morgon torsdag kl 14:00" in moved
    assert dict(shown.sends.by_rule) == {"moved": 1, "day_before": 1, "fifteen_minutes": 1}
    clinic.until("2026-12-08 20:00")
    assert not any("avbokat" in body for body in bodies(clinic))


def test_a_time_that_stood_when_the_other_left_it_is_over_later(clinic: Clinic) -> None:
    """The move did not say that the time is over, as the first stood there: its end is told."""
    begun(clinic)
    now = clinic.clock.now()
    clinic.runtime.in_transaction(desk.resend, clinic.runtime, "internet", "B1002", "booked", now)
    clinic.until("2026-11-30 14:00")
    bring(clinic, line("B1001"), line("B1002", FRIDAY))
    clinic.until("2026-11-30 15:00")
    bring(clinic, off("B1001"), line("B1002", FRIDAY))
    clinic.until("2026-11-30 16:00")
    moved, over = bodies(clinic, 2)
    assert "inte torsdag" not in moved
    assert over.startswith("Videobesöket torsdag 3 december kl 14:00 är avbokat")


def test_both_are_moved_to_one_time(clinic: Clinic) -> None:
    """Of two that were known before, and move together, one tells of the new time."""
    clinic.read(line("B1001"), line("B1002"), head=HEAD)
    clinic.until("2026-11-30 13:00")
    shown = bring(clinic, line("B1001", FRIDAY), line("B1002", FRIDAY))
    clinic.until("2026-11-30 14:00")
    assert shown.sends.by_rule["moved"] == 1
    assert ["inte torsdag 3 december" in body for body in bodies(clinic)] == [True]


@pytest.mark.parametrize("first", ["stays", "cancelled"])
def test_the_second_of_two_that_were_known_before_moves(clinic: Clinic, first: str) -> None:
    """The family knew of both from the clinic: its new time is news to them."""
    clinic.read(line("B1001"), line("B1002"), head=HEAD)
    clinic.until("2026-11-30 13:00")
    bring(clinic, line("B1001") if first == "stays" else off("B1001"), line("B1002", FRIDAY))
    clinic.until("2026-11-30 14:00")
    [moved] = bodies(clinic)
    assert moved.startswith("Ny tid för videobesöket")
    assert ("inte torsdag 3 december" in moved) is (first == "cancelled")


def test_a_text_that_staff_asked_for_is_not_the_news(clinic: Clinic) -> None:
    """Who knew of a visit before, and got help for its new time at night, hears that it is new."""
    clinic.read(line("B1001"), head=HEAD)
    clinic.until("2026-11-30 21:30")
    runtime, now = clinic.runtime, clinic.clock.now()
    runtime.in_transaction(desk.move, runtime, "internet", "B1001", at(FRIDAY), now)
    runtime.in_transaction(desk.resend, runtime, "internet", "B1001", "help", now)
    clinic.until("2026-12-01 09:00")
    assert ["Ny tid för videobesöket" in body for body in bodies(clinic)] == [False, True]


@pytest.mark.parametrize("told_by", ["rebooked", "two clinicians"])
def test_the_one_that_is_left_is_no_video_visit(clinic: Clinic, told_by: str) -> None:
    """Nobody is told that the visit is off while another stands there: somebody has to phone."""
    if told_by == "rebooked":
        rebooked(clinic)
    else:
        begun(clinic)
    before = len(bodies(clinic))
    shown = bring(clinic, off("B1001"), line("B1002", kind=PHYSICAL))
    clinic.until("2026-12-03 10:00")
    assert (shown.sends.messages, bodies(clinic, before)) == (0, [])
    assert calls(clinic) == [("B1001", "no_longer_video", "cancelled")]


def test_a_rebooked_visit_of_somebody_protected_stands(clinic: Clinic) -> None:
    """The booking that is off is no news to phone about, as the other stands at its time."""
    rebooked(clinic)
    head = HEAD.replace("\n", ";skyddad\n")
    lines = [one.replace("\n", ";ja\n") for one in (off("B1001"), line("B1002"))]
    clinic.read(*lines, head=head, confirmations=True)
    clinic.until("2026-11-30 15:00")
    assert calls(clinic) == [("B1002", "protected_identity", None)]
    lines = [one.replace("\n", ";ja\n") for one in (off("B1001"), off("B1002"))]
    clinic.read(*lines, head=head, confirmations=True)
    clinic.until("2026-11-30 16:00")
    assert calls(clinic) == [("B1001", "protected_identity", "cancelled")]


@pytest.mark.parametrize("fate", ["cancelled", "given away", "moved"])
def test_what_is_shown_before_is_what_goes(clinic: Clinic, fate: str) -> None:
    """That the time is over is told under the reference that told of it, and is counted."""
    rebooked(clinic)
    new = {
        "cancelled": off("B1002"),
        "given away": line("B1002", patient="78002").replace("0605", "0609"),
        "moved": line("B1002", FRIDAY),
    }[fate]
    shown = bring(clinic, off("B1001"), new)
    clinic.until("2026-12-08 20:00")
    assert shown.sends.by_rule["cancelled"] == 1
    assert shown.sends.messages == len(bodies(clinic, 1))


def test_the_last_of_three_that_were_known_before_is_cancelled(clinic: Clinic) -> None:
    """The one that moved away could not say that the time is over, as the third stood there."""
    clinic.read(line("B1001"), line("B1002"), line("B1003"), head=HEAD)
    clinic.until("2026-11-30 13:00")
    bring(clinic, off("B1001"), line("B1002", FRIDAY), line("B1003"))
    clinic.until("2026-11-30 13:30")
    shown = bring(clinic, off("B1001"), line("B1002", FRIDAY), off("B1003"))
    clinic.until("2026-11-30 14:00")
    moved, over = bodies(clinic)
    assert "inte torsdag" not in moved
    assert over.startswith("Videobesöket torsdag 3 december kl 14:00 är avbokat")
    assert shown.sends.messages == 1


def test_each_entry_in_a_calendar_is_put_right(clinic: Clinic) -> None:
    """An entry is of one booking: the text that tells of the other's end leaves it as it is."""
    mail = "07-01@example.org"
    told = [one.replace("0701740605", mail) for one in (line("B1001"), line("B1002"))]
    head = HEAD.replace("mobil", "e-post")
    clinic.read(*told, head=head, confirmations=True)
    clinic.until("2026-11-30 13:00")
    runtime, now = clinic.runtime, clinic.clock.now()
    runtime.in_transaction(desk.resend, runtime, "internet", "B1002", "booked", now)
    clinic.until("2026-11-30 14:00")
    gone = [one.replace("Bokad", "Avbokad") for one in told]
    clinic.read(*gone, head=head, confirmations=True)
    clinic.until("2026-11-30 15:00")
    assert [one.channel for one in clinic.texts()[2:]] == ["email", "email"]
    assert all("avbokat" in body for body in bodies(clinic, 2))
