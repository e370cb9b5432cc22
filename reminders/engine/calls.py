"""The call list: who got nothing that still matters, soonest visit first, and who has phoned."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.engine.desk import calls_for, helps, require
from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.errors import UsageError
from reminders.store import called, clinics, ledger, pages, views
from reminders.store.called import Called
from reminders.store.clinics import ClosedChannel
from reminders.store.database import Connection
from reminders.store.ledger import Fact
from reminders.store.pages import Person
from reminders.store.views import CALL_AHEAD, Line, Visit

MOST = 100
LOOKED_AT = 300
LONGEST_INITIALS = 16
EVERYBODY = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One person to phone, or one who has been. `person` None: nobody is known."""

    item: Item
    visit: Visit
    person: Person | None
    done: Called | None = None


@dataclass(frozen=True, slots=True)
class CallList:
    """Whom to phone, and who has been phoned since the day began. `more`: not all are listed.

    `closed` are the stopped channels, of all clinics, by which it was judged.
    """

    waiting: tuple[Call, ...]
    done: tuple[Call, ...]
    more: bool
    closed: tuple[ClosedChannel, ...]


def call_list(
    conn: Connection, runtime: Runtime, clinic_id: int, now: datetime, limit: int = MOST
) -> CallList:
    """Return the call list of one clinic."""
    until = now + CALL_AHEAD
    found = {
        visit.id: visit
        for visit in (
            *pages.troubled(conn, clinic_id, now, LOOKED_AT),
            *pages.unreachable(conn, clinic_id, now, until, limit + 1),
        )
    }
    visits = sorted(found.values(), key=lambda visit: (visit.starts_at, visit.id))
    lines: dict[int, list[Line]] = {visit.id: [] for visit in visits}
    for line in views.lines(conn, visits):
        lines[line.visit.id].append(line)
    people = pages.people_of(conn, list(found), former=True)
    ticks = called.of_visits(conn, list(found))
    phoned = called.grouped(ticks.values())
    closed = tuple(clinics.closed_channels(conn))
    down = clinics.by_clinic(closed)
    waiting: list[Call] = []
    done: list[Call] = []
    for visit in visits:
        for item in calls_for(runtime, visit, lines[visit.id], phoned.get(visit.id, ()), now, down):
            if not helps(item, now):
                continue
            person = next((p for p in people[visit.id] if p.id == item.contact_id), None)
            tick = ticks.get((visit.id, item.contact_id, visit.version))
            (done if tick else waiting).append(Call(item, visit, person, tick))
    waiting.sort(key=lambda call: call.item.needed_by)
    recent = [call for call in done if call.done and call.done.called_at > now - timedelta(days=1)]
    return CallList(tuple(waiting[:limit]), tuple(recent), len(waiting) > limit, closed)


def tick(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    ref: str,
    contact_id: int,
    initials: str,
    now: datetime,
) -> None:
    """Record who has phoned somebody of a visit."""
    signed = " ".join(initials.split())
    if not signed or len(signed) > LONGEST_INITIALS or not signed.isprintable():
        raise UsageError("Write your initials: one to sixteen characters.")
    visit = require(conn, clinic, ref)
    key = (visit.id, contact_id, visit.version)
    if key in called.of_visits(conn, [visit.id]):
        return
    called.tick(conn, *key, signed, runtime.actor, now)
    ledger.write(conn, now, runtime.actor, [Fact("called", visit.id, None, {"by": signed})])


def untick(
    conn: Connection, runtime: Runtime, clinic: str, ref: str, called_id: int, now: datetime
) -> None:
    """Put somebody back on the list."""
    visit = require(conn, clinic, ref)
    if called.untick(conn, called_id, visit.id):
        ledger.write(conn, now, runtime.actor, [Fact("not_called", visit.id)])
