"""What waits to be sent, and how late it is: counted from when it was due, not from a retry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
    update,
)

from reminders.domain.contact import Channel
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.domain.unheard import AT_ONCE
from reminders.store.schema import RETRIED, appointment, message

OVERDUE_AFTER = timedelta(minutes=5)

MOST_AT_ONCE = 500
"""So many rows are named in one statement: databases take no more than so many parameters."""

# The state is a literal, or a partial index could not be used in a generic plan.
_PLANNED = and_(text(f"state = '{State.PLANNED.value}'"), message.c.urgency.in_([0, 1]))


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many messages are due, how many of these are overdue, and how late the oldest is."""

    due: int
    overdue: int
    oldest_due_seconds: int


def waiting(conn: Connection, now: datetime) -> Waiting:
    """Return what waits at `now`, from the indexes of what is planned alone.

    What was refused for the time being is tried again at `next_at`, and has been due since
    `due_at`. What waits for the night to end is due when it ends.
    """
    retried = and_(text(RETRIED))

    def count(at: datetime) -> int:
        first = _count(conn, _PLANNED, message.c.next_at <= at)
        return first + _count(conn, retried, message.c.due_at <= at, message.c.next_at > at)

    since = [
        moment
        for moment in (
            _first(conn, message.c.next_at, _PLANNED, message.c.next_at <= now),
            _first(conn, message.c.due_at, retried, message.c.due_at <= now),
        )
        if moment is not None
    ]
    oldest = int((now - min(since)).total_seconds()) if since else 0
    return Waiting(count(now), count(now - OVERDUE_AFTER), oldest)


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits for its channel, and since when it could have gone."""

    id: int
    appointment_id: int
    since: datetime
    due_at: datetime
    not_after: datetime


def held(
    conn: Connection, clinic_id: int, channel: Channel, now: datetime, limit: int
) -> list[Held]:
    """Return what is due on a channel and not marked as out of reach, the urgent first."""
    given = {"clinic": clinic_id, "way": channel.value, "now": now, "most": limit}
    found = {
        row.id: Held(row.id, row.appointment_id, row.since, row.due_at, row.not_after)
        for query in (_HELD_UNTRIED, _HELD_TRIED)
        for row in conn.execute(query, given)
    }
    return list(found.values())


_HELD = (
    select(message.c.id, message.c.appointment_id, message.c.due_at, message.c.not_after)
    .where(
        message.c.clinic_id == bindparam("clinic"),
        message.c.channel == bindparam("way"),
        message.c.reason.is_distinct_from(Reason.OUT_OF_REACH.value),
    )
    .limit(bindparam("most"))
    .with_for_update(of=message, skip_locked=True)
)
_HELD_UNTRIED = (
    _HELD.add_columns(message.c.next_at.label("since"))
    .where(_PLANNED, message.c.next_at <= bindparam("now"))
    .order_by(message.c.urgency, message.c.next_at)
)
_HELD_TRIED = (
    _HELD.add_columns(message.c.due_at.label("since"))
    .where(text(RETRIED), message.c.due_at <= bindparam("now"))
    .order_by(message.c.due_at)
)


def mark_out_of_reach(conn: Connection, held: Sequence[Held]) -> None:
    """Note that these messages cannot leave in time the way that they were to go."""
    if not held:
        return
    which = message.c.id.in_([one.id for one in held])
    conn.execute(update(message).where(which).values(reason=Reason.OUT_OF_REACH.value))


def release(conn: Connection, clinic_id: int, channel: Channel) -> set[int]:
    """Let what was given up on a channel go by it after all; return its visits' ids.

    That is what waits for another channel still. What has gone by another stays given up.
    """
    given_up = message.alias("given_up")
    found: dict[int, int] = {}
    for state in (State.PLANNED, State.SENDING, State.UNKNOWN):
        query = (
            select(given_up.c.id, given_up.c.appointment_id)
            .join(
                message,
                and_(
                    given_up.c.appointment_id == message.c.appointment_id,
                    given_up.c.version == message.c.version,
                    given_up.c.rule == message.c.rule,
                ),
            )
            .where(
                text(f"message.state = '{state.value}'"),  # a literal, for its partial index
                message.c.clinic_id == clinic_id,
                message.c.channel != channel.value,
                given_up.c.channel == channel.value,
                given_up.c.state == State.SUPPRESSED.value,
                given_up.c.reason == Reason.OUT_OF_REACH.value,
            )
        )
        found |= {row.id: row.appointment_id for row in conn.execute(query)}
    ids = sorted(found)
    for some in range(0, len(ids), MOST_AT_ONCE):
        which = message.c.id.in_(ids[some : some + MOST_AT_ONCE])
        conn.execute(update(message).where(which).values(reason=Reason.OTHER_CHANNEL.value))
    return set(found.values())


def put_off(now: datetime, until: datetime) -> Select[int]:
    """Return what reads the ids of visits before `until` with a text that is put off in vain.

    Its provider has been busy for an hour, or it helps for less than one more: domain/unheard.
    """
    soon = now + AT_ONCE
    vain = or_(
        message.c.due_at <= now - AT_ONCE, message.c.not_after <= soon, message.c.counts_on <= soon
    )
    ahead = or_(appointment.c.starts_at < until, message.c.counts_on < until)
    return (
        select(message.c.appointment_id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .where(text(RETRIED), message.c.reason == Reason.PROVIDER_BUSY.value)
        .where(message.c.due_at <= now, vain, ahead)
    )


def _count(conn: Connection, *conditions: ColumnElement[bool]) -> int:
    return conn.execute(select(func.count()).select_from(message).where(*conditions)).scalar_one()


def _first(
    conn: Connection, column: ColumnElement[datetime], *conditions: ColumnElement[bool]
) -> datetime | None:
    return conn.execute(select(func.min(column, type_=column.type)).where(*conditions)).scalar()
