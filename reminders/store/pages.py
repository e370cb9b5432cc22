"""What the pages ask of the database. No query here reads more the more there is in the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, text

from reminders.domain.state import State
from reminders.store import views
from reminders.store.schema import (
    TROUBLE,
    WENT,
    appointment,
    attempt,
    consent,
    contact,
    message,
    opt_out,
    patient,
)
from reminders.store.views import Visit

REACHED = (State.SENDING, State.ACCEPTED, State.DELIVERED)
MISSED = (State.FAILED, State.UNDELIVERED, State.EXPIRED, State.UNKNOWN)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Hour:
    """The messages of one hour, from `at` (UTC) on."""

    at: datetime
    reached: int = 0
    planned: int = 0
    missed: int = 0


def hours(
    conn: Connection, clinic_id: int, since: datetime, now: datetime, until: datetime
) -> list[Hour]:
    """Return what went out in each hour from `since` to `now`, and what is to, until `until`."""
    first = since.replace(minute=0, second=0, microsecond=0)
    count = -((first - until) // HOUR)
    reached, planned, missed = ([0] * count for _ in range(3))
    went = _by_hour(message.c.changed_at, first, count)
    rows = conn.execute(
        select(went, message.c.state, func.count())
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(
            text(WENT),
            message.c.changed_at >= first,
            message.c.changed_at <= now,
            appointment.c.clinic_id == clinic_id,
        )
        .group_by(went, message.c.state)
    )
    for hour, state, number in rows:
        (missed if State(state) in MISSED else reached)[hour] += number
    coming = _by_hour(message.c.next_at, first, count)
    rows = conn.execute(
        select(coming, func.count())
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(
            text("message.state = 'planned'"),
            message.c.urgency.in_([0, 1]),
            message.c.next_at >= first,
            message.c.next_at < until,
            appointment.c.clinic_id == clinic_id,
        )
        .group_by(coming)
    )
    for hour, number in rows:
        planned[hour] += number
    return [
        Hour(first + HOUR * place, *numbers)
        for place, numbers in enumerate(zip(reached, planned, missed, strict=True))
    ]


def _by_hour(column: ColumnElement[datetime], first: datetime, count: int) -> ColumnElement[int]:
    """Return which hour after `first` an instant is in, in SQL that every database has."""
    ends = [(column < first + HOUR * (place + 1), place) for place in range(count - 1)]
    return case(*ends, else_=count - 1)


def coming_lines(conn: Connection, clinic_id: int, until: datetime, limit: int) -> list[views.Line]:
    """Return the messages that go out next, before `until`, the soonest first."""
    rows = conn.execute(
        select(message.c.id, message.c.appointment_id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(
            text("message.state = 'planned'"),
            message.c.urgency.in_([0, 1]),
            message.c.next_at < until,
            appointment.c.clinic_id == clinic_id,
        )
        .order_by(message.c.next_at, message.c.id)
        .limit(limit)
    ).all()
    wanted = {row.id for row in rows}
    found = views.visits(conn, among=appointment.c.id.in_([row.appointment_id for row in rows]))
    return [line for line in views.lines(conn, found) if line.message.id in wanted]


def troubled(
    conn: Connection, clinic_id: int, since: datetime, until: datetime, limit: int
) -> list[Visit]:
    """Return booked visits of which a message ended badly, the soonest first."""
    chosen = (
        select(message.c.appointment_id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(
            text(TROUBLE),
            message.c.truth_starts_at >= since,
            message.c.truth_starts_at < until,
            appointment.c.clinic_id == clinic_id,
            appointment.c.status == "booked",
            message.c.version == appointment.c.version,
        )
        .group_by(message.c.appointment_id)
        .order_by(func.min(message.c.truth_starts_at), message.c.appointment_id)
        .limit(limit)
    )
    ids = list(conn.execute(chosen).scalars())
    return views.visits(conn, among=appointment.c.id.in_(ids))


def unreachable(
    conn: Connection, clinic_id: int, since: datetime, until: datetime, limit: int
) -> list[Visit]:
    """Return booked visits with nobody at all to tell, the soonest first."""
    people = select(contact.c.id).where(
        contact.c.patient_id == appointment.c.patient_id, contact.c.removed_at.is_(None)
    )
    ids = conn.execute(
        select(appointment.c.id)
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.starts_at >= since,
            appointment.c.starts_at < until,
            appointment.c.status == "booked",
            ~people.exists(),
        )
        .order_by(appointment.c.starts_at)
        .limit(limit)
    ).scalars()
    return views.visits(conn, among=appointment.c.id.in_(list(ids)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which visits somebody looks for. `after` is the last one of the page before."""

    since: datetime | None = None
    until: datetime | None = None
    ref: str | None = None
    address: str | None = None
    status: str | None = None
    states: Sequence[State] = ()
    clinician: str | None = None
    after: tuple[datetime, int] | None = None


def search(conn: Connection, clinic_id: int, wanted: Wanted, limit: int) -> list[Visit]:
    """Return visits, the soonest first, at most `limit`."""
    among: list[ColumnElement[bool]] = [appointment.c.clinic_id == clinic_id]
    if wanted.ref is not None:
        among.append(appointment.c.ref == wanted.ref)
    if wanted.since is not None:
        among.append(appointment.c.starts_at >= wanted.since)
    if wanted.until is not None:
        among.append(appointment.c.starts_at < wanted.until)
    if wanted.status is not None:
        among.append(appointment.c.status == wanted.status)
    if wanted.clinician is not None:
        among.append(func.lower(appointment.c.clinician) == wanted.clinician.lower())
    if wanted.address is not None:
        among.append(appointment.c.patient_id.in_(_people_at(conn, clinic_id, wanted.address)))
    if wanted.states:
        said = select(message.c.id).where(
            message.c.appointment_id == appointment.c.id,
            message.c.state.in_([state.value for state in wanted.states]),
        )
        among.append(said.exists())
    if wanted.after is not None:
        at, last = wanted.after
        later = or_(
            appointment.c.starts_at > at,
            and_(appointment.c.starts_at == at, appointment.c.id > last),
        )
        among += [appointment.c.starts_at >= at, later]
    ids = conn.execute(
        select(appointment.c.id)
        .where(*among)
        .order_by(appointment.c.starts_at, appointment.c.id)
        .limit(limit)
    ).scalars()
    found = views.visits(conn, among=appointment.c.id.in_(list(ids)))
    return sorted(found, key=lambda visit: (visit.starts_at, visit.id))


def _people_at(conn: Connection, clinic_id: int, address: str) -> list[int]:
    """Return the patients that somebody with this address is told of."""
    column = contact.c.email if "@" in address else contact.c.phone
    rows = conn.execute(
        select(contact.c.patient_id)
        .join(patient, patient.c.id == contact.c.patient_id)
        .where(column == address, contact.c.removed_at.is_(None), patient.c.clinic_id == clinic_id)
        .limit(100)
    )
    return list(rows.scalars())


def clinicians(conn: Connection, clinic_id: int, since: datetime, until: datetime) -> list[str]:
    """Return who holds visits in a span."""
    rows = conn.execute(
        select(appointment.c.clinician)
        .distinct()
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.starts_at >= since,
            appointment.c.starts_at < until,
            appointment.c.clinician.is_not(None),
        )
        .order_by(appointment.c.clinician)
    )
    return [name for name in rows.scalars() if name]


def states_of(conn: Connection, visit_ids: Sequence[int]) -> Mapping[int, Mapping[State, int]]:
    """Return how many messages of each visit are in each state, of its present version."""
    found: dict[int, dict[State, int]] = {visit_id: {} for visit_id in visit_ids}
    rows = conn.execute(
        select(message.c.appointment_id, message.c.state, func.count())
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(
            message.c.appointment_id.in_(list(visit_ids)),
            message.c.version == appointment.c.version,
        )
        .group_by(message.c.appointment_id, message.c.state)
    )
    for visit_id, state, number in rows:
        found[visit_id][State(state)] = number
    return found


@dataclass(frozen=True, slots=True)
class Person:
    """One contact of a visit's patient, with the addresses themselves: for staff alone."""

    id: int
    role: str
    phone: str | None
    email: str | None
    language: str | None
    consents: Mapping[str, str]
    opted_out: frozenset[str]


def people_of(conn: Connection, visit_ids: Sequence[int]) -> dict[int, list[Person]]:
    """Return the present contacts of each visit's patient."""
    rows = conn.execute(
        select(appointment.c.id.label("visit_id"), contact, appointment.c.clinic_id)
        .join(contact, contact.c.patient_id == appointment.c.patient_id)
        .where(appointment.c.id.in_(list(visit_ids)), contact.c.removed_at.is_(None))
        .order_by(contact.c.id)
    ).all()
    wishes: dict[int, dict[str, str]] = {}
    chosen = consent.c.contact_id.in_([row.id for row in rows])
    for row in conn.execute(select(consent).where(chosen)):
        wishes.setdefault(row.contact_id, {})[row.channel] = row.status
    addresses = [a for row in rows for a in (row.phone, row.email) if a]
    out = conn.execute(
        select(opt_out.c.clinic_id, opt_out.c.address).where(
            opt_out.c.clinic_id.in_({row.clinic_id for row in rows}),
            opt_out.c.address.in_(addresses),
        )
    )
    gone = {(row.clinic_id, row.address) for row in out}
    found: dict[int, list[Person]] = {visit_id: [] for visit_id in visit_ids}
    for row in rows:
        stopped = frozenset(a for a in (row.phone, row.email) if a and (row.clinic_id, a) in gone)
        found[row.visit_id].append(
            Person(
                row.id,
                row.role,
                row.phone,
                row.email,
                row.language,
                wishes.get(row.id, {}),
                stopped,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Handed:
    """The last try to hand a message over: with which template, and the digest of its text."""

    message_id: int
    template_version: str
    body_digest: str
    started_at: datetime
    segments: int | None


def handed(conn: Connection, message_ids: Sequence[int]) -> dict[int, Handed]:
    """Return the last attempt of each of these messages that has one."""
    rows = conn.execute(
        select(attempt).where(attempt.c.message_id.in_(list(message_ids))).order_by(attempt.c.id)
    )
    return {
        row.message_id: Handed(
            row.message_id, row.template_version, row.body_digest, row.started_at, row.segments
        )
        for row in rows
    }
