"""What a file says of a patient against what is known, before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from reminders.domain.appointment import OwnLogin, Truth, VisitStatus
from reminders.domain.contact import NO_WISHES, Channel, Consent, Role, Wishes, is_one_address

NAMELESS = "visit:"
"""How the keys begin of patients whom no file has named: the booking stands for them."""


class Category(StrEnum):
    """What an import does to one booking."""

    NEW = "new"
    MOVED = "moved"
    CANCELLED = "cancelled"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    IGNORED = "ignored"
    HELD_BACK = "held_back"  # a new booking with nobody to tell: a problem says why
    KEPT = "kept"  # staff have moved or cancelled it since the file was exported: that stands


@dataclass(frozen=True, slots=True)
class IncomingVisit:
    """A booking as the file has it."""

    ref: str
    line: int
    kind: str
    video: bool
    truth: Truth
    clinician: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingPerson:
    """A contact as the file has it. A channel without consent said gets the clinic's default.

    An address is "" where the file says that there is none, and None where it does not tell.
    """

    role: Role
    phone: str | None
    email: str | None
    language: str | None
    consents: Mapping[Channel, Consent]
    wishes: Wishes = NO_WISHES


@dataclass(frozen=True, slots=True)
class IncomingPatient:
    """All that the file says of one patient. `doubtful`: some of the contacts could not be read."""

    key: str
    birth_date: date | None
    protected: bool | None
    own_login: OwnLogin
    visits: tuple[IncomingVisit, ...]
    people: tuple[IncomingPerson, ...]
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class KnownVisit:
    """A booking as the database has it. `by_hand`: staff have changed it since the export."""

    id: int
    patient_id: int
    kind: str
    truth: Truth
    clinician: str | None = None
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact as the database has it. What they have `refused` to staff, no file brings back."""

    id: int
    role: Role
    phone: str | None
    email: str | None
    language: str | None
    consents: Mapping[Channel, Consent]
    wishes: Wishes = NO_WISHES
    refused: frozenset[Channel] = frozenset()


@dataclass(frozen=True, slots=True)
class KnownPatient:
    """A patient as the database has it."""

    id: int
    birth_date: date | None
    protected: bool
    own_login: OwnLogin
    contacts: tuple[KnownContact, ...]


@dataclass(frozen=True, slots=True)
class VisitChange:
    """What becomes of one booking."""

    category: Category
    visit: IncomingVisit
    known: KnownVisit | None


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A contact to write: a new one (`id` None), or one whose details are now these.

    What is `refused` was told to staff, by the same person at another name of the patient's.
    """

    id: int | None
    person: IncomingPerson
    differs: bool
    refused: frozenset[Channel] = frozenset()


@dataclass(frozen=True, slots=True)
class PatientChange:
    """What an import does to one patient. `id` None: the patient is new."""

    id: int | None
    key: str
    birth_date: date | None
    protected: bool
    own_login: OwnLogin
    differs: bool
    visits: tuple[VisitChange, ...]
    contacts: tuple[ContactChange, ...]
    removed: tuple[int, ...] = field(default=())
    stay: tuple[ContactChange, ...] = field(default=())
    """Known contacts of whom the file tells nothing that could be read: as they are."""


def merge(
    incoming: IncomingPatient,
    known: KnownPatient | None,
    known_visits: Mapping[str, KnownVisit],
    default_consent: Mapping[Channel, Consent],
    now: datetime,
    former: Sequence[KnownPatient] = (),
) -> PatientChange:
    """Return what the file changes for one patient. Nothing known is dropped on a doubtful word.

    `former`: whose these visits have been. A file that begins or ceases to name patients gives a
    visit to another record, and what is known of them goes along.
    """
    contacts = _merge_contacts(incoming, known, default_consent, former)
    kept = {change.id for change in contacts}
    may_remove = known is not None and incoming.people and not incoming.doubtful
    gone = [c.id for c in known.contacts if c.id not in kept] if known and may_remove else []
    records = (*([known] if known else []), *former)
    dates = (incoming.birth_date, *(one.birth_date for one in records))
    birth_date = next((date for date in dates if date), None)
    protected = incoming.protected
    if protected is None:
        protected = any(one.protected for one in records)
    logins = (incoming.own_login, *(one.own_login for one in records))
    own_login = next((one for one in logins if one is not OwnLogin.UNKNOWN), OwnLogin.UNKNOWN)
    facts = (birth_date, protected, own_login)
    facts_differ = known is None or facts != (known.birth_date, known.protected, known.own_login)
    differs = facts_differ or bool(gone) or any(change.differs for change in contacts)
    reachable = bool(incoming.people) or protected or bool(known and known.contacts)
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
                reachable=reachable,
                now=now,
            )
            for visit in incoming.visits
        ),
        contacts=tuple(contacts),
        removed=tuple(gone),
        stay=tuple(
            _contact_change(_AS_KNOWN[c.role], c, default_consent)
            for c in (known.contacts if known else ())
            if c.id not in kept and c.id not in gone
        ),
    )


_AS_KNOWN = {role: IncomingPerson(role, None, None, None, {}) for role in Role}
"""Somebody of whom nothing is told."""


def _categorise(
    visit: IncomingVisit,
    known: KnownVisit | None,
    *,
    patient_id: int | None,
    patient_differs: bool,
    reachable: bool,
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
    return VisitChange(category, visit, known)


def _says_otherwise(visit: IncomingVisit, known: KnownVisit) -> bool:
    """Tell whether a booking has another time or status; of a cancelled one no time matters."""
    one, other = visit.truth, known.truth
    both_cancelled = one.status is other.status is VisitStatus.CANCELLED
    return one != other and not both_cancelled


def _differs(visit: IncomingVisit, known: KnownVisit) -> bool:
    """Tell whether a booking at the same time has something else to write."""
    other_clinician = visit.clinician is not None and visit.clinician != known.clinician
    return visit.kind != known.kind or other_clinician


def _merge_contacts(
    incoming: IncomingPatient,
    known: KnownPatient | None,
    default_consent: Mapping[Channel, Consent],
    former: Sequence[KnownPatient],
) -> list[ContactChange]:
    """Find out who of the file is who in the database.

    The same address is the same person, the more of it is the same the surer; those left over are
    paired in their order within a role, so that a corrected number stays with its person. Not where
    somebody could not be read: whose order would that be?
    """
    people = incoming.people
    free = list(known.contacts) if known else []
    partner: dict[int, KnownContact] = {}
    for least, within_role in _SIGNS[:-1] if incoming.doubtful else _SIGNS:
        for index, person in enumerate(people):
            if index in partner:
                continue
            match = next(
                (
                    c
                    for c in free
                    if _addresses_alike(person, c) >= least
                    and (c.role is person.role or not within_role)
                ),
                None,
            )
            if match is not None:
                partner[index] = match
                free.remove(match)
    return [
        _contact_change(person, partner.get(index), default_consent, _earlier(person, former))
        for index, person in enumerate(people)
    ]


_SIGNS = ((2, True), (1, True), (2, False), (1, False), (0, True))
"""How many addresses are the same, and whether the role has to be: the surest sign comes first."""


def _addresses_alike(person: IncomingPerson, known: KnownContact) -> int:
    same_phone = bool(person.phone) and person.phone == known.phone
    same_email = is_one_address(person.email, known.email)
    return same_phone + same_email


def _earlier(person: IncomingPerson, former: Sequence[KnownPatient]) -> KnownContact | None:
    """Return who this person was in a record that the visit has been in, by an address."""
    people = (contact for patient in former for contact in patient.contacts)
    return next((contact for contact in people if _addresses_alike(person, contact)), None)


def _contact_change(
    person: IncomingPerson,
    known: KnownContact | None,
    default_consent: Mapping[Channel, Consent],
    earlier: KnownContact | None = None,
) -> ContactChange:
    before = known.consents if known else {}
    records = [one for one in (known, earlier) if one]
    refused = frozenset(channel for one in records for channel in one.refused)
    said = {**person.consents, **dict.fromkeys(refused, Consent.REFUSED)}
    consents = {
        channel: said.get(channel)
        or before.get(channel)
        or (earlier.consents.get(channel) if earlier else None)
        or default_consent.get(channel, Consent.REFUSED)
        for channel in Channel
    }
    languages = (person.language, *(one.language for one in records))
    language = next((code for code in languages if code), None)
    wishes = person.wishes
    for one in records:
        wishes = wishes.over(one.wishes)
    phone, email = person.phone, person.email
    if known is not None and (_addresses_alike(person, known) or not (phone or email)):
        phone = known.phone if phone is None else phone
        email = known.email if email is None else email
    final = IncomingPerson(person.role, phone or None, email or None, language, consents, wishes)
    same = known is not None and (
        (final.role, final.phone, final.email, final.language, final.wishes)
        == (known.role, known.phone, known.email, known.language, known.wishes)
        and consents == {channel: before.get(channel) for channel in Channel}
    )
    return ContactChange(known.id if known else None, final, differs=not same, refused=refused)
