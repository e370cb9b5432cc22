"""Large files: applied part by part, to the end, and the same as at once."""

import signal

import pytest
from sqlalchemy import func, select

from reminders.domain.brought import Category
from reminders.engine import applying, difference, importing
from reminders.store import import_changes, schema, schema_intake
from tests.engine.clinic import HEAD, Clinic, row

ROWS = [
    row(f"B{n}", f"2026-12-{2 + n % 20:02} 10:{n % 6}0", phone=f"070-174 06 {10 + n % 80}")
    for n in range(24)
]


def count(clinic: Clinic, table) -> int:
    with clinic.runtime.database.reading() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a handful of rows for a large file."""
    monkeypatch.setattr(applying, "AT_ONCE", 5)
    monkeypatch.setattr(applying, "PART", 5)


@pytest.mark.usefixtures("in_parts")
def test_a_large_file_is_applied_part_by_part(clinic: Clinic) -> None:
    """Applied in parts, a file comes to the same as at once, and leaves nothing staged."""
    done = clinic.read(*ROWS)
    assert done.applied
    assert done.counts[Category.NEW] == count(clinic, schema.appointment) == 24
    assert (
        count(clinic, schema_intake.staged_visit)
        == count(clinic, schema_intake.staged_contact)
        == 0
    )
    again = clinic.read(*ROWS[:-1], full=True)
    assert again.counts[Category.UNCHANGED] == 23
    assert [visit.ref for visit in again.missing] == ["B23"]
    moved = clinic.read(*ROWS[2:], row("B1", "2026-12-05 11:00", phone="070-174 06 11"))
    assert [move.ref for move in moved.moves] == ["B1"]


@pytest.mark.usefixtures("in_parts")
def test_of_each_change_the_first_visits_are_kept(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import's page has so many visits of each kind of change, however large the file is."""
    for module in (applying, difference):
        monkeypatch.setattr(module, "MOST_LISTED", 8)
    done = clinic.read(*ROWS)
    with clinic.runtime.database.reading() as conn:
        kept = import_changes.of_import(conn, done.run_id)
    assert {category: len({one.ref for one in found}) for category, found in kept.items()} == {
        Category.NEW: 8
    }


@pytest.mark.usefixtures("in_parts")
def test_what_a_process_left_is_finished_by_the_next(clinic: Clinic) -> None:
    """A file of which a part was applied when the process died is finished by another."""
    path = clinic.folder / "stor.csv"
    path.write_text(HEAD + "".join(ROWS), encoding="utf-8")
    now = clinic.clock.now()
    options = importing.Options(exported_at=now)
    staged = importing.stage(clinic.runtime, "internet", path, options, now)
    clinic.runtime.in_transaction(applying.begin_parts, clinic.runtime, staged, options, now)
    clinic.runtime.in_transaction(applying.apply_some, clinic.runtime, staged.run_id, now)
    assert count(clinic, schema.appointment) == 5
    importing.forget(clinic.runtime, staged)
    clinic.restart()
    importing.resume(clinic.runtime, now)
    assert count(clinic, schema.appointment) == 24
    with clinic.runtime.database.reading() as conn:
        (counts,) = conn.execute(select(schema_intake.import_run.c.counts)).scalars()
    assert counts["new"] == 24
    assert count(clinic, schema_intake.staged_visit) == 0


@pytest.mark.usefixtures("in_parts")
def test_an_interrupt_waits_until_a_begun_file_is_applied(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of applying is heeded once all of the file is applied."""
    apply_some, calls = applying.apply_some, list[object]()

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return apply_some(*given)

    monkeypatch.setattr(importing, "apply_some", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clinic.read(*ROWS)
    assert count(clinic, schema.appointment) == 24
    assert count(clinic, schema_intake.staged_visit) == 0


@pytest.mark.usefixtures("in_parts")
def test_a_second_interrupt_leaves_the_rest_to_the_next_process(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who does not want to wait is heeded after the part at hand; the file is applied all the same."""
    apply_some = applying.apply_some

    def interrupted(*given):
        signal.raise_signal(signal.SIGINT)
        return apply_some(*given)

    with monkeypatch.context() as patch:
        patch.setattr(importing, "apply_some", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clinic.read(*ROWS)
    assert count(clinic, schema.appointment) == 10
    importing.resume(clinic.runtime, clinic.clock.now())
    assert count(clinic, schema.appointment) == 24
    assert count(clinic, schema_intake.staged_visit) == 0


def test_a_booking_named_once_is_the_patients_on_every_row(clinic: Clinic) -> None:
    """Where only one row of a booking has the patient's number, both people are that patient's."""
    head = "boknings-id;patient;starttid;besökstyp;mobil;roll\n"
    first = "B1;P7;2026-12-02 10:00;Videobesök;070-174 06 05;vårdnadshavare\n"
    second = "B1;;2026-12-02 10:00;Videobesök;070-174 06 06;vårdnadshavare\n"
    assert clinic.read(first, second, head=head).counts[Category.NEW] == 1
    assert count(clinic, schema.patient) == 1
    assert count(clinic, schema.contact) == 2
