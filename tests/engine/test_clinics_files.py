"""Stories of files as clinics export them, day after day: what stays, and what is never kept."""

import asyncio
import os
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from reminders.domain.brought import Category
from reminders.engine import importing
from reminders.engine.housekeeping import keep_house
from reminders.errors import RefusedFileError
from reminders.store import import_pages
from reminders.store.schema import metadata
from reminders.store.schema_intake import import_run
from tests.engine.clinic import HEAD, Clinic, at, row

NAMED = HEAD.removesuffix("\n") + ";patient\n"


def named(line: str, patient: str) -> str:
    """Return a line that names the patient."""
    return line.removesuffix("\n") + f";{patient}\n"


def everything(clinic: Clinic) -> dict[str, str]:
    """Return all that the database holds, as text, by table."""
    with clinic.runtime.database.reading() as conn:
        return {
            name: str(conn.execute(select(table)).all()) for name, table in metadata.tables.items()
        }


def test_a_name_and_an_identity_number_leave_no_trace(clinic: Clinic):
    """The visits of one patient belong together, however the files write the patient."""
    clinic.read(named(row("B1"), "Berg, Nils 20160501-2382"), head=NAMED)
    clinic.read(named(row("B2", "2026-12-03 10:00"), "Nils Berg (160501-2382)"), head=NAMED)
    clinic.read(named(row("B3", "2026-12-04 10:00"), "Nils Berg, 10 år"), head=NAMED)
    clinic.read(named(row("B4-160501-2382"), "P1"), head=NAMED)
    held = everything(clinic)
    assert [name for name, said in held.items() if "2382" in said or "Nils" in said] == []
    assert held["patient"].count("patient:") == 1
    assert len(clinic.worklist()) == 1


@pytest.mark.parametrize(
    "nothing",
    ["", row(kind="Hembesök"), row(phone="070-174 06 05 (mamma)"), row(start="2026-11-01 10:00")],
    ids=["only a header", "other kinds", "nobody to tell", "past"],
)
def test_a_file_that_brings_nothing_is_not_the_first(clinic: Clinic, nothing: str):
    """Until a clinic has bookings, none is confirmed unasked; then new ones are."""
    clinic.read(nothing)
    second = clinic.read(row(), exported_at=clinic.clock.now())
    assert (second.first_import, second.confirmations) == (True, False)
    third = clinic.read(row(), row("B2", "2026-12-03 10:00"))
    assert (third.first_import, third.confirmations) == (False, True)


def test_an_export_time_to_come_is_refused(clinic: Clinic):
    """Nothing exported later can be older than it; a clock some minutes ahead is no matter."""
    with pytest.raises(RefusedFileError, match="2027-11-30 11:00"):
        clinic.read(row(), exported_at=at("2027-11-30 11:00"))
    clinic.read(row(), exported_at=clinic.clock.now() + timedelta(minutes=4))
    assert clinic.read(row(), exported_at=clinic.clock.now()).counts[Category.UNCHANGED] == 1


def test_a_file_whose_own_time_is_to_come_counts_as_exported_now(clinic: Clinic):
    """It is imported, says so, and does not make the next file an older one."""
    path = clinic.folder / "export.csv"
    path.write_text(HEAD + row(), "utf-8")
    ahead = at("2027-11-30 11:00")
    os.utime(path, (ahead.timestamp(), ahead.timestamp()))
    now = clinic.clock.now()
    options = importing.Options()
    staged = importing.stage(clinic.runtime, "internet", path, options, now)
    assert importing.apply(clinic.runtime, staged, options, now).file_time == ahead
    assert clinic.read(row(), exported_at=now).file_time is None


def test_an_export_time_to_come_that_was_believed_blocks_nothing(clinic: Clinic):
    """What an earlier version recorded does not refuse every file for a year."""
    clinic.read(row())
    with clinic.runtime.database.transaction() as conn:
        conn.execute(update(import_run).values(exported_at=at("2027-11-30 11:00")))
    clinic.clock.set(at("2026-11-30 13:00"))
    assert clinic.read(row()).counts[Category.UNCHANGED] == 1


def open_problems(clinic: Clinic) -> list[str]:
    """Return the codes of the problems that staff see."""
    with clinic.runtime.database.reading() as conn:
        return [one.problem.code for one in import_pages.open_problems(conn, 1, 100)]


def test_a_day_that_goes_by_is_no_problem(clinic: Clinic):
    """The same file in the afternoon, when the day's visits have begun, changes nothing."""
    today = [
        row(f"B{n}", f"2026-11-30 1{n}:30", phone=f"070-174 06 1{n}", born="x" if n == 5 else "")
        for n in range(3, 6)
    ]
    file = [*today, row("B9", "2026-12-01 10:00", phone="070-174 06 19")]
    assert len(clinic.read(*file).problems) == 1
    clinic.until("2026-11-30 19:00")
    before = {ref: clinic.states(ref) for ref in ("B3", "B4", "B9")}
    again = clinic.read(*file, strict=True)
    assert (again.counts[Category.UNCHANGED], again.changes_anything) == (4, False)
    assert (again.problems, open_problems(clinic)) == ([], [])
    assert {ref: clinic.states(ref) for ref in before} == before


def test_a_day_that_is_marked_as_over_is_no_problem(clinic: Clinic):
    """In an afternoon's export the morning's visits are marked: all of it is as it was."""
    words = ["Bokad", "Genomförd", "Uteblev", "Klar", "Ankommen", "Kallad"]
    days = [f"2026-11-30 13:{10 * n:02}" for n in range(6)]

    def file(*statuses: str) -> list[str]:
        return [
            row(f"B{n}", day, status=status, phone=f"070-174 06 1{n}")
            for n, (day, status) in enumerate(zip(days, statuses, strict=True))
        ]

    assert clinic.read(*file(*["Bokad"] * 6)).problems == []
    clinic.until("2026-11-30 15:00")
    again = clinic.read(*file(*words), strict=True)
    assert (again.counts[Category.UNCHANGED], again.changes_anything) == (6, False)
    assert (again.problems, open_problems(clinic)) == ([], [])


def test_a_known_visit_that_has_begun_is_not_moved_by_a_correction(clinic: Clinic):
    """When it really began, or that it was no cancelled one after all, is told to nobody."""
    clinic.read(row("B1", "2026-11-30 13:00"), row("B2", "2026-11-30 13:30"))
    clinic.read(row("B2", "2026-11-30 13:30", status="avbokad"))
    clinic.until("2026-11-30 14:00")
    texts = clinic.texts()
    again = clinic.read(row("B1", "2026-11-30 13:15"), row("B2", "2026-11-30 13:30"))
    assert (again.counts[Category.UNCHANGED], again.problems) == (2, [])
    clinic.until("2026-11-30 18:00")
    assert clinic.texts() == texts
    assert clinic.show("B1").visit.starts_at == at("2026-11-30 13:00")


def test_a_visit_to_come_that_a_file_puts_in_the_past_is_a_problem(clinic: Clinic):
    """A slip of the date is told, and the visit stays where it is."""
    clinic.read(row("B1"))
    again = clinic.read(row("B1", "2025-12-02 10:00"))
    assert [problem.code.value for problem in again.problems] == ["past_time"]
    assert clinic.show("B1").visit.starts_at == at("2026-12-02 10:00")


def test_a_visit_in_the_past_that_a_later_file_lacks_is_settled(clinic: Clinic):
    """An unknown visit in the past is a problem as long as the files have it."""
    clinic.read(row("B1", "2026-11-29 10:00"), row("B2"))
    assert open_problems(clinic) == ["past_time"]
    clinic.read(row("B1", "2026-11-29 10:00"), row("B2"))
    assert open_problems(clinic) == ["past_time"]
    clinic.read(row("B2"))
    assert open_problems(clinic) == []


def test_a_mistyped_year_stays_until_it_is_right(clinic: Clinic):
    """No other file takes it from the worklist, and no day that goes by: only one that is right."""
    clinic.read(row("B1", "2025-12-04 10:00"), row("B2"))
    clinic.read(row("B2"), row("B3", "2026-12-03 10:00"))
    asyncio.run(keep_house(clinic.runtime, clinic.clock.now() + timedelta(days=3)))
    assert open_problems(clinic) == ["past_time"]
    clinic.read(row("B1", "2025-12-04 10:00"), row("B2"))
    assert open_problems(clinic) == ["past_time"]
    clinic.read(row("B1", "2026-12-04 10:00"))
    assert open_problems(clinic) == []


def test_a_year_of_visits_that_are_over_is_no_list_of_mistakes(clinic: Clinic):
    """A first file with all visits of a term leaves none on the worklist once another is there."""
    past = [row(f"P{n}", f"2026-{9 + n // 3:02}-{1 + 10 * (n % 3):02} 10:00") for n in range(9)]
    clinic.read(*past, row("P9", "2025-09-01 10:00"), row("B2"))
    assert len(open_problems(clinic)) == 10
    clinic.read(row("B2"))
    assert [item.ref for item in clinic.worklist() if item.kind == "problem"] == ["P9"]


def test_a_mistyped_time_is_settled_by_a_file_of_its_days(clinic: Clinic):
    """A file that has other visits of those days, and this one not, says that there is none."""
    clinic.read(row("B1", "2025-12-04 10:00"), row("B2"))
    others = [row(f"K{n}", f"2025-12-{3 + n:02} 10:00", status="avbokad") for n in range(3)]
    clinic.read(*others, row("B2"))
    assert open_problems(clinic) == []


def test_a_known_visit_to_come_that_is_put_in_the_past_stays_a_problem(clinic: Clinic):
    """However near: its texts go by the time that was known before. Once it is over it is none."""
    clinic.read(row("B1"))
    clinic.read(row("B1", "2026-11-29 10:00"))
    clinic.read(row("B2"))
    assert open_problems(clinic) == ["past_time"]
    asyncio.run(keep_house(clinic.runtime, at("2026-12-03 11:00")))
    assert open_problems(clinic) == []


def test_a_visit_in_the_past_is_settled_after_a_day(clinic: Clinic):
    """When nobody has put its date right in a day, it leaves the worklist; others do not."""
    clinic.read(row("B1", "2026-11-29 10:00"), row("B2", phone="070-mamma"))
    now = clinic.clock.now()
    asyncio.run(keep_house(clinic.runtime, now + timedelta(hours=23)))
    assert sorted(open_problems(clinic)) == ["bad_phone", "past_time"]
    asyncio.run(keep_house(clinic.runtime, now + timedelta(hours=25)))
    assert open_problems(clinic) == ["bad_phone"]


def test_an_empty_cell_does_not_take_protection_away(clinic: Clinic):
    """Who is known as protected stays so until a file says no."""
    head = HEAD.removesuffix("\n") + ";skyddad\n"
    told = {said: named(row(), said) for said in ("ja", "", "nej")}
    clinic.read(told["ja"], head=head)
    clinic.read(told[""], head=head)
    clinic.until("2026-12-02 11:00")
    assert clinic.show("B1").visit.protected
    assert clinic.texts() == []
    clinic.read(told["nej"].replace("2026-12-02", "2026-12-04"), head=head)
    assert not clinic.show("B1").visit.protected
