"""A booked visit and what its patients are told of it."""

from calendar import isleap
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

_FEBRUARY, _ITS_DAYS = 2, 28


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
    patient_id: int = 0


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
    today = _local_date(instant, zone)
    # Who was born on a leap day is a year older on the last of February of other years.
    leaps = birth_date.month == today.month == _FEBRUARY and not isleap(today.year)
    born_on = min(birth_date.day, _ITS_DAYS) if leaps else birth_date.day
    before = (today.month, today.day) < (birth_date.month, born_on)
    return today.year - birth_date.year - before


@lru_cache(maxsize=1 << 14)
def _local_date(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()
