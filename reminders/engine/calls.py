"""The call list: who got nothing that still matters, soonest visit first, and who has phoned."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.engine.desk import calls_for, helps, require, to_phone
from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, UsageError
from reminders.store import called, clinics, ledger, pages, views
from reminders.store.called import Called
from reminders.store.clinics import ClosedChannel
from reminders.store.database import Connection
from reminders.store.ledger import Fact
from reminders.store.pages import Person
from reminders.store.views import CALL_AHEAD, JUST_BEGUN, Line, Visit

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
            *pages.unreachable(conn, clinic_id, now - JUST_BEGUN, until, limit + 1),
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
    """Record who has phoned somebody of a visit. Raise NotFoundError if they are not of it."""
    signed = " ".join(initials.split())
    if not signed or len(signed) > LONGEST_INITIALS or not signed.isprintable():
        raise UsageError("Write your initials: one to sixteen characters.")
    visit = require(conn, clinic, ref)
    _require_person(conn, runtime, visit, contact_id, now)
    key = (visit.id, contact_id, visit.version)
    if key in called.of_visits(conn, [visit.id]):
        return
    called.tick(conn, *key, signed, runtime.actor, now)
    ledger.write(conn, now, runtime.actor, [Fact("called", visit.id, None, {"by": signed})])


def _require_person(
    conn: Connection, runtime: Runtime, visit: Visit, contact_id: int, now: datetime
) -> None:
    """Raise NotFoundError unless it is somebody of the visit, or who stands on the list for it."""
    people = pages.people_of(conn, [visit.id], former=True)[visit.id]
    listed = to_phone(conn, runtime, [visit], now)
    if contact_id not in {EVERYBODY, *(p.id for p in people), *(i.contact_id for i in listed)}:
        raise NotFoundError("That is no contact of the visit. Nobody was ticked off.")


def untick(
    conn: Connection, runtime: Runtime, clinic: str, ref: str, called_id: int, now: datetime
) -> None:
    """Put somebody back on the list. Raise NotFoundError if they are not ticked off."""
    visit = require(conn, clinic, ref)
    if not called.untick(conn, called_id, visit.id):
        raise NotFoundError("Nobody is ticked off there any more. Nothing was changed.")
    ledger.write(conn, now, runtime.actor, [Fact("not_called", visit.id)])
