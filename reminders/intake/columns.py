"""From the headers of a file, in Swedish, English or the clinic's own words, to our fields."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from reminders.domain.contact import Role
from reminders.intake.problems import Problem, ProblemCode, refusal
from reminders.intake.sheet import letters_of
from reminders.intake.words import plain_word


class Field(StrEnum):
    """What a column tells of the visit, of the patient or of a person to contact."""

    REF = "ref"
    STARTS_AT = "starts_at"
    DATE = "date"
    TIME = "time"
    KIND = "kind"
    STATUS = "status"
    BOOKED = "booked"
    CANCELLED = "cancelled"
    CLINICIAN = "clinician"
    PATIENT = "patient"
    IDENTITY = "identity"
    BIRTH_DATE = "birth_date"
    PROTECTED = "protected"
    OWN_LOGIN = "own_login"
    MOBILE = "mobile"
    PHONE = "phone"
    EMAIL = "email"
    LANGUAGE = "language"
    ROLE = "role"
    CONSENT = "consent"
    CONSENT_SMS = "consent_sms"
    CONSENT_EMAIL = "consent_email"
    PREFERS = "prefers"
    NO_SMS = "no_sms"
    FROM_13 = "from_13"
    IGNORE = "ignore"


VITAL = frozenset(
    {
        Field.STATUS,
        Field.BOOKED,
        Field.CANCELLED,
        Field.PROTECTED,
        Field.CONSENT,
        Field.CONSENT_SMS,
        Field.CONSENT_EMAIL,
    }
)
"""Without these cells somebody could be texted who must not be: a row that lacks one is broken."""

HEADERS: Mapping[Field, tuple[str, ...]] = {
    Field.REF: (
        "ref", "referens", "boknings-id", "bokningsnummer", "bokningsnr", "bokningsref",
        "bokningsreferens", "besöks-id", "besöksnummer", "reference", "booking id",
        "booking number", "booking reference", "booking ref", "appointment id", "visit id",
    ),
    Field.STARTS_AT: (
        "starts_at", "start", "startar", "starts", "datum och tid", "datum/tid", "tidpunkt",
        "bokad tid", "besökstid", "date and time", "datetime", "date/time", "appointment time",
    ),
    Field.DATE: ("date", "datum", "besöksdatum", "startdatum", "start date", "visit date"),
    Field.TIME: ("time", "tid", "kl", "klockan", "klockslag", "starttid", "start time"),
    Field.KIND: (
        "kind", "typ", "besökstyp", "bokningstyp", "kontakttyp", "type", "visit type",
        "appointment type", "booking type",
    ),
    Field.STATUS: ("status", "bokningsstatus", "besöksstatus", "booking status", "visit status"),
    Field.BOOKED: ("booked", "bokad", "bokat"),
    Field.CANCELLED: ("cancelled", "canceled", "avbokad", "avbokat", "inställd", "inställt"),
    Field.CLINICIAN: (
        "clinician", "behandlare", "behandlarens namn", "therapist", "practitioner",
    ),
    Field.PATIENT: (
        "patient", "patient-id", "patientnummer", "patientnr", "patientnyckel", "patient key",
        "patient number", "patient no", "patient ref",
    ),
    Field.IDENTITY: (
        "identity", "personnummer", "personnr", "pnr", "personid", "identitetsnummer",
        "identity number", "personal identity number", "personal number", "id number",
    ),
    Field.BIRTH_DATE: (
        "birth_date", "födelsedatum", "född", "födelsedag", "date of birth", "birthdate", "born",
        "dob",
    ),
    Field.PROTECTED: (
        "protected", "skyddad", "skyddad identitet", "skyddade personuppgifter", "skydd",
        "sekretess", "sekretessmarkering", "sekretessmarkerad", "skyddad id", "skyddat id",
        "protected identity", "protected id",
    ),
    Field.OWN_LOGIN: (
        "own_login", "egen inloggning", "eget bankid", "egen e-legitimation", "eget e-id",
        "bankid", "own e-id", "own bankid",
    ),
    Field.MOBILE: (
        "mobile", "mobil", "mobil 1", "mobilnummer", "mobilnr", "mobiltelefon",
        "mobiltelefonnummer", "telefon mobil", "mobile 1", "mobile number", "mobile phone",
        "mobile phone number", "phone mobile", "cell", "cell phone", "sms-nummer",
    ),
    Field.PHONE: (
        "phone", "telefon", "telefonnummer", "telefonnr", "tel", "tfn", "telnr", "phone number",
        "telephone",
    ),
    Field.EMAIL: (
        "email", "e-post", "epostadress", "e-postadress", "mejl", "mejladress", "mail",
        "mailadress", "email address",
    ),
    Field.LANGUAGE: ("language", "språk", "kontaktspråk", "preferred language"),
    Field.ROLE: ("role", "roll", "relation", "kontaktroll"),
    Field.CONSENT: ("consent", "samtycke"),
    Field.CONSENT_SMS: (
        "consent_sms", "sms consent", "samtycke sms", "samtycke till sms", "sms-samtycke", "sms ok",
    ),
    Field.CONSENT_EMAIL: (
        "consent_email", "email consent", "samtycke e-post", "samtycke till e-post",
        "samtycke mejl", "e-postsamtycke", "mejl ok", "e-post ok", "email ok",
    ),
    Field.PREFERS: (
        "prefers", "föredrar", "kontaktväg", "kontaktsätt", "önskad kontaktväg",
        "preferred channel", "preferred contact",
    ),
    Field.NO_SMS: (
        "no_sms", "inga sms", "inga sms kl", "ej sms", "sms ej kl", "no sms between",
        "no sms hours",
    ),
    Field.FROM_13: (
        "from_13", "från 13", "från 13 år", "kontaktas från 13", "guardian_from_13",
        "vårdnadshavare från 13", "vårdnadshavare från 13 år", "vh från 13",
    ),
    Field.IGNORE: ("ignore",),
}  # fmt: skip
"""The headers that are known. Case, accents, spaces, dashes and underscores do not matter."""

PERSON_FIELDS = frozenset(
    {
        Field.MOBILE,
        Field.PHONE,
        Field.EMAIL,
        Field.LANGUAGE,
        Field.CONSENT,
        Field.CONSENT_SMS,
        Field.CONSENT_EMAIL,
        Field.PREFERS,
        Field.NO_SMS,
        Field.FROM_13,
    }
)
"""What a column can tell of one of several people on the row, with the person in the header."""

PEOPLE: Mapping[str, tuple[Role | None, tuple[str, ...]]] = {
    "patient": (Role.PATIENT, ("patient", "patienten", "barn", "barnet", "child")),
    "guardian": (
        Role.GUARDIAN,
        ("guardian", "vårdnadshavare", "vh", "förälder", "målsman", "parent"),
    ),
    "mother": (Role.GUARDIAN, ("mamma", "mor", "mother")),
    "father": (Role.GUARDIAN, ("pappa", "far", "father")),
    "contact": (None, ("kontakt", "kontaktperson", "contact")),
}
"""Words that, before or after a person's field and with a number or not, tell whose it is."""

_PATIENT_FIELDS = (Field.IDENTITY, Field.BIRTH_DATE, Field.PROTECTED, Field.OWN_LOGIN)
_SHARED = (
    Field.LANGUAGE,
    Field.CONSENT,
    Field.CONSENT_SMS,
    Field.CONSENT_EMAIL,
    Field.PREFERS,
    Field.NO_SMS,
    Field.FROM_13,
)
_CONSENTS = (Field.CONSENT, Field.CONSENT_SMS, Field.CONSENT_EMAIL)
ADDRESSES = (Field.MOBILE, Field.PHONE, Field.EMAIL)
"""What a person is reached by."""

_FIELDS = {plain_word(header): field for field, headers in HEADERS.items() for header in headers}
_FIELDS |= {
    plain_word("patient" + header): field for field in _PATIENT_FIELDS for header in HEADERS[field]
}
_PERSON_HEADERS = {name: field for name, field in _FIELDS.items() if field in PERSON_FIELDS}
_PEOPLE = {plain_word(word): label for label, (_, words) in PEOPLE.items() for word in words}


def _any_of(words: Mapping[str, object]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_GROUPED = re.compile(
    rf"(?P<who>{_any_of(_PEOPLE)})(?P<number>\d{{0,2}})(?P<what>{_any_of(_PERSON_HEADERS)})"
)
_GROUPED_AFTER = re.compile(
    rf"(?P<what>{_any_of(_PERSON_HEADERS)})(?P<who>{_any_of(_PEOPLE)})(?P<number>\d{{0,2}})"
)


class Meaning(NamedTuple):
    """What a header means: a field, and of whom (a label of PEOPLE with its number, or '')."""

    field: Field
    person: str = ""


def is_vital(meaning: Meaning | None) -> bool:
    """Tell whether a column has what may forbid a text."""
    return meaning is not None and meaning.field in VITAL


@dataclass(frozen=True, slots=True)
class Column:
    """Where a field stands: the index of the cell, and the header as the file has it."""

    index: int
    header: str


@dataclass(frozen=True, slots=True)
class PersonColumns:
    """The columns of one of the people on a row; `role` is None where the headers do not tell.

    `place` counts the people from 0, in the order of their columns. `own_consent`: a column tells
    of this one's consent alone.
    """

    role: Role | None
    fields: Mapping[Field, Column]
    place: int = 0
    own_consent: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file that are read. `width` counts all of them, the unread too.

    `when` is the column of date and time in one, or the date's and the time's. `unread` are the
    headers that mean nothing to us, without those that the clinic has set to be ignored.
    """

    when: tuple[Column, ...]
    visit: Mapping[Field, Column]
    people: tuple[PersonColumns, ...]
    width: int
    unread: tuple[str, ...] = ()
    vital: int = 0
    """So many cells a row must have, for none of VITAL to be lacking."""

    @property
    def assumed(self) -> tuple[Field, ...]:
        """Return what no column tells, so that it is taken to be so of every row.

        KIND: every row is a video visit. STATUS: every row is booked.
        """
        told = self.visit.keys()
        cancelling = {Field.STATUS, Field.BOOKED, Field.CANCELLED}
        kind = () if Field.KIND in told else (Field.KIND,)
        return (*kind, *(() if told & cancelling else (Field.STATUS,)))


@lru_cache(maxsize=4096)
def meaning_of(header: str) -> Meaning | None:
    """Return what a header means; None for one that is not known and so not read."""
    word = plain_word(header)
    if word in _FIELDS:
        return Meaning(_FIELDS[word])
    match = _GROUPED.fullmatch(word) or _GROUPED_AFTER.fullmatch(word)
    if match is None:
        return None
    return Meaning(_PERSON_HEADERS[match["what"]], _PEOPLE[match["who"]] + match["number"])


def own_headers(named: Mapping[str, str]) -> Mapping[str, Meaning]:
    """Return what a clinic's own headers mean, from its setting {header: one of ours}.

    Raise RefusedFileError for one that is set to what is no field.
    """
    meanings: dict[str, Meaning] = {}
    for header, target in named.items():
        meaning = meaning_of(target)
        if meaning is None:
            fields = ", ".join(Field)
            message = (
                f"The clinic's setting 'columns' says that {header!r} is {target!r}, which is no "
                f"field. The fields are: {fields}; and for one of several people, for example, "
                "guardian1_phone."
            )
            raise refusal([Problem(1, header, ProblemCode.UNKNOWN_FIELD, message)])
        meanings[plain_word(header)] = meaning
    return meanings


def find_meaning(header: str, own: Mapping[str, Meaning]) -> Meaning | None:
    """Return what a header means to this clinic: its own words go before ours."""
    return own.get(plain_word(header)) or meaning_of(header)


def read_header(
    line: int, cells: Sequence[str], own: Mapping[str, Meaning], *, lettered: bool = False
) -> Columns:
    """Return the columns that a header names. `own` is from `own_headers`.

    `lettered`: problems name a column with its letters too, as they are in a spreadsheet.
    Raise RefusedFileError for columns that are missing, or there twice, naming them.
    """
    found: dict[Meaning, Column] = {}
    problems: list[Problem] = []
    unread: list[str] = []
    for index, cell in enumerate(cells):
        meaning = find_meaning(cell, own)
        header = " ".join(cell.split())
        if meaning is None or meaning.field is Field.IGNORE:
            unread += [header] if header and meaning is None else []
            continue
        column = Column(index, f"{header} ({letters_of(index)})" if lettered else header)
        first = found.setdefault(meaning, column)
        if first is not column:
            same = plain_word(cells[first.index]) == plain_word(cell)
            problems.append(_repeated(line, first, column, same=same))
    visit = {meaning.field: column for meaning, column in found.items() if not meaning.person}
    if Field.STARTS_AT in visit and Field.TIME in visit:
        problems.append(_repeated(line, visit[Field.STARTS_AT], visit[Field.TIME]))
    problems += _missing(line, found, len(cells))
    if problems:
        raise refusal(problems)
    when = tuple(visit[f] for f in (Field.DATE, Field.STARTS_AT, Field.TIME) if f in visit)
    vital = max((c.index + 1 for m, c in found.items() if is_vital(m)), default=0)
    return Columns(when, visit, _people(found), len(cells), tuple(unread), vital)


def _repeated(line: int, first: Column, second: Column, *, same: bool = False) -> Problem:
    """Return the problem of two columns; `same`: no setting tells their names apart."""
    names = " and ".join(f"{one.header!r} (number {one.index + 1})" for one in (first, second))
    setting = "set it to 'ignore' in the clinic's setting 'columns'"
    instead = "give it another name in the export" if same else setting
    message = f"The columns {names} say the same. Take one of them away, or {instead}."
    return Problem(line, second.header, ProblemCode.REPEATED_COLUMN, message)


def _missing(line: int, found: Mapping[Meaning, Column], width: int) -> list[Problem]:
    fields = {meaning.field for meaning in found}
    timed = Field.STARTS_AT in fields or Field.DATE in fields or Field.TIME in fields
    wanted = [
        (Field.REF in fields, "the booking's reference (such as 'ref' or 'boknings-id')"),
        (timed, "the time of the visit ('starts_at', or 'datum' and 'tid')"),
        (not fields.isdisjoint(ADDRESSES), "a phone number or email address ('mobil', 'e-post')"),
    ]
    missing = "; ".join(what for there, what in wanted if not there)
    if not missing:
        return []
    # Unknown headers are not repeated: where the header is missing, they are somebody's data.
    known = ", ".join(repr(column.header) for column in found.values()) or "none"
    message = (
        f"There is no column for {missing}. Known columns of the {width} in this line: {known}. "
        "The line must name the columns; a header of your own can be explained in the clinic's "
        "setting 'columns'."
    )
    return [Problem(line, None, ProblemCode.MISSING_COLUMN, message)]


def _people(found: Mapping[Meaning, Column]) -> tuple[PersonColumns, ...]:
    """Return each person's columns; language and wishes of the row hold for all on it."""
    labels = dict.fromkeys(meaning.person for meaning in found)
    shared = {f: found[Meaning(f)] for f in _SHARED if Meaning(f) in found}
    people: list[PersonColumns] = []
    for label in labels:
        own = {
            meaning.field: column for meaning, column in found.items() if meaning.person == label
        }
        if own.keys().isdisjoint(ADDRESSES):
            continue
        role = PEOPLE[label.rstrip("0123456789")][0] if label else None
        asked = not own.keys().isdisjoint(_CONSENTS)
        people.append(PersonColumns(role, {**shared, **own}, len(people), asked))
    return tuple(people)


def whose(
    people: Sequence[PersonColumns], header: str | None
) -> tuple[PersonColumns, Field] | None:
    """Return the person that a column tells of, and what it tells; None if it is nobody's."""
    return next(
        (
            (person, field)
            for person in people
            for field, column in person.fields.items()
            if column.header == header
        ),
        None,
    )
