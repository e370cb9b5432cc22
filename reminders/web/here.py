"""Where a request is: whose it is, at which clinic, in which language, and at what time."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency
from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from reminders.config import ClinicConfig
from reminders.domain.access import ALL_CLINICS
from reminders.domain.contact import Channel, Wishes
from reminders.domain.reasons import Reason, sentence
from reminders.engine.runtime import Runtime
from reminders.errors import NotAllowedError
from reminders.intake.problems import Problem
from reminders.message.lint import Finding
from reminders.store.aside import Aside, BadLine
from reminders.store.import_pages import ProblemLine
from reminders.store.pages import Person
from reminders.store.users import Account
from reminders.store.views import Line
from reminders.web import again, faults, notes, standing, wording
from reminders.web.language import N_, Speaking, known
from reminders.web.security import Role, User, csrf_field, signed_in
from reminders.web.site import Site
from reminders.web.standing import Standing

T = TypeVar("T")

SEE_OTHER = 303
FOR_ALL = N_(
    "This concerns every clinic of the installation. Ask somebody who is an administrator of all of"
    " them."
)
DAYS_NEAR = {-1: N_("yesterday"), 0: N_("today"), 1: N_("tomorrow")}


@dataclass(frozen=True, slots=True)
class Here:
    """One request to a page of one clinic."""

    site: Site
    request: Request
    user: User
    clinic: str
    language: str
    now: datetime

    @property
    def runtime(self) -> Runtime:
        """Return the installation, acting for this user."""
        return replace(self.site.runtime, actor=self.user.login)

    @property
    def settings(self) -> ClinicConfig:
        """Return the clinic's configuration."""
        return self.site.runtime.clinic(self.clinic)

    @property
    def zone(self) -> ZoneInfo:
        """Return the clinic's time zone."""
        return self.settings.zone

    @property
    def speaking(self) -> Speaking:
        """Return what says the pages' sentences in the user's language."""
        return Speaking(self.language)

    @property
    def may_change_all(self) -> bool:
        """Tell whether the user may do what concerns every clinic of the installation."""
        return self.user.everywhere

    @property
    def may_change(self) -> bool:
        """Tell whether the user may do more than look."""
        return self.user.may(self.clinic, Role.ADMIN)

    async def read(self, work: Callable[..., T], *arguments: Any) -> T:
        """Ask the database."""
        return await self.site.read(work, *arguments)

    async def write(self, work: Callable[..., T], *arguments: Any) -> T:
        """Change something, in one short transaction."""
        return await self.site.write(work, *arguments)

    async def standing(self) -> Standing:
        """Return what keeps messages from going out: each page that sends is given it."""
        return await self.read(standing.read, self.clinic)

    def url(self, path: str) -> str:
        """Return the address of one of the clinic's pages."""
        return f"/c/{self.clinic}/{path}"

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page, filled in."""
        return show(
            self.site, self.request, template, self.language, status, **self._common(values)
        )

    def go(self, path: str, note: str | None = None) -> RedirectResponse:
        """Return the way to another page of the clinic, which then shows a note."""
        mark = "&" if "?" in path else "?"
        end = f"{mark}note={note}" if note else ""
        return RedirectResponse(self.url(path) + end, SEE_OTHER)

    def _common(self, values: dict[str, Any]) -> dict[str, Any]:
        stands = values.get("standing", Standing())
        named = self.request.query_params.get("note", "")
        note = notes.said(named, held=bool(stands.held), down=bool(stands.closed))
        return {
            "here": self,
            "user": self.user,
            "clinics": [key for key in self.site.runtime.config.clinics if self.user.may(key)],
            "again": again.shown(self.request),
            "typed": self.typed,
            "failed": self.failed,
            "note": self.speaking.text(note, channels=self.down(stands)) if note else None,
            "standing": stands,
            "csrf": partial(csrf_field, self.request),
            "clock": self.clock,
            "day": self.day,
            "moment": self.moment,
            **values,
        }

    def failed(self, action: str, **which: object) -> bool:
        """Tell whether it is this form that could not be done: the one with these hidden fields."""
        found = again.shown(self.request)
        return found is not None and found.of(self.url(action), which)

    def typed(self, action: str, name: str, shown: str, **which: object) -> str:
        """Return what was typed into a form that could not be done; of others, what is `shown`."""
        found = again.shown(self.request)
        if found is None or not found.of(self.url(action), which):
            return shown
        return found.typed.get(name, shown)

    def clock(self, at: datetime) -> str:
        """Return the time of day, the clinic's."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def day(self, at: datetime) -> str:
        """Return the day in words: today, tomorrow, or like 'Tue 1 Dec'."""
        local = at.astimezone(self.zone).date()
        today = self.now.astimezone(self.zone).date()
        near = DAYS_NEAR.get((local - today).days)
        if near is not None:
            return str(self.speaking.text(near))
        pattern = "EEE d MMM" if local.year == today.year else "EEE d MMM y"
        return format_date(local, pattern, locale=self.language)

    def moment(self, at: datetime) -> str:
        """Return the day in words and the time."""
        return f"{self.day(at)} {self.clock(at)}"

    def dated(self, at: datetime) -> str:
        """Return the time with the whole date, like 'Tue 1 Dec 2026 14:15': paper stays."""
        local = at.astimezone(self.zone)
        return f"{format_date(local.date(), 'EEE d MMM y', locale=self.language)} {local:%H:%M}"

    def long_day(self, at: datetime) -> str:
        """Return the day with nothing left out, like 'Tuesday 1 December'."""
        text = format_date(at.astimezone(self.zone).date(), "EEEE d MMMM", locale=self.language)
        return text[:1].upper() + text[1:]

    def iso_day(self, at: datetime) -> str:
        """Return the clinic's day as a form's field takes it."""
        return f"{at.astimezone(self.zone):%Y-%m-%d}"

    def language_name(self, code: str) -> str:
        """Return what a language is called, in the user's."""
        try:
            return Locale.parse(code).get_display_name(self.language) or code
        except (UnknownLocaleError, ValueError):
            return code

    def visit(self, ref: str) -> str:
        """Return the address of a visit's page."""
        return self.url(f"visit/{quote(ref, safe='')}")

    def rule(self, key: str) -> str:
        """Return what a rule is called."""
        return wording.name(wording.RULES, key, self.speaking)

    def template(self, name: str) -> str:
        """Return what a text is called."""
        return wording.name(wording.RULES, name, self.speaking)

    def reader(self, sample: str) -> str:
        """Return who reads a text, and when."""
        return wording.reader(sample, self.speaking)

    def held_role(self, account: Account) -> str:
        """Return what a user may do at this clinic."""
        held = account.roles.get(self.clinic) or account.roles[ALL_CLINICS]
        return wording.name(wording.HELD, held.value, self.speaking)

    def act(self, event: str) -> str:
        """Return what somebody did."""
        return wording.name(wording.ACTS, event, self.speaking)

    def channel(self, key: str) -> str:
        """Return what a channel is called."""
        return wording.name(wording.CHANNELS, key, self.speaking)

    def down(self, stands: Standing, channels: Collection[Channel] = tuple(Channel)) -> str:
        """Return what those of these channels are called, within a sentence, that are down."""
        names = (self.channel(one.value) for one in stands.stopped(channels))
        return ", ".join(name if name.isupper() else name.lower() for name in names)

    def state(self, key: str) -> str:
        """Return what a message's state is called."""
        return wording.name(wording.STATES, key, self.speaking)

    def reason(self, code: str) -> str:
        """Return a reason as a sentence; where something can be done on the pages, say where."""
        place = wording.PLACES.get(code)
        more = f" {self.speaking.text(place)}" if place else ""
        return sentence(Reason(code), self.language) + more

    def role(self, key: str) -> str:
        """Return what a role is called."""
        return wording.name(wording.ROLES, key, self.speaking)

    def keyword(self, key: str) -> str:
        """Return what somebody answered."""
        return wording.name(wording.KEYWORDS, key, self.speaking)

    def login(self, key: str) -> str:
        """Return what is known of a patient's own login."""
        return wording.name(wording.LOGINS, key, self.speaking)

    def from_13_names(self) -> dict[str, str]:
        """Return the answers to whether a guardian is contacted when the patient is of age."""
        return wording.names(wording.FROM_13, self.speaking)

    def consent_names(self) -> dict[str, str]:
        """Return the answers to whether somebody agrees to a channel."""
        return wording.names(wording.CONSENTS, self.speaking)

    def prefers_names(self) -> dict[str, str]:
        """Return the answers to which channel is tried first."""
        return wording.names({"none": wording.NO_CHANNEL, **wording.CHANNELS}, self.speaking)

    def language_names(self, present: str | None) -> dict[str, str]:
        """Return the languages that the clinic has, the present one, and that none is known."""
        codes = dict.fromkeys([*self.settings.languages, *([present] if present else [])])
        unknown = wording.names({"none": wording.NO_LANGUAGE}, self.speaking)
        return unknown | {code: self.language_name(code) for code in codes}

    def wishes(self, wishes: Wishes) -> list[str]:
        """Return how a contact wants to be contacted, a sentence each."""
        return wording.wishes(wishes, self.settings.eid.own_from_age, self.speaking)

    def person(self, one: Person | None) -> str:
        """Return who somebody is to the visit."""
        return wording.person(one, self.speaking)

    def phone(self, number: str) -> str:
        """Return a number as people write it."""
        return wording.national(number)

    def problem(self, one: ProblemLine | BadLine | Problem) -> str:
        """Return what is wrong with a row of a file."""
        return faults.problem(one, self.speaking)

    def why_aside(self, entry: Aside) -> str:
        """Return why a file of the watched folder waits, or is refused."""
        return faults.aside(entry, self.speaking)

    def finding(self, one: Finding) -> str:
        """Return what a check finds in a text."""
        return faults.finding(one, self.speaking)

    def actor(self, name: str) -> str:
        """Return who did something; the program's own parts by what they are."""
        return wording.name_or(wording.MACHINES, name, self.speaking)

    def letter(self, text: str) -> Markup:
        """Return an email's text as HTML for the page, which has a style of its own."""
        return wording.letter(text)

    def said(self, text: str) -> str:
        """Return what the engine said, in the user's language where there are words for it."""
        return str(self.speaking.text(text.replace("%", "%%")))

    def changes(self, counts: Mapping[str, int]) -> str:
        """Return what an import changed, in a few words."""
        return wording.changes(counts, self.speaking)

    def money(self, amount: float, currency: str) -> str:
        """Return a sum as people of the user's language write it."""
        return format_currency(amount, currency or "SEK", locale=self.language)

    def whom(self, line: Line) -> str:
        """Return who a message goes to, and by which channel."""
        role, _, tail = line.contact.partition(" ")
        who = f"{self.role(role)} {self.said(tail)}" if tail else self.role(role)
        return f"{who} · {self.channel(line.message.key.channel.value)}"


def show(
    site: Site, request: Request, template: str, language: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page in a language, with what every page is given."""
    page = site.environments[language].get_template(template)
    text = page.render(path=request.url.path, assets=site.assets, **values)
    return HTMLResponse(text, status)


def here(request: Request, clinic: str, user: Annotated[User, Depends(signed_in)]) -> Here:
    """Return where the request is. A clinic that is not the user's is not there."""
    site: Site = request.app.state.site
    if clinic not in site.runtime.config.clinics or not user.may(clinic):
        raise HTTPException(404)
    return Here(site, request, user, clinic, known(user.language), site.runtime.clock.now())


def acting(at: Annotated[Here, Depends(here)]) -> Here:
    """Return where the request is, if the user may change something there."""
    if not at.may_change:
        raise HTTPException(403)
    return at


def acting_for_all(at: Annotated[Here, Depends(acting)]) -> Here:
    """Return where the request is, if the user may do what concerns every clinic."""
    if not at.may_change_all:
        raise NotAllowedError(FOR_ALL)
    return at


AtClinic = Annotated[Here, Depends(here)]
Acting = Annotated[Here, Depends(acting)]
ActingForAll = Annotated[Here, Depends(acting_for_all)]
