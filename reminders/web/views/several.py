"""A whole day, or one clinician's visits: looked at, then cancelled or told of at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from reminders.engine import several
from reminders.engine.several import Done, Span
from reminders.errors import UsageError
from reminders.store import keeping
from reminders.store.database import Connection
from reminders.web.here import Acting, Here
from reminders.web.language import N_
from reminders.web.security import page_router
from reminders.web.times import read_day, span_of, start_of

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
Refs = Annotated[list[str] | None, Form()]
Asked = Annotated[str, Query(max_length=200)]
LONGEST = 31
TOO_LONG = N_("Choose at most 31 days.")


@router.get("/several")
async def choose(
    here: Acting, day: Asked = "", until: Asked = "", clinician: Asked = "", text: Asked = ""
) -> HTMLResponse:
    """Show the visits that are meant, and what would come of it. `text`: a rule; none: cancel."""
    chosen = None
    if day:
        first, last = read_day(day), read_day(until or day)
        if not timedelta() <= last - first < timedelta(days=LONGEST):
            raise UsageError(TOO_LONG)
        begins, ends = start_of(first, here.zone), span_of(last, here.zone)[1]
        span = Span(max(begins, here.now), ends, clinician.strip())
        chosen = await here.read(
            several.choose, here.runtime, here.clinic, span, text or None, here.now
        )
    asked = {
        "day": day or here.iso_day(here.now), "until": until, "clinician": clinician, "text": text,
    }  # fmt: skip
    return here.page(
        "several.html",
        held=await here.read(keeping.held_by),
        chosen=chosen,
        asked=asked,
        texts=several.texts(here.runtime, here.clinic),
        names=chosen.names if chosen else await here.read(_clinicians, here),
    )


def _clinicians(conn: Connection, here: Here) -> list[str]:
    return several.clinicians(conn, here.clinic, here.now, here.now + timedelta(days=7))


@router.post("/several/cancel")
async def cancel(here: Acting, mark: Text = "", ref: Refs = None) -> RedirectResponse:
    """Cancel the visits that were shown."""
    return await _do(here, several.cancel, ref or [], mark)


@router.post("/several/tell")
async def tell(
    here: Acting, mark: Text = "", rule: Text = "", ref: Refs = None
) -> RedirectResponse:
    """Send a text about each of the visits that were shown."""
    return await _do(here, several.tell, ref or [], mark, rule)


async def _do(here: Here, act: Callable[..., Done], *arguments: object) -> RedirectResponse:
    done = await here.write(act, here.runtime, here.clinic, *arguments, here.now)
    return here.go(f"several/done/{here.site.keep(done)}")


@router.get("/several/done/{name}")
async def done(here: Acting, name: str) -> Response:
    """Show what has come of it so far. What was done is forgotten in time, and at a restart."""
    kept = here.site.kept(name)
    if not isinstance(kept, Done) or kept.clinic != here.clinic:
        return here.go("visits")
    came = await here.read(several.what_came, here.runtime, kept, here.now)
    held = await here.read(keeping.held_by)
    return here.page("several_done.html", held=held, done=kept, came=came)
