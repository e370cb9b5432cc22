"""Settings, to be read: how it is configured, who has said no, what people did. And a language."""

from typing import Annotated

from fastapi import Form
from fastapi.responses import HTMLResponse, RedirectResponse

from reminders.engine import house
from reminders.store import users
from reminders.web.here import AtClinic
from reminders.web.language import known
from reminders.web.security import page_router

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]


@router.get("/settings")
async def settings(here: AtClinic) -> HTMLResponse:
    """Show the settings."""
    found = await here.read(house.look, here.runtime, here.clinic)
    return here.page("settings.html", found=found, config=here.runtime.config)


@router.post("/language")
async def language(here: AtClinic, language: Text = "") -> RedirectResponse:
    """Choose the language of the pages."""
    await here.write(users.set_language, here.user.id, known(language))
    return here.go("more", "language")
