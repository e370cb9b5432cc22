"""A whole day, or one clinician's visits: looked at, then cancelled or told of at once."""

from datetime import timedelta
from typing import Annotated

from fastapi import Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse

from reminders.domain.rules import NOT_COME, Event
from reminders.engine import desk, several
from reminders.errors import UsageError
from reminders.store import keeping
from reminders.store.database import Connection
from reminders.web.here import Acting, Here
from reminders.web.language import N_
from reminders.web.security import page_router
from reminders.web.times import read_day, span_of, start_of

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
Asked = Annotated[str, Query(max_length=200)]
LONGEST = 31
TOO_LONG = N_("Choose at most 31 days.")


@router.get("/several")
async def choose(
    here: Acting, day: Asked = "", until: Asked = "", clinician: Asked = ""
) -> HTMLResponse:
    """Show the visits that are meant."""
    chosen = None
    if day:
        first, last = read_day(day), read_day(until or day)
        if not timedelta() <= last - first < timedelta(days=LONGEST):
            raise UsageError(TOO_LONG)
        begins, ends = start_of(first, here.zone), span_of(last, here.zone)[1]
        begins = max(begins, here.now)
        chosen = await here.read(several.choose, here.clinic, begins, ends, clinician or None)
    practice = here.runtime.practices[here.clinic]
    # Of a whole day it is not true that each visit begins shortly.
    on_request = (rule for rule in practice.rules if rule.when is Event.REQUEST)
    rules = [rule.key for rule in on_request if rule.template != NOT_COME]
    asked = {"day": day or here.iso_day(here.now), "until": until, "clinician": clinician}
    names = await here.read(_clinicians, here)
    held = await here.read(keeping.held_by)
    return here.page(
        "several.html", held=held, chosen=chosen, asked=asked, rules=rules, names=names
    )


def _clinicians(conn: Connection, here: Here) -> list[str]:
    return several.clinicians(conn, here.clinic, here.now, here.now + timedelta(days=7))


@router.post("/several/cancel")
async def cancel(
    here: Acting, mark: Text = "", ref: Annotated[list[str] | None, Form()] = None
) -> RedirectResponse:
    """Cancel the visits that were shown."""
    chosen = ref or []
    await here.write(several.cancel, here.runtime, here.clinic, chosen, mark, here.now)
    calls = await here.read(desk.calls_after, here.runtime, here.clinic, chosen, here.now)
    return here.go("calls", "cancelled_phone") if calls else here.go("visits", "day_cancelled")


@router.post("/several/tell")
async def tell(
    here: Acting, mark: Text = "", rule: Text = "",
    ref: Annotated[list[str] | None, Form()] = None,
) -> RedirectResponse:  # fmt: skip
    """Send a text about each of the visits that were shown."""
    await here.write(several.resend, here.runtime, here.clinic, ref or [], mark, rule, here.now)
    return here.go("visits", "told")
