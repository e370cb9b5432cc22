"""A booking under another patient number: the same person keeps all, another one gets nothing."""

import pytest
from sqlalchemy import select

from reminders.domain.appointment import OwnLogin
from reminders.domain.contact import Channel, Consent, Role, Wishes
from reminders.engine import contacts, people
from reminders.engine.contacts import Addresses
from reminders.engine.people import Changes
from reminders.store import schema
from tests.engine.clinic import Clinic

TIME = "boknings-id;starttid;besökstyp"
IDENTITY, NUMBER = "200001012384", "77001"
AS_IDENTITY = f"{TIME};personnummer;mobil;skyddad\n"
AS_NUMBER = f"{TIME};patientnr;mobil;skyddad\n"
BORN = f"{TIME};patientnr;mobil;skyddad;födelsedatum;roll\n"


def line(key: str, ref: str = "B1", phone: str = "0701740605", more: str = "") -> str:
    return f"{ref};2026-12-03 14:00;Videobesök;{key};{phone};{more}\n"


def change(clinic: Clinic, changes: Changes) -> None:
    """Record something of the first contact of the booking."""
    contact_id = clinic.show("B1").patient.people[0].id
    clinic.runtime.in_transaction(
        people.change, clinic.runtime, "internet", "B1", contact_id, changes, clinic.clock.now()
    )


def staff_record_all(clinic: Clinic) -> None:
    """Let staff record what only they know: a refusal, hours without texts, a login."""
    refused = {Channel.SMS: Consent.REFUSED}
    change(clinic, Changes({"prefers": Channel.EMAIL}, consent=refused))
    now = clinic.clock.now()
    clinic.runtime.in_transaction(
        people.record_login, clinic.runtime, "internet", "B1", OwnLogin.CONFIRMED, now
    )


def recorded(clinic: Clinic) -> tuple[object, ...]:
    patient = clinic.show("B1").patient
    [person] = patient.people
    sms = person.words[Channel.SMS]
    return patient.own_login, person.wishes.prefers, sms.status, sms.source


ALL = (OwnLogin.CONFIRMED, Channel.EMAIL, "refused", "staff")
NOTHING = (OwnLogin.UNKNOWN, None, "given", "import")

SAME = [
    (AS_IDENTITY, line(IDENTITY), AS_NUMBER, line(NUMBER)),
    (AS_NUMBER, line(NUMBER), AS_IDENTITY, line(IDENTITY)),
    (AS_NUMBER, line("0077001"), AS_NUMBER, line("77001")),
    (AS_NUMBER, line("77001"), AS_NUMBER, line("0077001")),
    (AS_NUMBER, line("0077001"), AS_NUMBER, line("77001", phone="0701740606")),
]
"""A file, and a later one in which the same person has another number, or other columns."""
SAID = ["number", "identity", "zeros lost", "zeros back", "another phone"]


@pytest.mark.parametrize(("head", "first", "later", "second"), SAME, ids=SAID)
def test_a_protected_patient_under_another_number_is_never_texted(
    clinic: Clinic, head: str, first: str, later: str, second: str
) -> None:
    """Only a no takes protection away: neither a new number nor an empty cell does."""
    clinic.read(first.replace(";\n", ";ja\n"), head=head, confirmations=True)
    clinic.read(second, head=later, confirmations=True)
    clinic.until("2026-12-03 13:50")
    assert clinic.show("B1").visit.protected
    assert clinic.texts() == []
    calls = {item.reason for item in clinic.worklist() if item.kind == "call"}
    assert calls == {"protected_identity"}
    clinic.read(second.replace(";\n", ";nej\n"), head=later)
    assert not clinic.show("B1").visit.protected


@pytest.mark.parametrize(("head", "first", "later", "second"), SAME[:4], ids=SAID[:4])
def test_what_staff_recorded_goes_along_with_the_same_person(
    clinic: Clinic, head: str, first: str, later: str, second: str
) -> None:
    """A refusal, wishes and a login stay; nobody is called to be told that it is not theirs."""
    clinic.read(first, head=head, confirmations=True)
    clinic.until("2026-11-30 13:00")
    assert len(clinic.texts()) == 1
    staff_record_all(clinic)
    done = clinic.read(second, head=later)
    assert recorded(clinic) == ALL
    assert done.passed == 0
    clinic.until("2026-12-03 13:50")
    assert len(clinic.texts()) == 1
    assert "other_patient" not in {item.reason for item in clinic.worklist()}


def test_bookings_under_another_number_are_counted(clinic: Clinic) -> None:
    """The difference says how many are the same patient's under another number, and another's."""
    others = [line(f"7700{n}", f"B{n}", f"07017406{n:02}") for n in (2, 3)]
    clinic.read(line(NUMBER), *others, head=AS_NUMBER)
    moved = [line("88002", "B2", "0701740699"), others[1]]
    shown = clinic.read(line("99001"), *moved, head=AS_NUMBER, apply=False)
    assert (shown.renumbered, shown.passed) == (1, 1)
    done = clinic.read(line("99001"), *moved, head=AS_NUMBER)
    assert (done.renumbered, done.passed) == (1, 1)
    again = clinic.read(line("99001"), *moved, head=AS_NUMBER)
    assert (again.renumbered, again.passed) == (0, 0)


ANOTHER = [
    ("P1", "2011-05-01;patient", "P2", "0701740699", "2011-05-01;patient"),
    ("P1", "2011-05-01;patient", "P2", "0701740605", "2013-05-01;patient"),
    ("P1", ";patient", "P2", "0701740699", ";patient"),
]
"""A patient, and another one to whom a file gives the booking: number, phone, birth date, role."""


@pytest.mark.parametrize(
    ("key", "born", "other", "phone", "others_born"),
    ANOTHER,
    ids=["phone", "birth date", "nothing told"],
)
def test_another_patient_inherits_nothing(
    clinic: Clinic, key: str, born: str, other: str, phone: str, others_born: str
) -> None:
    """With another address or birth date it is somebody else: no consent, wish, login or number."""
    clinic.read(line(key, more=f";{born}"), head=BORN)
    staff_record_all(clinic)
    now = clinic.clock.now()
    aunt = Addresses("+46701740680", None)
    clinic.runtime.in_transaction(
        contacts.add, clinic.runtime, "internet", "B1", Role.GUARDIAN, aunt, now
    )
    done = clinic.read(line(other, phone=phone, more=f";{others_born}"), head=BORN)
    assert recorded(clinic) == NOTHING
    assert (done.renumbered, done.passed) == (0, 1)


def test_siblings_on_one_phone_are_two(clinic: Clinic) -> None:
    """Twins have a guardian's number and the birth date in common; the file has them both."""
    twins = ";2016-05-01;mamma"
    rows = [line("P1", more=twins), line("P1", "B2", more=twins)]
    clinic.read(*rows, head=BORN)
    change(clinic, Changes({"from_13": True}))
    clinic.read(line("P2", more=twins), rows[1], head=BORN)
    assert clinic.show("B1").patient.people[0].wishes == Wishes()


def test_protection_stays_with_a_booking_whoever_it_is(clinic: Clinic) -> None:
    """Whoever gets a protected patient's booking is not texted until the file says no."""
    clinic.read(line("P1", more="ja;2011-05-01;patient"), head=BORN, confirmations=True)
    clinic.read(line("P2", phone="0701740699", more=";2013-05-01;patient"), head=BORN)
    clinic.until("2026-12-03 13:50")
    assert clinic.texts() == []
    calls = {item.reason for item in clinic.worklist() if item.kind == "call"}
    assert calls == {"protected_identity"}
    with clinic.runtime.database.reading() as conn:
        former = conn.execute(select(schema.appointment.c.former_patient_id)).scalar_one()
    assert former is not None
