"""The short way for the ordinary row, as nearly all rows are: the same answer, many times faster.

What few words say (kinds, statuses, times, roles) is remembered. References, patients' numbers and
email addresses are taken only in their plainest form. Whatever is not plain goes the long way.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Role
from reminders.intake.addresses import email_address, mobile_number, plain_mobile
from reminders.intake.columns import Column, Columns, Field, PersonColumns
from reminders.intake.identity import birth_dates_in
from reminders.intake.memory import Memory
from reminders.intake.patient import Patient, PatientReader, is_plain_key
from reminders.intake.people import (
    CONSENT_FIELDS,
    WISH_FIELDS,
    Person,
    read_consents,
    read_language,
    read_role,
    read_wishes,
)
from reminders.intake.record import LONGEST_KEY, Notes
from reminders.intake.visit import STATUS_FIELDS, VisitReader

# Nothing that a spreadsheet does to a value looks like these.
_REF = re.compile(r"[A-Za-z][A-Za-z0-9_-]*|\d+", re.ASCII)
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+", re.ASCII)

_FLAGS = (Field.BIRTH_DATE, Field.PROTECTED, Field.OWN_LOGIN)


@dataclass(frozen=True, slots=True)
class Visit:
    """What an ordinary row says of a video visit that is still to come."""

    ref: str
    kind: str
    starts_at: datetime
    status: VisitStatus
    clinician: str | None


class PlainVisits:
    """Reads visits of ordinary rows; None for one that has to go the long way."""

    def __init__(self, columns: Columns, reader: VisitReader) -> None:
        here = columns.visit
        self._today = reader.now.astimezone(reader.zone).date()
        self._ref = here[Field.REF].index
        self._kinds = Memory(reader.kind, [here.get(Field.KIND)])
        self._starts = Memory(
            lambda notes: (
                at if (at := reader.starts_at(notes)) and reader.in_time(notes, at) else None
            ),
            columns.when,
        )
        self._clinicians = Memory(
            lambda notes: (reader.clinician(notes),), [here.get(Field.CLINICIAN)]
        )
        self._statuses = Memory(
            partial(reader.status, past=False), [here.get(field) for field in STATUS_FIELDS]
        )

    def read(self, cells: Sequence[str]) -> Visit | None:
        """Return the visit."""
        ref = cells[self._ref]
        if len(ref) > LONGEST_KEY or _REF.fullmatch(ref) is None:
            return None
        if any(birth_dates_in(ref, self._today)):
            return None
        kind = self._kinds.find(cells)
        starts_at = self._starts.find(cells)
        status = self._statuses.find(cells)
        if kind is None or not kind[1] or starts_at is None or status is None:
            return None
        clinician = self._clinicians.find(cells)
        if clinician is None:
            return None
        return Visit(ref, kind[0], starts_at, status, clinician[0])


class PlainPatients:
    """Reads patients of ordinary rows; None for one that has to go the long way."""

    def __init__(self, columns: Mapping[Field, Column], reader: PatientReader) -> None:
        self._reader = reader
        self._key = columns.get(Field.PATIENT)
        self._identity = columns.get(Field.IDENTITY)
        # Read without the columns that name the patient: the others say the same of very many.
        flags = {field: columns[field] for field in _FLAGS if field in columns}
        nameless = PatientReader(flags, reader.pseudonym, reader.today)
        self._flags = Memory(nameless.read, [flags.get(field) for field in _FLAGS])

    def read(self, cells: Sequence[str]) -> Patient | None:
        """Return the patient."""
        if self._identity is not None and cells[self._identity.index]:
            notes = Notes(0, cells)
            patient = self._reader.read(notes)
            return None if notes.problems else patient
        flags = self._flags.find(cells)
        key = cells[self._key.index] if flags and self._key else ""
        if flags is None or not any(map(str.isdigit, key)):
            return flags
        if not is_plain_key(key, self._reader.today):
            return None
        return Patient(key, flags.birth_date, flags.protected, flags.own_login)


class PlainPeople:
    """Reads the people of ordinary rows; None for a row that has to go the long way."""

    def __init__(self, columns: Sequence[PersonColumns], region: str) -> None:
        self._people = [_PlainPerson(person, region) for person in columns]

    def read(self, cells: Sequence[str], default: Role) -> tuple[Person, ...] | None:
        """Return the people; `default` is the role of one whose role is not told."""
        found: list[Person] = []
        for reader in self._people:
            person = reader.read(cells, default)
            if person is None:
                return None
            if person.phone or person.email:
                found.append(person)
            elif person.refuses:
                return None
        return tuple(found)


class _PlainPerson:
    """Reads one of the people on a row. One without an address is nobody who can be told."""

    def __init__(self, columns: PersonColumns, region: str) -> None:
        fields = columns.fields
        self._place = columns.place
        self._region = region
        self._phones = [
            (fields[field].index, self._others(fields[field]))
            for field in (Field.MOBILE, Field.PHONE)
            if field in fields
        ]
        self._email = fields.get(Field.EMAIL)
        # A role that is not told is the row's to give; what cannot be told is noted, and so None.
        self._role = Memory(
            lambda notes: (read_role(notes, columns, None),), [fields.get(Field.ROLE)]
        )
        self._language = Memory(
            lambda notes: (read_language(notes, fields),), [fields.get(Field.LANGUAGE)]
        )
        self._consents = Memory(
            lambda notes: read_consents(notes, fields), [fields.get(f) for f in CONSENT_FIELDS]
        )
        wished = [fields.get(f) for f in WISH_FIELDS]
        self._wishes = {
            role: Memory(partial(read_wishes, fields=fields, role=role), wished) for role in Role
        }

    def _others(self, column: Column) -> Memory[str]:
        """Remember numbers of other forms and countries: they take long, and come back."""

        def number(notes: Notes) -> str | None:
            number = mobile_number(notes.cell(column), self._region)
            return number if isinstance(number, str) else None

        return Memory(number, [column])

    def read(self, cells: Sequence[str], default: Role) -> Person | None:
        phone = "" if self._phones else None
        email = "" if self._email is not None else None
        for place, others in self._phones:
            if cells[place]:
                number = plain_mobile(cells[place], self._region) or others.find(cells)
                if number is None:
                    return None
                phone = phone or number
        if self._email is not None and cells[self._email.index]:
            text = cells[self._email.index]
            address = email_address(text) if _EMAIL.fullmatch(text) else None
            if not isinstance(address, str):
                return None
            email = address
        role, language = self._role.find(cells), self._language.find(cells)
        consents = self._consents.find(cells)
        if role is None or language is None or consents is None:
            return None
        wishes = self._wishes[role[0] or default].find(cells)
        if wishes is None:
            return None
        return Person(role[0] or default, phone, email, language[0], consents, wishes, self._place)
