"""Many visits at once: a day, or one clinician's, cancelled or told of, after a look at them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from reminders.domain.state import State
from reminders.engine import desk
from reminders.engine.runtime import Runtime
from reminders.errors import ConflictError, UsageError
from reminders.store import clinics, pages
from reminders.store.database import Connection
from reminders.store.pages import Person, Wanted
from reminders.store.views import Line, Visit

MOST = 500
"""So many visits are shown, and acted on, at once."""


class ChosenChangedError(ConflictError):
    """The visits that were shown are no longer those: somebody changed something meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody has changed one of these visits since they were shown. Nothing was done:"
            " look at them again."
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The visits that are meant, with those who would be told, and a mark of what was shown."""

    visits: tuple[Visit, ...]
    people: dict[int, list[Person]]
    told: frozenset[int]
    mark: str


def choose(
    conn: Connection, clinic: str, since: datetime, until: datetime, clinician: str | None
) -> Chosen:
    """Return the booked visits of a span, of one clinician if one is named.

    Raise UsageError for more than MOST: nothing is done to a part of what was asked for.
    """
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    wanted = Wanted(since=since, until=until, status="booked", clinician=clinician)
    found = pages.search(conn, clinic_id, wanted, MOST + 1)
    if len(found) > MOST:
        raise UsageError(
            "There are more than %(most)s visits then. Choose fewer days, or one clinician.",
            most=MOST,
        )
    ids = [visit.id for visit in found]
    states = pages.states_of(conn, ids)
    told = frozenset(i for i in ids if set(states[i]) & {State.ACCEPTED, State.DELIVERED})
    return Chosen(tuple(found), pages.people_of(conn, ids), told, _mark(found))


def _mark(visits: Sequence[Visit]) -> str:
    said = [(visit.id, visit.starts_at, visit.status) for visit in visits]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _same(conn: Connection, clinic: str, refs: Sequence[str], mark: str) -> list[Visit]:
    """Return these visits. Raise ChosenChangedError unless they are as they were shown."""
    found = sorted(
        (desk.require(conn, clinic, ref) for ref in refs), key=lambda v: (v.starts_at, v.id)
    )
    if _mark(found) != mark:
        raise ChosenChangedError
    return found


def cancel(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    refs: Sequence[str],
    mark: str,
    now: datetime,
) -> list[Line]:
    """Cancel visits that are still as they were shown; return what is planned for them."""
    found = _same(conn, clinic, refs, mark)
    return desk.cancel(conn, runtime, clinic, [visit.ref for visit in found], now)


def resend(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    refs: Sequence[str],
    mark: str,
    rule: str,
    now: datetime,
) -> list[Line]:
    """Send a rule's message of each of these visits now."""
    lines: list[Line] = []
    for visit in _same(conn, clinic, refs, mark):
        lines += desk.resend(conn, runtime, clinic, visit.ref, rule, now)
    return lines


def clinicians(conn: Connection, clinic: str, since: datetime, until: datetime) -> list[str]:
    """Return who holds visits in a span, for the list to choose from."""
    return pages.clinicians(conn, clinics.find_clinic_id(conn, clinic) or 0, since, until)
