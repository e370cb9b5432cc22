"""Showing: all that is known of a visit, and why there is no other message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reminders.domain.plan import Case
from reminders.engine import planning
from reminders.engine.desk import require_all
from reminders.engine.runtime import Runtime
from reminders.store import cases, ledger, people, views
from reminders.store.database import Connection
from reminders.store.ledger import Entry
from reminders.store.people import Patient
from reminders.store.views import Line, Visit


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one visit."""

    visit: Visit
    lines: tuple[Line, ...]
    entries: tuple[Entry, ...]
    explanations: tuple[planning.Explanation, ...]
    patient: Patient
    case: Case


def show(conn: Connection, runtime: Runtime, clinic: str, ref: str, now: datetime) -> Shown:
    """Return a visit with its messages, its ledger, and why there is no other message."""
    [shown] = show_all(conn, runtime, clinic, [ref], now)
    return shown


def show_all(
    conn: Connection, runtime: Runtime, clinic: str, refs: Sequence[str], now: datetime
) -> list[Shown]:
    """Return these visits as `show` does, each once, in this order. Raise NotFoundError."""
    visits = require_all(conn, clinic, refs)
    ids = [visit.id for visit in visits]
    lines: dict[int, list[Line]] = {number: [] for number in ids}
    for line in views.lines(conn, visits):
        lines[line.visit.id].append(line)
    histories = {
        number: sorted((line.message for line in found), key=lambda message: message.id)
        for number, found in lines.items()
    }
    whole = cases.load_cases(conn, ids, runtime.digest, histories)
    entries = ledger.entries_of(conn, ids)
    patients = people.patients_of(conn, ids)
    return [
        Shown(
            visit,
            tuple(line.as_sent(runtime.digest) for line in lines[visit.id]),
            tuple(entries.get(visit.id, ())),
            tuple(planning.explain(runtime, case, now)),
            patients[visit.id],
            case,
        )
        for visit, case in zip(visits, whole, strict=True)
    ]
