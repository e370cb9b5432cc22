"""What the rows of a file say of one booking together, and what a cell that tells nothing changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reminders.domain.merge import Category
from tests.engine.clinic import Clinic, at, row

WHOSE = "boknings-id;starttid;besökstyp;patient;roll;mobil;födelsedatum;skyddad;eget bankid\n"
MOTHER = "C1;2026-12-02 09:00;Videobesök;P1;mamma;0701740601;;{};\n"
PATIENT = "C1;2026-12-02 09:00;Videobesök;P1;patient;0701740602;2012-01-01;{};{}\n"
BOTH = {"phone": "070-174 06 01", "email": "a@example.org"}


def reached(clinic: Clinic, ref: str = "B1") -> set[str | None]:
    """Return the addresses that are known of a booking's people."""
    found = clinic.show(ref).patient.people
    return {address for one in found for address in (one.phone, one.email) if address}


@pytest.mark.parametrize(
    ("first", "second"), [("", "ja"), ("nej", "ja"), ("ja", ""), ("ja", "nej")]
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_protected_identity_counts_on_whichever_row_it_stands(
    clinic: Clinic, order: int, first: str, second: str
) -> None:
    """Nobody is texted of a patient whose identity one row calls protected."""
    rows = [MOTHER.format(first), PATIENT.format(second, "ja")][::order]
    clinic.read(*rows, head=WHOSE, confirmations=True)
    clinic.until("2026-12-02 08:50")
    assert clinic.show("C1").visit.protected
    assert clinic.texts() == []
    assert {(item.kind, item.reason) for item in clinic.worklist()} == {
        ("call", "protected_identity")
    }


@pytest.mark.parametrize("order", [1, -1])
def test_each_row_may_tell_of_the_patient(clinic: Clinic, order: int) -> None:
    """The birth date and the login may stand on the patient's row alone, first or last."""
    rows = [MOTHER.format("nej"), PATIENT.format("nej", "nej")][::order]
    clinic.read(*rows, head=WHOSE, confirmations=True)
    clinic.until("2026-11-30 12:05")
    [text] = clinic.texts()
    assert text.to.endswith("602")  # from 13 a guardian is texted by choice alone
    assert [(item.kind, item.reason) for item in clinic.worklist()] == [("login", "no_own_login")]


@pytest.mark.parametrize("phone", ["070-1740621 (mobil)", "0701740622x", "08-123 456 78"])
def test_a_number_that_cannot_be_read_takes_none_away(clinic: Clinic, phone: str) -> None:
    """What was known stays, with the texts to it; the row is a problem."""
    clinic.read(row(**BOTH), confirmations=True)
    shown = clinic.read(row(phone=phone, email="a@example.org"))
    assert [problem.column for problem in shown.problems] == ["mobil"]
    assert reached(clinic) == {"+46701740601", "a@example.org"}
    clinic.until("2026-12-02 09:50")
    assert {text.channel for text in clinic.texts()} == {"sms", "email"}


def test_an_address_leaves_with_its_cell_and_stays_without_its_column(clinic: Clinic) -> None:
    """An empty cell says that there is no such address; a file without the column says nothing."""
    clinic.read(row(**BOTH))
    head = "boknings-id;starttid;besökstyp;mobil;roll;födelsedatum;status\n"
    clinic.read(
        "B1;2026-12-02 10:00;Videobesök;0701740601;vårdnadshavare;2016-05-01;bokad\n", head=head
    )
    assert reached(clinic) == {"+46701740601", "a@example.org"}
    clinic.read(row(**{**BOTH, "phone": ""}))
    assert reached(clinic) == {"a@example.org"}


@pytest.mark.parametrize("order", [1, -1])
def test_a_visit_of_two_kinds_is_by_video(clinic: Clinic, order: int) -> None:
    """A booking with a row for a room beside that of the video visit is told of, in either order."""
    shown = clinic.read(*[row(), row(kind="Fysiskt besök")][::order])
    assert (shown.counts[Category.NEW], shown.counts[Category.IGNORED]) == (1, 0)
    clinic.plan()
    assert clinic.states("B1")
    again = clinic.read(*[row(), row(kind="Fysiskt besök")][::-order])
    assert again.counts[Category.UNCHANGED] == 1


@pytest.mark.parametrize(
    ("next_file", "stands"),
    [
        (row("B9", "2026-12-08 10:00"), True),  # other days
        (row("B9", "2026-12-01 10:00") + row("B3", "2026-12-02 10:00"), False),
        (row("B1", "2026-12-01 10:00") + row("", "2026-12-02 10:00"), True),  # once, not twice
    ],
)
def test_a_row_without_a_reference_stands_until_its_days_come_again(
    clinic: Clinic, next_file: str, stands: bool
) -> None:
    """A file of other days puts nothing right."""
    clinic.read(row("B1", "2026-12-01 10:00") + row("", "2026-12-02 10:00"))
    clinic.read(next_file)
    found = [item.reason for item in clinic.worklist() if item.kind == "problem"]
    assert found == (["bad_ref"] if stands else [])


def test_the_forecast_counts_whom_the_file_could_not_tell_of(clinic: Clinic) -> None:
    """A contact who stays because the row cannot be read is told of the move, and counted."""
    mother, father = row(phone="0701740601"), row(phone="0701740602", role="pappa")
    clinic.read(mother, father, confirmations=True)
    clinic.until("2026-11-30 12:05")
    start = "2026-12-03 10:00"
    moved = [row(start=start, phone="x"), row(start=start, phone="0701740602", role="pappa")]
    shown = clinic.read(*moved, apply=False)
    clinic.read(*moved)
    assert shown.sends.by_rule["moved"] == 2
    clinic.until("2026-11-30 12:10")
    assert sum(rule == "moved" for rule, *_ in clinic.states("B1")) == 2


@pytest.mark.parametrize("phone", ["0701740601", "070x"])
def test_the_work_grows_with_the_file_and_no_faster(tmp_path: Path, phone: str) -> None:
    """Four times the rows, patients without names, take SQLite about four times the steps."""
    steps = []
    for count in (300, 1200):
        folder = tmp_path / str(count)
        folder.mkdir()
        clinic = Clinic(folder, f"sqlite:///{folder}/x.db", at("2026-11-30 12:00"))
        rows = [row(f"B{n}", f"2026-12-{n % 20 + 2:02} 10:00", phone=phone) for n in range(count)]
        with counted(clinic) as counts:
            clinic.read(*rows)
        steps.append(sum(counts))
        clinic.end()
    assert steps[0] > 100
    assert steps[1] < 6 * steps[0]


@contextmanager
def counted(clinic: Clinic) -> Iterator[list[int]]:
    """Count what SQLite does, by hundreds of its steps."""
    counts: list[int] = []

    def count() -> int:
        counts.append(1)
        return 0

    with clinic.runtime.database.reading() as conn:
        connection = conn.connection.driver_connection
    assert connection is not None
    connection.set_progress_handler(count, 100)
    yield counts
    connection.set_progress_handler(None, 0)
