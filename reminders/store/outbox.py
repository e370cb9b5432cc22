"""The outbox: messages as the plan wants them, as they fall due, and as they were left."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Message
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.store import anew, obstacles
from reminders.store.cases import to_message
from reminders.store.obstacles import Obstacles
from reminders.store.rows import choice, chosen
from reminders.store.schema import PENDING, appointment, clinic, contact, message

SIBLING_SPAN = timedelta(days=30)
"""Visits of two patients at one address this near to each other are told apart in the text."""

SIBLING_PAST = timedelta(days=7)
"""So long after a visit a text may speak of it: help, or what comes next."""

SPOKEN_OF = (*sorted(TOLD), State.PLANNED)
"""States of messages of which somebody has heard, or will: such a visit can be asked about."""


def _in(state: State) -> ColumnElement[bool]:
    # A literal, so that PostgreSQL uses the partial index of this state in a generic plan too.
    return message.c.state == literal_column(f"'{state.value}'")


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose time has come."""

    message: Message
    appointment_id: int
    clinic_id: int
    lease_token: int


@dataclass(frozen=True, slots=True)
class Address:
    """Where a contact is reached; `siblings` are other patients' bookings told to the same reader.

    One phone or one mailbox is one reader, on whichever channel a text goes.
    """

    phone: str | None
    email: str | None
    siblings: frozenset[str] = frozenset()


def addresses(conn: Connection, contact_ids: Sequence[int], now: datetime) -> dict[int, Address]:
    """Return the addresses of these contacts, by contact id."""
    span = {"since": now - SIBLING_PAST, "until": now + SIBLING_SPAN}
    given = {**choice(conn, contact_ids), **span}
    rows = conn.execute(_addresses(conn.dialect.name), given).all()
    shared = [row.id for row in rows if row.sibling]
    refs: dict[int, set[str]] = defaultdict(set)
    if shared:
        both = {**given, **choice(conn, shared)}
        for contact_id, ref in conn.execute(_siblings(conn.dialect.name), both):
            refs[contact_id].add(ref)
    return {row.id: Address(row.phone, row.email, frozenset(refs[row.id])) for row in rows}


@cache
def _addresses(dialect: str) -> Select[Any]:
    sibling = _of_siblings(contact.alias(), appointment.alias()).exists()
    return select(contact.c.id, contact.c.phone, contact.c.email, sibling.label("sibling")).where(
        chosen(dialect, contact.c.id)
    )


@cache
def _siblings(dialect: str) -> Select[Any]:
    other, visit = contact.alias(), appointment.alias()
    return (
        _of_siblings(other, visit)
        .with_only_columns(contact.c.id, visit.c.ref)
        .where(chosen(dialect, contact.c.id))
    )


def _of_siblings(other: Any, visit: Any) -> Select[Any]:
    """Return the visits of other patients that a contact's phone or mailbox is also for.

    Those that have begun too, and those that are cancelled if that, or the visit, was told.
    """
    # One row is asked for: beside an "or", PostgreSQL would read all messages for an "exists".
    of_it = (message.c.appointment_id == visit.c.id, message.c.state.in_(SPOKEN_OF))
    spoken_of = select(message.c.id).where(*of_it).limit(1).scalar_subquery()
    return (
        select(other.c.id)
        .join(visit, visit.c.patient_id == other.c.patient_id)
        .where(
            or_(
                other.c.phone == contact.c.phone,
                func.lower(other.c.email) == func.lower(contact.c.email),
            ),
            other.c.patient_id != contact.c.patient_id,
            other.c.removed_at.is_(None),
            or_(visit.c.status == "booked", spoken_of.is_not(None)),
            visit.c.starts_at > bindparam("since"),
            visit.c.starts_at < bindparam("until"),
        )
    )


def planned_visits(conn: Connection, after: int, limit: int) -> list[int]:
    """Return visits with a message that is planned, in the order of their ids."""
    query = (
        select(message.c.appointment_id)
        .distinct()
        .where(_in(State.PLANNED), message.c.appointment_id > after)
        .order_by(message.c.appointment_id)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def postpone(conn: Connection, message_id: int, until: datetime) -> None:
    """Look at a planned message again at `until`: it is not due before."""
    later = update(message).where(message.c.id == message_id).values(next_at=until, reason=None)
    conn.execute(later)


def put(
    conn: Connection, message_id: int, state: State, reason: Reason | None, now: datetime
) -> None:
    """Give an unclaimed message a state that ends its present course."""
    conn.execute(
        update(message)
        .where(message.c.id == message_id)
        .values(state=state.value, reason=reason, next_at=None, changed_at=now)
    )


def overdue(conn: Connection, now: datetime, limit: int) -> list[Due]:
    """Lock and return planned messages whose time to help has passed."""
    query = (
        select(message, appointment.c.clinic_id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(_in(State.PLANNED), message.c.not_after < now)
        .order_by(message.c.not_after)
        .limit(limit)
        .with_for_update(of=message, skip_locked=True)
    )
    return [
        Due(to_message(row), row.appointment_id, row.clinic_id, row.lease_token)
        for row in conn.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class Agenda:
    """What there is to do beside sending. Instants are when the next of each kind has to be done.

    `pending`: visits wait for the planner. `lost`: a lease runs out. `sought`: a lost answer is to
    be looked for. `asked`: the fate of an accepted message is to be asked for.
    """

    obstacles: Obstacles
    pending: bool
    overdue: datetime | None
    lost: datetime | None
    sought: datetime | None
    asked: datetime | None

    @property
    def next_at(self) -> datetime | None:
        """Return the next instant; what is planned ends by itself when it is looked at."""
        times = (self.lost, self.sought, self.asked)
        return min((at for at in times if at is not None), default=None)


def _first(state: State, column: ColumnElement[datetime]) -> ColumnElement[datetime]:
    # What is asked about no more has no instant, and SQLite puts that first of all.
    still = (_in(state), column.is_not(None))
    return select(column).where(*still).order_by(column).limit(1).scalar_subquery()


_AGENDA = select(
    *obstacles.COLUMNS,
    or_(
        select(appointment.c.id).where(text(f"({PENDING})")).exists(),
        select(clinic.c.id).where(anew.UNDER_WAY).exists(),
    ).label("pending"),
    _first(State.PLANNED, message.c.not_after).label("overdue"),
    _first(State.SENDING, message.c.lease_until).label("lost"),
    _first(State.UNKNOWN, message.c.next_at).label("sought"),
    _first(State.ACCEPTED, message.c.next_at).label("asked"),
)


def agenda(conn: Connection) -> Agenda:
    """Return what there is to do beside sending: a few looks into indexes, in one statement."""
    row = conn.execute(_AGENDA).one()
    there = Obstacles(row.held, row.down, row.paced)
    return Agenda(there, row.pending, row.overdue, row.lost, row.sought, row.asked)
