"""A row that a person has put right is no problem of the next file, while it stays the same."""

from datetime import timedelta

import pytest

from reminders.domain.contact import Role
from reminders.engine import contacts, desk, importing, proposal
from reminders.engine.contacts import Addresses
from reminders.engine.difference import Difference
from reminders.store import import_pages
from tests.engine.clinic import HEAD, Clinic, at, row

GOOD = row()
BAD = row(phone="070-174 06 99 (mamma)")
WORSE = row(phone="070-174 06 98 (pappa)")
RIGHT = "+46701740688"


@pytest.fixture
def clinic(open_clinic) -> Clinic:
    """Return a clinic with one booking, whose next row cannot be read."""
    made: Clinic = open_clinic()
    made.read(GOOD)
    made.plan()
    return made


def codes(done: Difference) -> list[str]:
    """Return the problems of a file."""
    return [problem.code.value for problem in done.problems]


def phones(clinic: Clinic) -> list[str | None]:
    """Return the numbers of the booking's people."""
    return [person.phone for person in clinic.show("B1").patient.people]


def correct(clinic: Clinic) -> None:
    """Correct the contact at the visit, as staff do."""
    (person,) = clinic.show("B1").patient.people
    now, right = clinic.clock.now(), Addresses(RIGHT, None)
    clinic.runtime.in_transaction(
        contacts.correct, clinic.runtime, "internet", "B1", person.id, right, now
    )


def move(clinic: Clinic, to: str) -> None:
    """Move the visit, as staff do."""
    clinic.runtime.in_transaction(
        desk.move, clinic.runtime, "internet", "B1", at(to), clinic.clock.now()
    )


def test_what_is_corrected_at_the_visit_holds(clinic: Clinic) -> None:
    """The same row again is no problem, however often; the number that staff gave stays."""
    assert codes(clinic.read(BAD)) == ["bad_phone"]
    correct(clinic)
    for _ in range(3):
        assert codes(clinic.read(BAD, strict=True)) == []
        assert phones(clinic) == [RIGHT]
    assert [item for item in clinic.worklist() if item.kind == "problem"] == []


@pytest.mark.parametrize("between", [WORSE, GOOD])
def test_a_row_that_changes_is_judged_anew(clinic: Clinic, between: str) -> None:
    """Another mistake is a problem again, and so is the old one after it, or after a good row."""
    clinic.read(BAD)
    correct(clinic)
    assert codes(clinic.read(between)) == ([] if between is GOOD else ["bad_phone"])
    assert codes(clinic.read(BAD)) == ["bad_phone"]


def test_another_problem_of_the_row_stays(clinic: Clinic) -> None:
    """A corrected number puts right what is wrong with the address, and nothing else."""
    doubtful = row(phone="070-174 06 99 (mamma)", born="2016-13-01")
    assert set(codes(clinic.read(doubtful))) == {"bad_phone", "bad_birth_date"}
    correct(clinic)
    assert codes(clinic.read(doubtful)) == ["bad_birth_date"]


def stage(clinic: Clinic, line: str) -> importing.Staged:
    """Read a file of this line, and wait for a yes."""
    path, now = clinic.folder / "bokningar.csv", clinic.clock.now()
    path.write_text(HEAD + line, "utf-8")
    options = importing.Options(exported_at=now)
    return importing.stage(clinic.runtime, "internet", path, options, now)


def solved(clinic: Clinic, staged: importing.Staged) -> importing.Staged:
    """Put the file's one problem right, before the yes."""
    with clinic.runtime.database.reading() as conn:
        (problem,) = import_pages.problems_of(conn, staged.run_id, 9)
    right, now = Addresses(RIGHT, None), clinic.clock.now()
    return clinic.runtime.in_transaction(
        proposal.solve, staged, problem.id, Role.PATIENT, right, now
    )


def test_what_is_put_right_in_the_file_holds(clinic: Clinic) -> None:
    """A row righted before the yes takes the new number in place of the old, and so it stays."""
    staged = solved(clinic, stage(clinic, BAD))
    assert staged.problems == ()
    importing.apply(clinic.runtime, staged, importing.Options(), clinic.clock.now())
    assert phones(clinic) == [RIGHT]
    assert codes(clinic.read(BAD)) == []
    assert phones(clinic) == [RIGHT]


def test_a_file_that_is_thrown_away_puts_nothing_right(clinic: Clinic) -> None:
    """What was righted in a file that nobody said yes to is a problem of the next."""
    staged = solved(clinic, stage(clinic, BAD))
    assert codes(clinic.read(BAD)) == ["bad_phone"]
    importing.forget(clinic.runtime, staged)
    assert phones(clinic) == ["+46701740605"]


def test_a_moved_visit_holds_its_time(clinic: Clinic) -> None:
    """A time that cannot be read is put right by moving the visit; a bad number is not."""
    timeless = row(start="2 dec eller så")
    assert codes(clinic.read(timeless)) == ["bad_time"]
    move(clinic, "2026-12-03 09:00")
    assert codes(clinic.read(timeless)) == []
    assert clinic.show("B1").visit.starts_at == at("2026-12-03 09:00")
    clinic.read(BAD)
    move(clinic, "2026-12-03 10:00")
    assert codes(clinic.read(BAD)) == ["bad_phone"]


def test_what_somebody_has_seen_to_holds(clinic: Clinic) -> None:
    """A row that staff say they have seen to is not shown again while it is the same."""
    nobody = row("B9", phone="", email="")
    done = clinic.read(GOOD, nobody)
    with clinic.runtime.database.reading() as conn:
        (problem,) = import_pages.problems_of(conn, done.run_id, 9)
    clinic.runtime.in_transaction(proposal.settle, "internet", problem.id, clinic.clock.now())
    assert codes(clinic.read(GOOD, nobody)) == []
    later = row("B9", "2026-12-04 10:00", phone="", email="")
    assert codes(clinic.read(GOOD, later)) == ["no_contact"]


def test_whom_staff_add_no_file_takes_away(clinic: Clinic) -> None:
    """A file cannot take back what none has brought; one that has brought them can."""
    now, right = clinic.clock.now(), Addresses(RIGHT, None)
    clinic.runtime.in_transaction(
        contacts.add, clinic.runtime, "internet", "B1", Role.GUARDIAN, right, now
    )
    moved = row(phone="070-174 06 04")
    for file in (GOOD, moved, row(phone="070-174 06 04") + row(phone=RIGHT)):
        clinic.read(file)
        assert RIGHT in phones(clinic)
        assert not clinic.read(file).changes_anything
    assert phones(clinic) == ["+46701740604", RIGHT]
    clinic.read(moved)
    assert phones(clinic) == ["+46701740604"]


def test_an_older_export_undoes_no_correction(clinic: Clinic) -> None:
    """The number that staff have given since stays; a newer file is followed."""
    correct(clinic)
    before = clinic.clock.now() - timedelta(hours=1)
    clinic.read(GOOD, exported_at=before, older_ok=True)
    assert phones(clinic) == [RIGHT]
    clinic.read(GOOD)
    assert phones(clinic) == ["+46701740605"]
