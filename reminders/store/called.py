"""Whom staff have phoned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from reminders.store.schema import appointment
from reminders.store.schema_desk import called


@dataclass(frozen=True, slots=True)
class Called:
    """One call that somebody made. `contact_id` 0 means the family as a whole."""

    id: int
    appointment_id: int
    contact_id: int
    version: int
    initials: str
    called_at: datetime


def tick(
    conn: Connection,
    appointment_id: int,
    contact_id: int,
    version: int,
    initials: str,
    actor: str,
    now: datetime,
) -> None:
    """Record that somebody has been phoned of this version of a visit."""
    conn.execute(
        insert(called).values(
            appointment_id=appointment_id,
            contact_id=contact_id,
            version=version,
            initials=initials,
            actor=actor,
            called_at=now,
        )
    )


def untick(conn: Connection, called_id: int, appointment_id: int) -> bool:
    """Take a tick back; tell whether it was there."""
    gone = conn.execute(
        delete(called).where(called.c.id == called_id, called.c.appointment_id == appointment_id)
    )
    return gone.rowcount > 0


def of_visits(conn: Connection, visit_ids: Sequence[int]) -> dict[tuple[int, int, int], Called]:
    """Return the calls of these visits by (visit, contact, version)."""
    rows = conn.execute(select(called).where(called.c.appointment_id.in_(list(visit_ids))))
    return {
        (r.appointment_id, r.contact_id, r.version): Called(
            r.id, r.appointment_id, r.contact_id, r.version, r.initials, r.called_at
        )
        for r in rows
    }


def by_visit(conn: Connection, visit_ids: Sequence[int]) -> dict[int, list[Called]]:
    """Return the calls of these visits, by visit."""
    return grouped(of_visits(conn, visit_ids).values())


def grouped(calls: Iterable[Called]) -> dict[int, list[Called]]:
    """Return calls by visit."""
    found: dict[int, list[Called]] = {}
    for one in calls:
        found.setdefault(one.appointment_id, []).append(one)
    return found


def since(conn: Connection, clinic_id: int, at: datetime) -> list[Called]:
    """Return the calls made since `at`, the newest first."""
    rows = conn.execute(
        select(called)
        .join(appointment, appointment.c.id == called.c.appointment_id)
        .where(called.c.called_at >= at, appointment.c.clinic_id == clinic_id)
        .order_by(called.c.called_at.desc())
    )
    return [
        Called(r.id, r.appointment_id, r.contact_id, r.version, r.initials, r.called_at)
        for r in rows
    ]
