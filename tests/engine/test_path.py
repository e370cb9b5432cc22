"""The whole path: a booking in a file becomes the right text on a phone."""

import pytest
from sqlalchemy import func, insert, select

from reminders.domain.brought import Category
from reminders.engine import desk
from reminders.errors import RefusedFileError
from reminders.message.sms import measure
from reminders.store import schema, schema_intake
from tests.engine.clinic import HEAD, Clinic, at, row


def test_booking_becomes_two_texts(clinic: Clinic) -> None:
    """A booking two days ahead gets its day-before text and its tips 15 minutes before."""
    clinic.read(row())
    clinic.until("2026-12-02 11:00")
    texts = clinic.texts()
    assert [(text.channel, text.at) for text in texts] == [
        ("sms", "2026-12-01 10:00"),
        ("sms", "2026-12-02 09:45"),
    ]
    assert "i morgon" in texts[0].body
    assert "Mina ärenden" in texts[1].body
    assert all(text.to.endswith("605") for text in texts)
    assert [state for *_, state, _ in clinic.states("B1")].count("delivered") == 2


def test_same_file_again_changes_nothing(clinic: Clinic) -> None:
    """Importing the same file again changes nothing and sends nothing."""
    clinic.read(row(), row("B2", "2026-12-03 09:00", phone="070-174 06 06"))
    clinic.until("2026-12-01 12:00")
    before = (clinic.texts(), clinic.states("B1"), clinic.states("B2"))
    again = clinic.read(row(), row("B2", "2026-12-03 09:00", phone="070-174 06 06"))
    assert again.counts[Category.UNCHANGED] == 2
    assert not again.changes_anything
    assert again.sends.messages == 0
    clinic.until("2026-12-01 13:00")
    assert (clinic.texts(), clinic.states("B1"), clinic.states("B2")) == before


def test_first_import_sends_no_confirmations(clinic: Clinic) -> None:
    """A clinic's first import confirms nothing unless asked; the next one does."""
    first = clinic.read(row())
    assert first.first_import
    assert not first.confirmations
    second = clinic.read(row("B2", "2026-12-03 09:00", phone="070-174 06 06"))
    assert second.confirmations
    clinic.until("2026-11-30 13:00")
    assert [text.to[-3:] for text in clinic.texts()] == ["606"]


def test_forecast_is_what_is_sent(clinic: Clinic) -> None:
    """The texts, segments and first time shown before an import are those that then go out."""
    shown = clinic.read(row(), confirmations=True, apply=False)
    assert clinic.texts() == []
    clinic.read(row(), confirmations=True)
    clinic.until("2026-12-02 11:00")
    assert shown.sends.messages == len(clinic.texts()) == 3
    assert shown.sends.first_at == at("2026-11-30 12:00")
    with clinic.runtime.database.reading() as conn:
        assert conn.execute(select(func.count()).select_from(schema.attempt)).scalar_one() == 3


def test_what_a_move_will_cost_is_what_its_text_costs(clinic: Clinic) -> None:
    """The text of a move names the time that no longer holds, in what is shown before as well."""
    clinic.read(row(born="2011-05-01", role="patient"), confirmations=True)
    clinic.until("2026-11-30 12:10")
    moved = row(start="2026-11-30 14:00", born="2011-05-01", role="patient")
    shown = clinic.read(moved, apply=False).sends
    clinic.read(moved)
    clinic.until("2026-11-30 13:50")
    sent = [text.body for text in clinic.texts()[1:]]
    assert "inte onsdag 2 december kl 10:00." in sent[0]
    assert shown.segments == sum(measure(body).segments for body in sent) == 4


def test_preview_writes_nothing(clinic: Clinic) -> None:
    """Looking at a file and saying no leaves the database as it was."""
    clinic.read(row(), row("B2", phone="abc"), apply=False)
    with clinic.runtime.database.reading() as conn:
        for table in (schema.appointment, schema.patient, schema.contact, schema_intake.problem):
            assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 0
        assert (
            conn.execute(select(func.count()).select_from(schema_intake.staged_visit)).scalar_one()
            == 0
        )
        assert (
            conn.execute(select(func.count()).select_from(schema_intake.import_run)).scalar_one()
            == 0
        )


def test_moved_visit_is_told_once_and_reminded_for_the_new_time(clinic: Clinic) -> None:
    """A visit moved after its reminder is told, and reminded of at its new time only."""
    clinic.read(row())
    clinic.until("2026-12-01 15:00")
    moved = clinic.read(row(start="2026-12-03 14:00"))
    assert moved.counts[Category.MOVED] == 1
    assert moved.moves[0].before == at("2026-12-02 10:00")
    clinic.until("2026-12-03 15:00")
    assert [text.at for text in clinic.texts()] == [
        "2026-12-01 10:00",
        "2026-12-01 15:00",
        "2026-12-02 14:00",
        "2026-12-03 13:45",
    ]
    assert "14" in clinic.texts()[1].body


def test_cancelled_visit_is_told_and_never_reminded(clinic: Clinic) -> None:
    """A cancellation is told to whoever had heard of the visit, and nothing follows it."""
    clinic.read(row())
    clinic.until("2026-12-01 15:00")
    assert clinic.read(row(status="avbokad")).counts[Category.CANCELLED] == 1
    clinic.until("2026-12-02 11:00")
    assert [text.at for text in clinic.texts()] == ["2026-12-01 10:00", "2026-12-01 15:00"]


def test_cancellation_of_an_unheard_visit_is_silent(clinic: Clinic) -> None:
    """Nobody is told of the cancellation of something they never heard of."""
    clinic.read(row(), confirmations=True)
    clinic.plan()
    clinic.read(row(status="avbokad"))
    clinic.until("2026-12-02 11:00")
    assert clinic.texts() == []


def test_missing_is_listed_and_cancelled_only_when_asked(clinic: Clinic) -> None:
    """A full file lists what it lacks; only --cancel-missing cancels it."""
    other = row("B2", "2026-12-02 15:00", phone="070-174 06 06")
    clinic.read(row(), other)
    elsewhere = row("B3", "2026-12-03 15:00", phone="070-174 06 07")
    clinic.read(row(), other, elsewhere)
    assert clinic.read(row()).missing == []
    listed = clinic.read(row(), full=True)
    assert [visit.ref for visit in listed.missing] == ["B2"]
    assert clinic.show("B2").visit.status == "booked"
    clinic.read(row(), cancel_missing=True)
    assert clinic.show("B3").visit.status == "booked"
    assert clinic.show("B2").visit.status == "cancelled"


def test_problem_row_is_not_missing(clinic: Clinic) -> None:
    """A booking whose row has a problem is not taken for missing."""
    clinic.read(row(), row("B2", "2026-12-02 15:00", phone="070-174 06 06"))
    clinic.read(row(), row("B2", "i övermorgon", phone="070-174 06 06"), cancel_missing=True)
    assert clinic.show("B2").visit.status == "booked"


def test_what_staff_changed_after_the_export_stands(clinic: Clinic) -> None:
    """The same file again does not undo what staff have done since; a newer export is followed."""
    rows = (row("B1"), row("B2", phone="070-174 06 06"), row("B3", phone="070-174 06 07"))
    exported = clinic.clock.now()
    clinic.read(*rows, confirmations=True)
    clinic.until("2026-11-30 13:00")
    runtime, now = clinic.runtime, clinic.clock.now()
    runtime.in_transaction(desk.cancel, runtime, "internet", ["B1"], now)
    runtime.in_transaction(desk.move, runtime, "internet", "B2", at("2026-12-03 09:00"), now)
    clinic.until("2026-11-30 14:00")
    sent = len(clinic.texts())
    again = clinic.read(*rows, exported_at=exported)
    assert (again.kept_refs, again.counts[Category.UNCHANGED]) == (["B1", "B2"], 1)
    clinic.until("2026-11-30 14:30")
    assert len(clinic.texts()) == sent
    assert clinic.show("B1").visit.status == "cancelled"
    newer = clinic.read(*rows)
    assert (newer.kept_refs, newer.counts[Category.MOVED]) == ([], 1)
    assert clinic.show("B1").visit.status == "booked"


def test_older_export_is_refused(clinic: Clinic) -> None:
    """A file exported before the one imported last is refused unless that is asked for."""
    clinic.read(row())
    with pytest.raises(RefusedFileError, match="--older-ok"):
        clinic.read(row(start="2026-12-04 10:00"), exported_at=at("2026-11-29 12:00"))
    assert clinic.show("B1").visit.starts_at == at("2026-12-02 10:00")
    clinic.read(row(start="2026-12-04 10:00"), exported_at=at("2026-11-29 12:00"), older_ok=True)
    assert clinic.show("B1").visit.starts_at == at("2026-12-04 10:00")


def test_broken_file_changes_nothing(clinic: Clinic) -> None:
    """A file that is cut off is refused whole, after rows that were fine."""
    rows = "".join(row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(10, 80))
    with pytest.raises(RefusedFileError):
        clinic.read(rows, "B99;2026-12-0")
    with clinic.runtime.database.reading() as conn:
        for table in (schema.appointment, schema_intake.import_run, schema_intake.staged_visit):
            assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_problem_stands_until_solved(clinic: Clinic) -> None:
    """A bad row stands on the worklist until a file puts it right; the good rows go in."""
    difference = clinic.read(row(), row("B2", phone="070-mamma", born=""))
    assert difference.counts[Category.NEW] == 1
    assert [problem.line for problem in difference.problems] == [3]
    assert [item.ref for item in clinic.worklist() if item.kind == "problem"] == ["B2"]
    clinic.read(row(), row("B2", phone="070-174 06 06", born=""))
    assert [item for item in clinic.worklist() if item.kind == "problem"] == []


def test_strict_refuses_any_problem(clinic: Clinic) -> None:
    """With --strict one problem row refuses the file."""
    with pytest.raises(RefusedFileError) as refusal:
        clinic.read(row(), row("B2", phone="070-mamma"), strict=True)
    assert len(refusal.value.problems) == 1
    assert clinic.worklist() == []


def test_moved_with_an_unreadable_phone_is_still_moved(clinic: Clinic) -> None:
    """A new time counts although the row's phone cannot be read; the known phone stays."""
    clinic.read(row())
    clinic.plan()
    clinic.read(row(start="2026-12-03 14:00", phone="070-mamma"))
    clinic.until("2026-12-03 15:00")
    assert [text.at for text in clinic.texts()] == [
        "2026-11-30 12:00",
        "2026-12-02 14:00",
        "2026-12-03 13:45",
    ]
    assert {text.to[-3:] for text in clinic.texts()} == {"605"}


def test_interrupted_import_leaves_nothing(clinic: Clinic) -> None:
    """Ctrl-C while a file is read leaves nothing half done."""
    from reminders.engine import importing

    path = clinic.folder / "lång.csv"
    path.write_text(HEAD + "".join(row(f"B{n}") for n in range(2000)), encoding="utf-8")

    def interrupt(done: float) -> None:
        if done > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importing.stage(
            clinic.runtime,
            "internet",
            path,
            importing.Options(exported_at=clinic.clock.now()),
            clinic.clock.now(),
            interrupt,
        )
    with clinic.runtime.database.reading() as conn:
        for table in (
            schema_intake.import_run,
            schema_intake.staged_visit,
            schema_intake.staged_contact,
            schema_intake.staged_doubt,
        ):
            assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_row_written_by_another_system(clinic: Clinic) -> None:
    """A visit written straight into the documented columns is planned like any other."""
    with clinic.runtime.database.transaction() as conn:
        clinic_id = conn.execute(select(schema.clinic.c.id)).scalar_one()
        patient_id = conn.execute(
            insert(schema.patient)
            .values(clinic_id=clinic_id, external_key="other:1")
            .returning(schema.patient.c.id)
        ).scalar_one()
        contact_id = conn.execute(
            insert(schema.contact)
            .values(patient_id=patient_id, role="patient", phone="+46701740605")
            .returning(schema.contact.c.id)
        ).scalar_one()
        conn.exec_driver_sql(
            "INSERT INTO consent (contact_id, channel, status, source)"
            f" VALUES ({contact_id}, 'sms', 'given', 'other')"
        )
        zone = "" if clinic.runtime.database.is_sqlite else "+00:00"
        conn.exec_driver_sql(
            "INSERT INTO appointment (clinic_id, ref, patient_id, kind, starts_at, changed_at)"
            f" VALUES ({clinic_id}, 'X1', {patient_id}, 'Video', '2026-12-02 09:00:00{zone}',"
            f" '2026-11-30 10:00:00{zone}')"
        )
    clinic.until("2026-12-01 12:00")
    assert [text.at for text in clinic.texts()] == ["2026-11-30 12:00", "2026-12-01 10:00"]
    with clinic.runtime.database.transaction() as conn:
        conn.exec_driver_sql("UPDATE appointment SET status = 'cancelled' WHERE ref = 'X1'")
    clinic.until("2026-12-02 12:00")
    assert len(clinic.texts()) == 3
    assert clinic.states("X1")[-1][:3] == ("cancelled", "sms", "delivered")
