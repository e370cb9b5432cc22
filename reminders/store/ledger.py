"""The ledger: what happened to a visit's messages, append-only, ids and codes alone."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, lru_cache
from itertools import groupby

from sqlalchemy import Connection, Select, func, or_, select

from reminders.store.bulk import insert_rows
from reminders.store.rows import choice, chosen
from reminders.store.schema import appointment, ledger

_COLUMNS = ("at", "actor", "appointment_id", "message_id", "event", "detail")


@dataclass(slots=True)  # not frozen: made by the thousand, in a third of the time
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
        (now, actor, fact.appointment_id, fact.message_id, fact.event, _written(fact.detail))
        for fact in facts
    ]
    insert_rows(conn, ledger, _COLUMNS, rows)


def _written(detail: Mapping[str, object]) -> str:
    return _json(tuple(detail.items()), tuple(map(type, detail.values())))


@lru_cache(maxsize=1 << 12)
def _json(items: tuple[tuple[str, object], ...], _types: tuple[type, ...]) -> str:
    # Facts of one kind say the same of very many visits. (The types: 1 and True are equal.)
    return json.dumps(dict(items), ensure_ascii=False)


def entries(conn: Connection, appointment_id: int) -> list[Entry]:
    """Return all that happened to a visit, oldest first."""
    return entries_of(conn, [appointment_id]).get(appointment_id, [])


def entries_of(conn: Connection, appointment_ids: Iterable[int]) -> dict[int, list[Entry]]:
    """Return all that happened to these visits, oldest first, by visit."""
    found: dict[int, list[Entry]] = defaultdict(list)
    for row in conn.execute(_entries(conn.dialect.name), choice(conn, appointment_ids)):
        entry = Entry(row.at, row.actor, row.message_id, row.event, row.detail)
        found[row.appointment_id].append(entry)
    return found


@cache
def _entries(dialect: str) -> Select[tuple[object, ...]]:
    return select(ledger).where(chosen(dialect, ledger.c.appointment_id)).order_by(ledger.c.id)


def newest(conn: Connection, until: datetime) -> datetime | None:
    """Return the time of the last fact that was written by then; None if there is none."""
    query = select(ledger.c.at).where(ledger.c.at <= until).order_by(ledger.c.id.desc())
    return conn.execute(query.limit(1)).scalar()


BY_PEOPLE = (
    "called", "not_called", "moved_by_hand", "cancelled_by_hand", "asked_to_send", "held",
    "released", "template_approved", "contact_corrected", "contact_added", "stopped_contacting",
    "started_contacting", "contact_changed", "own_login",
)  # fmt: skip
LOOKED_BACK = 20_000


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did, to a visit or to the installation, and how often in one go.

    `run_id`, `file`: of an import.
    """

    at: datetime
    actor: str
    event: str
    ref: str | None
    times: int = 1
    run_id: int | None = None
    file: str = ""


def latest_by_people(conn: Connection, clinic_id: int, limit: int) -> list[Act]:
    """Return what people did last at a clinic or to the installation, the newest first."""
    newest = conn.execute(select(func.max(ledger.c.id))).scalar() or 0
    rows = conn.execute(
        select(ledger.c.at, ledger.c.actor, ledger.c.event, appointment.c.ref)
        .outerjoin(appointment, appointment.c.id == ledger.c.appointment_id)
        .where(
            ledger.c.id > newest - LOOKED_BACK,
            ledger.c.event.in_(BY_PEOPLE),
            or_(ledger.c.appointment_id.is_(None), appointment.c.clinic_id == clinic_id),
        )
        .order_by(ledger.c.id.desc())
        .limit(limit)
    )
    together = groupby(Act(r.at, r.actor, r.event, r.ref) for r in rows)
    return [replace(act, times=len(list(same))) for act, same in together]
