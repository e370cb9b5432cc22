"""The people to contact on a row: each one's address, language and wishes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from reminders.domain.contact import NO_WISHES, Channel, Consent, Role, Wishes
from reminders.intake import words
from reminders.intake.addresses import email_address, mobile_number
from reminders.intake.columns import ADDRESSES, Column, Field, PersonColumns
from reminders.intake.problems import Fault, ProblemCode
from reminders.intake.record import Notes

T = TypeVar("T")

_BOTH = (Channel.SMS, Channel.EMAIL)
_CONSENT_COLUMNS: Mapping[Field, tuple[Channel, ...]] = {
    Field.CONSENT: _BOTH,
    Field.CONSENT_SMS: (Channel.SMS,),
    Field.CONSENT_EMAIL: (Channel.EMAIL,),
}
CONSENT_FIELDS = tuple(_CONSENT_COLUMNS)

_UNKNOWN_ROLE = Fault(
    ProblemCode.UNKNOWN_ROLE,
    "It is not clear whether this is the patient or a guardian, so the person is left out. Write "
    "'patient' or 'vårdnadshavare'.",
)
_BAD_CONSENT = Fault(
    ProblemCode.BAD_CONSENT,
    "It is not clear whether consent is given, so it is taken as refused. Write 'ja' or 'nej'.",
)
_BAD_CHANNEL = Fault(
    ProblemCode.BAD_WISH,
    "It is not clear which way is preferred, so it is taken as not said. Write 'sms' or 'e-post'.",
)
_BAD_HOURS = Fault(
    ProblemCode.BAD_WISH,
    "It is not clear in which hours no SMS is wanted, so it is taken as not said. Write like "
    "08:00-15:00.",
)
_BAD_CHOICE = Fault(
    ProblemCode.BAD_WISH,
    "It is not clear whether the guardian is to be contacted once the patient has the age for a "
    "login of their own, so it is taken as not said. Write 'ja' or 'nej'.",
)


WISH_FIELDS = (Field.PREFERS, Field.NO_SMS, Field.FROM_13)


@dataclass(frozen=True, slots=True)
class Person:
    """One person to contact, with a mobile number (E.164), an email address, or both.

    An address is "" where the cell is empty, and None where it is not told: there is no such
    column, or the cell cannot be read.
    `language` is an ISO 639 code; `consents` has only what the file says. `place` tells which of
    the row's people it is, as their columns count them. One who is not `taken` is not contacted by
    this row, as no address, or no role, can be read; what they refuse counts all the same.
    """

    role: Role
    phone: str | None
    email: str | None
    language: str | None
    consents: Mapping[Channel, Consent]
    wishes: Wishes = NO_WISHES
    place: int = 0
    taken: bool = True

    @property
    def refuses(self) -> bool:
        """Tell whether they want no messages on some channel."""
        return Consent.REFUSED in self.consents.values()


def read_people(
    notes: Notes, columns: Sequence[PersonColumns], default_role: Role, region: str
) -> tuple[Person, ...]:
    """Return the people that the columns tell of, those who cannot be taken too.

    A consent that is refused for the whole row is somebody's without an address if nobody has one.
    """
    found = [(one, read_person(notes, one, default_role, region)) for one in columns]
    told = any(person is not None and person.taken for _, person in found)
    return tuple(
        person
        for one, person in found
        if person is not None and (not told or one.own_consent or _stands_there(notes, one))
    )


def _stands_there(notes: Notes, columns: PersonColumns) -> bool:
    return any(notes.cell(columns.fields.get(field)) for field in ADDRESSES)


def read_person(
    notes: Notes, columns: PersonColumns, default_role: Role, region: str
) -> Person | None:
    """Return the person that the columns tell of; None if there is nobody.

    `default_role` is for one whose role is told by neither header nor cell; `region` is that of
    phone numbers without a country.
    """
    fields = columns.fields
    phone = _phone(notes, fields, region)
    email = _email(notes, fields.get(Field.EMAIL))
    reached = bool(phone or email)
    # Who cannot be contacted has one problem, not one for each cell besides.
    known = notes if reached else notes.aside()
    role = read_role(known, columns, default_role)
    if role is None:
        reached, known = False, notes.aside()
    language = read_language(known, fields)
    consents = read_consents(known, fields)
    wishes = read_wishes(known, fields, role or default_role)
    person = Person(
        role or default_role, phone, email, language, consents, wishes, columns.place, reached
    )
    return person if person.refuses or _stands_there(notes, columns) else None


def _phone(notes: Notes, fields: Mapping[Field, Column], region: str) -> str | None:
    """Return the first usable number. A landline beside a mobile is nothing to tell of."""
    faults: list[tuple[Fault, Column]] = []
    found: str | None = None
    columns = [fields[field] for field in (Field.MOBILE, Field.PHONE) if field in fields]
    for column in columns:
        text = notes.cell(column)
        if not text:
            continue
        number = mobile_number(text, region)
        if isinstance(number, Fault):
            faults.append((number, column))
        else:
            found = found or number
    for fault, column in faults:
        if found is None or fault.code is not ProblemCode.NOT_MOBILE:
            notes.note(fault, column)
    return "" if columns and not faults and found is None else found


def _email(notes: Notes, column: Column | None) -> str | None:
    text = notes.cell(column)
    if not text:
        return "" if column else None
    email = email_address(text)
    if isinstance(email, Fault):
        notes.note(email, column)
        return None
    return email


def read_language(notes: Notes, fields: Mapping[Field, Column]) -> str | None:
    """Return the language that a person is written to in, if it is told."""
    return words.language_code(notes.cell(fields.get(Field.LANGUAGE)))


def read_role(notes: Notes, columns: PersonColumns, default: Role | None) -> Role | None:
    """Return who a person is to the visit, or note why that is not known."""
    if columns.role is not None:
        return columns.role
    column = columns.fields.get(Field.ROLE)
    text = notes.cell(column)
    if not text:
        return default
    role = words.role_of(text)
    if role is None:
        notes.note(_UNKNOWN_ROLE, column)
    return role


def read_consents(notes: Notes, fields: Mapping[Field, Column]) -> Mapping[Channel, Consent]:
    """Return what a person has consented to; what is unclear is refused, and noted."""
    consents: dict[Channel, Consent] = {}
    for field, channels in _CONSENT_COLUMNS.items():
        text = notes.cell(fields.get(field))
        if not text:
            continue
        consent = words.consent_of(text)
        if consent is None:
            notes.note(_BAD_CONSENT, fields.get(field))
        for channel in channels:
            consents[channel] = consent or Consent.REFUSED
    return consents


def read_wishes(notes: Notes, fields: Mapping[Field, Column], role: Role) -> Wishes:
    """Return what the row says of how the person is to be contacted."""
    return Wishes(
        _read(notes, fields.get(Field.PREFERS), words.channel_of, _BAD_CHANNEL),
        _read(notes, fields.get(Field.NO_SMS), words.hours_of, _BAD_HOURS),
        _read(notes, fields.get(Field.FROM_13), words.yes_or_no, _BAD_CHOICE)
        if role is Role.GUARDIAN
        else None,
    )


def _read(
    notes: Notes, column: Column | None, meaning: Callable[[str], T | None], unclear: Fault
) -> T | None:
    text = notes.cell(column)
    if not text:
        return None
    found = meaning(text)
    if found is None:
        notes.note(unclear, column)
    return found
