"""What a row tells of the visit: its reference, kind, time and status."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from unicodedata import normalize
from zoneinfo import ZoneInfo

from reminders.domain.appointment import VisitStatus
from reminders.intake.addresses import damage, without_decimals
from reminders.intake.columns import Column, Columns, Field
from reminders.intake.identity import birth_dates_in, may_hold_identity
from reminders.intake.problems import Fault, ProblemCode
from reminders.intake.record import LONGEST_KEY, Notes
from reminders.intake.times import read_date, read_start
from reminders.intake.words import is_over, status_of, yes_or_no

FARTHEST = timedelta(days=3 * 365)
_DIGITS_OF_A_DATE = 6
STATUS_FIELDS = (Field.STATUS, Field.BOOKED, Field.CANCELLED)
# What a yes, or the moment it happened at, says in these columns; and what a no says.
_SAID_BY_YES: Mapping[Field, tuple[VisitStatus, VisitStatus]] = {
    Field.BOOKED: (VisitStatus.BOOKED, VisitStatus.CANCELLED),
    Field.CANCELLED: (VisitStatus.CANCELLED, VisitStatus.BOOKED),
}
_TELL_BIRTH = (Field.BIRTH_DATE, Field.IDENTITY, Field.PATIENT)
_BAD_REF = Fault(
    ProblemCode.BAD_REF,
    f"The booking's reference is missing, is longer than {LONGEST_KEY} characters, or has signs "
    "in it that cannot be shown. Write the number or name that the booking system has for it.",
)
_IDENTITY_AS_REF = Fault(
    ProblemCode.BAD_REF,
    "There is an identity number in the booking's reference, and it is never kept. Export the "
    "booking's own number instead.",
)
_PAST_TIME = Fault(
    ProblemCode.PAST_TIME,
    "The time of the visit has passed. If the visit is still to come, correct the date.",
)
_FAR_TIME = Fault(
    ProblemCode.FAR_TIME,
    "The visit is more than three years ahead. Correct the year.",
)
_NO_KIND = Fault(
    ProblemCode.NO_KIND,
    "The kind of visit is missing, so it is not taken for a video visit. Write the kind.",
)
_UNKNOWN_STATUS = Fault(
    ProblemCode.UNKNOWN_STATUS,
    "It is not clear whether the visit is booked or cancelled. Write 'bokad' or 'avbokad'; a word "
    "of your own goes into the clinic's setting 'booked_words' if such a visit takes place, and "
    "into 'cancelled_words' if it does not.",
)
_NOT_OVER = Fault(
    ProblemCode.UNKNOWN_STATUS,
    "The visit is said to be over, or missed, and its time is yet to come. Correct the date, or "
    "write 'bokad' or 'avbokad'.",
)


def comparable_kind(text: str) -> str:
    """Return a kind of visit as kinds are compared: spaces evened out, no matter the case."""
    return normalize("NFC", " ".join(text.split())).casefold()


@dataclass(frozen=True, slots=True)
class VisitReader:
    """Reads visits by these columns.

    `kinds` has the video kinds, comparable, in the clinic's order and spelling; `own_words` are the
    clinic's for a status, plain; `now` is aware.
    """

    columns: Columns
    zone: ZoneInfo
    kinds: Mapping[str, str]
    own_words: Mapping[str, VisitStatus]
    now: datetime

    def ref(self, notes: Notes) -> str | None:
        """Return the booking's reference, or note why there is none."""
        column = self.columns.visit[Field.REF]
        text = without_decimals(notes.cell(column))
        fault = damage(text)
        if fault is None and not (0 < len(text) <= LONGEST_KEY and text.isprintable()):
            fault = _BAD_REF
        if fault is None and self._names_the_patient(notes, text):
            fault = _IDENTITY_AS_REF
        if fault is not None:
            notes.note(fault, column)
            return None
        return text

    def _names_the_patient(self, notes: Notes, ref: str) -> bool:
        """Tell whether a reference has an identity number in it.

        Booking systems number by the day: a date of these days is no birth date, unless the patient
        of the row was born on it.
        """
        today = self.now.astimezone(self.zone).date()
        sure, lately = birth_dates_in(ref, today)
        return bool(sure) or any(
            not lately.isdisjoint({read_date(text)}.union(*birth_dates_in(text, today)))
            for text in (notes.cell(self.columns.visit.get(field)) for field in _TELL_BIRTH)
        )

    def kind(self, notes: Notes) -> tuple[str, bool]:
        """Return the kind of visit, and whether it is a video visit."""
        column = self.columns.visit.get(Field.KIND)
        if column is None:
            return next(iter(self.kinds.values()), ""), True
        kind = " ".join(notes.cell(column).split())
        if not kind:
            notes.note(_NO_KIND, column)
        return kind, comparable_kind(kind) in self.kinds

    def clinician(self, notes: Notes) -> str | None:
        """Return who holds the visit, as the clinic writes it; None where it is not told."""
        text = " ".join(notes.cell(self.columns.visit.get(Field.CLINICIAN)).split())
        if not text.isprintable() or may_hold_identity(text):
            return None
        return text[:LONGEST_KEY] or None

    def starts_at(self, notes: Notes) -> datetime | None:
        """Return the instant (UTC) that the visit begins at, or note why it is not known."""
        texts = tuple(map(notes.cell, self.columns.when))
        start = read_start(texts, self.zone)
        if isinstance(start, Fault):
            notes.note(start, self._at_fault(texts))
            return None
        return start

    def _at_fault(self, texts: tuple[str, ...]) -> Column:
        """Return the time's column where the date is in another and can be read."""
        return self.columns.when[-1 if isinstance(read_date(texts[0]), date) else 0]

    def is_past(self, starts_at: datetime) -> bool:
        """Tell whether the visit has begun."""
        return starts_at <= self.now

    def in_time(self, notes: Notes, starts_at: datetime) -> bool:
        """Tell whether the visit is still to come and not absurdly far away; note if not."""
        fault = None
        if self.is_past(starts_at):
            fault = _PAST_TIME
        elif starts_at > self.now + FARTHEST:
            fault = _FAR_TIME
        if fault is not None:
            notes.note(fault, self.columns.when[0])
        return fault is None

    def status(self, notes: Notes, *, past: bool) -> VisitStatus | None:
        """Return the status, or note that it is unclear. Cancelled in one column is cancelled.

        `past`: the visit's time has passed, so a word that says that it is over tells no other
        status than it had: booked.
        """
        found = {
            self._one_status(notes, field, past=past)
            for field in STATUS_FIELDS
            if field in self.columns.visit
        }
        if None in found:
            return None
        return VisitStatus.CANCELLED if VisitStatus.CANCELLED in found else VisitStatus.BOOKED

    def _one_status(self, notes: Notes, field: Field, *, past: bool) -> VisitStatus | None:
        column = self.columns.visit[field]
        text = notes.cell(column)
        if not text:
            return VisitStatus.BOOKED
        status = status_of(text, self.own_words)
        if status is None and field in _SAID_BY_YES:
            yes, no = _SAID_BY_YES[field]
            dated = sum(map(str.isdecimal, text)) >= _DIGITS_OF_A_DATE
            answer = True if dated else yes_or_no(text)
            status = None if answer is None else (yes if answer else no)
        if status is None and past and is_over(text):
            return VisitStatus.BOOKED
        if status is None:
            notes.note(_NOT_OVER if is_over(text) else _UNKNOWN_STATUS, column)
        return status
