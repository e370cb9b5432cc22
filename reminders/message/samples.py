"""Sample people and situations: what `templates preview` shows and `templates check` judges."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.config import ClinicConfig
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Role
from reminders.message.context import Facts

REF_TAIL = "1042"
_AHEAD = {"today": 0, "tomorrow": 1, "later": 23}


@dataclass(frozen=True, slots=True)
class Sample:
    """One reader in one situation; `name` says which, in plain words."""

    name: str
    facts: Facts


def samples(clinic: ClinicConfig, now: datetime) -> Iterator[Sample]:
    """Yield readers of each kind: under and from the age of an own login, and of unknown age.

    `now` (UTC) is when the texts would be sent; visits are at ten o'clock, the clinic's time.
    """
    limit = clinic.eid.own_from_age
    ages = {
        f"guardian of a child of {limit - 5}": (Role.GUARDIAN, limit - 5),
        f"patient of {limit}": (Role.PATIENT, limit),
        "guardian, age unknown": (Role.GUARDIAN, None),
    }
    for reader, (role, age) in ages.items():
        for day, ahead in _AHEAD.items():
            for extra, short, tail in (("", False, None), (", sibling", False, REF_TAIL)):
                yield Sample(
                    f"{reader}, {day}{extra}",
                    _facts(clinic, now, role, age, ahead=ahead, short=short, tail=tail),
                )
        yield Sample(
            f"{reader}, booked late",
            _facts(clinic, now, role, age, ahead=1, short=True, tail=None),
        )


def _facts(
    clinic: ClinicConfig,
    now: datetime,
    role: Role,
    age: int | None,
    *,
    ahead: int,
    short: bool,
    tail: str | None,
) -> Facts:
    morning = now.astimezone(clinic.zone).replace(hour=7, minute=30, second=0, microsecond=0)
    start = morning + timedelta(days=ahead, hours=2, minutes=30)
    return Facts(
        starts_at=start.astimezone(now.tzinfo),
        now=morning.astimezone(now.tzinfo),
        status=VisitStatus.BOOKED,
        age=age,
        role=role,
        short=short,
        ref_tail=tail,
    )
