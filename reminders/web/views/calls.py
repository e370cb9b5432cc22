"""The call list: whom to phone, and ticking them off."""

from typing import Annotated

from fastapi import Form
from fastapi.responses import HTMLResponse, RedirectResponse

from reminders.engine import attention, calls
from reminders.store import clinics
from reminders.store.database import Connection
from reminders.web.here import Acting, AtClinic, Here
from reminders.web.ids import FormId
from reminders.web.security import page_router

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
MOST_ASKED = 100


@router.get("/calls")
async def call_list(here: AtClinic) -> HTMLResponse:
    """Show whom to phone."""
    found = await here.read(_call_list, here)
    whom = (here.runtime, here.clinic, here.now, MOST_ASKED)
    to_ask = await here.read(attention.whom_to_ask, *whom)
    standing = await here.standing()
    return here.page("calls.html", standing=standing, found=found, to_ask=to_ask)


def _call_list(conn: Connection, here: Here) -> calls.CallList:
    clinic_id = clinics.find_clinic_id(conn, here.clinic) or 0
    return calls.call_list(conn, here.runtime, clinic_id, here.now)


@router.post("/called")
async def tick(
    here: Acting, ref: Text = "", contact: FormId = 0, initials: Text = ""
) -> RedirectResponse:
    """Tick somebody off."""
    await here.write(calls.tick, here.runtime, here.clinic, ref, contact, initials, here.now)
    return here.go("calls", "called")


@router.post("/not-called")
async def untick(here: Acting, ref: Text = "", called: FormId = 0) -> RedirectResponse:
    """Put somebody back."""
    await here.write(calls.untick, here.runtime, here.clinic, ref, called, here.now)
    return here.go("calls", "uncalled")
