"""Sample people and situations: what `templates preview` shows and `templates check` judges."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product

from reminders.config import ClinicConfig
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Role
from reminders.message.context import Facts

REF_TAIL = "1042"
_WHEN = {
    "three weeks ahead": timedelta(days=23),
    "two days ahead": timedelta(days=2),
    "tomorrow": timedelta(hours=27),
    "tomorrow morning": timedelta(hours=22),
    "later today": timedelta(hours=3),
    "in a quarter of an hour": timedelta(minutes=15),
    "begun": timedelta(minutes=-5),
}


_NOT_MOVED = _WHEN["two days ahead"]
_WAS = timedelta(days=15)
"""When the visits of the others were to be, as far as their readers know: a text may say so."""


IN_GOOD_TIME = "tomorrow"
"""How the names of the samples end whose reader gets every text when it is meant to go."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reader in one situation; `name` says which, in plain words."""

    name: str
    facts: Facts


def samples(clinic: ClinicConfig, now: datetime) -> Iterator[Sample]:
    """Yield readers of each kind: under and from the age of an own login, and of unknown age.

    The texts are sent on the Wednesday of the week of `now` (UTC), in the morning: the clinic's
    phone is answered, so that what may be said about cancelling is. Thursday is the longest day.
    """
    limit = clinic.eid.own_from_age
    readers = {
        f"guardian of a child of {limit - 5}": (Role.GUARDIAN, limit - 5),
        f"patient of {limit - 1}": (Role.PATIENT, limit - 1),
        f"patient of {limit}": (Role.PATIENT, limit),
        f"guardian of a child of {limit + 2}": (Role.GUARDIAN, limit + 2),
        "guardian, age unknown": (Role.GUARDIAN, None),
        "patient, age unknown": (Role.PATIENT, None),
    }
    morning = _morning(clinic, now)
    for reader, (role, age) in readers.items():
        for when, ahead in _WHEN.items():
            was = None if ahead == _NOT_MOVED else morning + _WAS
            facts = Facts(morning + ahead, morning, VisitStatus.BOOKED, age, role, was_at=was)
            yield Sample(f"{reader}, {when}", facts)
        tomorrow = Facts(morning + _WHEN["tomorrow"], morning, VisitStatus.BOOKED, age, role)
        sibling = replace(tomorrow, ref_tail=REF_TAIL)
        yield Sample(f"{reader}, sibling", sibling)
        yield Sample(f"{reader}, sibling, booked again", replace(sibling, again=True))
        unclear = replace(tomorrow, which_unclear=True)
        yield Sample(f"{reader}, sibling, reference alike", unclear)
        late = replace(tomorrow, starts_at=morning + _WHEN["later today"], short=True)
        yield Sample(f"{reader}, booked late", late)
        yield Sample(f"{reader}, sibling, booked late", replace(late, ref_tail=REF_TAIL))
    yield from _past_the_birthday(morning, limit)


def _past_the_birthday(morning: datetime, limit: int) -> Iterator[Sample]:
    """Yield readers of a visit moved past the birthday from which one logs in oneself, or back."""
    for role, age in product(Role, (limit, limit - 1)):
        who = "guardian of a child" if role is Role.GUARDIAN else "patient"
        facts = Facts(
            morning + _WHEN["three weeks ahead"],
            morning,
            VisitStatus.BOOKED,
            age,
            role,
            was_at=morning + _WAS,
            was_age=limit - 1 if age == limit else limit,
        )
        yield Sample(f"{who} of {age}, moved past the birthday", facts)


def extremes(clinic: ClinicConfig, languages: Iterable[str]) -> tuple[ClinicConfig, ClinicConfig]:
    """Return the clinic without what it need not have, and with all of it: texts are for both."""
    sender = {"sender": "+46700000000", "two_way": True}
    bare = {
        "sms": clinic.sms.model_copy(update={"two_way": False}),
        "phone_hours": "",
        "faq_url": "",
        "eid": clinic.eid.model_copy(update={"refused": ()}),
    }
    whole = {
        "sms": clinic.sms.model_copy(update=sender),
        "phone_hours": dict.fromkeys(languages, "8-16"),
        "faq_url": clinic.faq_url or "https://example.org",
        "eid": clinic.eid.model_copy(update={"refused": clinic.eid.refused or ("-",)}),
    }
    return clinic.model_copy(update=bare), clinic.model_copy(update=whole)


def _morning(clinic: ClinicConfig, now: datetime) -> datetime:
    local = now.astimezone(clinic.zone).replace(hour=10, minute=0, second=0, microsecond=0)
    wednesday = local + timedelta(days=2 - local.weekday())
    return wednesday.astimezone(UTC)
