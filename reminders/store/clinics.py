"""Clinics as rows, and what is kept of each: its planning digest, its channels, opt-outs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from reminders.domain.contact import Channel, canonical
from reminders.store.schema import appointment, channel_state, clinic, contact, opt_out, patient

FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(minutes=2)
MOST_DOUBLED = 10
"""A stopped channel is tried at least so often: the fifteen-minutes texts help for no longer."""

STAFF = "staff"
"""The source of an opt-out that a person of the clinic has recorded."""


def clinic_id(conn: Connection, key: str) -> int:
    """Return the clinic's row id; make the row if there is none."""
    found = find_clinic_id(conn, key)
    if found is not None:
        return found
    made: int = conn.execute(insert(clinic).values(key=key).returning(clinic.c.id)).scalar_one()
    return made


_ID = select(clinic.c.id).where(clinic.c.key == bindparam("clinic"))
_DIGEST = select(clinic.c.practice_digest).where(clinic.c.id == bindparam("clinic_id"))


def find_clinic_id(conn: Connection, key: str) -> int | None:
    """Return the clinic's row id, or None."""
    return conn.execute(_ID, {"clinic": key}).scalar()


def practice_digest(conn: Connection, clinic_id: int) -> str | None:
    """Return the digest of the rules that the outbox was last planned with."""
    return conn.execute(_DIGEST, {"clinic_id": clinic_id}).scalar()


def doubt_practice(conn: Connection, key: str, digest: str) -> bool:
    """Forget with which rules a clinic's outbox was planned, unless it was with these.

    Return whether they were others.
    """
    return conn.execute(_DOUBT, {"key_": key, "digest_": digest}).rowcount > 0


_DOUBT = (
    update(clinic)
    .where(clinic.c.key == bindparam("key_"), clinic.c.practice_digest != bindparam("digest_"))
    .values(practice_digest=None)
)


def opt_outs(conn: Connection, clinic_id: int) -> list[tuple[str, str, datetime]]:
    """Return (address, source, recorded at), oldest first."""
    rows = conn.execute(
        select(opt_out.c.address, opt_out.c.source, opt_out.c.recorded_at)
        .where(opt_out.c.clinic_id == clinic_id)
        .order_by(opt_out.c.recorded_at, opt_out.c.address)
    )
    return [(row.address, row.source, row.recorded_at) for row in rows]


def opt_outs_from(conn: Connection, clinic_id: int, limit: int) -> list[tuple[str, str, datetime]]:
    """Return (address, source, recorded at), in the order of the addresses, at most `limit`."""
    rows = conn.execute(
        select(opt_out.c.address, opt_out.c.source, opt_out.c.recorded_at)
        .where(opt_out.c.clinic_id == clinic_id)
        .order_by(opt_out.c.address)
        .limit(limit)
    )
    return [(row.address, row.source, row.recorded_at) for row in rows]


def add_opt_out(conn: Connection, clinic_id: int, address: str, source: str, now: datetime) -> bool:
    """Record that an address wants no more messages; tell whether it is new.

    Two spellings of a mailbox are one. What staff record stands for what the number itself had
    asked for: a START no longer lifts it.
    """
    address = canonical(address)
    here = (opt_out.c.clinic_id == clinic_id) & (opt_out.c.address == address)
    if conn.execute(select(opt_out.c.address).where(here)).first() is not None:
        if source == STAFF:
            conn.execute(update(opt_out).where(here).values(source=source))
        return False
    conn.execute(
        insert(opt_out).values(clinic_id=clinic_id, address=address, source=source, recorded_at=now)
    )
    replan_address(conn, clinic_id, address, now)
    return True


def remove_opt_out(conn: Connection, clinic_id: int, address: str, now: datetime) -> bool:
    """Take an opt-out back; tell whether there was one."""
    gone = conn.execute(
        delete(opt_out).where(
            opt_out.c.clinic_id == clinic_id, opt_out.c.address == canonical(address)
        )
    )
    replan_address(conn, clinic_id, address, now)
    return gone.rowcount > 0


def replan_address(conn: Connection, clinic_id: int, address: str, now: datetime) -> int:
    """Mark every coming visit that somebody with this address is told of."""
    chosen = _told_at(clinic_id, address, now)
    return conn.execute(update(appointment).where(chosen).values(needs_plan=True)).rowcount


def visits_told_at(conn: Connection, clinic_id: int, address: str, now: datetime) -> list[int]:
    """Return the ids of the coming visits that somebody with this address is told of."""
    query = select(appointment.c.id).where(_told_at(clinic_id, address, now))
    return list(conn.execute(query.order_by(appointment.c.id)).scalars())


def _told_at(clinic_id: int, address: str, now: datetime) -> ColumnElement[bool]:
    people = (
        select(contact.c.patient_id)
        .join(patient, patient.c.id == contact.c.patient_id)
        .where(
            patient.c.clinic_id == clinic_id,
            or_(contact.c.phone == address, func.lower(contact.c.email) == canonical(address)),
        )
    )
    return and_(appointment.c.patient_id.in_(people), appointment.c.starts_at >= now)


def close_channel(
    conn: Connection,
    clinic_id: int,
    channel: Channel,
    code: str,
    now: datetime,
    since: datetime | None = None,
) -> bool:
    """Stop a channel until its next probe; tell whether it was open until now.

    `since`: it has not worked since then, where that is known.
    """
    this = (channel_state.c.clinic_id == clinic_id) & (channel_state.c.channel == channel)
    row = conn.execute(select(channel_state).where(this)).first()
    if row is None:
        conn.execute(
            insert(channel_state).values(
                clinic_id=clinic_id,
                channel=channel,
                down_since=since or now,
                retry_at=now + FIRST_RETRY,
                failures=1,
                code=code,
            )
        )
        return True
    # A channel may be down for days: the power is bounded before it is taken.
    wait = min(FIRST_RETRY * 2 ** min(row.failures, MOST_DOUBLED), LAST_RETRY)
    conn.execute(
        update(channel_state)
        .where(this)
        .values(retry_at=now + wait, failures=row.failures + 1, code=code)
    )
    return False


def take_probe(conn: Connection, closed: "ClosedChannel", now: datetime) -> bool:
    """Claim the right to try a stopped channel; tell whether this worker has it, and no other."""
    taken = conn.execute(
        update(channel_state)
        .where(
            channel_state.c.clinic_id == closed.clinic_id,
            channel_state.c.channel == closed.channel,
            channel_state.c.retry_at == closed.retry_at,
        )
        .values(retry_at=now + FIRST_RETRY)
    )
    return taken.rowcount == 1


def try_channels_now(conn: Connection, now: datetime) -> None:
    """Try stopped channels at the next look, whenever it was to be: the fault may be mended."""
    conn.execute(update(channel_state).where(channel_state.c.retry_at > now).values(retry_at=now))


_OPEN = delete(channel_state).where(
    channel_state.c.clinic_id == bindparam("clinic"), channel_state.c.channel == bindparam("way")
)


def open_channel(conn: Connection, clinic_id: int, channel: Channel) -> bool:
    """Let a channel send again; tell whether it was stopped."""
    return conn.execute(_OPEN, {"clinic": clinic_id, "way": channel.value}).rowcount > 0


@dataclass(frozen=True, slots=True)
class ClosedChannel:
    """A channel that is stopped: its provider refuses the settings, or does not answer."""

    clinic_id: int
    clinic: str
    channel: Channel
    down_since: datetime
    retry_at: datetime
    code: str


def down_by_clinic(conn: Connection) -> dict[str, frozenset[Channel]]:
    """Return the stopped channels of each clinic that has any, by its key."""
    return by_clinic(closed_channels(conn))


def by_clinic(closed: Sequence[ClosedChannel]) -> dict[str, frozenset[Channel]]:
    """Return stopped channels by their clinic's key."""
    return {c.clinic: frozenset(d.channel for d in closed if d.clinic == c.clinic) for c in closed}


_CLOSED = (
    select(channel_state, clinic.c.key)
    .join(clinic, clinic.c.id == channel_state.c.clinic_id)
    .order_by(clinic.c.key, channel_state.c.channel)
)


def closed_channels(conn: Connection) -> list[ClosedChannel]:
    """Return the stopped channels."""
    return [
        ClosedChannel(
            row.clinic_id, row.key, Channel(row.channel), row.down_since, row.retry_at, row.code
        )
        for row in conn.execute(_CLOSED)
    ]
