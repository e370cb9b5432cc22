"""Texts: every one as its readers see it, and approving a change."""

from functools import partial
from typing import Annotated

from fastapi import Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse

from reminders.engine import gallery
from reminders.errors import NotAllowedError
from reminders.web.here import FOR_ALL, Acting, AtClinic
from reminders.web.security import page_router

router = page_router(prefix="/c/{clinic}")

Text = Annotated[str, Form(max_length=400)]
Asked = Annotated[str, Query(max_length=200)]


@router.get("/texts")
async def texts(here: AtClinic, language: Asked = "", name: Asked = "") -> HTMLResponse:
    """Show one text, for each kind of reader."""
    languages = here.settings.languages
    chosen = language if language in languages else languages[0]
    wall = await here.read(gallery.wall, here.runtime, here.clinic, chosen, name, here.now)
    return here.page("texts.html", wall=wall, languages=languages)


@router.get("/texts/waiting")
async def waiting(here: AtClinic) -> HTMLResponse:
    """Show the edited texts beside those that go out."""
    found = await here.read(gallery.edits, here.runtime, here.clinic, here.now)
    return here.page("texts_waiting.html", found=found)


@router.post("/texts/approve")
async def approve(
    here: Acting, language: Text = "", name: Text = "", channel: Text = "",
    version: Text = "", meaning: Text = "", own: Text = "",
) -> RedirectResponse:  # fmt: skip
    """Approve one version of one text; `meaning`: it says something else than the last one.

    `own`: it is the clinic's own; another concerns every clinic.
    """
    if not own and not here.may_change_all:
        raise NotAllowedError(FOR_ALL)
    key = (language, name, channel, version)
    owner = here.clinic if own else ""
    approve_it = partial(gallery.approve, clinic=owner, changes_meaning=bool(meaning))
    await here.write(approve_it, here.runtime, key, here.now)
    return here.go("texts/waiting", "approved")
