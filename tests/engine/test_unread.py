"""Because a row cannot be read nobody goes, and what it forbids is heard."""

import pytest

from reminders.cli.importing import describe
from reminders.domain.contact import Role
from reminders.engine import contacts, importing, proposal
from reminders.engine.contacts import Addresses
from reminders.errors import RefusedFileError
from tests.engine.clinic import ZONE, Clinic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HEAD = "boknings-id;starttid;besökstyp;patient;roll;mobil;e-post;status;skyddad;samtycke-sms\n"
NAMELESS = HEAD.replace(";patient", "")
DAY = "2026-12-02 10:00"
A, B, C, D, E = (f"070174060{n}" for n in range(1, 6))


def row(
    ref: str = "B1", start: str = DAY, *, kind: str = "Videobesök", patient: str | None = "P1",
    role: str = "mamma", phone: str = A, email: str = "", status: str = "bokad",
    protected: str = "nej", sms: str = "ja",
) -> str:  # fmt: skip
    """Return one line; without a patient, of a file without that column."""
    whose = [] if patient is None else [patient]
    return ";".join([ref, start, kind, *whose, role, phone, email, status, protected, sms]) + "\n"


def father(*args: str, **cells: str | None) -> str:
    """Return the father's line."""
    return row(*args, **{"role": "pappa", "phone": B, **cells})  # type: ignore[arg-type]


def numbers(clinic: Clinic, ref: str = "B1") -> list[str]:
    """Return whom a booking's texts go to, by the end of the number."""
    return sorted(f"0{p.phone[3:]}" for p in clinic.show(ref).patient.people if p.phone)


def refusing(clinic: Clinic, ref: str = "B1") -> list[str]:
    """Return the numbers of a booking that no SMS may go to."""
    return sorted(
        f"0{p.phone[3:]}"
        for p in clinic.show(ref).patient.people
        if p.phone and any(w.status == "refused" for c, w in p.words.items() if c == "sms")
    )


UNREAD = {
    "no reference": {"ref": ""},
    "no reference, a new number": {"ref": "", "phone": C},
    "another reference that cannot be used": {"ref": "=1+1"},
    "another booking, cancelled, with a bad number": {
        "ref": "B2", "phone": "070x", "status": "avbokad",
    },
    "a new booking without a readable patient": {"ref": "B9", "patient": "=1+1"},
}  # fmt: skip


@pytest.mark.parametrize("cells", UNREAD.values(), ids=UNREAD.keys())
def test_who_stands_on_a_row_that_cannot_be_read_stays(
    clinic: Clinic, cells: dict[str, str]
) -> None:
    """The patient's other rows are read, and take nobody away."""
    clinic.read(row(), father(), head=HEAD)
    clinic.read(row(), father(**cells), head=HEAD)
    assert B in numbers(clinic)
    assert numbers(clinic)[0] == A


@pytest.mark.parametrize("cells", [{"ref": ""}, {"ref": "", "phone": E}, {"ref": "", "phone": "x"}])
def test_a_row_that_names_nobody_is_of_whoever_has_its_address_or_its_time(
    clinic: Clinic, cells: dict[str, str]
) -> None:
    """Patients without names keep their people too, and others lose those who have gone."""
    other = row("B2", "2026-12-03 10:00", patient=None, phone=C)
    gone = father("B2", "2026-12-03 10:00", patient=None, phone=D)
    clinic.read(row(patient=None), father(patient=None), other, gone, head=NAMELESS)
    shown = clinic.read(row(patient=None), father(patient=None, **cells), other, head=NAMELESS)
    assert shown.of_anybody == ()
    assert numbers(clinic) == [A, B]
    assert numbers(clinic, "B2") == [C]


def test_a_row_that_tells_of_nobody_may_be_anybodys(clinic: Clinic) -> None:
    """Nobody goes, no number takes another's place, and no protection is lifted by that file."""
    anybodys = father("", "x", patient="=1", phone="070 1x4")
    other = row("B2", "2026-12-03 10:00", patient="P2", phone=C, protected="ja")
    clinic.read(row(), father(), other, head=HEAD)
    shown = clinic.read(
        row(phone=D), other.replace(";ja;ja", ";nej;ja"), anybodys, head=HEAD, apply=False
    )
    done = clinic.read(row(phone=D), other.replace(";ja;ja", ";nej;ja"), anybodys, head=HEAD)
    assert shown.of_anybody == done.of_anybody == (4,)
    assert "whom they are about: 4. So the file" in " ".join(describe(shown, ZONE).split())
    assert numbers(clinic) == [A, B, D]
    assert clinic.show("B2").visit.protected


READ = {
    "a visit before the first import": ("B0", {"start": "2026-11-30 08:00"}),
    "no reference, a visit that is only counted": ("", {"kind": "Telefonsamtal"}),
    "a consent that is unclear": ("B0", {"sms": "kanske"}),
}


@pytest.mark.parametrize(("ref", "cells"), READ.values(), ids=READ.keys())
def test_a_row_that_tells_who_is_there_doubts_nobody(
    clinic: Clinic, ref: str, cells: dict[str, str]
) -> None:
    """A number that is another in the file gets no more texts, though the row is a problem."""
    clinic.read(row(), row(ref, **cells), head=HEAD)
    done = clinic.read(row(phone=C), row(ref, **{"phone": C, **cells}), head=HEAD)
    assert len(done.problems) == 1
    assert numbers(clinic) == [C]


def test_a_landline_of_a_cancelled_visit_keeps_no_old_number(clinic: Clinic) -> None:
    """Nobody is told of that row, so nobody would learn that two numbers get the texts."""
    cancelled = row("B0", status="avbokad", phone="031-390 06 05")
    clinic.read(row(), cancelled, head=HEAD)
    done = clinic.read(row(phone=C), cancelled, head=HEAD)
    assert (done.problems, numbers(clinic)) == ([], [C])


def test_who_stands_on_a_row_of_the_past_stays(clinic: Clinic) -> None:
    """Its date may be wrong: nobody on it goes, or is taken for another."""
    clinic.read(father(), row(), head=HEAD)
    past = father("B0", "2026-11-30 08:00", sms="nej")
    clinic.read(past, row(phone=C), head=HEAD)
    assert (numbers(clinic), refusing(clinic)) == ([B, C], [B])


def test_a_sum_below_the_table_is_nobodys(clinic: Clinic) -> None:
    """Where no address could stand, nobody is missed: who has gone goes."""
    clinic.read(row(), father(), head=HEAD)
    done = clinic.read(row(), ";;;Antal besök: 1\n", head=HEAD)
    assert (len(done.problems), done.of_anybody) == (1, ())
    assert numbers(clinic) == [A]


PROTECTING = {
    "no such time": {"start": "2026-12-02 kl"},
    "a time in the past": {"start": "2026-11-02 10:00"},
    "a time too far away": {"start": "2036-11-02 10:00"},
    "no kind": {"kind": ""},
    "another kind, another booking": {"ref": "F1", "kind": "Provtagning"},
    "no reference": {"ref": ""},
    "no reference, no patient, the same number": {"ref": "", "patient": ""},
    "no reference, no patient, the same mailbox": {
        "ref": "", "start": "x", "patient": "", "phone": "", "email": "A@Example.org",
    },
    "no reference and no time": {"ref": "", "start": "x", "patient": "", "phone": f"{A[:3]}-{A[3:]}"},
    "a delimiter in a text": {"role": "mamma;x"},
    "another patient who is not known": {"patient": "P7", "start": "x"},
}  # fmt: skip


@pytest.mark.parametrize("cells", PROTECTING.values(), ids=PROTECTING.keys())
def test_a_protected_identity_is_heard_on_the_only_row(
    clinic: Clinic, cells: dict[str, str]
) -> None:
    """Whatever else is wrong with it: nobody is texted from then on, and the difference says so."""
    clinic.read(row(email="a@example.org"), head=HEAD, confirmations=True)
    clinic.until("2026-11-30 12:05")
    assert len(clinic.texts()) == 1
    line = row(**{"protected": "ja", **cells})
    shown = clinic.read(line, head=HEAD, apply=False)
    done = clinic.read(line, head=HEAD)
    assert shown.counts == done.counts
    assert [change.ref for change in done.first["updated"]] == ["B1"]  # type: ignore[index]
    clinic.until("2026-12-02 10:05")
    assert clinic.show("B1").visit.protected
    assert len(clinic.texts()) == 1
    again = clinic.read(line, head=HEAD)
    assert not again.changes_anything


def test_a_row_cut_in_two_protects_and_takes_nobody_away(clinic: Clinic) -> None:
    """A line break within a row hides nothing of what it says."""
    clinic.read(row(), father(), head=HEAD)
    cut = father(protected="ja", phone=C).replace("Video", "Video\n")
    clinic.read(row(protected=""), cut, head=HEAD)
    assert clinic.show("B1").visit.protected
    assert numbers(clinic) == [A, B]


def test_a_protection_is_lifted_by_rows_that_are_read_alone(clinic: Clinic) -> None:
    """Where a row of the patient's is cut before that cell, a no on another row is not enough."""
    cut = "B1;2026-12-02 10:00;Videobesök;P1;pappa\n"
    clinic.read(row(protected="ja"), head=HEAD)
    clinic.read(row(), cut, head=HEAD)
    assert clinic.show("B1").visit.protected
    clinic.read(row(), father(), head=HEAD)
    assert not clinic.show("B1").visit.protected


@pytest.mark.parametrize("unread", [row("", phone="x"), row("B2;", phone="x")])
def test_what_may_be_on_a_row_that_cannot_be_read_is_not_missing(
    clinic: Clinic, unread: str
) -> None:
    """Of that patient no booking is missing, and while it is not known which, none is cancelled."""
    other = row("B3", "2026-12-02 13:00", patient="P3")
    clinic.read(row(), row("B2", "2026-12-02 11:00"), other, head=HEAD)
    missing = clinic.read(unread, other, head=HEAD, full=True).missing
    assert [visit.ref for visit in missing] == ([] if unread[0] == ";" else ["B1"])
    with pytest.raises(RefusedFileError):
        clinic.read(unread.replace("B2", "x"), other, head=HEAD, full=True, cancel_missing=True)


REFUSING = {
    "a bad number": {"phone": "070x"},
    "no such time, a new number": {"start": "x", "phone": C},
    "no reference": {"ref": ""},
    "nobody to reach": {"phone": ""},
    "no such role": {"role": "granne"},
    "an unclear answer besides": {"phone": "070x", "sms": "kanske"},
}


@pytest.mark.parametrize("cells", REFUSING.values(), ids=REFUSING.keys())
def test_a_no_is_heard_whatever_else_is_wrong(clinic: Clinic, cells: dict[str, str]) -> None:
    """Nothing goes by SMS to whom it can only be, and to others it does."""
    clinic.read(row(role="patient", phone=D), father(), head=HEAD)
    said = father(**{"sms": "nej", **cells})
    clinic.read(row(role="patient", phone=D), said, head=HEAD)
    assert numbers(clinic) == [B, D]
    assert refusing(clinic) == [B]
    again = clinic.read(row(role="patient", phone=D), said, head=HEAD)
    assert not again.changes_anything


def test_two_who_refuse_each_another_way_are_two(clinic: Clinic) -> None:
    """Neither has a readable number, and the same file again mixes nothing up."""
    head = HEAD.strip() + ";samtycke-epost\n"
    told = ((row(role="patient", phone=D), "ja"), (father(phone="1x", sms="nej"), "ja"))
    lines = [f"{line.strip()};{email}\n" for line, email in (*told, (father(phone="2x"), "nej"))]
    clinic.read(*lines, head=head)
    assert not clinic.read(*lines, head=head).changes_anything


@pytest.mark.parametrize("role", [Role.GUARDIAN, Role.PATIENT])
def test_a_no_holds_when_the_number_is_put_right_in_the_file(clinic: Clinic, role: Role) -> None:
    """Whoever it is said to be."""
    path, now = clinic.folder / "bokningar.csv", clinic.clock.now()
    path.write_text(HEAD + row(role="patient") + father(phone="070x", sms="nej"), "utf-8")
    options = importing.Options(exported_at=now)
    staged = importing.stage(clinic.runtime, "internet", path, options, now)
    with clinic.runtime.database.reading() as conn:
        (problem,) = proposal.waiting_rows(conn, clinic.runtime, staged).rows
    assert problem.role is Role.GUARDIAN
    right = Addresses("+46701740603", None)
    staged = clinic.runtime.in_transaction(
        proposal.solve, staged, problem.problem.id, role, right, now
    )
    importing.apply(clinic.runtime, staged, options, now)
    assert refusing(clinic) == [C]
    assert numbers(clinic) == [A, C]


@pytest.mark.parametrize("ref", ["B1", ""])
def test_a_no_holds_when_the_number_is_added_by_hand(clinic: Clinic, ref: str) -> None:
    """The refusal waits for the address, in however many files the row comes."""
    file = row(role="patient"), father(ref, phone="070x", sms="nej")
    for _ in range(2):
        clinic.read(*file, head=HEAD)
    assert len(clinic.show("B1").patient.people) == 2
    now = clinic.clock.now()
    clinic.runtime.in_transaction(
        contacts.add, clinic.runtime, "internet", "B1", Role.GUARDIAN,
        Addresses("+46701740603", None), now,
    )  # fmt: skip
    assert (numbers(clinic), refusing(clinic)) == ([A, C], [C])
    clinic.read(*file, head=HEAD)
    assert (numbers(clinic), refusing(clinic)) == ([A, C], [C])
    clinic.read(row(role="patient"), father(phone=C), head=HEAD)
    assert (numbers(clinic), refusing(clinic)) == ([A, C], [])


def test_who_is_not_read_goes_along_to_a_record_with_a_name(clinic: Clinic) -> None:
    """A file that begins to name its patients leaves nobody behind whose row is bad."""
    clinic.read(row(patient=None), father(patient=None), head=NAMELESS)
    clinic.read(row(), father(phone="070x"), head=HEAD)
    assert numbers(clinic) == [A, B]


def test_a_patient_whose_name_cannot_be_read_stays_the_bookings(clinic: Clinic) -> None:
    """A known booking is its patient's, with the people of their other bookings."""
    second = father("B2", "2026-12-03 10:00")
    clinic.read(row(), second, head=HEAD)
    clinic.read(row(patient="=1+1"), second, head=HEAD)
    assert numbers(clinic) == numbers(clinic, "B2") == [A, B]


@pytest.mark.parametrize("patient", ["", None])
def test_a_file_that_does_not_name_the_patient_changes_nobody(
    clinic: Clinic, patient: str | None
) -> None:
    """An empty cell, or no column, says nothing: a known booking stays its patient's."""
    second = ("B2", "2026-12-03 10:00")
    clinic.read(row(), father(*second), head=HEAD)
    head = HEAD if patient is not None else NAMELESS
    done = clinic.read(row(patient=patient), father(*second, patient=patient), head=head)
    assert numbers(clinic) == numbers(clinic, "B2") == [A, B]
    assert not done.changes_anything


def test_a_file_closes_no_problem_of_one_that_waits(clinic: Clinic) -> None:
    """What was read before, and applied after, stands on the worklist."""
    path, now = clinic.folder / "waiting.csv", clinic.clock.now()
    path.write_text(HEAD + father(phone="070x"), "utf-8")
    options = importing.Options(exported_at=now)
    waiting = importing.stage(clinic.runtime, "internet", path, options, now)
    clinic.read(row(), head=HEAD)
    importing.apply(clinic.runtime, waiting, options, now)
    assert [item.reason for item in clinic.worklist() if item.kind == "problem"] == ["bad_phone"]


def test_a_number_that_very_many_have_tells_of_nobody(clinic: Clinic) -> None:
    """What is filled in for all who have no number protects none of them."""
    many = [row(f"B{n}", patient=f"P{n}") for n in range(21)]
    clinic.read(*many, head=HEAD)
    unread = row("", "x", patient="", protected="ja")
    assert clinic.read(*many, unread, head=HEAD).of_anybody == (23,)
    assert not clinic.show("B1").visit.protected


def test_a_row_is_of_whoever_has_its_booking_on_another_row(clinic: Clinic) -> None:
    """In a file of new bookings the reference alone tells whose the row is that forbids."""
    unread = father(patient="=1", phone="070x", start="x", protected="ja")
    clinic.read(row(), unread, row("B2", patient="P2", phone=C), head=HEAD)
    assert clinic.show("B1").visit.protected
    assert not clinic.show("B2").visit.protected


def test_a_row_is_of_whoever_has_its_mailbox_however_it_is_written(clinic: Clinic) -> None:
    """The file's own rows and what is known spell it otherwise; both are found."""
    clinic.read(row("B0", patient="P0", phone="", email="Hemma@Example.org", sms=""), head=HEAD)
    known = row("", "x", patient="=1", phone="", email="HEMMA@example.org", protected="ja")
    clinic.read(row("B2", patient="P2", phone=C), known, head=HEAD)
    assert clinic.show("B0").visit.protected
    here = row("B3", patient="P3", phone="", email="Borta@Example.org", sms="")
    unread = row("", "x", patient="=1", phone="", email="borta@example.ORG", protected="ja")
    clinic.read(here, row("B2", patient="P2", phone=C), unread, head=HEAD)
    assert clinic.show("B3").visit.protected
    assert not clinic.show("B2").visit.protected
