"""A mailbox is one, however its address is written: with capitals, or without."""

from sqlalchemy import select, text

from reminders.engine import contacts
from reminders.store import clinics, pages
from reminders.store.contacts import rekey
from reminders.store.pages import Wanted
from reminders.store.schema import message
from tests.engine.clinic import Clinic, row

WRITTEN, OTHERWISE = "Anna.Berg@example.org", "anna.berg@example.org"


def mail(clinic: Clinic) -> list[str]:
    """Return to whom emails went."""
    return [text.to for text in clinic.texts() if text.channel == "email"]


def test_two_guardians_with_one_mailbox_get_one_email(clinic: Clinic) -> None:
    """Who stands twice in a file, spelled otherwise, is one person; the address is sent to as written."""
    lines = [row(phone="", email=email) for email in (WRITTEN, OTHERWISE)]
    clinic.read(*lines, row(phone="", email=WRITTEN, role="patient"), confirmations=True)
    clinic.until("2026-11-30 12:05")
    assert len(mail(clinic)) == 1
    assert len(clinic.show("B1").patient.people) == 2
    clinic.read(*(line.replace(OTHERWISE, WRITTEN.upper()) for line in lines), confirmations=True)
    clinic.until("2026-11-30 12:10")
    assert len(mail(clinic)) == 1


def test_an_opt_out_holds_for_every_spelling(clinic: Clinic) -> None:
    """Who wants no more at an address gets none at the same one written otherwise, and is found."""
    runtime, now = clinic.runtime, clinic.clock.now()
    clinic.read(row(phone="", email=WRITTEN), confirmations=True)
    runtime.in_transaction(contacts.stop_address, runtime, "internet", OTHERWISE.upper(), now)
    clinic.until("2026-11-30 12:05")
    assert mail(clinic) == []
    with runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, "internet") or 0
        [visit] = pages.search(conn, clinic_id, Wanted(address=OTHERWISE.title()), 2)
        [person] = pages.people_of(conn, [visit.id])[visit.id]
    assert person.opted_out == {WRITTEN}
    assert runtime.in_transaction(contacts.start_address, runtime, "internet", OTHERWISE, now)
    clinic.until("2026-11-30 12:10")
    assert mail(clinic) == ["A…@example.org"]  # as it is written, the mask aside


def test_siblings_on_one_mailbox_in_two_spellings_are_told_apart(clinic: Clinic) -> None:
    """One reader of two visits is told of which of them a text is."""
    clinic.read(
        row("B1001", phone="", email=WRITTEN),
        row("B1002", "2026-12-02 11:00", phone="", email=OTHERWISE, born="2018-03-03"),
    )
    clinic.until("2026-12-01 11:30")
    first, second = clinic.texts()
    assert "1001" in first.body
    assert "1002" in second.body


def test_what_went_before_spellings_were_one_is_not_sent_again(clinic: Clinic) -> None:
    """A reminder that an earlier version sent to an address with capitals counts as sent."""
    clinic.read(row(phone="", email=WRITTEN))
    clinic.until("2026-12-01 10:05")
    assert len(mail(clinic)) == 1
    digest = clinic.runtime.digest
    with clinic.runtime.database.transaction() as conn:
        key = conn.execute(select(message.c.address_key).where(message.c.state == "delivered"))
        assert key.scalar() == digest(OTHERWISE)
        before = {"old": digest(WRITTEN), "new": digest(OTHERWISE)}
        conn.execute(text("UPDATE message SET address_key = :old WHERE address_key = :new"), before)
        rekey(conn, digest)
        conn.execute(text("UPDATE appointment SET needs_plan = true"))
    clinic.until("2026-12-01 10:10")
    assert len(mail(clinic)) == 1
