"""Bookings of one patient at one time, as they would be: not yet as the database has them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.plan import Case
from reminders.domain.twins import Twin
from reminders.store import cases
from reminders.store.database import Connection
from reminders.store.twins import Place

NEW = 1 << 61
"""Ids of visits that are not yet written begin here: after all that are."""


def together(conn: Connection, patient_id: int | None, drafts: Sequence[Case]) -> list[Case]:
    """Return visits of one patient, as they would be, with their twins as these would be.

    `patient_id` None: nothing else of the patient is known. Of a visit that has another time or
    patient than in the database, no twins are given.
    """
    there: dict[int, tuple[Twin, ...]] = {}
    if patient_id is not None:
        starts = ((d.appointment.id, d.appointment.truth.starts_at) for d in drafts if not d.twins)
        there = cases.twins_of(conn, [Place(visit, patient_id, at) for visit, at in starts])
    ids = {draft.appointment.id for draft in drafts}
    found: list[Case] = []
    for draft in drafts:
        known = (*draft.twins, *there.get(draft.appointment.id, ()))
        outside = (twin for twin in known if twin.id not in ids)
        found.append(replace(draft, twins=(*outside, *beside(drafts, draft))))
    return found


def beside(drafts: Iterable[Case], draft: Case) -> Iterator[Twin]:
    """Yield those of a patient's visits, as they would be, that are twins of another."""
    starts = {m.truth.starts_at for m in draft.history if cases.is_known(m)}
    starts.add(draft.appointment.truth.starts_at)
    over = draft.appointment.truth.status is VisitStatus.CANCELLED
    for other in drafts:
        if other is draft:
            continue
        left = {m.truth.starts_at for m in other.history if over and cases.is_known(m)}
        if starts & {other.appointment.truth.starts_at, *left}:
            yield twin_of(other, draft)


def twin_of(other: Case, draft: Case) -> Twin:
    """Return a visit as the twin of another."""
    visit = other.appointment
    told = tuple(filter(cases.is_known, other.history))
    first = visit.id < draft.appointment.id
    return Twin(visit.id, visit.ref, visit.truth, visit.kind, first=first, told=told)


def without(twins: Iterable[Twin], ids: Collection[int]) -> tuple[Twin, ...]:
    """Return the twins as they are when the bookings of these ids are cancelled."""
    return tuple(
        replace(twin, truth=Truth(twin.truth.starts_at, VisitStatus.CANCELLED))
        if twin.id in ids
        else twin
        for twin in twins
    )


@dataclass(slots=True)
class Coming:
    """Visits that a file brings to a time, by patient: others of the patient may be cancelled."""

    _there: dict[tuple[int, datetime], list[Case]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, patient_id: int | None, draft: Case) -> None:
        """Remember a visit, as it would be, to whose time its patient has other bookings."""
        if patient_id is not None and draft.twins:
            self._there[patient_id, draft.appointment.truth.starts_at].append(draft)

    def beside(self, case: Case) -> list[Case]:
        """Return what comes to the time of a visit, of the same patient."""
        visit = case.appointment
        return self._there.get((visit.patient_id, visit.truth.starts_at), [])
