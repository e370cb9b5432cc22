"""What staff change by hand: a visit's time, its status, a request to send."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from reminders.store.schema import appointment, request


def move_visit(conn: Connection, visit_id: int, to: datetime, now: datetime) -> None:
    """Give a visit a new start."""
    conn.execute(
        update(appointment)
        .where(appointment.c.id == visit_id)
        .values(starts_at=to, status="booked", needs_plan=True, changed_at=now)
    )


def cancel_visits(conn: Connection, ids: Sequence[int], now: datetime) -> int:
    """Cancel booked visits; return how many were booked."""
    done = conn.execute(
        update(appointment)
        .where(appointment.c.id.in_(ids), appointment.c.status == "booked")
        .values(status="cancelled", needs_plan=True, changed_at=now)
    )
    return done.rowcount


def ask_to_send(
    conn: Connection,
    visit_ids: Sequence[int],
    rule: str,
    now: datetime,
    actor: str,
    contact_id: int | None = None,
) -> list[int]:
    """Record that somebody wants a rule's message of visits sent now; return the requests' ids.

    It is for all whom the rule is for, or for one contact alone.
    """
    asked = appointment.c.id.in_(visit_ids)
    conn.execute(update(appointment).where(asked).values(needs_plan=True))
    same = {"rule": rule, "requested_at": now, "actor": actor, "contact_id": contact_id}
    rows = [{"appointment_id": visit_id, **same} for visit_id in visit_ids]
    return (
        list(conn.execute(insert(request).returning(request.c.id), rows).scalars()) if rows else []
    )


def last_request(conn: Connection, visit_ids: Sequence[int]) -> int:
    """Return the id of the last request for any of these visits; 0 if there is none."""
    among = request.c.appointment_id.in_(visit_ids)
    return conn.execute(select(func.max(request.c.id)).where(among)).scalar() or 0
