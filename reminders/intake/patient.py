"""What a row tells of the patient: the clinic's own key for them, the birth date, and flags."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from reminders.domain.appointment import OwnLogin
from reminders.intake import words
from reminders.intake.addresses import damage, without_decimals
from reminders.intake.columns import Column, Field
from reminders.intake.identity import (
    BAD_IDENTITY,
    Identity,
    find_identities,
    lost_its_zeros,
    read_identity,
    resembles_identity,
    tries_identity,
)
from reminders.intake.problems import Fault, ProblemCode
from reminders.intake.record import LONGEST_KEY, Notes
from reminders.intake.times import read_date

# Letters enough for 'PAT', and too few for most names: only such a key is kept as it is written.
_PLAIN_KEY = re.compile(r"(?:(?:[A-Z]{1,3}|[a-z]{1,3})-?)?([0-9]{1,9})")
_NUMBER_IN_GROUPS = re.compile(r"(?:[A-Z]{1,3}\s)?[0-9]+(?:\s[0-9]+)*")
_EARLIEST_BIRTH = date(1900, 1, 1)

_BAD_BIRTH_DATE = Fault(
    ProblemCode.BAD_BIRTH_DATE,
    "The birth date cannot be read, or cannot be right. Write it like 2012-06-30.",
)
_BAD_PATIENT = Fault(
    ProblemCode.BAD_PATIENT,
    f"The patient's number is longer than {LONGEST_KEY} characters, or has signs in it that "
    "cannot be shown. Write the number itself.",
)
_BAD_PROTECTED = Fault(
    ProblemCode.BAD_YES_NO,
    "It is not clear whether the patient's identity is protected, so it is taken as protected and "
    "nobody is contacted. Write 'ja' or 'nej'.",
)
_BAD_OWN_LOGIN = Fault(
    ProblemCode.BAD_YES_NO,
    "It is not clear whether the patient has a login of their own, so it is taken as not known. "
    "Write 'ja' or 'nej'.",
)


def is_plain_key(text: str, today: date) -> bool:
    """Tell whether a patient's number can be no name and no identity number."""
    match = _PLAIN_KEY.fullmatch(text)
    return match is not None and not lost_its_zeros(match[1], today)


@dataclass(frozen=True, slots=True)
class Patient:
    """What a row tells of the patient. `key` is the clinic's own, or a pseudonym."""

    key: str | None = None
    birth_date: date | None = None
    protected: bool | None = None
    own_login: OwnLogin = OwnLogin.UNKNOWN


@dataclass(frozen=True, slots=True)
class PatientReader:
    """Reads patients by these columns. `today` is the clinic's date."""

    columns: Mapping[Field, Column]
    pseudonym: Callable[[str], str] = field(repr=False)
    today: date

    def read(self, notes: Notes) -> Patient:
        """Return what the record tells of the patient, and note what cannot be used."""
        identity = self._identity(notes, self.columns.get(Field.IDENTITY))
        key = self._key(notes)
        if isinstance(key, Identity):
            identity, key = identity or key, None
        if identity is not None and key is None:
            key = self.pseudonym(identity.number)
        born = self._birth_date(notes) or (identity.birth_date if identity else None)
        return Patient(key, born, self._protected(notes), self._own_login(notes))

    def _identity(self, notes: Notes, column: Column | None) -> Identity | None:
        text = notes.cell(column)
        if not text:
            return None
        identity = read_identity(text, self.today)
        if isinstance(identity, Fault):
            notes.note(identity, column)
            return None
        return identity

    def _key(self, notes: Notes) -> str | Identity | None:
        """Return the clinic's key; a name is no key, and an identity number is not kept as one.

        What might have either in it is kept as its pseudonym. A text with blanks is no key at all:
        two patients of one name and age would be taken for one.
        """
        column = self.columns.get(Field.PATIENT)
        text = without_decimals(notes.cell(column))
        if is_plain_key(text, self.today):
            return text
        if resembles_identity(text):
            return self._resembling(notes, text, column)
        found = find_identities(text, self.today)
        if found:
            return found[0] if len(found) == 1 else None
        if not any(character.isdigit() for character in text):
            return None
        fault = damage(text)
        words = _NUMBER_IN_GROUPS.fullmatch(text) is None and len(text.split()) > 1
        if fault is None and words:
            fault = BAD_IDENTITY if tries_identity(text) else None
        elif fault is None and (len(text) > LONGEST_KEY or not text.isprintable()):
            fault = _BAD_PATIENT
        if fault is not None:
            notes.note(fault, column)
        return None if fault or words else self.pseudonym(text)

    def _resembling(self, notes: Notes, text: str, column: Column | None) -> str | Identity | None:
        # Digits alone may as well be a key of the clinic's own, which the pseudonym is as good as.
        if text.isdecimal() and isinstance(read_identity(text, self.today), Fault):
            return self.pseudonym(text)
        return self._identity(notes, column)

    def _birth_date(self, notes: Notes) -> date | None:
        column = self.columns.get(Field.BIRTH_DATE)
        text = notes.cell(column)
        if not text:
            return None
        if resembles_identity(text):
            identity = self._identity(notes, column)
            return identity.birth_date if identity else None
        born = read_date(text)
        if isinstance(born, Fault) or not _EARLIEST_BIRTH <= born <= self.today:
            notes.note(_BAD_BIRTH_DATE, column)
            return None
        return born

    def _protected(self, notes: Notes) -> bool | None:
        """Return whether the identity is protected; None if no cell tells it."""
        column = self.columns.get(Field.PROTECTED)
        text = notes.cell(column)
        if not text:
            return None
        protected = words.is_protected(text)
        if protected is None:
            notes.note(_BAD_PROTECTED, column)
            return True
        return protected

    def _own_login(self, notes: Notes) -> OwnLogin:
        column = self.columns.get(Field.OWN_LOGIN)
        text = notes.cell(column)
        if not text:
            return OwnLogin.UNKNOWN
        own = words.has_own_login(text)
        if own is None:
            notes.note(_BAD_OWN_LOGIN, column)
            return OwnLogin.UNKNOWN
        return OwnLogin.CONFIRMED if own else OwnLogin.MISSING
