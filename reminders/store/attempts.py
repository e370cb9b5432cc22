"""Attempts to hand a message over, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Update,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from reminders.domain.contact import Channel, canonical
from reminders.domain.lifecycle import Step
from reminders.domain.state import State
from reminders.store.rows import choice, chosen
from reminders.store.schema import appointment, attempt, clinic, contact, message, receipt

SAME_WORDS_WITHIN = timedelta(hours=1)
"""The same words may have gone to a number for another reason so lately that they are mixed up."""


# Of what is given to these, the columns are set; `this` and `token` only tell whose.
_THIS = update(attempt).where(attempt.c.id == bindparam("this"))
_THIS_IF_HELD = _THIS.where(
    exists().where(
        message.c.id == attempt.c.message_id, message.c.lease_token == bindparam("token")
    )
)
_IF_HELD = update(message).where(
    message.c.id == bindparam("this"), message.c.lease_token == bindparam("token")
)


def stamp(conn: Connection, attempt_id: int, lease_token: int, now: datetime) -> bool:
    """Write down that the provider may act from now on; tell whether the lease still holds."""
    stamped = {"this": attempt_id, "token": lease_token, "stamped_at": now}
    return conn.execute(_THIS_IF_HELD, stamped).rowcount == 1


def finish(
    conn: Connection,
    attempt_id: int,
    now: datetime,
    outcome: str,
    code: str | None = None,
    ref: str | None = None,
    segments: int | None = None,
) -> None:
    """Write down how an attempt ended."""
    ended = {"ended_at": now, "outcome": outcome, "code": code, "segments": segments}
    conn.execute(_THIS, {"this": attempt_id, "provider_ref": ref, **ended})


OPEN = (State.SENDING, State.UNKNOWN, State.ACCEPTED, State.PLANNED)
"""The states that a report may lead out of: what is final stays final."""


def settle(
    conn: Connection,
    message_id: int,
    lease_token: int,
    step: Step,
    now: datetime,
    ref: str | None = None,
    leaving: tuple[State, ...] = OPEN,
) -> bool:
    """Move a message on, if `lease_token` still holds; tell whether it does.

    Whoever takes a message over gives it a new token. `leaving`: the states that it may be in. A
    report may have come since it was read: what is known to have been taken is not in doubt again.
    """
    values: dict[str, object] = {
        "this": message_id,
        "token": lease_token,
        "state": step.state.value,
        "reason": step.reason,
        "next_at": step.next_at,
        "lease_until": None,
        "changed_at": now,
    }
    if ref is not None:
        values["provider_ref"] = ref
    if step.state is State.PLANNED:
        values["sent_at"] = None
    moved = conn.execute(_settle(leaving), values).rowcount == 1
    if moved and step.state is not State.UNKNOWN:
        conn.execute(_FORGET, {"its": message_id})
    return moved


# Where a message went matters no more once its fate is known.
_FORGET = (
    update(attempt)
    .where(attempt.c.message_id == bindparam("its"), attempt.c.address.is_not(None))
    .values(address=None)
)


@cache
def _settle(leaving: tuple[State, ...]) -> Update:
    return _IF_HELD.where(message.c.state.in_([state.value for state in leaving]))


LOST = "lost"
"""The outcome of an attempt that was taken over from its worker."""


DOUBTED = "restored"
"""The outcome of an attempt that may have been made before a backup was restored."""


def doubted(conn: Connection, attempt_ids: Sequence[int], since: datetime, until: datetime) -> None:
    """Note of attempts just begun that they may have been made between these times."""
    if attempt_ids:
        given = {**choice(conn, attempt_ids), "since": since, "until": until}
        conn.execute(_doubted(conn.dialect.name), given)


@cache
def _doubted(dialect: str) -> Update:
    these = update(attempt).where(chosen(dialect, attempt.c.id))
    times = these.values(started_at=bindparam("since"), ended_at=bindparam("until"))
    return times.values(outcome=DOUBTED)


def still_open(conn: Connection, attempt_id: int, now: datetime) -> None:
    """Note that the worker of a lost attempt is still there, and may yet make it."""
    conn.execute(
        update(attempt)
        .where(attempt.c.id == attempt_id, attempt.c.outcome == LOST)
        .values(ended_at=now)
    )


def settle_late(
    conn: Connection, attempt_id: int, step: Step, now: datetime, ref: str | None = None
) -> bool:
    """Believe a worker that answers after it was fenced off, if its attempt is still the last.

    Tell whether the message was still being looked for; or, having been taken, about to go again.
    """
    doubtful = [State.UNKNOWN.value]
    if step.state is State.ACCEPTED:
        doubtful.append(State.PLANNED.value)
    query = (
        select(message.c.id, message.c.lease_token)
        .join(attempt, attempt.c.message_id == message.c.id)
        .where(
            attempt.c.id == attempt_id,
            message.c.attempts == attempt.c.number,
            message.c.state.in_(doubtful),
        )
    )
    found = conn.execute(query.with_for_update(of=message)).first()
    return found is not None and settle(conn, found.id, found.lease_token, step, now, ref)


@dataclass(frozen=True, slots=True)
class Open:
    """A message that waits for an answer, with its last attempt if nothing else is said.

    `to` is where that went, while its fate is not known; else what the contact has now, which need
    not be that of `address_key` any more.
    """

    message_id: int
    appointment_id: int
    clinic_id: int
    clinic: str
    channel: Channel
    state: State
    lease_token: int
    attempts: int
    not_after: datetime
    sent_at: datetime
    started_at: datetime
    lease_until: datetime | None
    ended_at: datetime | None
    outcome: str | None
    session: int
    provider_ref: str | None
    to: str
    address_key: str
    attempt_id: int
    callback_token: str
    body_digest: str
    stamped: bool
    version_holds: bool
    is_last: bool


_IS_LAST = attempt.c.number == message.c.attempts


@cache
def _attempted() -> Select[tuple[object, ...]]:
    """Return messages with each of their attempts."""
    return (
        select(
            message,
            appointment.c.clinic_id,
            (appointment.c.version == message.c.version).label("version_holds"),
            clinic.c.key.label("clinic_key"),
            contact.c.phone,
            contact.c.email,
            attempt.c.id.label("attempt_id"),
            attempt.c.callback_token,
            attempt.c.body_digest,
            attempt.c.address,
            attempt.c.started_at,
            attempt.c.stamped_at,
            attempt.c.ended_at,
            attempt.c.outcome,
            attempt.c.session,
            _IS_LAST.label("is_last"),
        )
        .join(attempt, attempt.c.message_id == message.c.id)
        .join(appointment, appointment.c.id == message.c.appointment_id)
        .join(clinic, clinic.c.id == appointment.c.clinic_id)
        .join(contact, contact.c.id == message.c.contact_id)
    )


def _open() -> Select[tuple[object, ...]]:
    """Return messages with their last attempts."""
    return _attempted().where(_IS_LAST)


def _to_open(row: Row[tuple[object, ...]]) -> Open:
    channel = Channel(row.channel)
    return Open(
        message_id=row.id,
        appointment_id=row.appointment_id,
        clinic_id=row.clinic_id,
        clinic=row.clinic_key,
        channel=channel,
        state=State(row.state),
        lease_token=row.lease_token,
        attempts=row.attempts,
        not_after=row.not_after,
        sent_at=row.sent_at or row.changed_at,
        started_at=row.started_at,
        lease_until=row.lease_until,
        ended_at=row.ended_at,
        outcome=row.outcome,
        session=row.session,
        provider_ref=row.provider_ref,
        to=row.address or (row.phone if channel is Channel.SMS else row.email) or "",
        address_key=row.address_key,
        attempt_id=row.attempt_id,
        callback_token=row.callback_token,
        body_digest=row.body_digest,
        stamped=row.stamped_at is not None,
        version_holds=row.version_holds,
        is_last=row.is_last,
    )


def waiting(conn: Connection, state: State, now: datetime, limit: int) -> list[Open]:
    """Return messages in `state` that are to be asked about, the most overdue first.

    For `sending` those whose lease has run out; for `accepted` and `unknown` by `next_at`.
    """
    column = message.c.lease_until if state is State.SENDING else message.c.next_at
    query = (
        _open()
        .where(message.c.state == literal_column(f"'{state.value}'"), column <= now)
        .order_by(column, message.c.id)
        .limit(limit)
    )
    return [_to_open(row) for row in conn.execute(query)]


ASKING_TAKES = timedelta(minutes=2)


def take_waiting(conn: Connection, state: State, now: datetime, limit: int) -> list[Open]:
    """Return messages in `state` that this worker is to ask about, and no other meanwhile.

    Should it not come back, they are asked about again after a while.
    """
    rows = conn.execute(_waiting(state), {"now": now, "most": limit})
    taken = [_to_open(row) for row in rows]
    poll_again(conn, [found.message_id for found in taken], now + ASKING_TAKES)
    return taken


@cache
def _waiting(state: State) -> Select[tuple[object, ...]]:
    in_state = message.c.state == literal_column(f"'{state.value}'")
    return (
        _open()
        .where(in_state, message.c.next_at <= bindparam("now"))
        .order_by(message.c.next_at, message.c.id)
        .limit(bindparam("most"))
        .with_for_update(of=message, skip_locked=True)
    )


def ask_now(conn: Connection, now: datetime) -> None:
    """Let the questions that another worker had taken be asked at once.

    Only for whoever holds the right to be the sole sender: nobody else is asking then.
    """
    conn.execute(
        update(message)
        .where(
            message.c.state == literal_column(f"'{State.UNKNOWN.value}'"),
            message.c.next_at > now,
            message.c.next_at <= now + ASKING_TAKES,
        )
        .values(next_at=now)
    )


def of_other_sessions(conn: Connection, session: int, limit: int) -> list[Open]:
    """Return the messages that another session than this one was sending."""
    query = (
        _open()
        .where(message.c.state == literal_column("'sending'"), attempt.c.session != session)
        .order_by(message.c.id)
        .limit(limit)
    )
    return [_to_open(row) for row in conn.execute(query)]


def by_token(conn: Connection, callback_token: str) -> Open | None:
    """Return the message that an attempt's token belongs to, locked, with that attempt."""
    row = conn.execute(_by_token(), {"token": callback_token}).first()
    return _to_open(row) if row else None


@cache
def _by_token() -> Select[tuple[object, ...]]:
    its = _attempted().where(attempt.c.callback_token == bindparam("token"))
    return its.with_for_update(of=message)


def other_refs(conn: Connection, found: Open) -> frozenset[str]:
    """Return the provider's names of other messages that went to the same address lately."""
    given = {
        "to": canonical(found.to),
        "this": found.message_id,
        "since": found.started_at - SAME_WORDS_WITHIN,
    }
    return frozenset(conn.execute(_other_refs(found.channel), given).scalars())


@cache
def _other_refs(channel: Channel) -> Select[Any]:
    column = contact.c.phone if channel is Channel.SMS else func.lower(contact.c.email)
    return (
        select(message.c.provider_ref)
        .join(contact, contact.c.id == message.c.contact_id)
        .where(
            column == bindparam("to"),
            message.c.id != bindparam("this"),
            message.c.provider_ref.is_not(None),
            message.c.changed_at >= bindparam("since"),
        )
    )


def ref_is_anothers(conn: Connection, ref: str, message_id: int) -> bool:
    """Tell whether the provider's name of a text is known as another message's."""
    query = select(message.c.id).where(message.c.provider_ref == ref, message.c.id != message_id)
    return conn.execute(query.limit(1)).first() is not None


def take_over(conn: Connection, found: Open, now: datetime) -> bool:
    """Fence off the worker whose lease has run out; tell whether it was still sending."""
    held = {"this": found.message_id, "token": found.lease_token}
    taken = {**held, "lease_token": found.lease_token + 1, "changed_at": now}
    return conn.execute(_settle((State.SENDING,)), taken).rowcount == 1


_RECEIPT = insert(receipt)


def note_receipt(
    conn: Connection,
    message_id: int,
    now: datetime,
    source: str,
    state: State | None,
    code: str | None,
) -> None:
    """Keep a report on delivery."""
    said = {"source": source, "state": state, "code": code}
    conn.execute(_RECEIPT, {"message_id": message_id, "received_at": now, **said})


def poll_again(conn: Connection, message_ids: Sequence[int], at: datetime | None) -> None:
    """Ask about these accepted messages again at `at`; None means no more."""
    if message_ids:
        given = {**choice(conn, message_ids), "at": at}
        conn.execute(_poll_again(conn.dialect.name), given)


@cache
def _poll_again(dialect: str) -> Update:
    these = chosen(dialect, message.c.id)
    return update(message).where(these).values(next_at=bindparam("at"))
