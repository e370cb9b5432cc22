"""Bookings that came with no confirmations: people know them from the clinic, texted or not."""

from collections.abc import Callable

import pytest

from reminders.domain.rules import Event
from reminders.engine import desk
from reminders.engine.calls import tick
from tests.engine.clinic import Clinic, at
from tests.engine.test_calls import by_hand, to_phone

Make = Callable[..., Clinic]

HEAD = (
    "boknings-id;starttid;besökstyp;patientnr;mobil;roll;födelsedatum;status;skyddad;"
    "samtycke-sms;från 13\n"
)
FAR = "2027-01-07 10:00"
TEEN = "2010-05-01"


def line(
    start: str = "2026-12-03 10:00",
    *,
    kind: str = "Videobesök",
    patient: str = "P1",
    phone: str = "070-174 06 05",
    role: str = "vårdnadshavare",
    born: str = "2016-05-01",
    status: str = "bokad",
    protected: str = "nej",
    consent: str = "ja",
    from_13: str = "",
) -> str:
    """Return one line of a file about the booking B1."""
    whose = f"{patient};{phone};{role};{born}"
    return f"B1;{start};{kind};{whose};{status};{protected};{consent};{from_13}\n"


def read(clinic: Clinic, *lines: str, until: str) -> None:
    """Read a file as the first one is by itself, with no confirmations; then live on."""
    clinic.read(*lines, head=HEAD)
    clinic.until(until)


UNTEXTED = [
    ({"protected": "ja"}, "protected_identity"),
    ({"born": TEEN}, "guardian_not_chosen"),
    ({"born": TEEN, "from_13": "nej"}, "guardian_declined"),
    ({"consent": "nej"}, "no_consent"),
]


@pytest.mark.parametrize(("why", "reason"), UNTEXTED)
@pytest.mark.parametrize("steps", ["from the first", "between", "in one file"])
def test_its_cancellation_is_phoned(
    clinic: Clinic, why: dict[str, str], reason: str, steps: str
) -> None:
    """Who gets no text is told by phone that it is cancelled, whenever the reason became known."""
    read(clinic, line(**(why if steps == "from the first" else {})), until="2026-11-30 12:10")
    if steps == "between":
        read(clinic, line(**why), until="2026-11-30 12:20")
    read(clinic, line(status="avbokad", **why), until="2026-11-30 12:30")
    assert to_phone(clinic) == [("B1", reason, Event.CANCELLED)]
    clinic.until("2026-12-03 11:01")
    assert to_phone(clinic) == []  # nobody waits any more
    assert clinic.texts() == []


def test_whoever_has_been_phoned_leaves_the_list_until_it_changes(clinic: Clinic) -> None:
    """A call before the cancellation does not stand for the one about it; that one does."""
    read(clinic, line(protected="ja"), until="2026-11-30 12:10")
    for act in (None, desk.cancel):
        if act:
            by_hand(clinic, act, ["B1"])
        [item] = clinic.worklist()
        assert item.news == (Event.CANCELLED if act else None)
        by_hand(clinic, tick, "B1", item.contact_id, "AB")
        assert to_phone(clinic) == []


@pytest.mark.parametrize(("why", "reason"), UNTEXTED)
@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("start", [FAR, "2026-12-04 14:00"])
def test_its_move_is_phoned_before_the_time_that_they_count_on(
    clinic: Clinic, why: dict[str, str], reason: str, between: bool, start: str
) -> None:
    """Who waits at the earlier time stands there, with it, however far the visit has been moved."""
    read(clinic, line(**why), until="2026-11-30 12:10")
    if between:
        read(clinic, line(), until="2026-11-30 12:20")
        read(clinic, line(**why), until="2026-11-30 12:25")
    read(clinic, line(start, **why), until="2026-11-30 12:30")
    assert to_phone(clinic) == [("B1", reason, Event.MOVED)]
    [item] = [item for item in clinic.worklist() if item.kind == "call"]
    assert item.counts_on == at("2026-12-03 10:00")
    if start == FAR:
        clinic.until("2026-12-03 11:01")
        assert to_phone(clinic) == []  # it is time enough to phone of the new one later


def test_a_guardian_who_is_not_chosen_stands_behind_a_patient_who_is_told(clinic: Clinic) -> None:
    """Of a patient of age nobody phones the guardian, as long as the patient hears of the change."""
    teen = line(born=TEEN, phone="070-174 06 06", role="patient")
    guardian = line(born=TEEN)
    read(clinic, teen, guardian, until="2026-11-30 12:10")
    moved = "2026-12-04 14:00"
    teen, guardian = (one.replace("2026-12-03 10:00", moved) for one in (teen, guardian))
    read(clinic, teen, guardian, until="2026-11-30 12:20")
    assert to_phone(clinic) == []
    assert [text.to[-3:] for text in clinic.texts()] == ["606"]


@pytest.mark.parametrize("why", [{"protected": "ja"}, {"born": TEEN}])
def test_who_may_be_texted_again_is_told_by_text(clinic: Clinic, why: dict[str, str]) -> None:
    """A file that lets texts go, and cancels the visit, has its cancellation told by text."""
    read(clinic, line(**why), until="2026-11-30 12:10")
    again = {**why, "protected": "nej", "from_13": "ja"}
    read(clinic, line(status="avbokad", **again), until="2026-11-30 12:20")
    assert to_phone(clinic) == []
    assert ["avbokat" in text.body for text in clinic.texts()] == [True]


@pytest.mark.parametrize("confirmations", [None, True])
def test_a_protected_patient_without_a_number_is_told_of_a_cancellation(
    clinic: Clinic, confirmations: bool | None
) -> None:
    """The clinic finds their number elsewhere; who never heard of the visit is not phoned."""
    hidden = {"protected": "ja", "phone": "", "role": ""}
    clinic.read(line(**hidden), head=HEAD, confirmations=confirmations)
    clinic.until("2026-11-30 12:10")
    assert to_phone(clinic) == [("B1", "protected_identity", None)]
    read(clinic, line(status="avbokad", **hidden), until="2026-11-30 12:20")
    known = confirmations is None
    for moment in ("2026-11-30 12:30", "2026-12-03 10:55"):
        clinic.until(moment)
        listed = [("B1", "protected_identity", Event.CANCELLED)] if known else []
        assert to_phone(clinic) == listed
    clinic.until("2026-12-03 11:01")
    assert to_phone(clinic) == []


@pytest.mark.parametrize("phone", ["", "070-174 06 05"])
def test_a_visit_under_another_reference_is_not_phoned_as_over(clinic: Clinic, phone: str) -> None:
    """A protected patient whose visit is rebooked at its time stands there for the booked one."""
    hidden = {"protected": "ja", "phone": phone, "role": "patient" if phone else ""}
    read(clinic, line(**hidden), until="2026-11-30 12:10")
    rebooked = line(**hidden).replace("B1", "B2")
    read(clinic, line(status="avbokad", **hidden), rebooked, until="2026-11-30 12:20")
    assert to_phone(clinic) == [("B2", "protected_identity", None)]


def test_what_was_cancelled_from_the_first_is_no_news(clinic: Clinic) -> None:
    """A first file's cancelled bookings are nothing to phone about, with a number or without."""
    for phone in ("", "070-174 06 05"):
        gone = line(
            status="avbokad", protected="ja", phone=phone, role="" if not phone else "patient"
        )
        read(clinic, gone, until="2026-11-30 12:10")
        assert to_phone(clinic) == []


@pytest.mark.parametrize("consent", ["ja", "nej"])
def test_a_kind_without_video_is_phoned(clinic: Clinic, consent: str) -> None:
    """Who knows of a video visit is phoned when it becomes another kind, as no text says where."""
    read(clinic, line(consent=consent), until="2026-11-30 12:10")
    read(clinic, line(consent=consent, kind="Fysiskt besök"), until="2026-11-30 12:20")
    assert to_phone(clinic) == [("B1", "no_longer_video", None)]
    read(clinic, line(consent=consent), until="2026-11-30 12:30")
    assert to_phone(clinic) == ([] if consent == "ja" else [("B1", "no_consent", None)])


ANOTHER = {"patient": "P2", "born": "2012-01-01", "from_13": "ja", "phone": "070-174 06 09"}


@pytest.mark.parametrize("status", ["bokad", "avbokad"])
def test_whose_booking_is_another_patients_now_is_phoned(clinic: Clinic, status: str) -> None:
    """The earlier family knows of the booking: it is told by phone that it is not theirs."""
    read(clinic, line(), until="2026-11-30 12:10")
    read(clinic, line(status=status, **ANOTHER), until="2026-11-30 12:20")
    assert to_phone(clinic) == [("B1", "other_patient", None)]


def test_the_same_family_under_another_name_is_not_phoned(clinic: Clinic) -> None:
    """Who has the number of those whose booking it is now knows of it as their own."""
    read(clinic, line(), until="2026-11-30 12:10")
    read(clinic, line(**{**ANOTHER, "phone": "070-174 06 05"}), until="2026-11-30 12:20")
    assert to_phone(clinic) == []


def test_whose_time_has_passed_waits_no_more(clinic: Clinic) -> None:
    """A reference that another patient gets after the visit is nothing to phone the first about."""
    read(clinic, line(), until="2026-12-03 11:30")
    read(clinic, line("2026-12-10 10:00", **ANOTHER), until="2026-12-03 11:40")
    assert to_phone(clinic) == []
