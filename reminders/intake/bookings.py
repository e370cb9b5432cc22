"""From a clinic's file to its bookings, row by row, and to what is wrong with them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from reminders.domain.appointment import OwnLogin, VisitStatus, age_at
from reminders.domain.contact import Role
from reminders.intake.columns import Columns, find_meaning, own_headers, read_header
from reminders.intake.patient import Patient, PatientReader
from reminders.intake.people import Person, read_person
from reminders.intake.problems import Fault, Problem, ProblemCode, refusal, refuse
from reminders.intake.record import Notes
from reminders.intake.table import Record, read_table
from reminders.intake.visit import VisitReader, comparable_kind
from reminders.intake.words import plain_word

__all__ = ["Format", "Person", "Problem", "ProblemCode", "Row", "read"]

_TOO_MANY_CELLS = Fault(
    ProblemCode.BROKEN_ROW,
    "The row has more cells than there are headers. Is there a delimiter inside a text? Put such "
    "a text between quotation marks.",
)
_HALF_ROW = Fault(
    ProblemCode.BROKEN_ROW,
    "The row goes on in the next line. Take the line break out of the text, or put the text "
    "between quotation marks.",
)
_NO_CONTACT = Fault(
    ProblemCode.NO_CONTACT,
    "There is nobody to send a message to. Write a mobile number or an email address.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a clinic's files are read.

    `columns` is {their header: our field}; `cancelled_words` add to those known; `region` (ISO
    3166) is that of phone numbers without a country; `pseudonym` turns an identity number of
    twelve digits into a key that does not tell it. A person whose role is not told is taken for
    the patient, or for a guardian of a patient who is under `own_from_age` at the visit.
    """

    zone: ZoneInfo
    pseudonym: Callable[[str], str] = field(repr=False)
    columns: Mapping[str, str] = field(default_factory=dict)
    video_kinds: Collection[str] = ()
    cancelled_words: Collection[str] = ()
    region: str = "SE"
    own_from_age: int = 13


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a booking. `line` is 1-based, where it begins; `starts_at` is in UTC.

    `kind` is as written, or the clinic's first video kind where no column tells it.
    """

    line: int
    ref: str
    kind: str
    video: bool
    starts_at: datetime
    status: VisitStatus
    patient_key: str | None
    birth_date: date | None
    protected: bool
    own_login: OwnLogin
    people: tuple[Person, ...]
    clinician: str | None = None


def read(
    source: bytes | Path,
    form: Format,
    now: datetime,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Row | Problem]:
    """Yield each record as a row, preceded by its problems; or its problems alone.

    `progress` is told the share of the file that is read, 0 to 1. Raise RefusedFileError for a
    file that cannot be trusted as a whole, possibly after many rows: keep nothing of it then.
    """
    own = own_headers(form.columns)
    records = read_table(source, lambda header: find_meaning(header, own) is not None, progress)
    header = next(records, None)
    if header is None:
        raise refuse(ProblemCode.EMPTY_FILE, "The file is empty.")
    columns = read_header(header.line, header.cells, own)
    reader = _Reader(form, columns, now)
    yield from _mended(records, reader, columns.width)
    if reader.contradictions:
        raise refusal(reader.contradictions)


def _mended(records: Iterator[Record], reader: "_Reader", width: int) -> Iterator[Row | Problem]:
    """Yield what the records say, where the two halves of a broken row count as one problem."""
    before, held = 0, list[Row | Problem]()
    for record in records:
        results = reader.read(record)
        cells = len(record.cells)
        halves = max(before, cells) < width and before + cells == width + 1
        if halves and held and not any(isinstance(result, Row) for result in results):
            first = held[-1]
            held = [Problem(first.line, None, _HALF_ROW.code, _HALF_ROW.message, first.ref)]
            results = []
        yield from held
        before, held = cells, results
    yield from held


@dataclass(frozen=True, slots=True)
class _Said:
    """What a booking's rows must agree on, and the first line that said it."""

    line: int
    starts_at: datetime
    status: VisitStatus
    patient_key: str | None

    def differs_in(self, other: "_Said") -> str | None:
        """Return what the other says otherwise, in words, or None."""
        if other.starts_at != self.starts_at:
            return "another time"
        if other.status is not self.status:
            return "another status"
        if None not in {self.patient_key, other.patient_key} and (
            other.patient_key != self.patient_key
        ):
            return "another patient"
        return None


class _Reader:
    """Reads records one by one, and remembers what each booking said."""

    def __init__(self, form: Format, columns: Columns, now: datetime) -> None:
        self._form = form
        self._columns = columns
        kinds = {comparable_kind(kind): kind for kind in form.video_kinds}
        cancelled_words = frozenset(map(plain_word, form.cancelled_words))
        self._visits = VisitReader(columns, form.zone, kinds, cancelled_words, now)
        today = now.astimezone(form.zone).date()
        self._patients = PatientReader(columns.visit, form.pseudonym, today)
        self._said: dict[str, _Said] = {}
        self.contradictions: list[Problem] = []

    def read(self, record: Record) -> list[Row | Problem]:
        """Return the problems of a record, and then its row if there is one."""
        notes = Notes(record.line, record.cells)
        row = self._row(notes)
        return [*notes.problems, row] if row else [*notes.problems]

    def _row(self, notes: Notes) -> Row | None:
        if any(cell.strip() for cell in notes.cells[self._columns.width :]):
            notes.note(_TOO_MANY_CELLS)
            return None
        ref = notes.ref = self._visits.ref(notes)
        if ref is None:
            return None
        kind, video = self._visits.kind(notes)
        starts_at = self._visits.starts_at(notes)
        # Of a visit that is only counted, nothing more is wanted, and nothing is wrong with it.
        status = self._visits.status(notes if video else notes.aside())
        patient = self._patients.read(notes) if video else Patient()
        if not video:
            status = status or VisitStatus.BOOKED
        if starts_at is None or status is None:
            return None
        row = Row(
            line=notes.line,
            ref=ref,
            kind=kind,
            video=video,
            starts_at=starts_at,
            status=status,
            patient_key=patient.key,
            birth_date=patient.birth_date,
            protected=patient.protected,
            own_login=patient.own_login,
            people=(),
            clinician=self._visits.clinician(notes) if video else None,
        )
        return self._with_people(notes, row) if video else row

    def _with_people(self, notes: Notes, row: Row) -> Row | None:
        """Return a video visit's row with its people, if it agrees with others and is to come."""
        self._compare(notes, row)
        booked = row.status is VisitStatus.BOOKED
        if booked and not self._visits.in_time(notes, row.starts_at):
            return None
        if row.protected or not booked:
            return replace(row, people=self._people(notes.aside(), row))
        told = len(notes.problems)
        people = self._people(notes, row)
        if not people and len(notes.problems) == told:
            notes.note(_NO_CONTACT)
        return replace(row, people=people)

    def _people(self, notes: Notes, row: Row) -> tuple[Person, ...]:
        role = self._default_role(row)
        people = (
            read_person(notes, columns, role, self._form.region) for columns in self._columns.people
        )
        return tuple(person for person in people if person is not None)

    def _default_role(self, row: Row) -> Role:
        """Return who a person is taken for when the file does not tell."""
        if any(columns.role is Role.GUARDIAN for columns in self._columns.people):
            return Role.PATIENT
        age = age_at(row.birth_date, row.starts_at, self._form.zone)
        return Role.GUARDIAN if age is not None and age < self._form.own_from_age else Role.PATIENT

    def _compare(self, notes: Notes, row: Row) -> None:
        """Keep what a booking said first, and any line that says otherwise."""
        said = _Said(row.line, row.starts_at, row.status, row.patient_key)
        first = self._said.setdefault(row.ref, said)
        if first.patient_key is None and said.patient_key is not None:
            self._said[row.ref] = replace(first, patient_key=said.patient_key)
        differing = first.differs_in(said)
        if differing:
            message = (
                f"The booking has {differing} here than on line {first.line}. Leave the row that "
                "is true, and export again."
            )
            self.contradictions.append(
                Problem(notes.line, None, ProblemCode.CONTRADICTION, message, row.ref)
            )
