"""Stories of files as clinics export them, day after day: what stays, and what is never kept."""

import os
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from reminders.domain.merge import Category
from reminders.engine import importing
from reminders.errors import RefusedFileError
from reminders.store.schema import import_run, metadata
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
