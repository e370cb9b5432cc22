"""A patient's other bookings at the time of a visit: finding them, and planning them again."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.twins import Twin
from reminders.store.rows import INSTANT, INTEGER, Rows


class Place(NamedTuple):
    """A visit, and a time (UTC) of its patient at which other bookings matter to it."""

    visit_id: int
    patient_id: int
    starts_at: datetime


_PLACES = Rows(
    (
        ("place", INTEGER),
        ("visit_id", INTEGER),
        ("patient_id", INTEGER),
        ("starts_at", INSTANT),
    )
)
_THERE = """
    FROM {rows} JOIN appointment AS o
      ON o.patient_id = r.patient_id AND o.starts_at = r.starts_at AND o.id <> r.visit_id
"""
_FIND = f"SELECT r.place, o.id, o.ref, o.status, o.kind {_THERE} ORDER BY o.id"
_MARK = f"UPDATE appointment SET needs_plan = true WHERE id IN (SELECT o.id {_THERE})"


def find(conn: Connection, places: Iterable[Place]) -> dict[int, list[Twin]]:
    """Return the other bookings at these places, by visit, without what they have told."""
    wanted = list(places)
    found: dict[int, list[Twin]] = defaultdict(list)
    for number, twin_id, ref, status, kind in conn.execute(
        _PLACES.statement(conn, _FIND), {"rows": _parameter(conn, wanted)}
    ).all():
        visit_id, _, starts_at = wanted[number]
        truth = Truth(starts_at, VisitStatus(status))
        first = twin_id < visit_id
        found[visit_id].append(Twin(twin_id, ref, truth, kind.casefold(), first=first))
    return found


def mark(conn: Connection, places: Collection[Place]) -> None:
    """Have the planner look again at the other bookings at these places."""
    if places:
        rows = {"rows": _parameter(conn, places)}
        conn.execute(_PLACES.statement(conn, _MARK), rows)


def _parameter(conn: Connection, places: Iterable[Place]) -> str:
    return _PLACES.parameter(conn, ((number, *place) for number, place in enumerate(places)))
