"""The web side as one application: its pages, its static files, what is shown when it fails."""

import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from reminders.engine.accounts import Ended
from reminders.engine.runtime import Runtime
from reminders.errors import ConflictError, NotAllowedError, NotFoundError, RemindersError
from reminders.store.database import DatabaseFault
from reminders.web import accounts, again, api, faults, health, hooks, metrics
from reminders.web.here import show
from reminders.web.ids import OUT_OF_RANGE
from reminders.web.language import N_, Speaking, known
from reminders.web.security import User, csrf_field, protect, signed_in, visitor_of
from reminders.web.site import STATIC, Site
from reminders.web.views import (
    answers,
    aside,
    calls,
    imports,
    settings,
    several,
    texts,
    today,
    visits,
    whatif,
)

log = structlog.get_logger()

MISREAD = N_("The form could not be read. Nothing was changed: try once more.")
STATUS: Mapping[type[RemindersError], int] = {
    NotAllowedError: 403,
    NotFoundError: 404,
    ConflictError: 409,
}
PAGES = (
    accounts.router,
    today.router,
    visits.router,
    several.router,
    imports.router,
    aside.router,
    calls.router,
    answers.router,
    texts.router,
    settings.router,
    whatif.router,
)


def create_app(runtime: Runtime, wake: Callable[[], None] | None = None) -> FastAPI:
    """Return the web side of an installation. `wake` tells a sender in this process to look."""
    site = Site(runtime, wake) if wake else Site(runtime)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        site.close()

    app = FastAPI(title="reminders", lifespan=lifespan, openapi_url=None)
    app.state.site = site
    app.state.templates = LoginTemplates(site)
    app.mount("/static", Assets(directory=STATIC), name="static")
    api.attach(app, runtime, wake)
    app.include_router(health.router)
    app.include_router(metrics.router)
    if runtime.config.web.hooks_port is None:
        app.include_router(hooks.router(runtime, wake) if wake else hooks.router(runtime))
    metrics.begin(app, runtime)
    for router in PAGES:
        app.include_router(router)
    app.add_api_route("/", _home, include_in_schema=False)
    _tell_errors(app)
    protect(app, runtime, _too_large, _signed_out)
    return app


class Assets(StaticFiles):
    """The static files. A new version of them has a new address, so a browser may keep them."""

    def file_response(self, *arguments: Any, **more: Any) -> Response:
        """Return a file that a browser keeps for a year."""
        response = super().file_response(*arguments, **more)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


class LoginTemplates:
    """Fills in the login page, which knows no user yet, in the frame of all the others."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def TemplateResponse(  # noqa: N802 - the name that Starlette's own has
        self, request: Request, name: str, values: Mapping[str, Any], status_code: int = 200
    ) -> Response:
        """Return a page."""
        language = known(str(values["language"]))
        csrf = partial(csrf_field, request)
        more = {key: value for key, value in values.items() if key != "language"}
        return show(self._site, request, name, language, status_code, csrf=csrf, **more)


async def _home(request: Request, user: Annotated[User, Depends(signed_in)]) -> Response:
    """Lead to the first clinic of the user."""
    for key in request.app.state.site.runtime.config.clinics:
        if user.may(key):
            return RedirectResponse(f"/c/{key}/today", 303)
    raise HTTPException(403)


def _tell_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if error.headers and "location" in {name.lower() for name in error.headers}:
            return Response(status_code=error.status_code, headers=error.headers)
        await _recognise(request)
        return _page(request, error.status_code)

    @app.exception_handler(RequestValidationError)
    async def misread(request: Request, error: RequestValidationError) -> Response:
        await _recognise(request)
        if any(one["loc"][0] == "path" or one["type"] in OUT_OF_RANGE for one in error.errors()):
            return _page(request, 404)
        return await _again(request, 400, RemindersError(MISREAD))

    @app.exception_handler(RemindersError)
    async def said_no(request: Request, error: RemindersError) -> Response:
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
        return await _again(request, status, error)

    @app.exception_handler(DatabaseFault)
    async def away(request: Request, error: DatabaseFault) -> Response:
        log.error("database_away", error=type(error).__name__)
        return _page(request, 503)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        # The text of the error, and the traceback, could hold a patient's values.
        log.error("page_failed", error=type(error).__name__, at=_place(error))
        return _page(request, 500)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


async def _again(request: Request, status: int, error: RemindersError) -> Response:
    """Return the page that the form stands on, or, where there is none, one that says why."""
    said = faults.refusal(error, Speaking(_language(request)))
    return await again.show_again(request, status, said) or _page(request, status, said)


async def _too_large(request: Request) -> Response:
    """Return the page for a body that is refused before anybody has asked whose it is."""
    await _recognise(request)
    return _page(request, 413)


def _signed_out(request: Request, ended: Ended | None) -> Response:
    """Return the page for a form that is sent after its session has ended."""
    return _page(request, 401, idle=ended is Ended.IDLE)


async def _recognise(request: Request) -> None:
    """Find out who is asking, for the language of a page that is shown before that is known."""
    with suppress(DatabaseFault):
        await run_in_threadpool(visitor_of, request)


def _language(request: Request) -> str:
    user: User | None = getattr(request.state, "user", None)
    return known(user.language) if user else accounts.language_of(request)


def _page(
    request: Request, status: int, said: Markup | None = None, *, idle: bool = False
) -> Response:
    """Return the page that says what went wrong. It asks the database nothing."""
    values = {"code": status, "said": said, "idle": idle}
    site: Site = request.app.state.site
    return show(site, request, "error.html", _language(request), status, **values)
