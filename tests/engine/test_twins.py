"""Two bookings of one patient at one time are one visit to a family: one of them tells."""

from typing import Any

import pytest
from sqlalchemy import text

from reminders.domain.gate import Replan
from reminders.domain.state import State
from reminders.engine import desk, several
from reminders.engine.approval import Shelf
from reminders.engine.difference import Difference
from reminders.engine.judging import Judge
from reminders.store import cases, looks
from tests.engine.clinic import Clinic, at

HEAD = "boknings-id;starttid;besökstyp;patientnr;mobil;status;födelsedatum;roll\n"
THURSDAY, FRIDAY = "2026-12-03 14:00", "2026-12-04 14:00"
END = "2026-12-08 20:00"


def line(
    ref: str,
    start: str = THURSDAY,
    *,
    status: str = "Bokad",
    patient: str = "77001",
    kind: str = "Videobesök",
) -> str:
    return f"{ref};{start};{kind};{patient};0701740605;{status};2016-05-01;vårdnadshavare\n"


def bring(clinic: Clinic, *lines: str, **options: Any) -> Difference:
    """Import these lines; return what was shown before."""
    shown = clinic.read(*lines, head=HEAD, confirmations=True, apply=False, **options)
    clinic.read(*lines, head=HEAD, confirmations=True, **options)
    return shown


def bodies(clinic: Clinic, after: int = 0) -> list[str]:
    """Return the first words of each text, from the one of this number on."""
    return [one.body for one in clinic.texts()[after:]]


def reasons(clinic: Clinic, ref: str) -> dict[str, str | None]:
    return {rule: reason for rule, _, _, reason in clinic.states(ref)}


def begun(clinic: Clinic) -> None:
    """Let a visit that two clinicians hold be told of."""
    bring(clinic, line("B1001"), line("B1002"))
    clinic.until("2026-11-30 13:00")


def test_a_visit_that_two_clinicians_hold_is_told_of_once(clinic: Clinic) -> None:
    """Of two bookings at one time the first tells; the other says why it does not."""
    shown = bring(clinic, line("B1001"), line("B1002"))
    clinic.until(END)
    assert [body.split(" ")[0] for body in bodies(clinic)] == [
        "Välkommen", "Videobesök", "Videobesök",
    ]  # fmt: skip
    assert shown.sends.messages == len(clinic.texts())
    silent = ("booked", "day_before", "fifteen_minutes")
    assert reasons(clinic, "B1002") == dict.fromkeys(silent, "other_booking")


@pytest.mark.parametrize("gone", ["B1001", "B1002"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_one_of_two_is_cancelled(clinic: Clinic, gone: str, *, by_hand: bool) -> None:
    """Nobody is told that none needs to log in: the other stands, and is reminded of once."""
    begun(clinic)
    if by_hand:
        now = clinic.clock.now()
        clinic.runtime.in_transaction(desk.cancel, clinic.runtime, "internet", [gone], now)
    else:
        stays = "B1002" if gone == "B1001" else "B1001"
        bring(clinic, line(gone, status="Avbokad"), line(stays))
    clinic.until("2026-11-30 14:00")
    assert len(clinic.texts()) == 1
    assert reasons(clinic, gone)["cancelled"] == "still_booked"
    clinic.until(END)
    assert [body[:22] for body in bodies(clinic, 1)] == [
        "Videobesök i morgon to", "Videobesök 14:00 i All",
    ]  # fmt: skip


def test_a_visit_rebooked_at_its_time_is_told_of_once(clinic: Clinic) -> None:
    """Under another reference nothing changes for the family; what is to come goes for the new."""
    bring(clinic, line("B1001"))
    clinic.until("2026-12-02 15:00")
    shown = bring(clinic, line("B1001", status="Avbokad"), line("B2002"))
    assert (shown.sends.messages, shown.sends.withdrawn) == (1, 0)
    clinic.until(END)
    assert [body[:22] for body in bodies(clinic)][1:] == [
        "Videobesök i morgon to", "Videobesök 14:00 i All",
    ]  # fmt: skip
    assert reasons(clinic, "B2002")["booked"] == "already_told"
    assert reasons(clinic, "B2002")["day_before"] == "already_sent"


def test_a_visit_rebooked_in_a_file_that_lacks_the_old_reference(clinic: Clinic) -> None:
    """What is shown before is what goes: no cancellation, and the rest for the new reference."""
    bring(clinic, line("B1001"))
    clinic.until("2026-11-30 13:00")
    lacks = {"full": True, "cancel_missing": True}
    shown = bring(clinic, line("B2002"), line("B3", FRIDAY, patient="77002"), **lacks)
    clinic.until(END)
    assert shown.cancelling
    assert dict(shown.sends.by_rule) == {"booked": 1, "day_before": 2, "fifteen_minutes": 2}
    assert shown.sends.messages == len(clinic.texts()) - 1
    assert not any("avbokat" in body for body in bodies(clinic))


def test_both_are_cancelled(clinic: Clinic) -> None:
    """When the second goes as well, the family is told, once."""
    begun(clinic)
    bring(clinic, line("B1001", status="Avbokad"), line("B1002"))
    clinic.until("2026-11-30 14:00")
    bring(clinic, line("B1002", status="Avbokad"))
    clinic.until(END)
    [told] = bodies(clinic, 1)
    assert told.startswith("Videobesöket torsdag 3 december kl 14:00 är avbokat")


def test_both_are_cancelled_at_once(clinic: Clinic) -> None:
    """Where a day is cancelled, it is shown, and told, that one text goes for the two."""
    begun(clinic)
    with clinic.runtime.database.reading() as conn:
        span = several.Span(at("2026-12-03 00:00"), at("2026-12-04 00:00"))
        seen = several.choose(conn, clinic.runtime, "internet", span, None, clinic.clock.now())
    assert seen.prospect.texts == 1
    bring(clinic, line("B1001", status="Avbokad"), line("B1002", status="Avbokad"))
    clinic.until(END)
    assert ["avbokat" in body for body in bodies(clinic, 1)] == [True]


def test_the_first_is_cancelled_and_the_second_moves_away(clinic: Clinic) -> None:
    """Nothing stands at the time any more: that is told, and the other time is confirmed."""
    begun(clinic)
    bring(clinic, line("B1001", status="Avbokad"), line("B1002"))
    clinic.until("2026-11-30 14:00")
    bring(clinic, line("B1002", FRIDAY))
    clinic.until("2026-11-30 15:00")
    off, on = sorted(bodies(clinic, 1))
    assert off.startswith("Videobesöket torsdag 3 december kl 14:00 är avbokat")
    assert on.startswith("Välkommen till videobesök fredag 4 december kl 14:00 (bokning ...1002)")


def test_one_of_two_moves_away(clinic: Clinic) -> None:
    """The move says of which booking it is, and not that the other time is over; that one tells."""
    begun(clinic)
    bring(clinic, line("B1001", FRIDAY), line("B1002"))
    clinic.until("2026-11-30 14:00")
    moved, stays = sorted(bodies(clinic, 1))
    assert moved.startswith("Ny tid för videobesöket (bokning ...1001): fredag 4 december kl 14:00")
    assert "inte torsdag" not in moved
    assert stays.startswith("Välkommen till videobesök torsdag 3 december kl 14:00")
    clinic.until(END)
    assert len(bodies(clinic, 3)) == 4


def test_the_silent_one_moves_away(clinic: Clinic) -> None:
    """Nobody was told of it: its own time is confirmed, and the time of the other stands."""
    begun(clinic)
    bring(clinic, line("B1001"), line("B1002", FRIDAY))
    clinic.until("2026-11-30 14:00")
    [told] = bodies(clinic, 1)
    assert told.startswith("Välkommen till videobesök fredag 4 december kl 14:00 (bokning ...1002)")


def test_one_moves_to_the_time_of_the_other(clinic: Clinic) -> None:
    """The move is told, as the time before is over; then the time they share is told of once."""
    bring(clinic, line("B1001"), line("B1002", FRIDAY))
    clinic.until("2026-11-30 13:00")
    bring(clinic, line("B1001"), line("B1002", THURSDAY))
    clinic.until("2026-11-30 14:00")
    [moved] = bodies(clinic, 2)
    assert "inte fredag 4 december kl 14:00" in moved
    clinic.until(END)
    assert len(bodies(clinic, 3)) == 2


def test_the_first_is_given_to_another_patient(clinic: Clinic) -> None:
    """The one that was silent beside it is theirs alone now, and tells of itself."""
    begun(clinic)
    bring(clinic, line("B1001", patient="78002"))
    clinic.until("2026-11-30 14:00")
    [told] = [body for body in bodies(clinic, 1) if "...1002" in body]
    assert told.startswith("Välkommen till videobesök torsdag")


def test_the_first_is_no_video_visit_any_more(clinic: Clinic) -> None:
    """The other reminds of itself."""
    begun(clinic)
    bring(clinic, line("B1001", kind="Fysiskt besök"), line("B1002"))
    clinic.until(END)
    assert [body[:22] for body in bodies(clinic, 1)] == [
        "Videobesök i morgon to", "Videobesök 14:00 i All",
    ]  # fmt: skip


def test_another_booking_at_the_time_is_seen_before_a_text_leaves(clinic: Clinic) -> None:
    """What another system has written since the plan is seen in the claim: one of the two tells."""
    begun(clinic)
    bring(clinic, line("B1001", kind="Fysiskt besök"), line("B1002"))
    clinic.until("2026-12-02 13:00")
    runtime, due = clinic.runtime, at("2026-12-02 14:00")
    with runtime.database.transaction() as conn:
        conn.execute(text("UPDATE appointment SET kind = 'Videobesök' WHERE ref = 'B1001'"))
        [found] = conn.execute(text("SELECT id FROM appointment WHERE ref = 'B1002'")).scalars()
        [case] = cases.load_cases(conn, [found], runtime.digest)
        [waits] = [m for m in case.history if m.key.rule == "day_before" and m.due_at == due]
        judge = Judge(conn, runtime, Shelf().library(conn), due)
        look = looks.read(conn, [found])[found]
        kind, _ = judge.judge(waits.id, look, runtime.practices["internet"])
    assert (waits.state, kind.verdict) == (State.PLANNED, Replan())
    clinic.until("2026-12-02 14:30")
    assert len(bodies(clinic, 1)) == 1
