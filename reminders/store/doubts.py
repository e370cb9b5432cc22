"""Rows of a staged file that could not be taken whole: whose they may be, what is heard of them.

A row is a patient's by their key, by the booking's reference, or by an address on it. One without
key and known reference may be of whoever has a booking at its time. The rest may be anybody's.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from reminders.store.bulk import Values, insert_rows
from reminders.store.schema import appointment, contact, patient
from reminders.store.schema_intake import import_run, problem, staged_contact, staged_visit
from reminders.store.schema_intake import staged_doubt as doubt
from reminders.store.wishes import WISHES

PERSON = (
    "place", "role", "phone", "email", "language", "consent_sms", "consent_email", *WISHES,
)  # fmt: skip
DOUBT = (
    "line", "ref", "patient_key", "starts_at", "unread", "protected", "anyone", *PERSON,
)  # fmt: skip
MOST_OF_ONE_ADDRESS = 20
"""An address that more patients have, as one filled in for all who have none, tells of nobody."""

_COPIED = tuple(name for name in DOUBT if name != "patient_key")

Heard = Row[tuple[object, ...]]
"""What is heard of a row and one of its people; the role is None where it tells of nobody."""


def add(conn: Connection, run_id: int, rows: Sequence[Values]) -> None:
    """Stage what is heard of rows in doubt, as DOUBT orders it."""
    insert_rows(conn, doubt, ("import_run_id", *DOUBT), [(run_id, *row) for row in rows])


def attribute(conn: Connection, run_id: int) -> None:
    """Find out whose the rows in doubt may be, once all rows of the file are staged."""
    told = _last(conn, run_id)
    if told is None:
        return
    other_line = staged_visit.c.line != doubt.c.line
    for whose in (_by_reference(run_id).where(other_line), _by_known_reference()):
        _copy(conn, run_id, told, whose.where(_up_to(run_id, told)))
    named = _last(conn, run_id) or told
    without = _up_to(run_id, told) & doubt.c.patient_key.is_(None)
    nobodys = without & ~_has_key(run_id, named)
    for name in ("phone", "email"):
        for whose in (_by_address(run_id, name), _by_known_address(run_id, name)):
            _copy(conn, run_id, told, whose.where(nobodys))
    _by_time(conn, run_id, nobodys)
    _copy(conn, run_id, told, _by_reference(run_id).where(nobodys))
    known = _has_key(run_id, _last(conn, run_id) or told)
    conn.execute(delete(doubt).where(without, ~doubt.c.anyone | known))


_OURS = doubt.c.import_run_id == bindparam("run")

_LAST = select(func.max(doubt.c.id)).where(_OURS)


def _last(conn: Connection, run_id: int) -> int | None:
    return conn.execute(_LAST, {"run": run_id}).scalar()


def _up_to(run_id: int, last: int) -> ColumnElement[bool]:
    return (doubt.c.import_run_id == run_id) & (doubt.c.id <= last)


def _has_key(run_id: int, last: int) -> ColumnElement[bool]:
    """Return the condition that somebody is known whose line it may be."""
    other = doubt.alias()
    return exists().where(
        other.c.import_run_id == run_id,
        other.c.line == doubt.c.line,
        other.c.id <= last,
        other.c.patient_key.is_not(None),
    )


def _copy(conn: Connection, run_id: int, told: int, whose: Select[Any]) -> None:
    """Let the rows of lines be heard of these patients too: `whose` has (line, key)."""
    pairs = whose.distinct().subquery()
    line, key = pairs.c
    rows = (
        select(literal(run_id), key, *(doubt.c[name] for name in _COPIED))
        .select_from(doubt)
        .join(pairs, line == doubt.c.line)
        .where(_up_to(run_id, told))
        .where(or_(doubt.c.patient_key.is_(None), doubt.c.patient_key != key))
    )
    columns = ["import_run_id", "patient_key", *_COPIED]
    conn.execute(insert(doubt).from_select(columns, rows))


def _by_reference(run_id: int) -> Select[Any]:
    """Return the query for lines, and for the patients whose the booking is on other lines."""
    same = (staged_visit.c.import_run_id == run_id) & (staged_visit.c.ref == doubt.c.ref)
    return (
        select(doubt.c.line, staged_visit.c.patient_key).select_from(doubt).join(staged_visit, same)
    )


def _by_known_reference() -> Select[Any]:
    clinic = import_run.c.clinic_id == appointment.c.clinic_id
    return (
        select(doubt.c.line, patient.c.external_key)
        .select_from(doubt)
        .join(import_run, import_run.c.id == doubt.c.import_run_id)
        .join(appointment, clinic & (appointment.c.ref == doubt.c.ref))
        .join(patient, patient.c.id == appointment.c.patient_id)
    )


def _canonical(address: ColumnElement[str]) -> ColumnElement[str]:
    """Return an address in the form that those in doubt are kept in (domain/contact.canonical)."""
    return func.lower(address) if address.key == "email" else address


def _by_address(run_id: int, name: str) -> Select[Any]:
    """Return the query for lines, and for the patients who have that address on other lines."""
    address, key = _canonical(staged_contact.c[name]), staged_contact.c.patient_key
    ours = staged_contact.c.import_run_id == run_id
    sought = address.in_(_sought(run_id, name))
    shared = select(address).where(ours, sought).group_by(address)
    shared = shared.having(func.count(key.distinct()) > MOST_OF_ONE_ADDRESS)
    return (
        select(doubt.c.line, key)
        .select_from(doubt)
        .join(staged_contact, ours & (address == doubt.c[name]))
        .where(address != "", address.not_in(shared))
    )


def _by_known_address(run_id: int, name: str) -> Select[Any]:
    """Return the query for lines, and for the clinic's patients who are known by that address."""
    address = _canonical(contact.c[name])
    clinic = select(import_run.c.clinic_id).where(import_run.c.id == run_id).scalar_subquery()
    theirs = (patient.c.id == contact.c.patient_id) & (patient.c.clinic_id == clinic)
    present = address.in_(_sought(run_id, name)) & contact.c.removed_at.is_(None)
    shared = select(address).join(patient, theirs).where(present).group_by(address)
    shared = shared.having(func.count(patient.c.id.distinct()) > MOST_OF_ONE_ADDRESS)
    return (
        select(doubt.c.line, patient.c.external_key)
        .select_from(doubt)
        .join(contact, (address == doubt.c[name]) & contact.c.removed_at.is_(None))
        .join(patient, theirs)
        .where(address != "", address.not_in(shared))
    )


def _sought(run_id: int, name: str) -> Select[Any]:
    """Return the query for the addresses on lines that name nobody."""
    return select(doubt.c[name]).where(
        doubt.c.import_run_id == run_id,
        doubt.c.patient_key.is_(None),
        doubt.c[name].is_not(None),
        doubt.c[name] != "",
    )


def _by_time(conn: Connection, run_id: int, nobodys: ColumnElement[bool]) -> None:
    """Let whoever has a booking at the time of a nameless row be in doubt.

    What the row says is perhaps not theirs: only that something of theirs may not have been read.
    """
    times = (
        select(doubt.c.starts_at, func.min(doubt.c.line).label("line"))
        .where(nobodys, doubt.c.unread, doubt.c.starts_at.is_not(None))
        .group_by(doubt.c.starts_at)
        .subquery()
    )
    clinic = select(import_run.c.clinic_id).where(import_run.c.id == run_id).scalar_subquery()
    staged = (staged_visit.c.import_run_id == run_id) & (
        staged_visit.c.starts_at == times.c.starts_at
    )
    known = (appointment.c.clinic_id == clinic) & (appointment.c.starts_at == times.c.starts_at)
    there = (
        select(times.c.line, staged_visit.c.patient_key.label("key"))
        .select_from(times)
        .join(staged_visit, staged)
    )
    before = (
        select(times.c.line, patient.c.external_key)
        .select_from(times)
        .join(appointment, known)
        .join(patient, patient.c.id == appointment.c.patient_id)
    )
    whose = there.union(before).subquery()
    rows = select(
        literal(run_id), func.min(whose.c.line), whose.c.key, literal(True), literal(False)
    ).group_by(whose.c.key)
    columns = ["import_run_id", "line", "patient_key", "unread", "anyone"]
    conn.execute(insert(doubt).from_select(columns, rows))


_OF = (
    select(doubt)
    .where(_OURS, doubt.c.patient_key.in_(bindparam("keys", expanding=True)))
    .order_by(doubt.c.line, doubt.c.id)
)


def of(conn: Connection, run_id: int, keys: Sequence[str]) -> Sequence[Heard]:
    """Return what is heard of these patients in doubt, in the order of the lines."""
    return conn.execute(_OF, {"run": run_id, "keys": keys}).all()


_ANYBODYS = select(doubt.c.line).where(_OURS, doubt.c.patient_key.is_(None))
_ANYBODYS_LINES = _ANYBODYS.distinct().order_by(doubt.c.line)
_ANY_IS_ANYBODYS = _ANYBODYS.limit(1)


def anybodys(conn: Connection, run_id: int) -> list[int]:
    """Return the lines that may tell of anybody at all."""
    return list(conn.execute(_ANYBODYS_LINES, {"run": run_id}).scalars())


def any_is_anybodys(conn: Connection, run_id: int) -> bool:
    """Tell whether there is any such line."""
    return conn.execute(_ANY_IS_ANYBODYS, {"run": run_id}).first() is not None


def people_of(conn: Connection, run_id: int, lines: Collection[int]) -> Sequence[Heard]:
    """Return who stands on these lines and is not taken with them."""
    return conn.execute(
        select(doubt)
        .where(doubt.c.import_run_id == run_id, doubt.c.line.in_(lines), doubt.c.role.is_not(None))
        .order_by(doubt.c.id)
    ).all()


def put_right(conn: Connection, run_id: int, line: int, place: int | None) -> None:
    """Let a person of a line be no longer heard of in doubt: they are staged now.

    With nothing else on the line that is wrong, nobody is in doubt because of it.
    """
    ours = (doubt.c.import_run_id == run_id) & (doubt.c.line == line)
    theirs = true() if place is None else doubt.c.place == place
    conn.execute(update(doubt).where(ours, theirs).values(dict.fromkeys(PERSON)))
    wrong = exists().where(
        problem.c.import_run_id == run_id, problem.c.line == line, problem.c.solved_at.is_(None)
    )
    conn.execute(update(doubt).where(ours, ~wrong).values(unread=False))
