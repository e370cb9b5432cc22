"""One patient has one birth date: a file that states two is asked which, and none is believed."""

import pytest

from reminders.domain.brought import Category
from reminders.engine import importing, proposal
from reminders.store import import_pages
from tests.engine.clinic import Clinic, Text

HEAD = "boknings-id;starttid;besökstyp;patientnr;mobil;roll;födelsedatum\n"
CHILD, OLDER, MOTHER = "2016-05-01", "2010-05-01", "1980-05-01"


def line(
    ref: str = "B1",
    born: str = CHILD,
    *,
    key: str = "7001",
    day: str = "2026-12-02",
    phone: str = "070-174 06 05",
) -> str:
    return f"{ref};{day} 10:00;Videobesök;{key};{phone};vårdnadshavare;{born}\n"


def problems(done: importing.Difference) -> list[tuple[int, str, str | None, str | None]]:
    return [(p.line, p.code.value, p.column, p.ref) for p in done.problems]


def says_both(text: Text) -> bool:
    return "från 13 år" in text.body.lower()


ON_TWO_BOOKINGS = (line(), line("B2", OLDER, day="2026-12-03"))
ON_ONE_BOOKING = (line(), line(born=MOTHER, phone="070-174 06 99"))
ON_A_ROW_WITHOUT_THE_NUMBER = (line(), line(born=OLDER, key="", phone="070-174 06 99"))


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("rows", [ON_TWO_BOOKINGS, ON_ONE_BOOKING, ON_A_ROW_WITHOUT_THE_NUMBER])
def test_two_birth_dates_are_asked_about(clinic: Clinic, rows: tuple[str, ...], order: int) -> None:
    """In whichever order, the second line is a problem that names the first; texts say both."""
    done = clinic.read(*rows[::order], head=HEAD, confirmations=True)
    ref = rows[::order][1].split(";")[0]
    assert problems(done) == [(3, "other_birth_date", "födelsedatum", ref)]
    assert "than on line 2" in done.problems[0].message
    clinic.until("2026-11-30 13:00")
    confirmed = clinic.texts()
    assert len(confirmed) == 2
    assert all(map(says_both, confirmed))
    assert [(i.kind, i.ref, i.reason) for i in clinic.worklist()] == [
        ("problem", ref, "other_birth_date")
    ]


def test_it_is_solved_by_a_file_that_tells_one(clinic: Clinic) -> None:
    """What was known before is not believed meanwhile; one birth date in a later file is."""
    clinic.read(line(), head=HEAD)
    done = clinic.read(*ON_ONE_BOOKING, head=HEAD)
    assert [code for _, code, *_ in problems(done)] == ["other_birth_date"]
    assert clinic.read(*ON_ONE_BOOKING, head=HEAD).counts[Category.UNCHANGED] == 1
    clinic.until("2026-12-01 20:00")
    assert all(map(says_both, clinic.texts()))
    clinic.read(line(), line(phone="070-174 06 99"), head=HEAD)
    assert [item for item in clinic.worklist() if item.kind == "problem"] == []


def test_it_is_found_where_only_the_known_booking_tells_whose_a_row_is(clinic: Clinic) -> None:
    """A row without the number is the known patient's, and so is its birth date."""
    clinic.read(*ON_TWO_BOOKINGS[:1], line("B2", day="2026-12-03"), head=HEAD)
    done = clinic.read(line(key=""), line("B2", OLDER, key="", day="2026-12-03"), head=HEAD)
    assert problems(done) == [(3, "other_birth_date", "födelsedatum", "B2")]


def test_what_somebody_has_seen_to_is_not_shown_again(clinic: Clinic) -> None:
    """The same two dates are no problem again; another is. The age stays open all the while."""
    done = clinic.read(*ON_ONE_BOOKING, head=HEAD)
    with clinic.runtime.database.reading() as conn:
        (problem,) = import_pages.problems_of(conn, done.run_id, 9)
    clinic.runtime.in_transaction(proposal.settle, "internet", problem.id, clinic.clock.now())
    assert problems(clinic.read(*ON_ONE_BOOKING, head=HEAD, strict=True)) == []
    clinic.until("2026-12-01 20:00")
    assert all(map(says_both, clinic.texts()))
    assert problems(clinic.read(line(), line(born=OLDER, phone="070-174 06 99"), head=HEAD)) != []


@pytest.mark.parametrize(
    ("slip", "known"),
    [(MOTHER, False), ("2010-01-05", False), (MOTHER, True), ("2010-01-05", True), (CHILD, True)],
)
def test_a_slip_tells_no_guardian_of_a_teenager(clinic: Clinic, slip: str, *, known: bool) -> None:
    """Who logs in themselves, by what was known or by all that the file says, is told alone."""
    head = HEAD.replace("\n", ";från 13\n")
    teen = f"B1;2026-12-02 10:00;Videobesök;7001;070-174 06 06;patient;{OLDER};\n"
    guardian = "B1;2026-12-02 10:00;Videobesök;7001;070-174 06 05;vårdnadshavare;{};nej\n"
    if known:
        clinic.read(teen, guardian.format(OLDER), head=head, confirmations=True)
    done = clinic.read(teen, guardian.format(slip), head=head, confirmations=True)
    assert [code for _, code, *_ in problems(done)] == ["other_birth_date"]
    clinic.until("2026-12-02 11:00")
    assert {text.to[-3:] for text in clinic.texts()} == {"606"}
