"""A booked visit and what its patients are told of it."""

import functools
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta


class VisitStatus(StrEnum):
    """Whether the visit takes place."""

    BOOKED = "booked"
    CANCELLED = "cancelled"


class OwnLogin(StrEnum):
    """Whether the patient is known to have an e-ID of their own."""

    CONFIRMED = "confirmed"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Truth:
    """What patients are told of a visit: when it is (UTC), and whether it is."""

    starts_at: datetime
    status: VisitStatus


@dataclass(frozen=True, slots=True)
class Appointment:
    """One visit as the database has it. Instants are aware and in UTC."""

    id: int
    clinic: str
    ref: str
    kind: str
    truth: Truth
    changed_at: datetime
    version: int = 0
    planned: Truth | None = None
    known_at: datetime | None = None
    planned_at: datetime | None = None
    confirm: bool = True
    birth_date: date | None = None
    protected: bool = False
    own_login: OwnLogin = OwnLogin.UNKNOWN
    clinic_id: int = 0


def advance(appointment: Appointment, now: datetime) -> Appointment:
    """Return the appointment as the planner now knows it.

    A new version begins when what patients are told has changed since the last plan. `known_at` is
    when the change was written, so that a planner that was down does not make a booking look late;
    a writer that does not touch `changed_at` is believed to have written just now.
    """
    if appointment.planned == appointment.truth:
        return replace(appointment, planned_at=now)
    written_since = (
        appointment.planned_at is None or appointment.changed_at > appointment.planned_at
    )
    known_at = min(appointment.changed_at, now) if written_since else now
    return replace(
        appointment,
        version=appointment.version + 1,
        planned=appointment.truth,
        known_at=known_at,
        planned_at=now,
    )


def age_at(birth_date: date | None, instant: datetime, zone: ZoneInfo) -> int | None:
    """Return the age in whole years on the clinic's date at `instant`; None if not known."""
    if birth_date is None:
        return None
    return _years(birth_date, instant.astimezone(zone).date())


@functools.lru_cache(maxsize=2**16)
def _years(birth_date: date, day: date) -> int:
    return relativedelta(day, birth_date).years
