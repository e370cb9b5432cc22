"""What a file says of a patient against what is known, before anything is written."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime

from reminders.domain.appointment import OwnLogin, VisitStatus
from reminders.domain.brought import (
    NOBODY,
    Category,
    Former,
    IncomingPatient,
    IncomingVisit,
    KnownPatient,
    KnownVisit,
    PatientChange,
    VisitChange,
)
from reminders.domain.contact import Channel, Consent
from reminders.domain.matching import merge_contacts

OfAge = Callable[[date], bool | None]
"""Tells whether who was born on a day is old enough to log in themselves."""


def nobody(_born: date) -> bool:
    """Tell of everybody that they are not."""
    return False


def merge(
    incoming: IncomingPatient,
    known: KnownPatient | None,
    known_visits: Mapping[str, KnownVisit],
    default_consent: Mapping[Channel, Consent],
    now: datetime,
    former: Former = NOBODY,
    of_age: OfAge = nobody,
) -> PatientChange:
    """Return what the file changes for one patient. Nothing known is dropped on a doubtful word.

    `of_age` tells whether who was born on a day logs in themselves, so that guardians are chosen.
    `former`: whose these visits have been. A file that begins to name patients, or names them by
    another number, gives a visit to another record, and what is known of the same person goes
    along. A protected identity goes along whoever it is, until a file says no to it.
    """
    people = merge_contacts(incoming, known, default_consent, former.same)
    records = (*([known] if known else []), *former.same)
    birth_date = _birth_date(incoming, records, of_age)
    protected = incoming.protected
    if protected is None:
        protected = former.protected or any(one.protected for one in records)
    logins = (incoming.own_login, *(one.own_login for one in records))
    own_login = next((one for one in logins if one is not OwnLogin.UNKNOWN), OwnLogin.UNKNOWN)
    facts = (birth_date, protected, own_login)
    facts_differ = known is None or facts != (known.birth_date, known.protected, known.own_login)
    differs = facts_differ or bool(people.gone) or any(one.differs for one in people.contacts)
    reached = any(c.person.phone or c.person.email for c in (*people.contacts, *people.stay))
    return PatientChange(
        id=known.id if known else None,
        key=incoming.key,
        birth_date=birth_date,
        protected=protected,
        own_login=own_login,
        differs=differs,
        visits=tuple(
            _categorise(
                visit,
                known_visits.get(visit.ref),
                patient_id=known.id if known else None,
                patient_differs=differs,
                reachable=protected or reached,
                former=former,
                now=now,
            )
            for visit in incoming.visits
        ),
        contacts=people.contacts,
        removed=people.gone,
        stay=people.stay,
    )


def _birth_date(
    incoming: IncomingPatient, records: Iterable[KnownPatient], of_age: OfAge
) -> date | None:
    """Return what the file says, or else what is known; None where the file says two things.

    Of whom it is known that guardians are told by choice alone, or by all that the file says, that
    stays so: a slip must not tell a guardian what a patient keeps to themselves.
    """
    said = incoming.birth_dates
    known = next((one.birth_date for one in records if one.birth_date), None)
    if len(said) <= 1:
        return min(said, default=known)
    if known is not None and of_age(known):
        return known
    return max(said) if all(map(of_age, said)) else None


def _categorise(
    visit: IncomingVisit,
    known: KnownVisit | None,
    *,
    patient_id: int | None,
    patient_differs: bool,
    reachable: bool,
    former: Former,
    now: datetime,
) -> VisitChange:
    booked = visit.truth.status is VisitStatus.BOOKED
    if known is None:
        if not visit.video or not booked:
            category = Category.IGNORED
        else:
            category = Category.NEW if reachable else Category.HELD_BACK
    elif known.by_hand and _says_otherwise(visit, known):
        category = Category.KEPT
    elif booked and visit.video and max(known.truth.starts_at, visit.truth.starts_at) <= now:
        category = Category.UNCHANGED
    elif known.truth.status is VisitStatus.BOOKED and not booked:
        category = Category.CANCELLED
    elif known.truth.status is VisitStatus.CANCELLED and booked:
        category = Category.NEW
    elif booked and known.truth.starts_at != visit.truth.starts_at:
        category = Category.MOVED
    elif booked and (patient_differs or known.patient_id != patient_id or _differs(visit, known)):
        category = Category.UPDATED if visit.truth.starts_at > now else Category.UNCHANGED
    else:
        category = Category.UNCHANGED if visit.video else Category.IGNORED
    whose = known.patient_id if known else None
    return VisitChange(
        category,
        visit,
        known,
        renumbered=whose in former.renumbered,
        passed=whose in former.others,
    )


def _says_otherwise(visit: IncomingVisit, known: KnownVisit) -> bool:
    """Tell whether a booking has another time or status; of a cancelled one no time matters."""
    one, other = visit.truth, known.truth
    both_cancelled = one.status is other.status is VisitStatus.CANCELLED
    return one != other and not both_cancelled


def _differs(visit: IncomingVisit, known: KnownVisit) -> bool:
    """Tell whether a booking at the same time has something else to write."""
    other_clinician = visit.clinician is not None and visit.clinician != known.clinician
    return visit.kind != known.kind or other_clinician
