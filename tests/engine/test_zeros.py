"""References and patient numbers that have lost their leading zeros, or have them again."""

import pytest

from reminders.domain.brought import Category
from reminders.domain.known_again import by_zeros
from tests.engine.clinic import HEAD, Clinic, row

WITH, WITHOUT = ("0012345", "0012346"), ("12345", "12346")
PHONES = ("070-174 06 05", "070-174 06 06")
NAMED = f"patient;{HEAD}"


def rows(refs: tuple[str, ...], keys: tuple[str, ...] = (), **more: str) -> list[str]:
    lines = [row(ref, phone=phone, **more) for ref, phone in zip(refs, PHONES, strict=True)]
    return [f"{key};{line}" for key, line in zip(keys, lines, strict=True)] if keys else lines


def changed(counts: dict[Category, int]) -> dict[str, int]:
    return {category.value: count for category, count in counts.items() if count}


@pytest.mark.parametrize(
    ("first", "again"), [(WITH, WITHOUT), (WITHOUT, WITH)], ids=["lost", "back"]
)
@pytest.mark.parametrize("keys", [(), ("0071", "0072")], ids=["nameless", "named"])
def test_a_file_saved_by_a_spreadsheet_doubles_nothing(
    clinic: Clinic, first: tuple[str, ...], again: tuple[str, ...], keys: tuple[str, ...]
) -> None:
    """The bookings keep their references, and each patient gets each text once."""
    head = NAMED if keys else HEAD
    clinic.read(*rows(first, keys), head=head, confirmations=True)
    clinic.until("2026-11-30 13:00")
    shown = clinic.read(*rows(again, keys), head=head, apply=False)
    assert (shown.known_again.refs, changed(shown.counts)) == (2, {"unchanged": 2})
    moved = clinic.read(*rows(again, keys, start="2026-12-03 09:00"), head=head, full=True)
    assert (changed(moved.counts), moved.missing) == ({"moved": 2}, [])
    assert [move.ref for move in moved.moves] == list(first)
    clinic.until("2026-12-03 08:50")
    assert len({(text.to, text.body) for text in clinic.texts()}) == len(clinic.texts()) > 2
    assert [item for item in clinic.worklist() if item.ref in again] == []


def test_a_patient_known_by_the_number_needs_no_address(clinic: Clinic) -> None:
    """The same patient and the same digits are the same booking, also with a new phone."""
    clinic.read(*rows(WITH, ("0071", "0072")), head=NAMED)
    other = [line.replace("070-174", "070-175") for line in rows(WITHOUT, ("71", "72"))]
    done = clinic.read(*other, head=NAMED)
    assert (done.known_again.refs, done.known_again.patients) == (2, 2)
    assert changed(done.counts) == {"updated": 2}


@pytest.mark.parametrize("keys", [(), ("0071", "0072")], ids=["nameless", "named"])
def test_another_patients_booking_is_a_new_one(clinic: Clinic, keys: tuple[str, ...]) -> None:
    """With the digits alone in common it is another booking; nor is the known one missing."""
    head = NAMED if keys else HEAD
    clinic.read(*rows(WITH, keys), head=head)
    others = [
        line.replace("070-174", "070-175").replace("007", "08") for line in rows(WITHOUT, keys)
    ]
    done = clinic.read(*others, head=head, full=True)
    assert (done.known_again.refs, changed(done.counts)) == (0, {"new": 2})
    assert done.missing == []


def test_two_that_are_alike_are_unclear(clinic: Clinic) -> None:
    """Where two known references, or two of the file, are alike, a booking is new."""
    clinic.read(row("0012345"), row("012345"), row("077"))
    done = clinic.read(row("12345"), row("77"), row("0077"), row("077"))
    assert (done.known_again.refs, changed(done.counts)) == (0, {"new": 3, "unchanged": 1})


def test_a_protected_patient_is_known_without_the_zeros(clinic: Clinic) -> None:
    """A new booking is the protected patient's, by the number and an address or birth date."""
    head = f"skyddad;{NAMED}"
    clinic.read(f"ja;0071;{row()}", head=head, confirmations=True)
    done = clinic.read(f";71;{row('B2', '2026-12-03 10:00')}", head=head)
    assert done.known_again.patients == 1
    assert clinic.show("B2").visit.protected
    other = row("B3", "2026-12-03 10:00", phone="070-175 06 05", born="2015-01-01")
    assert clinic.read(f";71;{other}", head=head).known_again.patients == 0


def test_a_problem_without_the_zeros_is_the_known_bookings(clinic: Clinic) -> None:
    """A row that cannot be read whole is about the known booking, and stands as such."""
    clinic.read(*rows(WITH))
    bad = row("12345", email="not an address")
    done = clinic.read(bad, rows(WITHOUT)[1])
    assert (done.known_again.refs, changed(done.counts)) == (2, {"unchanged": 2})
    assert [item.ref for item in clinic.worklist() if item.kind == "problem"] == ["0012345"]
    clinic.read(*rows(WITHOUT))
    assert [item.ref for item in clinic.worklist() if item.kind == "problem"] == []


def test_new_bookings_at_the_time_of_another_are_counted(clinic: Clinic) -> None:
    """Of a patient who has a booking at that time already, here or in the file."""
    clinic.read(f"P1;{row()}", head=NAMED)
    both = [f"P2;{row(ref, phone='070-174 06 06')}" for ref in ("C1", "C2")]
    shown = clinic.read(f"P1;{row('B2')}", *both, head=NAMED, apply=False)
    assert (shown.twins, shown.counts[Category.NEW]) == (3, 3)
    later = f"P1;{row('B2', '2026-12-02 11:00')}"
    assert clinic.read(later, f"P3;{row('D1')}", head=NAMED).twins == 0


@pytest.mark.parametrize(
    ("new", "known", "pairs"),
    [
        ({"1"}, {"01"}, {"1": "01"}),
        ({"01"}, {"1", "0"}, {"01": "1"}),
        ({"0"}, {"00"}, {}),
        ({"1"}, {"01", "001"}, {}),
        ({"1", "001"}, {"01"}, {}),
        ({"A1"}, {"0A1"}, {}),
        ({"\u0661"}, {"0\u0661"}, {}),
    ],
)
def test_names_alike_but_for_zeros(new: set[str], known: set[str], pairs: dict[str, str]) -> None:
    """Only digits are alike without their zeros, and only where it is clear which is which."""
    assert by_zeros({*new}, {*known}) == pairs
    named = {f"patient:{one}": f"patient:{other}" for one, other in pairs.items()}
    assert by_zeros([f"patient:{n}" for n in new], {f"patient:{n}" for n in known}, "patient:") == (
        named
    )
