"""What people ask of the database: a visit, what goes out when, what needs a person."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    union_all,
)

from reminders.domain.contact import Channel, canonical
from reminders.domain.message import Message
from reminders.domain.state import State
from reminders.store import anew
from reminders.store.cases import to_message
from reminders.store.rows import choice, chosen
from reminders.store.schema import TROUBLE, WENT, appointment, clinic, contact, message, patient
from reminders.store.schema_desk import called
from reminders.store.waiting import put_off, waiting

KEPT = 2
"""So many characters of an email address are shown, where these tell people apart."""

NUL = "\0"
"""No reference has it, and PostgreSQL does not even take it to look for."""

CALL_AHEAD = timedelta(days=14)

JUST_BEGUN = timedelta(hours=1)
"""So long after a visit was to begin, somebody may still wait for one that does not take place."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit for a page or a listing. Instants are in UTC."""

    id: int
    clinic_id: int
    clinic: str
    ref: str
    kind: str
    starts_at: datetime
    status: str
    version: int
    known_at: datetime | None
    birth_date: date | None
    protected: bool
    clinician: str | None = None
    former_patient_id: int | None = None
    confirm: bool = True
    needs_plan: bool = field(default=False, compare=False)
    """Its messages are yet to be planned: it was just imported or changed."""

    @property
    def was_expected(self) -> bool:
        """Tell whether who has no address knew a visit, that has changed, from the clinic."""
        return self.protected and not self.confirm and self.version > 1


@dataclass(frozen=True, slots=True)
class Line:
    """One message for a listing. `contact` is a role and the last characters of the address.

    `address` is the contact's own at present; a message that has gone may have gone elsewhere.
    `is_gone`: the patient has this contact no more.
    """

    message: Message
    visit: Visit
    contact: str
    covered_by: str | None
    sent_at: datetime | None
    address: str | None = field(default=None, repr=False)
    patient_id: int = 0
    is_gone: bool = False

    @property
    def was_anothers(self) -> bool:
        """Tell whether it went to people of the patient whose booking it was before."""
        return self.patient_id == self.visit.former_patient_id

    def went_astray(self, digest: Callable[[str], str]) -> bool:
        """Tell whether it went, or was to go, to an address that has since been corrected."""
        key = self.message.address_key
        over = self.message.attempts or self.message.state in {State.CANCELLED, State.EXPIRED}
        return bool(key and over and self.address) and digest(canonical(self.address or "")) != key

    def as_sent(self, digest: Callable[[str], str]) -> "Line":
        """Return the line with a contact that is true of the message: corrected since, or not."""
        if not self.went_astray(digest):
            return self
        role = self.contact.partition(" ")[0]
        kind = "number" if self.message.key.channel is Channel.SMS else "address"
        return replace(self, contact=f"{role} (an earlier {kind})")


_ASKED = {
    "clinic": clinic.c.key == bindparam("clinic"),
    "refs": appointment.c.ref.in_(bindparam("refs", expanding=True)),
    "ids": appointment.c.id.in_(bindparam("ids", expanding=True)),
    "clinicians": appointment.c.clinician.in_(bindparam("clinicians", expanding=True)),
    "since": appointment.c.starts_at >= bindparam("since"),
    "until": appointment.c.starts_at < bindparam("until"),
}


@cache
def _visits(asked: tuple[str, ...]) -> Select[tuple[object, ...]]:
    return (
        select(
            appointment,
            clinic.c.key.label("clinic_key"),
            patient.c.birth_date,
            patient.c.protected,
            anew.waits().label("waits"),
        )
        .join(clinic, clinic.c.id == appointment.c.clinic_id)
        .join(patient, patient.c.id == appointment.c.patient_id)
        .where(*(_ASKED[name] for name in asked))
        .order_by(appointment.c.starts_at, appointment.c.ref)
    )


def find(conn: Connection, clinic_key: str, ref: str) -> Visit | None:
    """Return the visit with this reference."""
    found = visits(conn, clinic_key, refs=[ref])
    return found[0] if found else None


def visits(
    conn: Connection,
    clinic_key: str | None = None,
    *,
    refs: Sequence[str] | None = None,
    ids: Sequence[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    clinicians: Sequence[str] | None = None,
    among: ColumnElement[bool] | None = None,
) -> list[Visit]:
    """Return visits, the soonest first; `since` is included and `until` is not."""
    asked = {
        "clinic": clinic_key,
        "refs": None if refs is None else [ref for ref in refs if NUL not in ref],
        "ids": ids,
        "clinicians": clinicians,
        "since": since,
        "until": until,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    query = _visits(tuple(given))
    if among is not None:
        query = query.where(among)
    return [
        Visit(
            row.id,
            row.clinic_id,
            row.clinic_key,
            row.ref,
            row.kind,
            row.starts_at,
            row.status,
            row.version,
            row.known_at,
            row.birth_date,
            row.protected,
            row.clinician,
            row.former_patient_id,
            row.confirm,
            row.waits,
        )
        for row in conn.execute(query, given)
    ]


def lines(conn: Connection, found: Sequence[Visit]) -> list[Line]:
    """Return the messages of these visits, by due time."""
    by_id = {visit.id: visit for visit in found}
    rows = conn.execute(_lines_of(conn.dialect.name), choice(conn, by_id))
    return _apart([_line(row, by_id) for row in rows])


def lines_among(conn: Connection, among: ColumnElement[bool]) -> list[Line]:
    """Return these messages, by due time."""
    rows = conn.execute(_lines().where(among)).all()
    theirs = appointment.c.id.in_({row.appointment_id for row in rows})
    by_id = {visit.id: visit for visit in visits(conn, among=theirs)}
    return _apart([_line(row, by_id) for row in rows])


@cache
def _lines_of(dialect: str) -> Select[tuple[object, ...]]:
    return _lines().where(chosen(dialect, message.c.appointment_id))


def _lines() -> Select[tuple[object, ...]]:
    return (
        select(
            message,
            contact.c.role,
            contact.c.phone,
            contact.c.email,
            contact.c.patient_id,
            contact.c.removed_at,
        )
        .join(contact, contact.c.id == message.c.contact_id)
        .order_by(message.c.due_at, message.c.id)
    )


def _line(row: Row[tuple[object, ...]], by_id: Mapping[int, Visit]) -> Line:
    address = row.phone if row.channel == "sms" else row.email
    return Line(
        to_message(row),
        by_id[row.appointment_id],
        masked(row.role, address),
        row.covered_by,
        row.sent_at,
        address,
        row.patient_id,
        row.removed_at is not None,
    )


def masked(role: str, address: str | None, keep: int = KEPT) -> str:
    """Return a contact as staff tell them apart: the role, and the end or start of the address.

    `keep`: so many characters of an email address; of a number, one more.
    """
    if not address:
        return role
    return f"{role} {address[:keep]}…" if "@" in address else f"{role} …{address[-keep - 1 :]}"


def _apart(found: list[Line]) -> list[Line]:
    """Return the lines, where two people of one visit are masked alike with as much more as tells.

    Guardians have a family name, and so a beginning of their email addresses, in common.
    """
    alike: dict[tuple[int, str], set[str]] = defaultdict(set)
    for line in found:
        if line.address:
            alike[line.visit.id, line.contact].add(line.address)
    clashes = {key: addresses for key, addresses in alike.items() if len(addresses) > 1}
    return [_longer(line, clashes.get((line.visit.id, line.contact))) for line in found]


def _longer(line: Line, alike: set[str] | None) -> Line:
    if not alike:
        return line
    more = range(KEPT, max(map(len, alike)) + 1)
    keep = next(k for k in more if len({masked("", one, k) for one in alike}) == len(alike))
    return replace(line, contact=masked(line.contact.partition(" ")[0], line.address, keep))


def timeline(
    conn: Connection, clinic_key: str | None, since: datetime, until: datetime
) -> list[Line]:
    """Return planned messages that are due before `until`, and those that went since `since`."""
    wanted = select(message.c.appointment_id).where(
        or_(
            and_(message.c.state == State.PLANNED.value, message.c.due_at < until),
            and_(message.c.sent_at >= since, message.c.sent_at < until),
        )
    )
    found = lines(conn, visits(conn, clinic_key, among=appointment.c.id.in_(wanted)))
    return [
        line
        for line in found
        if (line.message.state is State.PLANNED and line.message.due_at < until)
        or (line.sent_at is not None and since <= line.sent_at < until)
    ]


def troubled_visits(conn: Connection, clinic_key: str | None, now: datetime) -> list[Visit]:
    """Return visits, coming or just begun, with a message in trouble or nobody to tell."""
    troubled = select(message.c.appointment_id).where(
        message.c.appointment_id == appointment.c.id, text(TROUBLE)
    )
    # One look by index for each visit: EXISTS beside OR may be answered by reading all of it.
    first = troubled.limit(1).scalar_subquery()
    among = or_(
        first.is_not(None),
        nobody(),
        appointment.c.former_patient_id.is_not(None),
        told_by_phone(),
    )
    since, until = now - JUST_BEGUN, now + CALL_AHEAD
    found = visits(conn, clinic_key, since=since, until=until, among=among)
    more = union_all(expected(since, until), put_off(now, until))
    further = visits(conn, clinic_key, among=appointment.c.id.in_(more))
    return list({visit.id: visit for visit in (*found, *further)}.values())


def nobody() -> ColumnElement[bool]:
    """Return the condition that a visit has no people, and is booked or was known, and is not."""
    people = select(contact.c.id).where(
        contact.c.patient_id == appointment.c.patient_id, contact.c.removed_at.is_(None)
    )
    other = appointment.alias("other")
    stands = select(other.c.id).where(
        other.c.patient_id == appointment.c.patient_id,
        other.c.starts_at == appointment.c.starts_at,
        other.c.status == "booked",
    )
    known = and_(
        appointment.c.confirm.is_(False),
        appointment.c.version > 1,
        stands.limit(1).scalar_subquery().is_(None),  # at this time nothing is off
    )
    return and_(
        or_(appointment.c.status == "booked", known), people.limit(1).scalar_subquery().is_(None)
    )


def told_by_phone() -> ColumnElement[bool]:
    """Return the condition that a visit is cancelled, and somebody was phoned of it before."""
    before = select(called.c.id).where(
        called.c.appointment_id == appointment.c.id, called.c.version < appointment.c.version
    )
    return and_(appointment.c.status == "cancelled", before.limit(1).scalar_subquery().is_not(None))


def expected(since: datetime, until: datetime) -> Select[int]:
    """Return what reads the ids of visits that somebody expects between, and that are then not.

    A visit may be moved to any day, past or far ahead: who expects it tomorrow is told today.
    """
    elsewhere = or_(appointment.c.starts_at < since, appointment.c.starts_at >= until)
    return (
        select(message.c.appointment_id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(text(TROUBLE), message.c.counts_on >= since, message.c.counts_on < until)
        .where(of_now(), elsewhere)
    )


def of_now() -> ColumnElement[bool]:
    """Return the condition that a message is of what its visit is now."""
    return or_(
        message.c.version == appointment.c.version,
        message.c.truth_starts_at == appointment.c.starts_at,
    )


@dataclass(frozen=True, slots=True)
class Health:
    """The outbox in numbers."""

    due: int
    overdue: int
    sending: int
    unknown: int
    failed_24h: int
    delivered_24h: int
    oldest_due_seconds: int


def health(conn: Connection, now: datetime) -> Health:
    """Return how the outbox is at `now`."""

    def count(*conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(message)
        return conn.execute(query.where(*conditions)).scalar_one()

    # States as literals, so that each count reads its partial index and never all of history.
    sending, unknown, delivered = (
        message.c.state == literal_column(f"'{state.value}'")
        for state in (State.SENDING, State.UNKNOWN, State.DELIVERED)
    )
    ended_badly = (State.FAILED.value, State.UNDELIVERED.value)
    failed = message.c.state.in_(ended_badly)
    lately = and_(text(WENT), message.c.changed_at >= now - timedelta(hours=24))
    late = waiting(conn, now)
    return Health(
        due=late.due,
        overdue=late.overdue,
        sending=count(sending),
        unknown=count(unknown),
        failed_24h=count(lately, failed),
        delivered_24h=count(lately, delivered),
        oldest_due_seconds=late.oldest_due_seconds,
    )
