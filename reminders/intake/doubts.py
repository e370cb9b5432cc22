"""What is still heard of a row that cannot be taken as it stands: whose it may be, what it forbids.

Nobody is taken away, and no protection is lifted, because a row could not be read; and a protected
identity or a refusal counts whatever else is wrong with the row it stands on.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from reminders.domain.contact import Role
from reminders.intake import words
from reminders.intake.addresses import email_address, mobile_number
from reminders.intake.columns import ADDRESSES, Columns, Field
from reminders.intake.patient import PatientReader
from reminders.intake.people import Person, read_people
from reminders.intake.problems import Problem, may_hide
from reminders.intake.record import Notes
from reminders.intake.shifted import shifted_protection
from reminders.intake.visit import VisitReader

_NAMING = (Field.PATIENT, Field.IDENTITY)
_MAY_BE_AN_ADDRESS = re.compile(r"@|(?<![0-9])(?:\+|0)[0-9()/\s-]{7,}")


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is heard of one row beside, or instead of, what is taken from it.

    `unread`: something of it could not be read, so it may tell of people who seem to be missing.
    `ref`, `patient_key`, `starts_at` (UTC) and the addresses of `people` are what it can be known
    by; `whose_unread`: the cell that names the patient is not to be trusted, else no key means
    that the booking stands for itself. `people` are those who are not taken with a row, with what
    they refuse. `protected` is None where the cell for it is lost. `anyone`: where nothing of
    it is known, it may be of anybody at all.
    """

    line: int
    ref: str | None
    patient_key: str | None
    unread: bool = True
    protected: bool | None = False
    people: tuple[Person, ...] = ()
    starts_at: datetime | None = None
    whose_unread: bool = False
    anyone: bool = False


@dataclass(frozen=True, slots=True)
class DoubtReader:
    """Hears what rows by these columns still say. `default_role` is by birth date and start."""

    columns: Columns
    visits: VisitReader
    patients: PatientReader
    region: str
    default_role: Callable[[date | None, datetime], Role]

    def of_taken(
        self, notes: Notes, key: str | None, people: tuple[Person, ...], *, protected: bool
    ) -> Doubt | None:
        """Return what is heard beside a video visit's row; None where it was taken whole.

        Of the row's `people` those are heard who are not taken; or all, where the patient's name
        cannot be read: somebody may know them.
        """
        unread = may_hide(notes.problems) or notes.unread
        lost = key is None and self._names_badly(notes.problems)
        people = people if lost else tuple(person for person in people if not person.taken)
        if not (unread or people):
            return None
        return Doubt(
            notes.line,
            notes.ref,
            key,
            unread=unread,
            protected=protected,
            people=people,
            whose_unread=lost,
        )

    def of_counted(self, notes: Notes, key: str | None) -> Doubt:
        """Return what is heard of a visit that is only counted, and protects its patient."""
        return Doubt(notes.line, notes.ref, key, unread=False, protected=True)

    def of_untaken(self, notes: Notes, *, joined: bool = False) -> Doubt:
        """Return what is heard of a record of which nothing is taken.

        `joined`: it has been put together from two, and its kind may be what was broken.
        """
        cells = notes.cells
        filled = max((place + 1 for place, cell in enumerate(cells) if cell.strip()), default=0)
        over = filled - self.columns.width
        return self._of_shifted(notes, over) if over > 0 else self._of_record(notes, joined=joined)

    def _of_record(self, notes: Notes, *, joined: bool) -> Doubt:
        naming, apart = notes.aside(), notes.aside()
        patient = self.patients.read(naming)
        kind, video = self.visits.kind(apart)
        starts_at = self.visits.starts_at(apart)
        # Of a visit that is only counted nobody is contacted, so nobody can be missed.
        counted = bool(kind) and not video and not joined
        role = self.default_role(patient.birth_date, starts_at or self.visits.now)
        people = notes.aside()
        found = () if counted else read_people(people, self.columns.people, role, self.region)
        lost = patient.key is None and self._names_badly(naming.problems, len(notes.cells))
        known_by = patient.key or starts_at or (notes.ref and not lost)
        column = self.columns.visit.get(Field.PROTECTED)
        cut = column is not None and column.index >= len(notes.cells)
        return Doubt(
            notes.line,
            notes.ref,
            patient.key,
            unread=not counted and may_hide((*notes.problems, *people.problems)),
            protected=None if cut else bool(patient.protected),
            people=tuple(replace(person, taken=False) for person in found),
            starts_at=starts_at,
            whose_unread=lost,
            anyone=not counted and not known_by and self._may_tell_of_people(notes),
        )

    def _names_badly(self, problems: Collection[Problem], width: int | None = None) -> bool:
        """Tell whether a cell that names the patient cannot be read, or is not there."""
        columns = [self.columns.visit[f] for f in _NAMING if f in self.columns.visit]
        headers = {problem.column for problem in problems}
        beyond = width is not None and any(column.index >= width for column in columns)
        return beyond or any(column.header in headers for column in columns)

    def _may_tell_of_people(self, notes: Notes) -> bool:
        """Tell whether anything stands where addresses do: a sum below the table has none."""
        return any(
            notes.cell(person.fields.get(field))
            for person in self.columns.people
            for field in ADDRESSES
        )

    def _of_shifted(self, notes: Notes, over: int) -> Doubt:
        """Return what is heard of a record with so many cells too many, wherever they stand.

        Which cell is which is not known, but an address is one wherever it stands.
        """
        cells = [words.clean(cell) for cell in notes.cells]
        starts_at = self.visits.starts_at(notes.aside())
        return Doubt(
            notes.line,
            notes.ref,
            None,
            protected=shifted_protection(cells, self.columns, over),
            people=tuple(self._addressed(cells)),
            starts_at=starts_at,
            whose_unread=True,
            anyone=starts_at is None and any(map(_MAY_BE_AN_ADDRESS.search, cells)),
        )

    def _addressed(self, cells: Sequence[str]) -> Iterator[Person]:
        for cell in cells:
            phone = mobile_number(cell, self.region) if cell else None
            email = email_address(cell) if "@" in cell else None
            if isinstance(phone, str):
                yield Person(Role.GUARDIAN, phone, None, None, {}, taken=False)
            elif isinstance(email, str):
                yield Person(Role.GUARDIAN, None, email, None, {}, taken=False)
