"""The ledger: what happened to a visit's messages, append-only, ids and codes alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select

from reminders.store.schema import ledger


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened. `detail` holds codes, rule names and times; never a person."""

    event: str
    appointment_id: int | None = None
    message_id: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact as it was written."""

    at: datetime
    actor: str
    message_id: int | None
    event: str
    detail: Mapping[str, object]


def write(conn: Connection, now: datetime, actor: str, facts: Iterable[Fact]) -> None:
    """Append facts. `actor` is a program's part or a person's login, never a patient."""
    rows = [
        {
            "at": now,
            "actor": actor,
            "appointment_id": fact.appointment_id,
            "message_id": fact.message_id,
            "event": fact.event,
            "detail": dict(fact.detail),
        }
        for fact in facts
    ]
    if rows:
        conn.execute(insert(ledger), rows)


def entries(conn: Connection, appointment_id: int) -> list[Entry]:
    """Return all that happened to a visit, oldest first."""
    rows = conn.execute(
        select(ledger).where(ledger.c.appointment_id == appointment_id).order_by(ledger.c.id)
    )
    return [Entry(r.at, r.actor, r.message_id, r.event, r.detail) for r in rows]
