"""What a file changes: who is who, what each booking becomes, and what is never dropped."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.domain.appointment import OwnLogin, Truth, VisitStatus
from reminders.domain.brought import (
    Category,
    IncomingPatient,
    IncomingPerson,
    IncomingVisit,
    KnownContact,
    KnownPatient,
    KnownVisit,
    PatientChange,
)
from reminders.domain.contact import Channel, Consent, Role
from reminders.domain.merge import merge
from tests.domain.world import local

NOW = local("2026-05-04 10:00")
STARTS = local("2026-05-12 14:00")
GIVEN = dict.fromkeys(Channel, Consent.GIVEN)
REFUSED_SMS = {Channel.SMS: Consent.REFUSED, Channel.EMAIL: Consent.GIVEN}
MOTHER, FATHER, OTHER = "+46701740605", "+46701740606", "+46701740607"
MAIL = "name@example.org"
OTHER_MAIL = "other@example.org"
TWO_BIRTHS = (date(2016, 5, 1), date(2010, 5, 1))


def person(
    phone: str | None = MOTHER,
    email: str | None = None,
    role: Role = Role.GUARDIAN,
    consents: Mapping[Channel, Consent] | None = None,
    language: str | None = None,
) -> IncomingPerson:
    return IncomingPerson(role, phone, email, language, consents or {})


def contact(
    number: int,
    phone: str | None = MOTHER,
    email: str | None = None,
    role: Role = Role.GUARDIAN,
    consents: Mapping[Channel, Consent] | None = None,
    language: str | None = None,
) -> KnownContact:
    return KnownContact(number, role, phone, email, language, consents or GIVEN)


def visit(ref: str = "B-2041", **facts: object) -> IncomingVisit:
    base = IncomingVisit(ref, 2, "videobesök", video=True, truth=Truth(STARTS, VisitStatus.BOOKED))
    return replace(base, **facts)  # type: ignore[arg-type]


def incoming(
    *people: IncomingPerson, visits: tuple[IncomingVisit, ...] = (), **facts: object
) -> IncomingPatient:
    base = IncomingPatient("patient:1", frozenset(), None, OwnLogin.UNKNOWN, visits, people)
    return replace(base, **facts)  # type: ignore[arg-type]


def known(*contacts: KnownContact, **facts: object) -> KnownPatient:
    base = KnownPatient(7, None, protected=False, own_login=OwnLogin.UNKNOWN, contacts=contacts)
    return replace(base, **facts)  # type: ignore[arg-type]


def apply(
    file: IncomingPatient, before: KnownPatient | None, *visits: tuple[str, KnownVisit]
) -> PatientChange:
    return merge(file, before, dict(visits), GIVEN, NOW)


def ids(change: PatientChange) -> list[int | None]:
    return [c.id for c in change.contacts]


def test_the_same_address_is_the_same_person():
    """People are known again by their address, in whatever order the file has them."""
    before = known(contact(1, MOTHER), contact(2, FATHER))
    change = apply(incoming(person(FATHER), person(MOTHER)), before)
    assert ids(change) == [2, 1]
    assert not change.differs
    assert change.removed == ()


def test_a_corrected_number_stays_with_its_person():
    """A number that changes stays with the person it is left over for."""
    before = known(contact(1, MOTHER), contact(2, FATHER))
    change = apply(incoming(person(MOTHER), person(OTHER)), before)
    assert ids(change) == [1, 2]
    assert [c.differs for c in change.contacts] == [False, True]


def test_a_corrected_number_with_the_same_email():
    """Who has the same email is the same person, whichever line comes first."""
    before = known(contact(1, MOTHER), contact(2, FATHER, MAIL))
    change = apply(incoming(person(OTHER, MAIL), person(MOTHER)), before)
    assert ids(change) == [2, 1]


def test_two_people_on_one_phone_are_told_apart_by_their_email():
    """Two guardians on one phone keep their own wishes when the file turns them round."""
    before = known(contact(1, MOTHER, MAIL, consents=REFUSED_SMS), contact(2, MOTHER, OTHER_MAIL))
    change = apply(incoming(person(MOTHER, OTHER_MAIL), person(MOTHER, MAIL)), before)
    assert ids(change) == [2, 1]
    assert not change.differs


def test_one_phone_for_parent_and_child():
    """A phone that parent and child share is told apart by the role."""
    before = known(contact(1, MOTHER, role=Role.PATIENT), contact(2, MOTHER))
    change = apply(incoming(person(MOTHER), person(MOTHER, role=Role.PATIENT)), before)
    assert ids(change) == [2, 1]
    assert not change.differs


def test_a_role_corrected():
    """A person whose role is corrected stays the same person."""
    change = apply(incoming(person(MOTHER, role=Role.PATIENT)), known(contact(1, MOTHER)))
    assert ids(change) == [1]
    assert change.differs


def test_a_new_and_a_removed_person():
    """A person whom a whole file lacks is removed, and one of another role is new."""
    before = known(contact(1, MOTHER), contact(2, FATHER, role=Role.PATIENT))
    change = apply(incoming(person(MOTHER), person(OTHER)), before)
    assert ids(change) == [1, None]
    assert change.removed == (2,)
    assert change.differs


@pytest.mark.parametrize(
    "file", [incoming(person(MOTHER), doubtful=True), incoming(), incoming(doubtful=True)]
)
def test_a_doubtful_file_removes_nobody(file: IncomingPatient):
    """Where contacts could not be read, or none are given, nobody is removed."""
    change = apply(file, known(contact(1, MOTHER), contact(2, FATHER)))
    assert change.removed == ()
    assert not change.differs


def test_a_refusal_in_the_file_wins():
    """A refusal in the file replaces what was given before."""
    change = apply(incoming(person(consents=REFUSED_SMS)), known(contact(1)))
    assert change.contacts[0].person.consents == REFUSED_SMS
    assert change.differs


def test_a_file_that_does_not_tell_keeps_a_refusal():
    """A file without the column does not turn a refusal into consent."""
    change = apply(incoming(person()), known(contact(1, consents=REFUSED_SMS)))
    assert change.contacts[0].person.consents == REFUSED_SMS
    assert not change.differs


def test_a_new_person_gets_the_clinics_default():
    """A new person of whom the file does not tell gets the clinic's default, else a refusal."""
    change = merge(incoming(person()), None, {}, {Channel.SMS: Consent.GIVEN}, NOW)
    assert change.contacts[0].person.consents == {
        Channel.SMS: Consent.GIVEN,
        Channel.EMAIL: Consent.REFUSED,
    }


def test_a_language_that_is_known_stays():
    """A file that does not tell a language keeps the one that is known."""
    change = apply(incoming(person()), known(contact(1, language="en")))
    assert change.contacts[0].person.language == "en"
    assert not change.differs


def test_facts_that_the_file_does_not_tell_stay():
    """Birth date, protection and e-ID stay as known where the file says nothing."""
    facts = {
        "birth_date": date(2013, 5, 12),
        "protected": True,
        "own_login": OwnLogin.CONFIRMED,
    }
    change = apply(incoming(person()), known(contact(1), **facts))
    assert (change.birth_date, change.protected, change.own_login) == tuple(facts.values())
    assert not change.differs


@pytest.mark.parametrize("before", [None, TWO_BIRTHS[0], date(2001, 1, 1)])
def test_of_two_birth_dates_none_is_believed(before: date | None):
    """A file with two birth dates for a patient leaves it open, whatever was known; one is told."""
    file = incoming(person(), birth_dates=frozenset(TWO_BIRTHS))
    change = apply(file, known(contact(1), birth_date=before))
    assert (change.birth_date, change.differs) == (None, before is not None)
    one = incoming(person(), birth_dates=frozenset(TWO_BIRTHS[:1]))
    assert apply(one, known(contact(1), birth_date=before)).birth_date == TWO_BIRTHS[0]


def test_protection_can_be_taken_back():
    """A file that says a patient is no longer protected is believed."""
    assert not apply(
        incoming(person(), protected=False), known(contact(1), protected=True)
    ).protected


BOOKED = Truth(STARTS, VisitStatus.BOOKED)
GONE = Truth(STARTS, VisitStatus.CANCELLED)
MOVED = Truth(STARTS + timedelta(days=1), VisitStatus.BOOKED)
PAST = Truth(NOW - timedelta(days=1), VisitStatus.BOOKED)


@pytest.mark.parametrize(
    ("before", "file", "category"),
    [
        (None, visit(), Category.NEW),
        (None, visit(truth=GONE), Category.IGNORED),
        (None, visit(video=False), Category.IGNORED),
        (BOOKED, visit(), Category.UNCHANGED),
        (BOOKED, visit(truth=MOVED), Category.MOVED),
        (BOOKED, visit(truth=GONE), Category.CANCELLED),
        (GONE, visit(), Category.NEW),
        (GONE, visit(truth=GONE), Category.UNCHANGED),
        (BOOKED, visit(kind="video"), Category.UPDATED),
        (BOOKED, visit(kind="telefon", video=False), Category.UPDATED),
        (BOOKED, visit(clinician="A. Berg"), Category.UPDATED),
        (PAST, visit(truth=PAST, kind="video"), Category.UNCHANGED),
    ],
)
def test_what_a_booking_becomes(before: Truth | None, file: IncomingVisit, category: Category):
    """Each booking of a file is new, moved, cancelled, updated, unchanged or ignored."""
    there = [("B-2041", KnownVisit(3, 7, "videobesök", before))] if before else []
    change = apply(incoming(person(), visits=(file,)), known(contact(1)), *there)
    assert [v.category for v in change.visits] == [category]


def test_a_patient_who_changes_updates_their_visits():
    """A corrected number makes the patient's bookings be planned again."""
    there = ("B-2041", KnownVisit(3, 7, "videobesök", BOOKED))
    change = apply(incoming(person(OTHER), visits=(visit(),)), known(contact(1)), there)
    assert [v.category for v in change.visits] == [Category.UPDATED]


def test_a_booking_that_is_another_patients_now():
    """A booking that the file gives to another patient is updated."""
    there = ("B-2041", KnownVisit(3, 99, "videobesök", BOOKED))
    change = apply(incoming(person(), visits=(visit(),)), known(contact(1)), there)
    assert [v.category for v in change.visits] == [Category.UPDATED]


@pytest.mark.parametrize(
    ("protected", "category"), [(False, Category.HELD_BACK), (True, Category.NEW)]
)
def test_a_new_booking_with_nobody_to_tell(category: Category, *, protected: bool):
    """A new booking with nobody to tell is held back, unless the patient is protected."""
    change = apply(incoming(visits=(visit(),), protected=protected), None)
    assert [v.category for v in change.visits] == [category]


def test_a_booking_that_is_known_is_never_held_back():
    """A known booking whose contacts the file lost keeps the people it had."""
    there = ("B-2041", KnownVisit(3, 7, "videobesök", BOOKED))
    change = apply(incoming(visits=(visit(truth=MOVED),)), known(contact(1)), there)
    assert [v.category for v in change.visits] == [Category.MOVED]


people = st.lists(
    st.builds(
        IncomingPerson,
        role=st.sampled_from(Role),
        phone=st.sampled_from([None, MOTHER, FATHER, OTHER]),
        email=st.sampled_from([None, MAIL, OTHER_MAIL]),
        language=st.sampled_from([None, "sv"]),
        consents=st.dictionaries(st.sampled_from(Channel), st.sampled_from(Consent)),
    ),
    max_size=4,
    unique_by=lambda p: (p.role, p.phone, p.email),
)


@given(people, people)
def test_the_same_file_again_changes_nothing(
    first: list[IncomingPerson], then: list[IncomingPerson]
):
    """A file imported a second time changes nothing, whatever was known before it."""
    before = known(
        *(
            KnownContact(n, p.role, p.phone, p.email, p.language, {**GIVEN, **p.consents})
            for n, p in enumerate(first)
        )
    )
    file = incoming(*then)
    change = apply(file, before)
    kept = [c for c in before.contacts if c.id not in change.removed]
    written = {c.id if c.id is not None else 100 + n: c for n, c in enumerate(change.contacts)}
    after = [
        KnownContact(
            number,
            c.person.role,
            c.person.phone,
            c.person.email,
            c.person.language,
            c.person.consents,
        )
        for number, c in written.items()
    ]
    after += [c for c in kept if c.id not in written]
    again = apply(file, known(*after))
    assert not again.differs
    assert again.removed == ()


@given(people, people)
def test_nobody_is_two_people(first: list[IncomingPerson], then: list[IncomingPerson]):
    """Each known person is at most one person of the file, and everybody in the file is kept."""
    before = known(
        *(KnownContact(n, p.role, p.phone, p.email, None, GIVEN) for n, p in enumerate(first))
    )
    change = apply(incoming(*then), before)
    matched = [c.id for c in change.contacts if c.id is not None]
    assert len(matched) == len(set(matched))
    assert not set(matched) & set(change.removed)
    assert len(change.contacts) == len(then)
