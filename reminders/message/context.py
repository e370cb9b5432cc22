"""The names that a template may use. docs/templates.md describes each; a test holds it to that."""

import functools
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.lists import format_list

from reminders.config import AppConfig, ClinicConfig
from reminders.config_rules import parse_duration
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Role
from reminders.errors import TemplateError

SOON = timedelta(hours=2)
"""A visit that starts within this time is prepared for now, not later."""

CANCEL_MARGIN = timedelta(hours=12)
"""The deadline for cancelling is mentioned only if there is at least this long to phone before."""

_RELATIVE = {"sv": ("i dag", "i morgon"), "en": ("today", "tomorrow")}
_LANGUAGE_OF = {"prs": "fa_AF"}  # Dari is Persian as it is written in Afghanistan


@dataclass(frozen=True, slots=True)
class Facts:
    """What a text may say, all of it true at `now`. Instants are in UTC; `age` is at the visit."""

    starts_at: datetime
    now: datetime
    status: VisitStatus
    age: int | None
    role: Role
    short: bool = False
    ref_tail: str | None = None


@dataclass(frozen=True, slots=True)
class VisitWords:
    """When the visit is, in words of the template's language and the clinic's zone."""

    day: str
    short_day: str
    date: str
    time: str
    days_away: int
    soon: bool
    can_cancel: bool
    cancelled: bool


@dataclass(frozen=True, slots=True)
class ClinicWords:
    """How the clinic is reached, and its name on the message's channel."""

    phone: str
    phone_hours: str
    name: str
    faq_url: str
    cancel_hours: int


@dataclass(frozen=True, slots=True)
class AppWords:
    """The app's name and the words on its screens."""

    name: str
    cases: str
    meeting: str
    start: str


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
    role: str
    guardian: bool
    short: bool
    ref_tail: str | None
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


def make_context(language: str, channel: Channel, facts: Facts, clinic: ClinicConfig) -> Context:
    """Return the values for one message. Raise TemplateError for an unknown language."""
    locale = _locale(language)
    limit = clinic.eid.own_from_age
    return Context(
        visit=_visit(locale, facts, clinic),
        age=facts.age,
        own_login_needed=None if facts.age is None else facts.age >= limit,
        role=facts.role.value,
        guardian=facts.role is Role.GUARDIAN,
        short=facts.short,
        ref_tail=facts.ref_tail,
        clinic=ClinicWords(
            phone=clinic.phone,
            phone_hours=clinic.phone_hours,
            name=clinic.names.get(channel, ""),
            faq_url=clinic.faq_url,
            cancel_hours=_deadline(clinic) // timedelta(hours=1),
        ),
        app=_app(clinic.app),
        eid=EidWords(
            accepted=_either(clinic.eid.accepted, locale),
            refused=_either(clinic.eid.refused, locale),
            short=clinic.eid.short,
            own_from_age=limit,
        ),
    )


def _app(app: AppConfig) -> AppWords:
    return AppWords(**{field.name: getattr(app, field.name) for field in fields(AppWords)})


def _visit(locale: Locale, facts: Facts, clinic: ClinicConfig) -> VisitWords:
    start = facts.starts_at.astimezone(clinic.zone)
    days_away = (start.date() - facts.now.astimezone(clinic.zone).date()).days
    written = _written(start.date(), "EEEE d MMMM", locale)
    abbreviated = _written(start.date(), "EEE d MMM", locale)
    near = dict(enumerate(_RELATIVE.get(locale.language, ()))).get(days_away)
    return VisitWords(
        day=near or written,
        short_day=near or abbreviated,
        date=written,
        time=f"{start:%H:%M}",
        days_away=days_away,
        soon=facts.starts_at - facts.now < SOON,
        can_cancel=facts.now + _deadline(clinic) + CANCEL_MARGIN <= facts.starts_at,
        cancelled=facts.status is VisitStatus.CANCELLED,
    )


def likeness(starts_at: datetime, at: datetime, clinic: ClinicConfig) -> Hashable:
    """Return what a text's words on the visit's time depend on, its digits aside."""
    start, day = starts_at.astimezone(clinic.zone).date(), at.astimezone(clinic.zone).date()
    can_cancel = at + _deadline(clinic) + CANCEL_MARGIN <= starts_at
    return start, (start - day).days, starts_at - at < SOON, can_cancel


def _deadline(clinic: ClinicConfig) -> timedelta:
    return parse_duration(clinic.cancel_deadline)


@functools.lru_cache(maxsize=4096)
def _written(day: date, pattern: str, locale: Locale) -> str:
    return format_date(day, pattern, locale=locale)


@functools.lru_cache(maxsize=256)
def _either(names: tuple[str, ...], locale: Locale) -> str:
    return format_list(names, style="or", locale=locale) if names else ""


@functools.cache
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(_LANGUAGE_OF.get(language, language).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise TemplateError(
            f"There is no language {language!r}; a template folder is named like 'sv' or 'en'."
        ) from None


def right_to_left(language: str) -> bool:
    """Tell whether a language is written from right to left."""
    return _locale(language).text_direction == "rtl"
