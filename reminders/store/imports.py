"""Imports against what is known: loading it, writing the difference, keeping the history."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from reminders.domain.appointment import OwnLogin, Truth, VisitStatus
from reminders.domain.contact import Channel, Consent, Role
from reminders.domain.merge import (
    Category,
    ContactChange,
    KnownContact,
    KnownPatient,
    KnownVisit,
    PatientChange,
    VisitChange,
)
from reminders.store.schema import (
    appointment,
    consent,
    contact,
    import_run,
    patient,
    problem,
    staged_visit,
)

FROM_FILE = "import"
WRITTEN = frozenset({Category.NEW, Category.MOVED, Category.CANCELLED, Category.UPDATED})


def known_patients(
    conn: Connection, clinic_id: int, keys: Sequence[str]
) -> dict[str, KnownPatient]:
    """Return what is known of these patients, by their key."""
    rows = conn.execute(
        select(patient).where(patient.c.clinic_id == clinic_id, patient.c.external_key.in_(keys))
    ).all()
    ids = [row.id for row in rows]
    wishes: dict[int, dict[Channel, Consent]] = defaultdict(dict)
    for row in conn.execute(
        select(consent)
        .join(contact, contact.c.id == consent.c.contact_id)
        .where(contact.c.patient_id.in_(ids))
    ):
        wishes[row.contact_id][Channel(row.channel)] = Consent(row.status)
    people: dict[int, list[KnownContact]] = defaultdict(list)
    for row in conn.execute(
        select(contact)
        .where(contact.c.patient_id.in_(ids), contact.c.removed_at.is_(None))
        .order_by(contact.c.id)
    ):
        people[row.patient_id].append(
            KnownContact(row.id, Role(row.role), row.phone, row.email, row.language, wishes[row.id])
        )
    return {
        row.external_key: KnownPatient(
            row.id,
            row.birth_date,
            row.protected,
            OwnLogin(row.own_login),
            tuple(people[row.id]),
        )
        for row in rows
    }


def known_visits(conn: Connection, clinic_id: int, refs: Sequence[str]) -> dict[str, KnownVisit]:
    """Return what is known of these bookings, by reference."""
    rows = conn.execute(
        select(appointment).where(appointment.c.clinic_id == clinic_id, appointment.c.ref.in_(refs))
    )
    return {
        row.ref: KnownVisit(
            row.id,
            row.patient_id,
            row.kind,
            Truth(row.starts_at, VisitStatus(row.status)),
            row.clinician,
        )
        for row in rows
    }


def write_patient(
    conn: Connection, clinic_id: int, change: PatientChange, now: datetime, *, confirm: bool
) -> list[tuple[int, Category]]:
    """Write what an import changes for one patient, and mark the visits for planning.

    Return (appointment id, what became of it) for each visit written.
    """
    patient_id = change.id
    facts = {
        "birth_date": change.birth_date,
        "protected": change.protected,
        "own_login": change.own_login.value,
    }
    to_write = [visit for visit in change.visits if visit.category in WRITTEN]
    if patient_id is None:
        if not to_write:
            return []
        patient_id = conn.execute(
            insert(patient)
            .values(clinic_id=clinic_id, external_key=change.key, **facts)
            .returning(patient.c.id)
        ).scalar_one()
    elif change.differs:
        conn.execute(update(patient).where(patient.c.id == patient_id).values(**facts))
    for contact_change in change.contacts:
        if contact_change.differs:
            _write_contact(conn, patient_id, contact_change, now)
    if change.removed:
        conn.execute(update(contact).where(contact.c.id.in_(change.removed)).values(removed_at=now))
    written = [
        (_write_visit(conn, clinic_id, patient_id, visit, now, confirm=confirm), visit.category)
        for visit in to_write
    ]
    if change.id is not None and change.differs:
        conn.execute(
            update(appointment)
            .where(appointment.c.patient_id == patient_id, appointment.c.starts_at >= now)
            .values(needs_plan=True)
        )
    return written


def _write_contact(conn: Connection, patient_id: int, change: ContactChange, now: datetime) -> None:
    person = change.person
    values = {
        "role": person.role.value,
        "phone": person.phone,
        "email": person.email,
        "language": person.language,
        "removed_at": None,
    }
    contact_id = change.id
    if contact_id is None:
        contact_id = conn.execute(
            insert(contact).values(patient_id=patient_id, **values).returning(contact.c.id)
        ).scalar_one()
    else:
        conn.execute(update(contact).where(contact.c.id == contact_id).values(**values))
    for channel, wish in person.consents.items():
        _write_consent(conn, contact_id, channel, wish, now)


def _write_consent(
    conn: Connection, contact_id: int, channel: Channel, wish: Consent, now: datetime
) -> None:
    this = (consent.c.contact_id == contact_id) & (consent.c.channel == channel.value)
    before = conn.execute(select(consent.c.status).where(this)).scalar()
    if before == wish.value:
        return
    conn.execute(delete(consent).where(this))
    conn.execute(
        insert(consent).values(
            contact_id=contact_id,
            channel=channel.value,
            status=wish.value,
            source=FROM_FILE,
            recorded_at=now,
        )
    )


def _write_visit(
    conn: Connection,
    clinic_id: int,
    patient_id: int,
    change: VisitChange,
    now: datetime,
    *,
    confirm: bool,
) -> int:
    visit, known = change.visit, change.known
    values: dict[str, object] = {
        "patient_id": patient_id,
        "kind": visit.kind,
        "starts_at": visit.truth.starts_at,
        "status": visit.truth.status.value,
        "needs_plan": True,
        "changed_at": now,
    }
    if visit.clinician is not None:
        values["clinician"] = visit.clinician
    if known is None:
        new = insert(appointment).values(
            clinic_id=clinic_id, ref=visit.ref, confirm=confirm, **values
        )
        made: int = conn.execute(new.returning(appointment.c.id)).scalar_one()
        return made
    if change.category is Category.CANCELLED:
        # The time that the patient was told of is what the cancellation is about.
        del values["starts_at"]
    conn.execute(update(appointment).where(appointment.c.id == known.id).values(**values))
    return known.id


@dataclass(frozen=True, slots=True)
class MissingVisit:
    """A booking that a full file should have had."""

    id: int
    ref: str
    starts_at: datetime


def missing(
    conn: Connection, clinic_id: int, run_id: int, since: datetime, until: datetime
) -> list[MissingVisit]:
    """Return booked visits in [since, until) that the file does not speak of at all."""
    spoken_of = select(staged_visit.c.ref).where(staged_visit.c.import_run_id == run_id)
    troubled = select(problem.c.ref).where(
        problem.c.import_run_id == run_id, problem.c.ref.is_not(None)
    )
    rows = conn.execute(
        select(appointment.c.id, appointment.c.ref, appointment.c.starts_at)
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.status == "booked",
            appointment.c.starts_at >= since,
            appointment.c.starts_at < until,
            appointment.c.ref.not_in(spoken_of),
            appointment.c.ref.not_in(troubled),
        )
        .order_by(appointment.c.starts_at, appointment.c.ref)
    )
    return [MissingVisit(row.id, row.ref, row.starts_at) for row in rows]


def last_export(conn: Connection, clinic_id: int) -> datetime | None:
    """Return when the newest file applied so far was exported."""
    return conn.execute(
        select(func.max(import_run.c.exported_at, type_=import_run.c.exported_at.type)).where(
            import_run.c.clinic_id == clinic_id, import_run.c.applied_at.is_not(None)
        )
    ).scalar()


def settle_problems(conn: Connection, clinic_id: int, run_id: int, now: datetime) -> None:
    """Close earlier problems: those the file solves, and those it repeats (as new ones)."""
    spoken_of = select(staged_visit.c.ref).where(staged_visit.c.import_run_id == run_id)
    repeated = select(problem.c.ref).where(
        problem.c.import_run_id == run_id, problem.c.ref.is_not(None)
    )
    conn.execute(
        update(problem)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.import_run_id != run_id,
            problem.c.solved_at.is_(None),
            problem.c.ref.in_(spoken_of) | problem.c.ref.in_(repeated) | problem.c.ref.is_(None),
        )
        .values(solved_at=now)
    )


def solve_problems(conn: Connection, clinic_id: int, refs: Sequence[str], now: datetime) -> None:
    """Close the problems of bookings that staff have put right by hand."""
    conn.execute(
        update(problem)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.solved_at.is_(None),
            problem.c.ref.in_(refs),
        )
        .values(solved_at=now)
    )


def count_problems(conn: Connection, run_id: int) -> int:
    """Return how many problems an import has."""
    query = select(func.count()).select_from(problem).where(problem.c.import_run_id == run_id)
    return conn.execute(query).scalar_one()


def counts_of(conn: Connection, run_id: int) -> Mapping[str, object] | None:
    """Return what an applied import changed."""
    return conn.execute(select(import_run.c.counts).where(import_run.c.id == run_id)).scalar()
