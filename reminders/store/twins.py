"""A patient's other bookings at the time of a visit: finding them, and planning them again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, Select, select

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.lifecycle import TOLD
from reminders.domain.reasons import Reason
from reminders.domain.twins import Twin
from reminders.store.rows import INSTANT, INTEGER, Rows, choice, chosen
from reminders.store.schema import appointment
from reminders.store.types import UtcDateTime


class Place(NamedTuple):
    """A visit, and a time (UTC) of its patient at which other bookings matter to it.

    `over`: the visit is cancelled, so that those matter too which told of the time and have left.
    """

    visit_id: int
    patient_id: int
    starts_at: datetime
    over: bool = False


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
_KNOWN = ", ".join(f"'{state.value}'" for state in sorted(TOLD))
_LEFT = f"""
    SELECT r.place, o.id, o.ref, o.starts_at, o.status, o.kind
    FROM {{rows}} JOIN appointment AS o
      ON o.patient_id = r.patient_id AND o.starts_at <> r.starts_at AND o.id <> r.visit_id
    WHERE EXISTS (
      SELECT 1 FROM message AS m
      WHERE m.appointment_id = o.id AND m.truth_starts_at = r.starts_at
        AND (m.state IN ({_KNOWN}) OR m.reason = '{Reason.NO_CONFIRMATIONS.value}')
    )
    ORDER BY o.id
"""
_MARK = f"UPDATE appointment SET needs_plan = true WHERE id IN (SELECT o.id {_THERE})"


def find(conn: Connection, places: Iterable[Place]) -> dict[int, list[Twin]]:
    """Return the other bookings at these places, by visit, without what they have told."""
    wanted = list(places)
    found: dict[int, list[Twin]] = defaultdict(list)
    for number, twin_id, ref, status, kind in conn.execute(
        _PLACES.statement(conn, _FIND), {"rows": _parameter(conn, wanted)}
    ).all():
        visit_id, _, starts_at, _ = wanted[number]
        truth = Truth(starts_at, VisitStatus(status))
        first = twin_id < visit_id
        found[visit_id].append(Twin(twin_id, ref, truth, kind.casefold(), first=first))
    over = [place for place in wanted if place.over]
    for visit_id, twin in _left(conn, over) if over else ():
        found[visit_id].append(twin)
    return found


def _left(conn: Connection, wanted: Sequence[Place]) -> Iterator[tuple[int, Twin]]:
    """Yield what told of these places and is elsewhere now, with the visit to which it matters."""
    statement = _PLACES.statement(conn, _LEFT).columns(starts_at=UtcDateTime)
    for number, twin_id, ref, at, status, kind in conn.execute(
        statement, {"rows": _parameter(conn, wanted)}
    ).all():
        visit_id = wanted[number].visit_id
        truth, first = Truth(at, VisitStatus(status)), twin_id < visit_id
        yield visit_id, Twin(twin_id, ref, truth, kind.casefold(), first=first)


def mark(conn: Connection, places: Collection[Place]) -> None:
    """Have the planner look again at the other bookings at these places."""
    if places:
        rows = {"rows": _parameter(conn, places)}
        conn.execute(_PLACES.statement(conn, _MARK), rows)


def waiting(conn: Connection, visit_ids: Collection[int]) -> list[int]:
    """Return the other visits of the patients of these that wait for the planner."""
    return list(conn.execute(_waiting(conn.dialect.name), choice(conn, visit_ids)).scalars())


@cache
def _waiting(dialect: str) -> Select[int]:
    visit, other = appointment.alias("visit"), appointment.alias("other")
    return (
        select(other.c.id)
        .join(visit, visit.c.patient_id == other.c.patient_id)
        .where(chosen(dialect, visit.c.id), other.c.needs_plan)
        .distinct()
        .order_by(other.c.id)
    )


def _parameter(conn: Connection, places: Iterable[Place]) -> str:
    return _PLACES.parameter(conn, ((number, *place[:3]) for number, place in enumerate(places)))
