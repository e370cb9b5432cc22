"""Patients of a staged file whose rows state more than one birth date."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, bindparam, func, select

from reminders.store.schema_intake import staged_visit

_BORN = staged_visit.c.birth_date
_TOLD = ((staged_visit.c.import_run_id == bindparam("run")), _BORN.is_not(None))
_SEVERAL = (
    select(staged_visit.c.patient_key)
    .where(*_TOLD)
    .group_by(staged_visit.c.patient_key)
    .having(func.min(_BORN) != func.max(_BORN))
)
_ROWS = (
    select(staged_visit.c.line, staged_visit.c.ref, staged_visit.c.patient_key, _BORN)
    .where(*_TOLD, staged_visit.c.patient_key.in_(_SEVERAL))
    .order_by(staged_visit.c.line, staged_visit.c.id)
)


@dataclass(frozen=True, slots=True)
class OtherBirth:
    """The first line with a birth date that is not the one of the patient's line `before`."""

    line: int
    ref: str
    patient_key: str
    before: int
    dates: tuple[date, date]


def others(conn: Connection, run_id: int) -> Iterator[OtherBirth]:
    """Yield each birth date that contradicts the first of its patient, in the order of the lines.

    Whose each row is has been found out by then (`staging.join_patients`).
    """
    first: dict[str, tuple[int, date]] = {}
    told: set[tuple[str, date]] = set()
    for line, ref, key, born in conn.execute(_ROWS, {"run": run_id}):
        before, date_before = first.setdefault(key, (line, born))
        if born != date_before and (key, born) not in told:
            told.add((key, born))
            yield OtherBirth(line, ref, key, before, (date_before, born))
