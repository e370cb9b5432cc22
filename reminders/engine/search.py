"""Looking visits up, and all that one visit's page shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.domain.state import State
from reminders.engine import attention, showing, wording
from reminders.engine.attention import Asked
from reminders.engine.runtime import Runtime
from reminders.engine.showing import Shown
from reminders.engine.wording import Words
from reminders.store import clinics, pages
from reminders.store.database import Connection
from reminders.store.pages import Person, Wanted
from reminders.store.views import Visit

PAGE = 50
WIDEST = timedelta(days=31)
"""Visits are looked through by what became of their messages for at most so long."""

BY_STATE: Mapping[str, tuple[State, ...]] = {
    "planned": (State.PLANNED,),
    "reached": (State.ACCEPTED, State.DELIVERED),
    "missed": (State.FAILED, State.UNDELIVERED, State.EXPIRED),
    "unknown": (State.UNKNOWN,),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A page of visits, with how their messages are. `after`: where the next page begins."""

    visits: tuple[Visit, ...]
    states: Mapping[int, Mapping[State, int]]
    after: tuple[datetime, int] | None


def find(conn: Connection, clinic: str, wanted: Wanted) -> Found:
    """Return the visits that are looked for, a page of them."""
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    found = pages.search(conn, clinic_id, wanted, PAGE + 1)
    shown = found[:PAGE]
    last = shown[-1] if len(found) > PAGE else None
    return Found(
        tuple(shown),
        pages.states_of(conn, [visit.id for visit in shown]),
        (last.starts_at, last.id) if last else None,
    )


@dataclass(frozen=True, slots=True)
class VisitPage:
    """All that one visit's page shows."""

    shown: Shown
    people: tuple[Person, ...]
    words: Mapping[int, Words]
    asked: Asked


def look_at(conn: Connection, runtime: Runtime, clinic: str, ref: str, now: datetime) -> VisitPage:
    """Return a visit with its people, the texts of its messages, and why."""
    shown = showing.show(conn, runtime, clinic, ref, now)
    people = pages.people_of(conn, [shown.visit.id])[shown.visit.id]
    return VisitPage(
        shown,
        tuple(people),
        wording.words_of(conn, runtime, shown, now),
        attention.of_visit(conn, runtime, shown.visit, shown.patient),
    )
