"""What the pages ask of the database. No query here reads more the more there is in the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
    union_all,
)

from reminders.domain.contact import Channel, canonical
from reminders.domain.state import State
from reminders.store import views
from reminders.store.schema import (
    TROUBLE,
    WENT,
    appointment,
    consent,
    contact,
    message,
    opt_out,
    patient,
)
from reminders.store.views import Visit
from reminders.store.waiting import put_off

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
    given = {"clinic_id": clinic_id, "first": first, "now": now, "until": until}
    for hour, state, number in conn.execute(_went(conn.dialect.name), given):
        (missed if State(state) in MISSED else reached)[_place(hour, first)] += number
    for hour, number in conn.execute(_coming(conn.dialect.name), given):
        planned[_place(hour, first)] += number
    return [
        Hour(first + HOUR * place, *numbers)
        for place, numbers in enumerate(zip(reached, planned, missed, strict=True))
    ]


def _place(hour: str, first: datetime) -> int:
    """Return which hour after `first` it is; `hour` is written as the statements below do."""
    return (datetime.strptime(f"{hour}+0000", "%Y-%m-%d %H%z") - first) // HOUR


def _hour(dialect: str, column: ColumnElement[datetime]) -> ColumnElement[str]:
    """Return the UTC hour of an instant, as `2026-12-01 08`."""
    if dialect == "sqlite":
        return func.strftime("%Y-%m-%d %H", column)
    return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24")


@cache
def _went(dialect: str) -> Select[str, str, int]:
    hour = _hour(dialect, message.c.changed_at).label("hour")
    return (
        select(hour, message.c.state, func.count())
        .where(
            text(WENT),
            message.c.changed_at >= bindparam("first"),
            message.c.changed_at <= bindparam("now"),
            message.c.clinic_id == bindparam("clinic_id"),
        )
        .group_by(hour, message.c.state)
    )


@cache
def _coming(dialect: str) -> Select[str, int]:
    hour = _hour(dialect, message.c.next_at).label("hour")
    return (
        select(hour, func.count())
        .where(
            *_on_its_way(bindparam("clinic_id")),
            message.c.next_at >= bindparam("first"),
            message.c.next_at < bindparam("until"),
        )
        .group_by(hour)
    )


def _on_its_way(clinic_id: int | BindParameter[int]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on a clinic's planned messages, for the index of what is due."""
    return (
        message.c.state == literal_column("'planned'"),
        message.c.clinic_id == clinic_id,
        message.c.channel.in_([channel.value for channel in Channel]),
        message.c.urgency.in_([0, 1]),
    )


def coming_lines(conn: Connection, clinic_id: int, until: datetime, limit: int) -> list[views.Line]:
    """Return the messages that go out next, before `until`, the soonest first."""
    chosen = (
        select(message.c.id)
        .where(*_on_its_way(clinic_id), message.c.next_at < until)
        .order_by(message.c.next_at, message.c.id)
        .limit(limit)
    )
    return views.lines_among(conn, message.c.id.in_(chosen))


def troubled(conn: Connection, clinic_id: int, now: datetime, limit: int) -> list[Visit]:
    """Return coming visits, by now or as expected, of which a message is in trouble."""
    since, until = now - views.JUST_BEGUN, now + views.CALL_AHEAD
    # Written so that no index on the clinic's visits serves: those of trouble are far shorter.
    here = appointment.c.clinic_id + 0 == clinic_id
    soonest = (
        select(message.c.appointment_id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(
            text(TROUBLE),
            message.c.truth_starts_at >= since,
            message.c.truth_starts_at < until,
            here,
            views.of_now(),
        )
        .group_by(message.c.appointment_id)
        .order_by(func.min(message.c.truth_starts_at), message.c.appointment_id)
        .limit(limit)
        .subquery()
    )
    chosen = union_all(
        select(soonest.c.appointment_id),
        views.expected(since, until).where(here),
        put_off(now, until).where(here),
    )
    return views.visits(conn, among=appointment.c.id.in_(chosen))


def unreachable(
    conn: Connection, clinic_id: int, since: datetime, until: datetime, limit: int
) -> list[Visit]:
    """Return visits of which no message need tell that somebody is to be phoned; the soonest first.

    Those with nobody to tell, or that were somebody else's; cancelled ones told by phone.
    """
    chosen = (
        select(appointment.c.id)
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.starts_at >= since,
            appointment.c.starts_at < until,
            # One look by index for each visit: EXISTS beside OR may read all of them.
            or_(
                views.nobody(),
                appointment.c.former_patient_id.is_not(None),
                views.told_by_phone(),
            ),
        )
        .order_by(appointment.c.starts_at)
        .limit(limit)
    )
    return views.visits(conn, among=appointment.c.id.in_(chosen))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which visits somebody looks for. `after` is the last one of the page before."""

    since: datetime | None = None
    until: datetime | None = None
    ref: str | None = None
    address: str | None = None
    status: str | None = None
    states: Sequence[State] = ()
    clinicians: Sequence[str] | None = None
    after: tuple[datetime, int] | None = None


def search(conn: Connection, clinic_id: int, wanted: Wanted, limit: int) -> list[Visit]:
    """Return visits, the soonest first, at most `limit`."""
    chosen = (
        select(appointment.c.id)
        .where(*_among(conn, clinic_id, wanted))
        .order_by(appointment.c.starts_at, appointment.c.id)
        .limit(limit)
    )
    found = views.visits(conn, among=appointment.c.id.in_(chosen))
    return sorted(found, key=lambda visit: (visit.starts_at, visit.id))


def starts(conn: Connection, clinic_id: int, wanted: Wanted, limit: int) -> list[datetime]:
    """Return when visits start, the soonest first, at most `limit` of them."""
    query = select(appointment.c.starts_at).where(*_among(conn, clinic_id, wanted))
    return list(conn.execute(query.order_by(appointment.c.starts_at).limit(limit)).scalars())


def _among(conn: Connection, clinic_id: int, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Return the conditions on a visit that is looked for."""
    # Somebody's visits are few: no index on the clinic's visits is to serve for them.
    of_one = wanted.address is not None
    whose = appointment.c.clinic_id + 0 if of_one else appointment.c.clinic_id
    among: list[ColumnElement[bool]] = [whose == clinic_id]
    if wanted.ref is not None:
        among.append(appointment.c.ref == wanted.ref if views.NUL not in wanted.ref else false())
    if wanted.since is not None:
        among.append(appointment.c.starts_at >= wanted.since)
    if wanted.until is not None:
        among.append(appointment.c.starts_at < wanted.until)
    if wanted.status == "cancelled":
        among.append(appointment.c.status == literal_column("'cancelled'"))  # for its index
    elif wanted.status is not None:
        among.append(appointment.c.status == wanted.status)
    if wanted.clinicians is not None:
        among.append(appointment.c.clinician.in_(wanted.clinicians))
    if wanted.address is not None:
        among.append(appointment.c.patient_id.in_(_people_at(conn, clinic_id, wanted.address)))
    if wanted.states:
        among.append(_with_message(wanted))
    if wanted.after is not None:
        at, last = wanted.after
        later = or_(
            appointment.c.starts_at > at,
            and_(appointment.c.starts_at == at, appointment.c.id > last),
        )
        among += [appointment.c.starts_at >= at, later]
    return among


def _with_message(wanted: Wanted) -> ColumnElement[bool]:
    """Tell whether a message of the visit as it is now is in one of the wanted states."""
    own = select(message.c.id).where(
        message.c.appointment_id == appointment.c.id,
        message.c.version == appointment.c.version,
        message.c.state.in_([state.value for state in wanted.states]),
    )
    if wanted.since is None or wanted.until is None or not set(wanted.states) <= set(MISSED):
        return own.exists()
    # Rare, with an index of its own: looking through the visits of a month for them is slow.
    troubled = select(message.c.appointment_id).where(
        text(TROUBLE),
        message.c.truth_starts_at >= wanted.since,
        message.c.truth_starts_at < wanted.until,
    )
    return and_(appointment.c.id.in_(troubled), own.exists())


def _people_at(conn: Connection, clinic_id: int, address: str) -> list[int]:
    """Return the patients that somebody with this address is told of."""
    column = func.lower(contact.c.email) if "@" in address else contact.c.phone
    rows = conn.execute(
        select(contact.c.patient_id)
        .join(patient, patient.c.id == contact.c.patient_id)
        .where(
            column == canonical(address),
            contact.c.removed_at.is_(None),
            patient.c.clinic_id == clinic_id,
        )
        .limit(100)
    )
    return list(rows.scalars())


def clinicians(
    conn: Connection, clinic_id: int, since: datetime, until: datetime | None
) -> list[str]:
    """Return who holds visits in a span, or from `since` on."""
    query = select(appointment.c.clinician).where(
        appointment.c.clinic_id == clinic_id,
        appointment.c.starts_at >= since,
        appointment.c.clinician.is_not(None),
    )
    if until is not None:
        query = query.where(appointment.c.starts_at < until)
    rows = conn.execute(query.distinct().order_by(appointment.c.clinician))
    return [name for name in rows.scalars() if name]


def states_of(conn: Connection, visit_ids: Sequence[int]) -> Mapping[int, Mapping[State, int]]:
    """Return how many messages of each visit are in each state.

    Those that have arrived count whatever has changed since; others are of its present version.
    """
    found: dict[int, dict[State, int]] = {visit_id: {} for visit_id in visit_ids}
    rows = conn.execute(
        select(message.c.appointment_id, message.c.state, func.count())
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(
            message.c.appointment_id.in_(list(visit_ids)),
            or_(
                message.c.version == appointment.c.version,
                message.c.state.in_([State.ACCEPTED.value, State.DELIVERED.value]),
            ),
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


def people_of(
    conn: Connection, visit_ids: Sequence[int], *, former: bool = False
) -> dict[int, list[Person]]:
    """Return the present contacts of each visit's patient; `former`: of whose it was before too."""
    whose = contact.c.patient_id == appointment.c.patient_id
    if former:
        whose = contact.c.patient_id.in_(
            [appointment.c.patient_id, appointment.c.former_patient_id]
        )
    said_no = (opt_out.c.clinic_id == appointment.c.clinic_id) & opt_out.c.address.in_(
        [contact.c.phone, func.lower(contact.c.email)]
    )
    rows = conn.execute(
        select(
            appointment.c.id.label("visit_id"),
            contact,
            consent.c.channel,
            consent.c.status,
            opt_out.c.address,
        )
        .select_from(appointment)
        .join(contact, whose)
        .outerjoin(consent, consent.c.contact_id == contact.c.id)
        .outerjoin(opt_out, said_no)
        .where(appointment.c.id.in_(list(visit_ids)), contact.c.removed_at.is_(None))
        .order_by(contact.c.id)
    ).all()
    wishes: dict[int, dict[str, str]] = {row.id: {} for row in rows}
    stopped: dict[int, set[str]] = {row.id: set() for row in rows}
    for row in rows:
        if row.channel:
            wishes[row.id][row.channel] = row.status
        if row.address:
            own = (one for one in (row.phone, row.email) if one)
            stopped[row.id].update(one for one in own if canonical(one) == row.address)
    found: dict[int, list[Person]] = {visit_id: [] for visit_id in visit_ids}
    for (visit_id, _), row in {(row.visit_id, row.id): row for row in rows}.items():
        out = frozenset(stopped[row.id])
        found[visit_id].append(
            Person(row.id, row.role, row.phone, row.email, row.language, wishes[row.id], out)
        )
    return found
