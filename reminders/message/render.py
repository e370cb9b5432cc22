"""Filling in a template: from what is true at a moment to the text of one message."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel.dates import format_date
from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from reminders.config import ClinicConfig
from reminders.config_rules import parse_duration
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Role
from reminders.domain.template import Source
from reminders.errors import TemplateError
from reminders.message.html import to_html
from reminders.message.sms import repair

_SUBJECT = "Subject: "


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
class Rendered:
    """One message's text. An email has a subject and an HTML part too."""

    body: str
    subject: str | None
    html: str | None
    language: str
    version: str


class Library:
    """Templates, compiled when they are first used."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = {(s.language, s.name, s.channel): s for s in sources}
        self._compiled: dict[tuple[str, str, Channel], Template] = {}

    def pick(self, name: str, channel: Channel, languages: Sequence[str]) -> Source | None:
        """Return the template in the first of these languages that has it."""
        found = (self._sources.get((language, name, channel)) for language in languages)
        return next((source for source in found if source is not None), None)

    def render(self, source: Source, facts: Facts, clinic: ClinicConfig) -> Rendered:
        """Fill a template in. Raise TemplateError naming template and line, never a value."""
        where = f"{source.language}/{source.name} ({source.channel.value})"
        try:
            text = self._template(source).render(context(source, facts, clinic))
        except TemplateSyntaxError as error:
            raise TemplateError(f"{where}, line {error.lineno}: {error.message}") from None
        except UndefinedError as error:
            raise TemplateError(f"{where}: {error.message}") from None
        except (SecurityError, TypeError, ValueError, ArithmeticError) as error:
            raise TemplateError(f"{where}: cannot be filled in ({type(error).__name__})") from None
        if source.channel is Channel.SMS:
            return Rendered(repair(text), None, None, source.language, source.version)
        head, _, body = text.strip().partition("\n")
        if not head.startswith(_SUBJECT) or not body.strip():
            raise TemplateError(f"{where}, line 1: an email begins with 'Subject: ' and a text")
        subject = head.removeprefix(_SUBJECT).strip()
        html = to_html(body.strip(), subject, source.language)
        return Rendered(body.strip() + "\n", subject, html, source.language, source.version)

    def _template(self, source: Source) -> Template:
        key = (source.language, source.name, source.channel)
        if key not in self._compiled:
            self._compiled[key] = environment().from_string(source.text)
        return self._compiled[key]


@functools.cache
def environment() -> SandboxedEnvironment:
    """Return the sandbox that templates run in: an unknown name is an error, not an empty text."""
    return SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # plain text; the HTML part is escaped as it is made
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def context(source: Source, facts: Facts, clinic: ClinicConfig) -> Mapping[str, Any]:
    """Return the names that a template may use. docs/templates.md describes each."""
    limit = clinic.eid.own_from_age
    return {
        "visit": _visit(facts, clinic, source.language),
        "age": facts.age,
        "own_login_needed": None if facts.age is None else facts.age >= limit,
        "role": facts.role.value,
        "short": facts.short,
        "ref_tail": facts.ref_tail,
        "clinic": {
            "phone": clinic.phone,
            "phone_hours": clinic.phone_hours,
            "name": clinic.names.get(source.channel, ""),
            "faq_url": clinic.faq_url,
            "cancel_hours": int(parse_duration(clinic.cancel_deadline).total_seconds() // 3600),
        },
        "app": clinic.app.model_dump(),
        "eid": {
            "accepted": clinic.eid.accepted,
            "refused": clinic.eid.refused,
            "short": clinic.eid.short,
            "own_from_age": limit,
        },
    }


def _visit(facts: Facts, clinic: ClinicConfig, language: str) -> Mapping[str, Any]:
    start = facts.starts_at.astimezone(clinic.zone)
    days = (start.date() - facts.now.astimezone(clinic.zone).date()).days
    pattern = "EEEE d MMMM"
    return {
        "days": days,
        "date": format_date(start, pattern, locale=language),
        "time": f"{start:%H:%M}",
        "minutes": int((facts.starts_at - facts.now).total_seconds() // 60),
        "cancelled": facts.status is VisitStatus.CANCELLED,
    }
