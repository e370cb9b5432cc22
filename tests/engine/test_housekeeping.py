"""History: purged when it is long over, with its numbers kept; what imports left is cleared."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from reminders.engine import applying, importing
from reminders.engine.housekeeping import keep_house
from reminders.store import clearing, retention, schema, schema_intake
from reminders.store.schema_intake import staged_doubt, staged_visit
from tests.engine.clinic import HEAD, Clinic, row

YEAR = timedelta(days=400)


def count(clinic: Clinic, table) -> int:
    with clinic.runtime.database.reading() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


def test_what_is_long_over_is_purged_and_counted(clinic: Clinic) -> None:
    """After `retention.keep` a visit goes with all that hangs on it; its numbers stay."""
    clinic.read(row(), row("B2", "2027-06-02 10:00", phone="070-174 06 06"))
    clinic.until("2026-12-02 11:00")
    now = clinic.clock.now()
    assert asyncio.run(keep_house(clinic.runtime, now + YEAR - timedelta(days=1))) == 0
    assert asyncio.run(keep_house(clinic.runtime, now + YEAR)) == 1
    with clinic.runtime.database.reading() as conn:
        assert list(conn.execute(select(schema.appointment.c.ref)).scalars()) == ["B2"]
        counts = retention.purged_counts(conn, 1)
    assert counts["2026-12", "fifteen_minutes", "sms", "delivered"] == 1
    assert count(clinic, schema.patient) == count(clinic, schema.contact) == 1
    assert count(clinic, schema.attempt) == 0
    assert clinic.show("B2").visit.status == "booked"


def test_a_patient_who_has_another_visit_stays(clinic: Clinic) -> None:
    """Somebody who still has a visit keeps their addresses when an old one is purged."""
    head = "boknings-id;patient;starttid;besökstyp;mobil\n"
    line = "{};P1;{} 10:00;Videobesök;070-174 06 05\n"
    rows = [line.format("B1", "2026-12-02"), line.format("B2", "2027-12-02")]
    clinic.read(*rows, head=head)
    clinic.plan()
    assert asyncio.run(keep_house(clinic.runtime, clinic.clock.now() + YEAR + timedelta(3))) == 1
    assert count(clinic, schema.contact) == 1
    assert count(clinic, schema.appointment) == 1


def stage(clinic: Clinic) -> importing.Staged:
    """Stage a file as a process does that then dies."""
    path = clinic.folder / "bokningar.csv"
    path.write_text(HEAD + row(), encoding="utf-8")
    now = clinic.clock.now()
    options = importing.Options(exported_at=now)
    return importing.stage(clinic.runtime, "internet", path, options, now)


def test_a_file_that_nobody_goes_on_with_is_cleared(clinic: Clinic) -> None:
    """Rows that were read and never applied go after a day, also when nothing is imported again."""
    stage(clinic)
    now = clinic.clock.now()
    asyncio.run(keep_house(clinic.runtime, now + timedelta(hours=23)))
    assert count(clinic, schema_intake.staged_visit) == 1
    asyncio.run(keep_house(clinic.runtime, now + timedelta(hours=25)))
    assert (
        count(clinic, schema_intake.staged_visit)
        == count(clinic, schema_intake.staged_contact)
        == 0
    )
    assert count(clinic, schema_intake.import_run) == 0


def test_what_an_applied_file_left_staged_is_cleared(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that died between applying a large file and clearing up leaves nothing for good."""
    staged, now = stage(clinic), clinic.clock.now()
    options = importing.Options(exported_at=now)
    with monkeypatch.context() as patch:
        patch.setattr(applying, "AT_ONCE", 0)
        patch.setattr(importing, "_clear", lambda *_given: None)
        importing.apply(clinic.runtime, staged, options, now)
    assert count(clinic, schema_intake.staged_visit) == 1
    asyncio.run(keep_house(clinic.runtime, now))
    assert (
        count(clinic, schema_intake.staged_visit)
        == count(clinic, schema_intake.staged_contact)
        == 0
    )
    assert count(clinic, schema_intake.import_run) == 1


def test_a_doubt_of_no_booking_is_cleared_beside_a_row_that_is_held(clinic: Clinic) -> None:
    """What is held back stays staged; a row without a reference that speaks of nobody does not."""
    clinic.read(row("B0"))
    clinic.read(row("B1", phone="12"))
    with clinic.runtime.database.transaction() as conn:
        run_id = conn.execute(select(staged_doubt.c.import_run_id)).scalar_one()
        conn.execute(update(staged_doubt).values(ref=None))
        clearing.clear(conn, run_id)
        assert conn.execute(select(staged_doubt.c.id)).all() == []
        assert conn.execute(select(staged_visit.c.ref)).scalars().all() == ["B1"]
