"""Bookings that are known here and that a file does not tell of."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, select, union_all

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.brought import KnownVisit
from reminders.domain.known_again import bare
from reminders.store.schema import appointment, patient
from reminders.store.schema_intake import problem, staged_doubt, staged_visit


@dataclass(frozen=True, slots=True)
class MissingVisit:
    """A booking that a full file should have had."""

    id: int
    ref: str
    starts_at: datetime


def missing(
    conn: Connection, clinic_id: int, run_id: int, since: datetime, until: datetime
) -> list[MissingVisit]:
    """Return booked visits in [since, until) that the file does not speak of at all.

    Nor those of a patient of whom it has a row that could not be read, and does not say of which,
    nor those whose reference it may have with other zeros.
    """
    spoken_of = select(staged_visit.c.ref).where(staged_visit.c.import_run_id == run_id)
    troubled = select(problem.c.ref).where(
        problem.c.import_run_id == run_id, problem.c.ref.is_not(None)
    )
    nameless = select(staged_doubt.c.patient_key).where(
        staged_doubt.c.import_run_id == run_id,
        staged_doubt.c.ref.is_(None),
        staged_doubt.c.patient_key.is_not(None),
    )
    rows = conn.execute(
        select(appointment.c.id, appointment.c.ref, appointment.c.starts_at)
        .join(patient, patient.c.id == appointment.c.patient_id)
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.status == "booked",
            appointment.c.starts_at >= since,
            appointment.c.starts_at < until,
            appointment.c.ref.not_in(spoken_of),
            appointment.c.ref.not_in(troubled),
            patient.c.external_key.not_in(nameless),
        )
        .order_by(appointment.c.starts_at, appointment.c.ref)
    )
    found = [MissingVisit(row.id, row.ref, row.starts_at) for row in rows]
    named = {bare(visit.ref) for visit in found} - {None}
    if not named:
        return found
    file = union_all(spoken_of, troubled)
    perhaps = {bare(ref) for ref in conn.execute(file).scalars()} & named
    return [visit for visit in found if bare(visit.ref) not in perhaps]


def coming(
    conn: Connection, run_id: int, patient_ids: Collection[int], now: datetime
) -> dict[int, dict[str, KnownVisit]]:
    """Return the visits to come, by patient and reference, of which a file has no readable row."""
    staged = (staged_visit.c.import_run_id == run_id) & (staged_visit.c.ref == appointment.c.ref)
    rows = conn.execute(
        select(appointment)
        .where(
            appointment.c.patient_id.in_(patient_ids),
            appointment.c.status == VisitStatus.BOOKED.value,
            appointment.c.starts_at > now,
            ~exists().where(staged),
        )
        .order_by(appointment.c.starts_at, appointment.c.ref)
    )
    found: dict[int, dict[str, KnownVisit]] = defaultdict(dict)
    for row in rows:
        truth = Truth(row.starts_at, VisitStatus(row.status))
        visit = KnownVisit(row.id, row.patient_id, row.kind, truth, row.clinician)
        found[row.patient_id][row.ref] = visit
    return found


def ids_to_come(conn: Connection, patient_id: int, now: datetime) -> list[int]:
    """Return the ids of a patient's booked visits to come."""
    query = select(appointment.c.id).where(
        appointment.c.patient_id == patient_id,
        appointment.c.status == VisitStatus.BOOKED.value,
        appointment.c.starts_at > now,
    )
    return list(conn.execute(query.order_by(appointment.c.id)).scalars())
