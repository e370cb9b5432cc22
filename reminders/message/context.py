"""The names that a template may use. docs/templates.md describes each; a test holds it to that."""

import functools
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from reminders.config import AppConfig, ClinicConfig
from reminders.config_rules import parse_duration
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Role
from reminders.message import office
from reminders.message.languages import Language, language_of

SOON = timedelta(hours=8)
"""A visit that starts within this time is prepared for now: "well ahead" would be past already."""

NEAR = timedelta(hours=24)
"""A text about a visit this near also says what the reminder of the day before would have said."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a text may say, all of it true at `now`. Instants are in UTC; `age` is at the visit.

    `visit_key` names the visit in a calendar without telling anything, and `version` rises with
    each change of it. `was_at`: the time that the reader was told before, if it was another;
    `was_age`: the age at it. `again`: they were told that the visit is cancelled, and it is not.
    `which_unclear`: nothing that may be said tells the visit from a sibling's.
    """

    starts_at: datetime
    now: datetime
    status: VisitStatus
    age: int | None
    role: Role
    short: bool = False
    ref_tail: str | None = None
    which_unclear: bool = False
    visit_key: str = "sample"
    version: int = 0
    was_at: datetime | None = None
    was_age: int | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class VisitWords:
    """When the visit is, in words of the template's language and the clinic's zone."""

    day: str
    short_day: str
    date: str
    time: str
    was_day: str
    was_date: str
    was_time: str
    again: bool
    days_away: int
    soon: bool
    near: bool
    started: bool
    can_cancel: bool
    cancel_day: str
    cancel_time: str
    cancelled: bool


@dataclass(frozen=True, slots=True)
class ClinicWords:
    """How the clinic is reached, and its name on the message's channel."""

    phone: str
    phone_hours: str
    name: str
    faq_url: str
    cancel_hours: int
    can_reply: bool


@dataclass(frozen=True, slots=True)
class AppWords:
    """The app's name and the words on its screens."""

    name: str
    cases: str
    meeting: str
    start: str
    proxy: str
    proxy_first: str


@dataclass(frozen=True, slots=True)
class EidWords:
    """The e-IDs: those that are accepted and refused, as lists in words."""

    accepted: str
    refused: str
    short: str
    own_from_age: int


@dataclass(frozen=True, slots=True)
class Context:
    """All that a template may use."""

    visit: VisitWords
    age: int | None
    own_login_needed: bool | None
    login_changed: bool
    role: str
    guardian: bool
    short: bool
    ref_tail: str | None
    which_unclear: bool
    clinic: ClinicWords
    app: AppWords
    eid: EidWords

    def names(self) -> Mapping[str, object]:
        """Return the values by the names that templates call them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


GROUPS = {"visit": VisitWords, "clinic": ClinicWords, "app": AppWords, "eid": EidWords}


@functools.cache
def variables() -> Mapping[str, frozenset[str]]:
    """Return each name a template may use, with the names that may follow its full stop."""
    return {
        field.name: frozenset(f.name for f in fields(GROUPS[field.name]))
        if field.name in GROUPS
        else frozenset()
        for field in fields(Context)
    }


def make_context(code: str, channel: Channel, facts: Facts, clinic: ClinicConfig) -> Context:
    """Return the values for one message. Raise TemplateError for an unknown language."""
    language = language_of(code)
    limit = clinic.eid.own_from_age
    own, own_before = (None if a is None else a >= limit for a in (facts.age, facts.was_age))
    return Context(
        visit=_visit(language, facts, clinic),
        age=facts.age,
        own_login_needed=own,
        login_changed=None not in {own, own_before} and own != own_before,
        role=facts.role.value,
        guardian=facts.role is Role.GUARDIAN,
        short=facts.short,
        ref_tail=language.foreign(facts.ref_tail) if facts.ref_tail else None,
        which_unclear=facts.which_unclear,
        clinic=ClinicWords(
            phone=language.foreign(clinic.phone),
            phone_hours=clinic.phone_hours_in(code),
            name=language.foreign(clinic.names.get(channel, "")),
            # A mark of direction would become a part of the address.
            faq_url=clinic.faq_url,
            cancel_hours=_deadline(clinic) // timedelta(hours=1),
            can_reply=channel is Channel.SMS and clinic.can_reply,
        ),
        app=_app(clinic.app, language),
        eid=EidWords(
            accepted=language.either(clinic.eid.accepted),
            refused=language.either(clinic.eid.refused),
            short=language.foreign(clinic.eid.short),
            own_from_age=limit,
        ),
    )


def _app(app: AppConfig, language: Language) -> AppWords:
    names = {field.name: getattr(app, field.name) for field in fields(AppWords)}
    return AppWords(**{name: language.foreign(word) for name, word in names.items()})


def _visit(language: Language, facts: Facts, clinic: ClinicConfig) -> VisitWords:
    start = facts.starts_at.astimezone(clinic.zone)
    today = facts.now.astimezone(clinic.zone).date()
    was = facts.was_at and facts.was_at.astimezone(clinic.zone)
    can_cancel, call_by = _calling(facts.starts_at, facts.now, clinic)
    return VisitWords(
        day=language.said(start, today),
        short_day=language.said(start, today, short=True),
        date=language.day(start, today),
        time=language.time(start),
        was_day=language.said(was, today) if was else "",
        was_date=language.day(was, today) if was else "",
        was_time=language.time(was) if was else "",
        again=facts.again,
        days_away=(start.date() - today).days,
        soon=facts.starts_at - facts.now < SOON,
        near=facts.starts_at - facts.now < NEAR,
        started=facts.starts_at <= facts.now,
        can_cancel=can_cancel and facts.status is VisitStatus.BOOKED,
        cancel_day=language.said(call_by, today, short=True),
        cancel_time=language.time(call_by),
        cancelled=facts.status is VisitStatus.CANCELLED,
    )


def likeness(starts_at: datetime, at: datetime, clinic: ClinicConfig) -> Hashable:
    """Return what a text's words on the visit's time depend on, its digits aside."""
    start, day = starts_at.astimezone(clinic.zone).date(), at.astimezone(clinic.zone).date()
    can_cancel, call_by = _calling(starts_at, at, clinic)
    ahead = starts_at - at
    near, soon, started = ahead < NEAR, ahead < SOON, starts_at <= at
    return start, (start - day).days, near, soon, started, can_cancel and call_by.date()


def _calling(starts_at: datetime, at: datetime, clinic: ClinicConfig) -> tuple[bool, datetime]:
    """Return whether there is time left to phone before the deadline; and until when, there."""
    deadline = starts_at - _deadline(clinic)
    can_cancel = office.answered(at, deadline, clinic.zone, clinic.closed_days)
    call_by = office.last_call(deadline, at, clinic.zone, clinic.closed_days)
    return can_cancel, call_by.astimezone(clinic.zone)


def _deadline(clinic: ClinicConfig) -> timedelta:
    return parse_duration(clinic.cancel_deadline)
