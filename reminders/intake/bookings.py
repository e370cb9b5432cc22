"""From a clinic's file to its bookings, row by row, and to what is wrong with them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from reminders.domain.appointment import OwnLogin, VisitStatus, age_at
from reminders.domain.contact import Role
from reminders.intake.agreement import Agreement, Said
from reminders.intake.columns import (
    Columns,
    Field,
    Meaning,
    find_meaning,
    is_vital,
    own_headers,
    read_header,
)
from reminders.intake.cut import LastColumn
from reminders.intake.doubts import Doubt, DoubtReader
from reminders.intake.patient import Patient, PatientReader
from reminders.intake.people import Person, read_people
from reminders.intake.plain import PlainPatients, PlainPeople, PlainVisits
from reminders.intake.problems import Fault, Problem, ProblemCode, may_hide, refusal, refuse
from reminders.intake.record import Notes
from reminders.intake.sheet import is_sheet, read_sheet
from reminders.intake.table import Record, read_table
from reminders.intake.times import read_date, read_start
from reminders.intake.visit import VisitReader, comparable_kind
from reminders.intake.words import plain_word

__all__ = ["Columns", "Doubt", "Format", "Person", "Problem", "ProblemCode", "Row", "read"]

T = TypeVar("T")

_BOOKED = VisitStatus.BOOKED
_ANY_DAY = "2026-01-15"

_TOO_MANY_CELLS = Fault(
    ProblemCode.BROKEN_ROW,
    "The row has more cells than there are headers. Is there a delimiter inside a text? Put such "
    "a text between quotation marks.",
)
_TOO_FEW_CELLS = Fault(
    ProblemCode.BROKEN_ROW,
    "The row ends before the cells that say whether it is cancelled, protected or without consent. "
    "Export every cell of a row, the empty ones too.",
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

    `columns` is {their header: our field}; `booked_words` and `cancelled_words` go before those
    known; `region` (ISO 3166) is that of phone numbers without a country; `pseudonym` turns an
    identity number of twelve digits into a key that does not tell it, and `seal` a whole row into
    one. A person whose role is not told is taken for the patient, or for a guardian of a patient
    who is under `own_from_age` at the visit.
    """

    zone: ZoneInfo
    pseudonym: Callable[[str], str] = field(repr=False)
    seal: Callable[[str], str] = field(default=lambda _: "", repr=False)
    columns: Mapping[str, str] = field(default_factory=dict)
    video_kinds: Collection[str] = ()
    booked_words: Collection[str] = ()
    cancelled_words: Collection[str] = ()
    region: str = "SE"
    own_from_age: int = 13

    def role_by_age(self, birth_date: date | None, starts_at: datetime) -> Role:
        """Return who a person is taken for when neither the file nor its columns tell."""
        age = age_at(birth_date, starts_at, self.zone)
        return Role.GUARDIAN if age is not None and age < self.own_from_age else Role.PATIENT


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a booking. `line` is 1-based, where it begins; `starts_at` is in UTC.

    `kind` is as written, or the clinic's first video kind where no column tells it. `past`: it is
    booked at a time that has passed, of which a problem tells; whom to contact is not read.
    """

    line: int
    ref: str
    kind: str
    video: bool
    starts_at: datetime
    status: VisitStatus
    patient_key: str | None
    birth_date: date | None
    protected: bool | None
    own_login: OwnLogin
    people: tuple[Person, ...]
    clinician: str | None = None
    past: bool = False


Item = Row | Problem | Doubt
"""What a record comes to: its problems, what is heard of it in doubt, its row; in this order."""


def read(
    source: bytes | Path,
    form: Format,
    now: datetime,
    progress: Callable[[float], None] | None = None,
    on_columns: Callable[[Columns], None] | None = None,
) -> Iterator[Item]:
    """Yield each record as a row, preceded by its problems; or its problems alone.

    Of a record that is not taken whole a Doubt says what is heard of it all the same.

    `progress` is told the share of the file that is read, 0 to 1, and `on_columns` once which
    columns are read. Raise RefusedFileError for a
    file that cannot be trusted as a whole, possibly after many rows: keep nothing of it then.
    """
    own = own_headers(form.columns)
    sheet = is_sheet(source)
    if sheet:
        records = read_sheet(source, progress)
    else:
        records = read_table(
            source,
            lambda header: find_meaning(header, own) is not None,
            progress,
            lambda header: _last_of(find_meaning(header, own), form.zone),
        )
    header = next(records, None)
    if header is None:
        raise refuse(ProblemCode.EMPTY_FILE, "The file is empty.")
    columns = read_header(header.line, header.cells, own, lettered=sheet)
    if on_columns is not None:
        on_columns(columns)
    reader = _Reader(form, columns, now)
    yield from _mended(records, reader, columns.width)
    if reader.contradictions:
        raise refusal(reader.contradictions)


def _last_of(meaning: Meaning | None, zone: ZoneInfo) -> LastColumn:
    """Return what judges by the last column whether the file is cut off."""
    field = meaning.field if meaning is not None else None
    if field is Field.DATE:
        return LastColumn(meaning=lambda text: _known(read_date(text)))
    if field in {Field.STARTS_AT, Field.TIME}:
        return LastColumn(meaning=lambda text: _minute(text, zone))
    return LastColumn(vital=is_vital(meaning))


def _minute(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the minute that a start, or a time alone, means; None where it means none."""
    start = _known(read_start((text,), zone)) or _known(read_start((_ANY_DAY, text), zone))
    return start.replace(second=0, microsecond=0) if start else None


def _known(value: T | Fault) -> T | None:
    return None if isinstance(value, Fault) else value


def _mended(records: Iterator[Record], reader: "_Reader", width: int) -> Iterator[Item]:
    """Yield what the records say, where the two halves of a broken row count as one problem."""
    before, held = Record(0, []), list[Item]()
    for record in records:
        results = reader.read(record)
        first, second = len(before.cells), len(record.cells)
        halves = max(first, second) < width and first + second == width + 1
        if halves and held and not any(isinstance(result, Row) for result in results):
            held = [*reader.heard_of_halves(before, record, held[0].ref, results)]
            results = []
        yield from held
        before, held = record, results
    yield from held


class _Reader:
    """Reads records one by one, and remembers what each booking said."""

    def __init__(self, form: Format, columns: Columns, now: datetime) -> None:
        self._form = form
        self._columns = columns
        kinds = {comparable_kind(kind): kind for kind in form.video_kinds}
        words = dict.fromkeys(map(plain_word, form.booked_words), VisitStatus.BOOKED)
        words |= dict.fromkeys(map(plain_word, form.cancelled_words), VisitStatus.CANCELLED)
        self._visits = VisitReader(columns, form.zone, kinds, words, now)
        today = now.astimezone(form.zone).date()
        self._guardian_named = any(who.role is Role.GUARDIAN for who in columns.people)
        self._patients = PatientReader(columns.visit, form.pseudonym, today)
        self._plain_visits = PlainVisits(columns, self._visits)
        self._plain_patients = PlainPatients(columns.visit, self._patients)
        self._plain_people = PlainPeople(columns.people, form.region)
        self._agreement = Agreement()
        self._doubts = DoubtReader(
            columns, self._visits, self._patients, form.region, self._default_role
        )

    @property
    def contradictions(self) -> Sequence[Problem]:
        """Return the lines that say otherwise of a booking than one before."""
        return self._agreement.contradictions

    def read(self, record: Record) -> list[Item]:
        """Return the problems of a record, what is in doubt, and its row if there is one."""
        plain = self._plain(record)
        return [plain] if plain is not None else self.read_fully(record)

    def _plain(self, record: Record) -> Row | None:
        """Return the row of an ordinary record, booked and with somebody to tell; else None."""
        line, cells = record
        if len(cells) != self._columns.width:
            return None
        visit = self._plain_visits.read(cells)
        if visit is None or visit.status is not VisitStatus.BOOKED:
            return None
        patient = self._plain_patients.read(cells)
        if patient is None or patient.protected:
            return None
        role = self._default_role(patient.birth_date, visit.starts_at)
        people = self._plain_people.read(cells, role)
        if not people:
            return None
        row = Row(
            line,
            visit.ref,
            visit.kind,
            True,
            visit.starts_at,
            visit.status,
            patient.key,
            patient.birth_date,
            patient.protected,
            patient.own_login,
            people,
            visit.clinician,
        )
        self._compare(row)
        return row

    def read_fully(self, record: Record) -> list[Item]:
        """Do the same for any record, with what there is to note of it."""
        notes = Notes(record.line, record.cells)
        row = self._row(notes)
        doubt = self._doubt(notes, row)
        found: list[Item] = [*notes.problems]
        if notes.problems:
            key = self._form.seal("\x1f".join(record.cells))
            at = row.starts_at if row and row.past else None
            if doubt and notes.ref is None:
                at = doubt.starts_at
            found = [replace(problem, row_key=key, starts_at=at) for problem in notes.problems]
        if doubt is not None:
            found.append(doubt)
        if row is not None:
            found.append(replace(row, people=tuple(p for p in row.people if p.taken)))
        return found

    def _doubt(self, notes: Notes, row: Row | None) -> Doubt | None:
        """Return what is heard of a record beside what is taken from it, if there is any such."""
        if row is None or row.past:
            return self._doubts.of_untaken(notes)
        if not row.video:
            key = self._patients.read(notes.aside()).key if row.protected else None
            return self._doubts.of_counted(notes, key) if row.protected else None
        protected = bool(row.protected)
        return self._doubts.of_taken(notes, row.patient_key, row.people, protected=protected)

    def heard_of_halves(
        self, first: Record, second: Record, ref: str | None, results: Sequence[Item]
    ) -> Iterator[Item]:
        """Yield the problem of a row that is broken in two, and what is heard of it.

        `results` are what its second half alone has come to.
        """
        yield Problem(first.line, None, _HALF_ROW.code, _HALF_ROW.message, ref)
        joint = " ".join((first.cells[-1], second.cells[0]))
        whole = Notes(first.line, [*first.cells[:-1], joint, *second.cells[1:]])
        whole.ref = self._visits.ref(whole.aside())
        whole.note(_HALF_ROW)
        yield self._doubts.of_untaken(whole, joined=True)
        for result in results:
            if isinstance(result, Doubt):
                yield replace(result, anyone=False)

    def _row(self, notes: Notes) -> Row | None:
        if any(cell.strip() for cell in notes.cells[self._columns.width :]):
            notes.ref = self._visits.ref(notes.aside())
            notes.note(_TOO_MANY_CELLS)
            return None
        ref = notes.ref = self._visits.ref(notes)
        if ref is None:
            return None
        if len(notes.cells) < self._columns.vital:
            notes.note(_TOO_FEW_CELLS)
            return None
        kind, video = self._visits.kind(notes)
        if not kind and Field.KIND in self._columns.visit:
            return None
        starts_at = self._visits.starts_at(notes)
        # Of a visit that is only counted, little more is wanted, and nothing is wrong with it.
        past = starts_at is None or self._visits.is_past(starts_at)
        status = self._visits.status(notes if video else notes.aside(), past=past)
        patient = self._patients.read(notes if video else notes.aside())
        if not video:
            patient = Patient(protected=patient.protected)
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
        self._compare(row)
        booked = row.status is VisitStatus.BOOKED
        if booked and not self._visits.in_time(notes, row.starts_at):
            return replace(row, past=True) if self._visits.is_past(row.starts_at) else None
        if row.protected or not booked:
            # Nobody need be reached, so nothing is wrong; but who is not read is not gone either.
            # A landline is read. As nobody hears of it here, it must not keep an old number.
            apart = notes.aside()
            row = replace(row, people=self._people(apart, row))
            lost = [found for found in apart.problems if found.code is not ProblemCode.NOT_MOBILE]
            notes.unread = may_hide(lost)
            return row
        told = len(notes.problems)
        people = self._people(notes, row)
        if not any(person.taken for person in people) and len(notes.problems) == told:
            notes.note(_NO_CONTACT)
        return replace(row, people=people)

    def _people(self, notes: Notes, row: Row) -> tuple[Person, ...]:
        """Return the row's people, and those who cannot be taken, as such."""
        role = self._default_role(row.birth_date, row.starts_at)
        return read_people(notes, self._columns.people, role, self._form.region)

    def _default_role(self, birth_date: date | None, starts_at: datetime) -> Role:
        """Return who a person is taken for when the file does not tell."""
        if self._guardian_named:
            return Role.PATIENT
        return self._form.role_by_age(birth_date, starts_at)

    def _compare(self, row: Row) -> None:
        """Hear what the row says of its booking, which other rows must not contradict."""
        said = Said.by(row.line, row.starts_at, row.status, row.patient_key)
        self._agreement.hear(row.ref, said)
