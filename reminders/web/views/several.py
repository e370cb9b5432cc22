"""A whole day, or one clinician's visits: looked at, then cancelled or told of at once."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from reminders.engine import several
from reminders.engine.several import Done, Part, Span
from reminders.errors import UsageError
from reminders.store.database import Connection
from reminders.web.again import FIELD
from reminders.web.here import Acting, Here
from reminders.web.language import N_
from reminders.web.security import page_router
from reminders.web.times import read_day, read_moment, span_of, start_of

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
Refs = Annotated[list[str] | None, Form()]
Page = Annotated[str, Form(alias=FIELD, max_length=2000)]
Asked = Annotated[str, Query(max_length=200)]
LONGEST = 31
TOO_LONG = N_("Choose at most 31 days.")
NO_SPAN = N_("That time ends before it begins. Look at the days and the times.")
MIDNIGHT = "00:00"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for, as it was typed. `begins` and `ends` are times of day; `text` a rule."""

    day: str
    until: str
    begins: str
    ends: str
    clinician: str
    text: str

    def span(self, here: Here) -> Span:
        """Return the visits to come that are meant. Raise UsageError."""
        first, last = read_day(self.day), read_day(self.until or self.day)
        if not timedelta() <= last - first < timedelta(days=LONGEST):
            raise UsageError(TOO_LONG)
        since, until = start_of(first, here.zone), span_of(last, here.zone)[1]
        if self.begins:
            since = read_moment(self.day, self.begins, here.zone)
        if self.ends:
            until = read_moment(self.until or self.day, self.ends, here.zone)
        if since >= until:
            raise UsageError(NO_SPAN)
        return Span(max(since, here.now), until, self.clinician.strip())

    def part(self, here: Here, part: Part) -> "Choice":
        """Return what to ask for, for a part of it alone."""
        since, until = (at.astimezone(here.zone) for at in (part.since, part.until))
        day, last = f"{since:%Y-%m-%d}", f"{until:%Y-%m-%d}"
        if f"{until:%H:%M}" == MIDNIGHT:
            last = f"{until - timedelta(days=1):%Y-%m-%d}"
        ends = f"{until:%H:%M}".replace(MIDNIGHT, "")
        return Choice(
            day, "" if last == day else last, f"{since:%H:%M}", ends, self.clinician, self.text
        )

    def query(self, **changes: str) -> str:
        """Return it as an address has it."""
        return urlencode({**asdict(self), **changes})


def _choice(
    day: Asked = "", until: Asked = "", begins: Asked = "", ends: Asked = "",
    clinician: Asked = "", text: Asked = "",
) -> Choice:  # fmt: skip
    return Choice(day, until, begins, ends, clinician, text)


@router.get("/several")
async def choose(here: Acting, choice: Annotated[Choice, Depends(_choice)]) -> HTMLResponse:
    """Show the visits that are meant, and what would come of sending a text, or of cancelling."""
    chosen, rule = None, choice.text or None
    if choice.day:
        span = choice.span(here)
        chosen = await here.read(several.choose, here.runtime, here.clinic, span, rule, here.now)
    return here.page(
        "several.html",
        standing=await here.standing(),
        chosen=chosen,
        choice=choice if choice.day else replace(choice, day=here.iso_day(here.now)),
        texts=several.texts(here.runtime, here.clinic),
        most=several.MOST,
        names=chosen.names if chosen else await here.read(_clinicians, here),
    )


def _clinicians(conn: Connection, here: Here) -> list[str]:
    return several.clinicians(conn, here.clinic, here.now, here.now + timedelta(days=7))


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done, and the address of the whole span, where it was done to a part of it."""

    done: Done
    whole: str


@router.post("/several/cancel")
async def cancel(
    here: Acting, mark: Text = "", ref: Refs = None, page: Page = ""
) -> RedirectResponse:
    """Cancel the visits that were shown."""
    return await _do(here, page, several.cancel, ref or [], mark)


@router.post("/several/tell")
async def tell(
    here: Acting, mark: Text = "", rule: Text = "", ref: Refs = None, page: Page = ""
) -> RedirectResponse:
    """Send a text about each of the visits that were shown."""
    return await _do(here, page, several.tell, ref or [], mark, rule)


async def _do(
    here: Here, page: str, act: Callable[..., Done], *arguments: object
) -> RedirectResponse:
    done = await here.write(act, here.runtime, here.clinic, *arguments, here.now)
    asked = dict(parse_qsl(urlsplit(page).query))
    part = asked.pop("begins", "") + asked.pop("ends", "")
    whole = f"{here.url('several')}?{urlencode(asked)}" if part else ""
    return here.go(f"several/done/{here.site.keep(Deed(done, whole))}")


@router.get("/several/done/{name}")
async def done(here: Acting, name: str) -> Response:
    """Show what has come of it so far. What was done is forgotten in time, and at a restart."""
    deed = here.site.kept(name)
    if not isinstance(deed, Deed) or deed.done.clinic != here.clinic:
        return here.go("visits")
    came = await here.read(several.what_came, here.runtime, deed.done, here.now)
    standing = await here.standing()
    return here.page(
        "several_done.html", standing=standing, done=deed.done, whole=deed.whole, came=came
    )
