"""What the rows of a file say of one booking together, and what a cell that tells nothing changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reminders.domain.brought import Category
from tests.engine.clinic import HEAD, Clinic, at, row

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
@pytest.mark.parametrize("start", ["2026-12-02 10:00", "2026-12-02 09:00"])
def test_a_visit_of_two_kinds_is_by_video(clinic: Clinic, order: int, start: str) -> None:
    """A booking with a row for a sample beside that of the video visit is told of, in either order."""
    sample = row(start=start, kind="Provtagning")
    shown = clinic.read(*[row(), sample][::order])
    assert (shown.counts[Category.NEW], shown.counts[Category.IGNORED]) == (1, 0)
    clinic.plan()
    assert clinic.states("B1")
    assert clinic.show("B1").visit.starts_at == at("2026-12-02 10:00")
    again = clinic.read(*[row(), sample][::-order])
    assert again.counts[Category.UNCHANGED] == 1


def test_rows_of_other_kinds_need_not_agree(clinic: Clinic) -> None:
    """What is only counted refuses no file."""
    series = [row("F1", f"2026-12-0{day} 11:00", kind="Fysiskt besök") for day in (2, 9)]
    assert clinic.read(row(), *series).counts[Category.NEW] == 1


@pytest.mark.parametrize("order", [1, -1])
def test_a_video_visit_that_becomes_one_at_the_clinic(clinic: Clinic, order: int) -> None:
    """Cancelled on its video row and booked on another, it is not told of as cancelled: they come."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 12:05")
    clinic.read(*[row(status="avbokad"), row(kind="Fysiskt besök")][::order])
    clinic.until("2026-11-30 12:10")
    assert len(clinic.texts()) == 1
    assert [item.reason for item in clinic.worklist()] == ["no_longer_video"]


def test_a_row_of_another_kind_decides_nothing_beside_one_that_cannot_be_read(
    clinic: Clinic,
) -> None:
    """The video row is a problem; the visit stays what it is known to be."""
    clinic.read(row(), confirmations=True)
    clinic.until("2026-11-30 12:05")
    clinic.read(row(status="b0kad"), row(kind="Provtagning"))
    clinic.until("2026-12-02 09:50")
    assert len(clinic.texts()) == 3


@pytest.mark.parametrize(
    "second", [{"kind": "Fysiskt besök"}, {"status": "kanske"}, {"start": "2026-12-02 kl"}]
)
def test_a_row_that_is_not_taken_still_protects(clinic: Clinic, second: dict[str, str]) -> None:
    """Its yes to a protected identity counts, whatever else is wrong with it."""
    head = HEAD.rstrip("\n") + ";skyddad\n"
    first, other = row().rstrip("\n") + ";\n", row(**second).rstrip("\n") + ";ja\n"
    clinic.read(first, other, head=head, confirmations=True)
    clinic.until("2026-12-02 09:50")
    assert clinic.show("B1").visit.protected
    assert clinic.texts() == []


def test_who_takes_anothers_place_gets_nothing_of_hers(clinic: Clinic) -> None:
    """A file without the email column gives nobody the address of somebody who is gone."""
    father = row(phone="0701740602", email="far@example.org", role="pappa")
    clinic.read(row(phone="0701740601", email="mor@example.org", role="mamma"), father)
    head = "boknings-id;starttid;besökstyp;mobil;roll\n"
    line = "B1;2026-12-02 10:00;Videobesök;{};{}\n"
    new = [line.format("0701740601", "mamma"), line.format("0701740603", "vårdnadshavare")]
    clinic.read(*new, head=head)
    assert reached(clinic) == {"+46701740601", "mor@example.org", "+46701740603"}


def test_where_somebody_cannot_be_read_nobody_gives_way(clinic: Clinic) -> None:
    """A new number beside an unreadable one is added: it takes nobody's place."""
    head = "boknings-id;starttid;besökstyp;guardian1_mobil;guardian2_mobil\n"
    line = "B1;2026-12-02 10:00;Videobesök;{};{}\n"
    clinic.read(line.format("0701740601", "0701740602"), head=head)
    clinic.read(line.format("070x", "0701740604"), head=head)
    assert reached(clinic) == {f"+4670174060{n}" for n in (1, 2, 4)}


def test_a_booking_that_cannot_be_read_keeps_whom_it_tells(clinic: Clinic) -> None:
    """Of a patient with two bookings, the father stands on the one with a bad time alone."""
    line = "{};{};Videobesök;P1;{};{};2016-05-01\n"
    head = "boknings-id;starttid;besökstyp;patient;roll;mobil;födelsedatum\n"
    mother = line.format("B1", "2026-12-02 10:00", "mamma", "0701740601")
    clinic.read(mother, line.format("B2", "2026-12-03 10:00", "pappa", "0701740602"), head=head)
    clinic.read(mother, line.format("B2", "2026-12-03 kl", "pappa", "0701740602"), head=head)
    assert reached(clinic) == {"+46701740601", "+46701740602"}


def test_a_row_that_cannot_be_read_is_of_whoever_is_known_by_it(clinic: Clinic) -> None:
    """By key, reference, address or time (the rest is in test_unread, on SQLite alone)."""
    line = "{};2026-12-0{} 10:00;Videobesök;{};{};{};{}\n".format
    head = "boknings-id;starttid;besökstyp;patient;roll;mobil;skyddad\n"
    mothers = [line(f"B{n}", n, f"P{n}", "mamma", f"070174060{n}", "nej") for n in range(2, 7)]
    fathers = [line(f"B{n}", n, f"P{n}", "pappa", f"070174061{n}", "nej") for n in range(2, 7)]
    clinic.read(*mothers, *fathers, head=head)
    unread = [
        line("", 9, "P2", "pappa", "x", "nej"),
        line("B3", "x", "=1", "pappa", "x", "nej"),
        line("", "x", "", "pappa", "0701740614", "ja"),
        line("", 5, "", "pappa", "x", "nej"),
    ]
    done = clinic.read(*mothers, *unread, head=head)
    assert done.of_anybody == ()
    people = [len(clinic.show(f"B{n}").patient.people) for n in range(2, 7)]
    assert people == [2, 2, 2, 2, 1]
    assert [clinic.show(f"B{n}").visit.protected for n in range(2, 7)] == [
        n == 4 for n in range(2, 7)
    ]


@pytest.mark.parametrize("other", ["0701740601", ""])
def test_an_unreadable_number_is_the_same_persons_on_another_booking(
    clinic: Clinic, other: str
) -> None:
    """She is one person, and keeps her number."""
    head = HEAD.rstrip("\n") + ";patient\n"
    one = row(**BOTH).rstrip("\n") + ";P1\n"
    clinic.read(one, row("B2", "2026-12-03 10:00", **BOTH).rstrip("\n") + ";P1\n", head=head)
    first = row(phone=other, email="a@example.org").rstrip("\n") + ";P1\n"
    second = row("B2", "2026-12-03 10:00", phone="070x", email="a@example.org")
    clinic.read(first, second.rstrip("\n") + ";P1\n", head=head)
    assert len(clinic.show("B1").patient.people) == 1
    assert reached(clinic) == {"+46701740601", "a@example.org"}


@pytest.mark.parametrize(
    ("next_file", "stands"),
    [
        (row("B9", "2026-12-08 10:00"), True),  # other days
        (row("B9", "2026-12-01 10:00") + row("B3", "2026-12-02 08:00"), False),
        (row("B1", "2026-12-01 10:00") + row("", "2026-12-02 10:00", email="b@example.org"), True),
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


@pytest.mark.parametrize(
    ("phone", "ref"), [("0701740601", "B{}"), ("070x", "B{}"), ("0701740601", "")]
)
def test_the_work_grows_with_the_file_and_no_faster(tmp_path: Path, phone: str, ref: str) -> None:
    """Four times the rows, patients without names, take SQLite about four times the steps."""
    steps = []
    for count in (300, 1200):
        folder = tmp_path / str(count)
        folder.mkdir()
        clinic = Clinic(folder, f"sqlite:///{folder}/x.db", at("2026-11-30 12:00"))
        refs = [(ref if n % 2 else "B{}").format(n) for n in range(count)]
        days = [f"2026-12-{n % 20 + 2:02} 10:00" for n in range(count)]
        rows = [row(*one, phone=phone) for one in zip(refs, days, strict=True)]
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
