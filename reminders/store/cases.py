"""Reading visits for the planner, and writing back what it now knows of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Update,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
    text,
    true,
    update,
)

from reminders.domain.appointment import Appointment, OwnLogin, Truth, VisitStatus
from reminders.domain.contact import Channel, Consent, Contact, Reach, Role, canonical
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Key, Message, Request
from reminders.domain.plan import Case
from reminders.domain.reasons import RETRYABLE, Reason
from reminders.domain.state import State
from reminders.domain.twins import Twin
from reminders.store import twins
from reminders.store.rows import choice, chosen
from reminders.store.schema import (
    PENDING,
    appointment,
    clinic,
    consent,
    contact,
    message,
    opt_out,
    patient,
    request,
)
from reminders.store.twins import Place
from reminders.store.wishes import wishes_of

# Looking a value up takes a fifth of the time of making the member from it.
_CHANNELS = {member.value: member for member in Channel}
_STATES = {member.value: member for member in State}
_REASONS = {member.value: member for member in Reason}
_STATUSES = {member.value: member for member in VisitStatus}
_ROLES = {member.value: member for member in Role}
_LOGINS = {member.value: member for member in OwnLogin}
_CONSENTS = {member.value: member for member in Consent}

Digest = Callable[[str], str]
"""Turns an address, in its canonical form, into its keyed digest."""


_OF_CLINICS = select(clinic.c.id).where(clinic.c.key.in_(bindparam("clinics", expanding=True)))
# As a case it keeps SQLite from the index of a clinic's visits, where it would pass all that are
# planned; and PostgreSQL, which takes such a choice for a coin's, reads no further than it has to.
_IS_THEIRS = case((appointment.c.clinic_id.in_(_OF_CLINICS), true()), else_=false())
_ALL_PENDING = select(appointment.c.id).where(text(f"({PENDING})"), _IS_THEIRS)
_PENDING = _ALL_PENDING.with_for_update(of=appointment, skip_locked=True)
_TO_COME = (
    _PENDING.where(appointment.c.starts_at >= bindparam("now"))
    .order_by(appointment.c.starts_at, appointment.c.id)
    .limit(bindparam("most"))
)
_BEGUN = (
    _PENDING.where(appointment.c.starts_at < bindparam("now"))
    .order_by(appointment.c.starts_at.desc(), appointment.c.id.desc())
    .limit(bindparam("most"))
)
_WAITED_FOR = (
    _ALL_PENDING.with_for_update(of=appointment)
    .order_by(appointment.c.starts_at, appointment.c.id)
    .limit(bindparam("most"))
)


def pending(conn: Connection, limit: int, clinics: Sequence[str], now: datetime) -> list[int]:
    """Return the ids of these clinics' visits that wait for the planner.

    The soonest come first, and after all that are to come those that have begun, the latest first.
    Those that another worker is planning now are left to it.
    """
    given = {"clinics": clinics, "now": now}
    ids = list(conn.execute(_TO_COME, {**given, "most": limit}).scalars())
    if len(ids) < limit:
        ids += conn.execute(_BEGUN, {**given, "most": limit - len(ids)}).scalars()
    return ids


def pending_among(conn: Connection, ids: Sequence[int], clinics: Sequence[str]) -> list[int]:
    """Lock and return those of these visits that wait for the planner, in the order of `ids`."""
    query = _PENDING.where(chosen(conn.dialect.name, appointment.c.id))
    still = set(conn.execute(query, {"clinics": clinics, **choice(conn, ids)}).scalars())
    return [visit_id for visit_id in dict.fromkeys(ids) if visit_id in still]


def still_pending(conn: Connection, limit: int, clinics: Sequence[str]) -> list[int]:
    """Return such visits once no other worker is planning them: none is left to another."""
    return list(conn.execute(_WAITED_FOR, {"clinics": clinics, "most": limit}).scalars())


def load_cases(
    conn: Connection,
    ids: Sequence[int],
    digest: Digest,
    histories: Mapping[int, Sequence[Message]] | None = None,
) -> list[Case]:
    """Return all that is known of these visits, in the order of `ids`.

    `histories`: their messages, where they have been read before.
    """
    asked_for = choice(conn, ids)
    visits = {row.id: row for row in conn.execute(_visits(conn.dialect.name), asked_for).all()}
    people = contacts_of(conn, {row.patient_id for row in visits.values()}, digest)
    if histories is None:
        histories = messages_of(conn, ids)
    requests: dict[int, list[Request]] = defaultdict(list)
    for row in conn.execute(_requests(conn.dialect.name), asked_for).all():
        asked = Request(row.id, row.rule, row.requested_at, row.contact_id)
        requests[row.appointment_id].append(asked)
    beside = twins_of(conn, _places(visits, histories))
    return [
        Case(
            to_appointment(visits[visit_id]),
            tuple(people.get(visits[visit_id].patient_id, ())),
            tuple(histories.get(visit_id, ())),
            tuple(requests.get(visit_id, ())),
            beside.get(visit_id, ()),
        )
        for visit_id in ids
        if visit_id in visits
    ]


def _places(
    visits: Mapping[int, Any], histories: Mapping[int, Sequence[Message]]
) -> Iterator[Place]:
    """Yield where other bookings matter: where each visit is, and where it was told to be."""
    for visit_id, row in visits.items():
        told = {m.truth.starts_at for m in histories.get(visit_id, ()) if is_known(m)}
        over = row.status == VisitStatus.CANCELLED.value
        for starts_at in sorted({row.starts_at, *told}):
            yield Place(visit_id, row.patient_id, starts_at, over=over)


def is_known(message: Message) -> bool:
    """Tell whether the people of a message know what it tells: it went, or they knew it before."""
    return message.state in TOLD or message.reason is Reason.NO_CONFIRMATIONS


def twins_of(conn: Connection, places: Iterable[Place]) -> dict[int, tuple[Twin, ...]]:
    """Return the other bookings at these places, by visit, with what they have told."""
    found = twins.find(conn, places)
    if not found:
        return {}
    known = messages_of(conn, sorted({twin.id for those in found.values() for twin in those}))
    told = {twin_id: tuple(filter(is_known, history)) for twin_id, history in known.items()}
    return {
        visit_id: tuple(replace(twin, told=told.get(twin.id, ())) for twin in those)
        for visit_id, those in found.items()
    }


@cache
def _visits(dialect: str) -> Select[Any]:
    return (
        select(
            appointment,
            clinic.c.key.label("clinic_key"),
            patient.c.birth_date,
            patient.c.protected,
            patient.c.own_login,
        )
        .join(clinic, clinic.c.id == appointment.c.clinic_id)
        .join(patient, patient.c.id == appointment.c.patient_id)
        .where(chosen(dialect, appointment.c.id))
    )


@cache
def _requests(dialect: str) -> Select[Any]:
    return select(request).where(chosen(dialect, request.c.appointment_id))


def to_appointment(row: Row[tuple[object, ...]]) -> Appointment:
    """Return a visit's row, with its clinic's and its patient's, as the planner sees it."""
    planned = None
    if row.planned_starts_at is not None:
        planned = Truth(row.planned_starts_at, _STATUSES[row.planned_status])
    return Appointment(
        id=row.id,
        clinic=row.clinic_key,
        clinic_id=row.clinic_id,
        patient_id=row.patient_id,
        ref=row.ref,
        kind=row.kind.casefold(),
        truth=Truth(row.starts_at, _STATUSES[row.status]),
        changed_at=row.changed_at,
        version=row.version,
        planned=planned,
        known_at=row.known_at,
        planned_at=row.planned_at,
        confirm=row.confirm,
        birth_date=row.birth_date,
        protected=row.protected,
        own_login=_LOGINS[row.own_login],
    )


def contacts_of(
    conn: Connection, patient_ids: Iterable[int], digest: Digest
) -> dict[int, list[Contact]]:
    """Return each patient's present contacts, by patient id."""
    people: dict[int, list[Contact]] = defaultdict(list)
    statement = contacts_statement(conn.dialect.name)
    for row in conn.execute(statement, choice(conn, patient_ids)).all():
        people[row.patient_id].append(to_contact(row, digest))
    return people


def to_contact(row: Row[tuple[object, ...]], digest: Digest) -> Contact:
    """Return a contact's row, with consents and opt-outs, as the planner sees it."""
    reach: dict[Channel, Reach] = {}
    for channel, address, said, out in (
        (Channel.SMS, row.phone, row.consent_sms, row.phone_out),
        (Channel.EMAIL, row.email, row.consent_email, row.email_out),
    ):
        if address:
            wish = _CONSENTS[said] if said else Consent.REFUSED
            reach[channel] = Reach(digest(canonical(address)), wish, opted_out=bool(out))
    return Contact(row.id, _ROLES[row.role], reach, row.language, wishes_of(row))


@cache
def contacts_statement(dialect: str) -> Select[Any]:
    """Return the statement that reads the present contacts of patients."""
    phone_out, email_out = opt_out.alias(), opt_out.alias()
    sms, mail = consent.alias(), consent.alias()
    return (
        select(
            contact,
            sms.c.status.label("consent_sms"),
            mail.c.status.label("consent_email"),
            phone_out.c.address.is_not(None).label("phone_out"),
            email_out.c.address.is_not(None).label("email_out"),
        )
        .join(patient, patient.c.id == contact.c.patient_id)
        .outerjoin(sms, (sms.c.contact_id == contact.c.id) & (sms.c.channel == Channel.SMS))
        .outerjoin(mail, (mail.c.contact_id == contact.c.id) & (mail.c.channel == Channel.EMAIL))
        .outerjoin(
            phone_out,
            (phone_out.c.clinic_id == patient.c.clinic_id)
            & (phone_out.c.address == contact.c.phone),
        )
        .outerjoin(
            email_out,
            (email_out.c.clinic_id == patient.c.clinic_id)
            & (email_out.c.address == func.lower(contact.c.email)),
        )
        .where(chosen(dialect, contact.c.patient_id), contact.c.removed_at.is_(None))
        .order_by(contact.c.id)
    )


def messages_of(conn: Connection, ids: Sequence[int]) -> dict[int, list[Message]]:
    """Return the outbox rows of these visits, by visit."""
    histories: dict[int, list[Message]] = defaultdict(list)
    for row in conn.execute(_messages(conn.dialect.name), choice(conn, ids)).all():
        histories[row.appointment_id].append(to_message(row))
    return histories


@cache
def _messages(dialect: str) -> Select[Any]:
    return select(message).where(chosen(dialect, message.c.appointment_id)).order_by(message.c.id)


def to_message(row: Row[tuple[object, ...]]) -> Message:
    """Return an outbox row as the planner sees it."""
    reason = _REASONS[row.reason] if row.reason else None
    return Message(
        id=row.id,
        key=Key(row.version, row.rule, row.contact_id, _CHANNELS[row.channel], row.occasion),
        state=_STATES[row.state],
        truth=Truth(row.truth_starts_at, _STATUSES[row.truth_status]),
        due_at=row.due_at,
        not_after=row.not_after,
        address_key=row.address_key,
        short=row.short,
        attempts=row.attempts,
        reason=reason,
        retryable=reason in RETRYABLE,
        sent_at=row.sent_at,
        request_id=row.request_id,
        calendar=row.calendar,
        says_own_login=row.says_own_login,
        counts_on=row.counts_on,
    )


def mark_for_planning(conn: Connection, ids: Iterable[int]) -> None:
    """Have the planner look at these visits again."""
    wanted = list(ids)
    if wanted:
        conn.execute(_mark(conn.dialect.name), choice(conn, wanted))


@cache
def _mark(dialect: str) -> Update:
    return update(appointment).where(chosen(dialect, appointment.c.id)).values(needs_plan=true())


def count_pending(conn: Connection) -> int:
    """Return how many visits wait for the planner."""
    query = select(func.count()).select_from(appointment).where(text(PENDING))
    return conn.execute(query).scalar_one()


def visit_ids(conn: Connection, clinic_id: int, since: datetime, until: datetime) -> list[int]:
    """Return the ids of booked visits that start in [since, until), the soonest first."""
    query = (
        select(appointment.c.id)
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.starts_at >= since,
            appointment.c.starts_at < until,
            appointment.c.status == literal_column("'booked'"),
        )
        .order_by(appointment.c.starts_at, appointment.c.id)
    )
    return list(conn.execute(query).scalars())
