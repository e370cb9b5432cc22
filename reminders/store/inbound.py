"""What people have written to us: once for each clinic it concerns, ticked off by its staff."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, Select, case, func, insert, literal_column, select, update

from reminders.domain.inbound import Keyword
from reminders.domain.lifecycle import TOLD
from reminders.domain.replies import REPLY_KEYS
from reminders.store.schema import appointment, clinic, contact, message, opt_out, patient
from reminders.store.schema_inbound import inbound, inbound_visit

OPEN = inbound.c.handled_at.is_(None)
SURE_SINCE = case(
    (appointment.c.confirmed_starts_at == appointment.c.starts_at, appointment.c.confirmed_at)
).label("sure_since")
"""When somebody has confirmed a visit at the time that it has."""


@dataclass(frozen=True, slots=True)
class NewInbound:
    """A text as it is kept. `reason` says why a person has to look; without, it is done.

    `visits` are those that it may be about where that is not clear: then `appointment_id` is None.
    """

    clinic_id: int
    provider: str
    provider_ref: str
    received_at: datetime
    sender_key: str
    keyword: Keyword
    contact_id: int | None = None
    appointment_id: int | None = None
    reply: str | None = None
    reason: str | None = None
    sealed: bytes | None = None
    visits: tuple[int, ...] = ()


def is_known(conn: Connection, provider: str, ref: str) -> bool:
    """Tell whether this text has been taken in before."""
    query = select(inbound.c.id).where(
        inbound.c.provider == provider, inbound.c.provider_ref == ref
    )
    return conn.execute(query.limit(1)).first() is not None


def add(conn: Connection, new: NewInbound, actor: str) -> int:
    """Keep a text; return its id."""
    done = new.reason is None
    row_id: int = conn.execute(
        insert(inbound)
        .values(
            clinic_id=new.clinic_id,
            provider=new.provider,
            provider_ref=new.provider_ref,
            received_at=new.received_at,
            sender_key=new.sender_key,
            keyword=new.keyword.value,
            contact_id=new.contact_id,
            appointment_id=new.appointment_id,
            reply=new.reply,
            reason=new.reason,
            sealed=new.sealed,
            handled_at=new.received_at if done else None,
            handled_by=actor if done else None,
        )
        .returning(inbound.c.id)
    ).scalar_one()
    if new.visits:
        meant = [{"inbound_id": row_id, "appointment_id": visit} for visit in new.visits]
        conn.execute(insert(inbound_visit), meant)
    return row_id


@dataclass(frozen=True, slots=True)
class Earlier:
    """A text that the same number has sent before."""

    clinic_id: int
    keyword: Keyword
    reply: str | None
    received_at: datetime
    is_open: bool
    visits: frozenset[int] = frozenset()


def earlier(conn: Connection, sender_key: str, since: datetime) -> list[Earlier]:
    """Return what this number has sent since then, and what of it still waits for staff."""
    rows = conn.execute(
        select(inbound).where(
            inbound.c.sender_key == sender_key, (inbound.c.received_at >= since) | OPEN
        )
    ).all()
    meant = _meant(conn, [row.id for row in rows if row.appointment_id is None])
    return [
        Earlier(
            r.clinic_id,
            Keyword(r.keyword),
            r.reply,
            r.received_at,
            r.handled_at is None,
            frozenset({r.appointment_id} - {None} or {one.id for one in meant.get(r.id, ())}),
        )
        for r in rows
    ]


def count_strangers(conn: Connection, clinic_id: int) -> int:
    """Return how many texts from unknown numbers wait for a clinic's staff."""
    query = (
        select(func.count())
        .select_from(inbound)
        .where(inbound.c.clinic_id == clinic_id, inbound.c.contact_id.is_(None), OPEN)
    )
    return conn.execute(query).scalar_one()


@dataclass(frozen=True, slots=True)
class Holder:
    """A contact who has the number, as this clinic knows them."""

    contact_id: int
    patient_id: int
    clinic_id: int
    clinic: str


def holders(conn: Connection, phone: str, clinic_ids: Sequence[int]) -> list[Holder]:
    """Return the present contacts with this number at these clinics."""
    rows = conn.execute(
        select(contact.c.id, contact.c.patient_id, patient.c.clinic_id, clinic.c.key)
        .join(patient, patient.c.id == contact.c.patient_id)
        .join(clinic, clinic.c.id == patient.c.clinic_id)
        .where(
            contact.c.phone == phone,
            contact.c.removed_at.is_(None),
            patient.c.clinic_id.in_(clinic_ids),
        )
        .order_by(contact.c.id)
    )
    return [Holder(row.id, row.patient_id, row.clinic_id, row.key) for row in rows]


@dataclass(frozen=True, slots=True)
class Near:
    """A visit of somebody who has the number."""

    id: int
    patient_id: int
    clinic: str
    starts_at: datetime
    booked: bool


def visits_near(
    conn: Connection, patient_ids: Sequence[int], since: datetime, now: datetime, limit: int
) -> list[Near]:
    """Return these patients' visits since then: the next ones first, then the latest past ones."""
    columns = select(
        appointment.c.id,
        appointment.c.patient_id,
        clinic.c.key,
        appointment.c.starts_at,
        appointment.c.status,
    ).join(clinic, clinic.c.id == appointment.c.clinic_id)
    theirs = columns.where(appointment.c.patient_id.in_(patient_ids))
    coming = theirs.where(appointment.c.starts_at >= now)
    past = theirs.where(appointment.c.starts_at < now, appointment.c.starts_at >= since)
    rows = [
        *conn.execute(coming.order_by(appointment.c.starts_at, appointment.c.id).limit(limit)),
        *conn.execute(past.order_by(appointment.c.starts_at.desc(), appointment.c.id).limit(limit)),
    ]
    return [Near(r.id, r.patient_id, r.key, r.starts_at, r.status == "booked") for r in rows]


def told_of(
    conn: Connection, contact_ids: Sequence[int], since: datetime
) -> Mapping[int, datetime]:
    """Return the visits that texts to these contacts have been about since then: when the last."""
    rows = conn.execute(
        select(message.c.appointment_id, func.max(message.c.sent_at).label("last"))
        .where(
            message.c.contact_id.in_(contact_ids),
            message.c.channel == literal_column("'sms'"),
            message.c.state.in_([state.value for state in TOLD]),
            message.c.rule.not_in(sorted(REPLY_KEYS)),
            message.c.sent_at >= since,
        )
        .group_by(message.c.appointment_id)
    )
    return {row.appointment_id: row.last for row in rows}


def told_start(conn: Connection, contact_ids: Sequence[int], visit_id: int) -> datetime | None:
    """Return the start that the last text to these contacts about a visit told; None: no text."""
    return conn.execute(
        select(message.c.truth_starts_at)
        .where(
            message.c.appointment_id == visit_id,
            message.c.contact_id.in_(contact_ids),
            message.c.state.in_([state.value for state in TOLD]),
        )
        .order_by(message.c.sent_at.desc(), message.c.id.desc())
        .limit(1)
    ).scalar()


def confirm(
    conn: Connection, visit_id: int, contact_id: int, starts_at: datetime, now: datetime
) -> None:
    """Write down that somebody comes to a visit at this time."""
    conn.execute(
        update(appointment)
        .where(appointment.c.id == visit_id)
        .values(confirmed_at=now, confirmed_by=contact_id, confirmed_starts_at=starts_at)
    )


def unconfirm(conn: Connection, visit_ids: Sequence[int]) -> None:
    """Take back that somebody comes to these visits."""
    conn.execute(
        update(appointment)
        .where(appointment.c.id.in_(visit_ids))
        .values(confirmed_at=None, confirmed_by=None, confirmed_starts_at=None)
    )


def opt_out_source(conn: Connection, clinic_id: int, address: str) -> str | None:
    """Return who opted an address out; None if it is not."""
    query = select(opt_out.c.source).where(
        opt_out.c.clinic_id == clinic_id, opt_out.c.address == address
    )
    return conn.execute(query).scalar()


@dataclass(frozen=True, slots=True)
class Meant:
    """A visit that a text may be about."""

    id: int
    ref: str
    starts_at: datetime
    sure_since: datetime | None = None


def _meant(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[Meant, ...]]:
    """Return the visits that each of these texts may be about, where it is not clear which."""
    if not ids:
        return {}
    rows = conn.execute(
        select(
            inbound_visit.c.inbound_id,
            appointment.c.id,
            appointment.c.ref,
            appointment.c.starts_at,
            SURE_SINCE,
        )
        .join(appointment, appointment.c.id == inbound_visit.c.appointment_id)
        .where(inbound_visit.c.inbound_id.in_(ids))
        .order_by(appointment.c.starts_at, appointment.c.id)
    )
    found: dict[int, tuple[Meant, ...]] = {}
    for text_id, *visit in rows:
        found[text_id] = (*found.get(text_id, ()), Meant(*visit))
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """A text for a listing. `sealed` is gone once it is handled.

    `visits` are all that it may be about, where it has none of its own. `yes_at`: it is a NO, and
    then somebody has answered YES of such a visit.
    """

    id: int
    clinic: str
    received_at: datetime
    keyword: str
    role: str | None
    phone: str | None
    ref: str | None
    starts_at: datetime | None
    reply: str | None
    reason: str | None
    sealed: bytes | None
    handled_at: datetime | None
    handled_by: str | None
    visits: tuple[Meant, ...] = ()
    yes_at: datetime | None = None


def answers(
    conn: Connection,
    clinic_key: str | None,
    *,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Answer]:
    """Return what waits for staff, the oldest first; with `since`, all that has come since."""
    query = _answers().order_by(inbound.c.received_at, inbound.c.id).limit(limit)
    query = query.where(OPEN if since is None else inbound.c.received_at >= since)
    if clinic_key is not None:
        query = query.where(clinic.c.key == clinic_key)
    return _listed(conn, query)


def of_visit(conn: Connection, visit_id: int) -> list[Answer]:
    """Return all that has been written about a visit, the oldest first."""
    maybe = select(inbound_visit.c.inbound_id).where(inbound_visit.c.appointment_id == visit_id)
    own = inbound.c.appointment_id == visit_id
    query = _answers().where(own | inbound.c.id.in_(maybe))
    return _listed(conn, query.order_by(inbound.c.received_at, inbound.c.id))


def _listed(conn: Connection, query: Select[tuple[object, ...]]) -> list[Answer]:
    rows = conn.execute(query).all()
    meant = _meant(conn, [row.id for row in rows if row.appointment_id is None])
    return [
        Answer(
            row.id,
            row.key,
            row.received_at,
            row.keyword,
            row.role,
            row.phone,
            row.ref,
            row.starts_at,
            row.reply,
            row.reason,
            row.sealed,
            row.handled_at,
            row.handled_by,
            meant.get(row.id, ()),
            _yes_at(row, meant.get(row.id, ())),
        )
        for row in rows
    ]


def _yes_at(row: Row[tuple[object, ...]], maybe: Sequence[Meant]) -> datetime | None:
    # A NO takes back what was confirmed of such a visit: a confirmation that stands came after it.
    sure = (row.sure_since, *(one.sure_since for one in maybe))
    since = [at for at in sure if at is not None and at >= row.received_at]
    return max(since, default=None) if row.keyword == Keyword.NO.value else None


def _answers() -> Select[tuple[object, ...]]:
    return (
        select(
            inbound,
            clinic.c.key,
            contact.c.role,
            contact.c.phone,
            appointment.c.ref,
            appointment.c.starts_at,
            SURE_SINCE,
        )
        .join(clinic, clinic.c.id == inbound.c.clinic_id)
        .outerjoin(contact, contact.c.id == inbound.c.contact_id)
        .outerjoin(appointment, appointment.c.id == inbound.c.appointment_id)
    )


def finish(
    conn: Connection, answer_id: int, clinic_key: str | None, actor: str, now: datetime
) -> bool:
    """Tick a clinic's text off, and drop what was written; tell whether it was open."""
    theirs = select(clinic.c.id)
    if clinic_key is not None:
        theirs = theirs.where(clinic.c.key == clinic_key)
    done = conn.execute(
        update(inbound)
        .where(inbound.c.id == answer_id, inbound.c.clinic_id.in_(theirs), OPEN)
        .values(handled_at=now, handled_by=actor, sealed=None)
    )
    return done.rowcount == 1


def finish_stops(
    conn: Connection, clinic_id: int, sender_key: str, actor: str, now: datetime
) -> None:
    """Tick off the STOPs of a number that has taken them back."""
    conn.execute(
        update(inbound)
        .where(
            inbound.c.clinic_id == clinic_id,
            inbound.c.sender_key == sender_key,
            inbound.c.keyword == Keyword.STOP.value,
            OPEN,
        )
        .values(handled_at=now, handled_by=actor, sealed=None)
    )
