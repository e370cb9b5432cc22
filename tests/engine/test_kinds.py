"""A visit that a family was told of as a video visit, and that becomes something else."""

import pytest

from reminders.engine import desk, showing
from tests.engine.clinic import HEAD, Clinic, at, row
from tests.engine.test_calls import to_phone

NAMED = HEAD.rstrip("\n") + ";patient\n"


def read(clinic: Clinic, line: str, *, named: bool, confirmations: bool | None = None) -> None:
    """Read a file with this row, in which patients have names or not; then live on a little."""
    if named:
        clinic.read(line.rstrip("\n") + ";P1\n", head=NAMED, confirmations=confirmations)
    else:
        clinic.read(line, confirmations=confirmations)


def told(clinic: Clinic, *, named: bool) -> None:
    """Let a family be told of a visit."""
    read(clinic, row(), named=named, confirmations=True)
    clinic.until("2026-11-30 12:05")
    assert [state for rule, _, state, _ in clinic.states("B1") if rule == "booked"] == ["delivered"]


def again(clinic: Clinic, *, named: bool, **changes: str) -> None:
    """Read the booking once more, with changes."""
    read(clinic, row(**changes), named=named)
    clinic.until("2026-11-30 12:10")


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("start", ["2026-12-02 10:00", "2026-12-02 16:00"])
def test_who_expects_a_video_visit_is_phoned(clinic: Clinic, named: bool, start: str) -> None:
    """No text says where to go instead: nothing more is sent, and staff are told whom to phone."""
    told(clinic, named=named)
    again(clinic, named=named, kind="Fysiskt besök", start=start)
    [(ref, reason, news)] = to_phone(clinic)
    assert (ref, reason) == ("B1", "no_longer_video")
    assert (news is None) == (start == "2026-12-02 10:00")
    clinic.until("2026-12-02 09:55")
    assert len(clinic.texts()) == 1
    rows = {(rule, reason) for rule, _, _, reason in clinic.states("B1") if rule == "day_before"}
    assert ("day_before", "not_video") in rows
    again(clinic, named=named)
    assert to_phone(clinic) == []


@pytest.mark.parametrize("named", [True, False])
def test_its_cancellation_is_told(clinic: Clinic, named: bool) -> None:
    """Whoever was told of a visit hears that it is cancelled, whatever kind it is by now."""
    told(clinic, named=named)
    again(clinic, named=named, kind="Fysiskt besök", status="avbokad")
    assert [rule for rule, _, state, _ in clinic.states("B1") if state == "delivered"] == [
        "booked",
        "cancelled",
    ]
    assert to_phone(clinic) == []


@pytest.mark.parametrize("status", ["bokad", "avbokad"])
def test_a_row_without_a_kind_changes_nothing(clinic: Clinic, status: str) -> None:
    """A row in which the kind is missing is for a person to correct; what is known stands."""
    told(clinic, named=False)
    again(clinic, named=False, kind="", status=status)
    assert [item.reason for item in clinic.worklist()] == ["no_kind"]
    clinic.until("2026-12-01 10:05")
    assert [rule for rule, _, state, _ in clinic.states("B1") if state == "delivered"] == [
        "booked",
        "day_before",
    ]


def test_a_corrected_number_gets_what_went_to_the_wrong_one(clinic: Clinic) -> None:
    """A text that went to another number has told this one nothing, and is not shown as its own."""
    clinic.read(row())
    clinic.until("2026-12-01 10:05")
    clinic.read(row(phone="070-174 06 06"))
    clinic.until("2026-12-01 10:10")
    assert [(text.to[-3:], text.at) for text in clinic.texts()] == [
        ("605", "2026-12-01 10:00"),
        ("606", "2026-12-01 10:05"),
    ]
    with clinic.runtime.database.reading() as conn:
        shown = showing.show(conn, clinic.runtime, "internet", "B1", clinic.clock.now())
    lines = [line for line in shown.lines if line.message.key.rule == "day_before"]
    assert [line.contact for line in lines] == ["guardian (an earlier number)", "guardian …606"]


def test_what_was_taken_back_keeps_its_number(clinic: Clinic) -> None:
    """A text planned for a number that turned out wrong is not shown as one for the right one."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 12:01")
    for phone in ("070-174 06 06", "070-174 06 05"):
        clinic.read(row(phone=phone))
        clinic.plan()
    shown = clinic.show("B1").lines
    assert [
        (str(line.message.state), line.contact)
        for line in shown
        if line.message.key.rule == "booked"
    ] == [("delivered", "guardian …605"), ("cancelled", "guardian (an earlier number)")]


def test_two_who_would_be_masked_alike_are_told_apart(clinic: Clinic) -> None:
    """Of two guardians' addresses as much is shown as tells them apart; of others, as little."""
    alike = ("anna.berg@example.org", "anders.berg@example.org", "ida@example.org")
    clinic.read(*[row(phone="", email=email) for email in alike], confirmations=True)
    clinic.plan()
    shown = {line.contact for line in clinic.show("B1").lines}
    assert shown == {"guardian ann…", "guardian and…", "guardian id…"}


def test_a_text_on_request_does_not_stand_for_the_news(clinic: Clinic) -> None:
    """A text that staff ask for names the time, and not that it is new: that is told as well."""
    clinic.read(row(start="2026-12-01 14:00"), confirmations=True)
    clinic.until("2026-11-30 22:10")
    runtime, now = clinic.runtime, clinic.clock.now()
    runtime.in_transaction(desk.move, runtime, "internet", "B1", at("2026-12-01 10:00"), now)
    runtime.in_transaction(desk.resend, runtime, "internet", "B1", "day_before", now)
    clinic.until("2026-12-01 08:05")
    gone = [rule for rule, _, state, _ in clinic.states("B1") if state == "delivered"]
    assert gone.count("moved") == 1


def test_a_booking_that_goes_to_another_patient(clinic: Clinic) -> None:
    """Whoever was told of it is phoned, as it is not theirs; the other family is texted."""
    told(clinic, named=True)
    clinic.read(row(phone="070-174 06 99").rstrip("\n") + ";P2\n", head=NAMED)
    clinic.until("2026-11-30 12:10")
    assert to_phone(clinic) == [("B1", "other_patient", None)]
    [item] = [item for item in clinic.worklist() if item.kind == "call"]
    assert item.contact == "guardian …605"
    clinic.until("2026-12-01 10:05")
    assert [text.to[-3:] for text in clinic.texts()] == ["605", "699", "699"]


def test_the_same_family_under_another_name_is_not_phoned(clinic: Clinic) -> None:
    """A clinic that names its patients otherwise has not given the booking to somebody else."""
    told(clinic, named=True)
    clinic.read(row().rstrip("\n") + ";P-1\n", head=NAMED)
    clinic.until("2026-12-01 10:05")
    assert to_phone(clinic) == []
    assert len(clinic.texts()) == 2
