"""An address put right before the yes is that person's alone, and of that problem alone."""

import pytest

from reminders.domain.contact import Role
from reminders.engine import importing, proposal
from reminders.engine.contacts import Addresses
from reminders.engine.proposal import Row
from tests.engine.clinic import Clinic

HEAD = (
    "boknings-id;starttid;besökstyp;födelsedatum;patient_mobil;patient_epost;"
    "vårdnadshavare1_mobil;vårdnadshavare1_epost;vårdnadshavare2_mobil;vårdnadshavare2_epost\n"
)
BAD = "070-174 06 99 (mamma)"
RIGHT = "+46701740688"
OTHER = "+46701740606"


@pytest.fixture
def clinic(open_clinic) -> Clinic:
    """Return a clinic."""
    made: Clinic = open_clinic()
    return made


def stage(
    clinic: Clinic, *cells: str, head: str = HEAD, born: str = "2012-05-01"
) -> importing.Staged:
    """Read a file of one row, and wait for a yes."""
    path, now = clinic.folder / "bokningar.csv", clinic.clock.now()
    line = ";".join(("B1", "2026-12-02 10:00", "Videobesök", born, *cells))
    path.write_text(f"{head}{line}\n", "utf-8")
    options = importing.Options(exported_at=now)
    return importing.stage(clinic.runtime, "internet", path, options, now)


def rows(clinic: Clinic, staged: importing.Staged) -> list[Row]:
    """Return the problem rows that are still to be put right."""
    with clinic.runtime.database.reading() as conn:
        found = proposal.waiting_rows(conn, clinic.runtime, staged).rows
    return [row for row in found if row.problem.solved_at is None]


def put_right(
    clinic: Clinic, staged: importing.Staged, row: Row, right: Addresses, role: Role | None = None
) -> importing.Staged:
    """Put a row right, for whom the page proposes unless another is chosen."""
    whom, now = role or row.role, clinic.clock.now()
    return clinic.runtime.in_transaction(proposal.solve, staged, row.problem.id, whom, right, now)


def people(clinic: Clinic, staged: importing.Staged) -> set[tuple[str, str | None, str | None]]:
    """Say yes; return the people of the visit."""
    importing.apply(clinic.runtime, staged, importing.Options(), clinic.clock.now())
    found = clinic.show("B1").patient.people
    return {(person.role, person.phone, person.email) for person in found}


def test_another_persons_right_number_stays(clinic: Clinic) -> None:
    """The patient's number is added as the patient's; the guardian keeps their own."""
    staged = stage(clinic, BAD, "", "070-174 06 06", "", "", "")
    (row,) = rows(clinic, staged)
    assert (row.role, row.wants) == (Role.PATIENT, ("phone",))
    staged = put_right(clinic, staged, row, Addresses(RIGHT, None))
    assert people(clinic, staged) == {("patient", RIGHT, None), ("guardian", OTHER, None)}


def test_who_has_an_email_address_gets_the_number_besides(clinic: Clinic) -> None:
    """Of two guardians who both have an email address, the number is that of its column."""
    staged = stage(clinic, "", "", "070-174 06 06", "a@example.org", BAD, "b@example.org")
    (row,) = rows(clinic, staged)
    staged = put_right(clinic, staged, row, Addresses(RIGHT, None))
    assert people(clinic, staged) == {
        ("guardian", OTHER, "a@example.org"),
        ("guardian", RIGHT, "b@example.org"),
    }


def test_only_the_problem_of_that_column_is_closed(clinic: Clinic) -> None:
    """The other guardian's bad number stays a problem, now and in the next file."""
    staged = stage(clinic, "", "", BAD, "", BAD, "b@example.org")
    first, second = rows(clinic, staged)
    staged = put_right(clinic, staged, first, Addresses(RIGHT, None))
    assert [row.problem.column for row in rows(clinic, staged)] == [second.problem.column]
    assert [problem.column for problem in staged.problems] == [second.problem.column]
    assert people(clinic, staged) == {
        ("guardian", RIGHT, None),
        ("guardian", None, "b@example.org"),
    }
    later = stage(clinic, "", "", BAD, "", BAD, "b@example.org")
    assert [problem.column for problem in later.problems] == [second.problem.column]


def test_the_one_who_is_chosen_gets_the_number(clinic: Clinic) -> None:
    """A number that is said to be the patient's does not become the guardian's of that row."""
    head = "boknings-id;starttid;besökstyp;födelsedatum;mobil;e-post;roll\n"
    staged = stage(clinic, BAD, "a@example.org", "vårdnadshavare", head=head)
    (row,) = rows(clinic, staged)
    assert row.role is Role.GUARDIAN
    staged = put_right(clinic, staged, row, Addresses(RIGHT, None), Role.PATIENT)
    assert people(clinic, staged) == {
        ("guardian", None, "a@example.org"),
        ("patient", RIGHT, None),
    }


@pytest.mark.parametrize(
    ("born", "role"), [("2018-05-01", Role.GUARDIAN), ("2009-05-01", Role.PATIENT)]
)
def test_whom_nothing_names_is_proposed_by_age(clinic: Clinic, born: str, role: Role) -> None:
    """A row without anybody asks for a number or an email address, of whom the age makes likely."""
    staged = stage(clinic, "", "", "", "", "", "", born=born)
    (row,) = rows(clinic, staged)
    assert (row.role, row.wants) == (role, ("phone", "email"))
    staged = put_right(clinic, staged, row, Addresses(None, "c@example.org"))
    assert people(clinic, staged) == {(role.value, None, "c@example.org")}
