"""What people answer and have to hear: ticking it off, and recording what they say."""

from typing import Annotated

from fastapi import Form
from fastapi.responses import RedirectResponse

from reminders.domain.appointment import OwnLogin
from reminders.engine import attention, people
from reminders.engine.people import Changes
from reminders.errors import UsageError
from reminders.web.here import Acting
from reminders.web.security import page_router

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
Number = Annotated[int, Form()]


@router.post("/answered")
async def answered(here: Acting, answer: Number = 0, ref: Text = "") -> RedirectResponse:
    """Tick off what somebody has written."""
    await here.write(attention.finish, here.runtime, here.clinic, answer, here.now)
    return RedirectResponse(f"{here.visit(ref) if ref else here.url('today')}?note=answered", 303)


@router.post("/act/login/{ref:path}")
async def login(here: Acting, ref: str, answer: Text = "") -> RedirectResponse:
    """Record whether a visit's patient has a login of their own."""
    if answer not in set(OwnLogin):
        raise UsageError("Say whether there is a login of their own.")
    await here.write(
        people.record_login, here.runtime, here.clinic, ref, OwnLogin(answer), here.now
    )
    return RedirectResponse(f"{here.visit(ref)}?note=recorded", 303)


@router.post("/act/informed/{ref:path}")
async def informed(here: Acting, ref: str, contact: Number = 0) -> RedirectResponse:
    """Record that a contact knows what the texts say now."""
    changes = Changes(informed=True)
    await here.write(people.change, here.runtime, here.clinic, ref, contact, changes, here.now)
    return RedirectResponse(f"{here.visit(ref)}?note=recorded", 303)
