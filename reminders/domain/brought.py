"""What a file brings of patients, what is known of them, and what becomes of it: values alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from reminders.domain.appointment import OwnLogin, Truth
from reminders.domain.contact import NO_WISHES, Channel, Consent, Role, Wishes

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
    """All that the file says of one patient. `doubtful`: some of the contacts could not be read.

    `birth_dates` are those of all rows: where they contradict one another, none is believed.
    `unsure` are people whom no row brings as contacts: what they refuse counts. `heard_on` is the
    first line of theirs, or perhaps theirs, that could not be taken as it stands.
    """

    key: str
    birth_dates: frozenset[date]
    protected: bool | None
    own_login: OwnLogin
    visits: tuple[IncomingVisit, ...]
    people: tuple[IncomingPerson, ...]
    doubtful: bool = False
    unsure: tuple[IncomingPerson, ...] = ()
    heard_on: int | None = None


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
    """A contact as the database has it. What they have `refused` to staff, no file brings back.

    `added`: by staff, and no file has brought them. `newer`: staff have given these addresses
    since the file was exported.
    """

    id: int
    role: Role
    phone: str | None
    email: str | None
    language: str | None
    consents: Mapping[Channel, Consent]
    wishes: Wishes = NO_WISHES
    refused: frozenset[Channel] = frozenset()
    added: bool = False
    newer: bool = False


@dataclass(frozen=True, slots=True)
class KnownPatient:
    """A patient as the database has it."""

    id: int
    birth_date: date | None
    protected: bool
    own_login: OwnLogin
    contacts: tuple[KnownContact, ...]


@dataclass(frozen=True, slots=True)
class Former:
    """Whose the bookings of a patient of the file have been.

    `same`: records of the same person under another key, or of nobody named; `renumbered` are the
    ids of those with another number. `others` are the ids of other people's; `protected`: one of
    all these is.
    """

    same: tuple[KnownPatient, ...] = ()
    renumbered: frozenset[int] = frozenset()
    others: frozenset[int] = frozenset()
    protected: bool = False


NOBODY = Former()


@dataclass(frozen=True, slots=True)
class VisitChange:
    """What becomes of one booking.

    `renumbered`: it was the same patient's under another number; `passed`: it was another
    patient's. `twin`: it is new, and the patient has another at that time.
    """

    category: Category
    visit: IncomingVisit
    known: KnownVisit | None
    renumbered: bool = False
    passed: bool = False
    twin: bool = False


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A contact to write: a new one (`id` None), or one whose details are now these.

    What is `refused` was told to staff, by the same person at another name of the patient's.
    `added`: staff have added them, and no file has brought them.
    """

    id: int | None
    person: IncomingPerson
    differs: bool
    refused: frozenset[Channel] = frozenset()
    added: bool = False


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
