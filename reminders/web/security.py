"""Who is asking: sessions, roles, and the token that every form carries.

For pages: `pages = page_router()`; each route takes `user: SignedIn` or `user: Admin`, and each
form has `{{ csrf() }}` in it. `protect(app, runtime)` is called once for the whole application.
"""

import contextlib
import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Receive, Scope, Send

from reminders.domain.access import Role, User
from reminders.engine import accounts
from reminders.engine.accounts import Ended
from reminders.engine.runtime import Runtime
from reminders.errors import NotAllowedError
from reminders.store import users
from reminders.store.database import DatabaseFault
from reminders.web import again
from reminders.web.language import N_
from reminders.web.shield import SAFE, BodyLimit, Page, SameOrigin, SecureHeaders

__all__ = [
    "Admin",
    "Role",
    "SignedIn",
    "User",
    "context",
    "csrf_field",
    "page_router",
    "protect",
    "require_role",
    "runtime_of",
    "signed_in",
    "visitor_of",
]

HOME = "/"
LOGIN = "/login"
CSRF_FIELD = "csrf_token"
CSRF_HEADER = "x-csrf-token"
UPLOADS = re.compile(r"/import/[^/]+")
"""The paths that take files."""

PART_HEADER = "x-part"
RENEWS = "renews"
"""In the query of a page that a browser without scripts loads again by itself."""

STALE = N_(
    "Nothing was changed: the page was from before you signed in. Look through what stands here,"
    " and send it once more."
)
PAGES = Path(__file__).parent / "pages"
_MEGABYTE = 1_000_000

SignedOut = Callable[[Request, Ended | None], Response]
"""Makes the page for a form of whoever is signed in no more; why, if there was a session."""


def runtime_of(request: Request) -> Runtime:
    """Return what the application works with."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def is_https(runtime: Runtime) -> bool:
    """Tell whether the world outside reaches the pages over https."""
    return runtime.config.web.public_url.startswith("https://")


def session_cookie(runtime: Runtime) -> str:
    """Return the name of the session's cookie; over https no other host can set it."""
    return "__Host-reminders" if is_https(runtime) else "reminders_session"


def visitor_cookie(runtime: Runtime) -> str:
    """Return the name of the cookie that a login form's token belongs to."""
    return "__Host-reminders-login" if is_https(runtime) else "reminders_login"


class LoginNeededError(Exception):
    """Nobody is signed in. `ended`: there was a session, and why it is none now."""

    def __init__(self, ended: Ended | None) -> None:
        super().__init__()
        self.ended = ended


# --------------------------------------------------------------- who


def visitor_of(request: Request) -> User | None:
    """Return who is signed in, or None."""
    if hasattr(request.state, "user"):
        known: User | None = request.state.user
        return known
    runtime = runtime_of(request)
    token = request.cookies.get(session_cookie(runtime))
    found = accounts.find_visitor(runtime, token) if token else None
    by_person = not _by_itself(request)
    if found and by_person and runtime.clock.now() - found.seen_at > accounts.TOUCH_EVERY:
        request.state.touch = found.session_id
    request.state.user = found.user if found else None
    return found.user if found else None


def _by_itself(request: Request) -> bool:
    """Tell whether a page asks by itself, which is no sign that a person is there."""
    return PART_HEADER in request.headers or RENEWS in request.query_params


def signed_in(request: Request) -> User:
    """Return who is signed in. Raise LoginNeededError, which leads to the login page."""
    user = visitor_of(request)
    if user is None:
        runtime = runtime_of(request)
        token = request.cookies.get(session_cookie(runtime))
        raise LoginNeededError(accounts.why_ended(runtime, token) if token else None)
    return user


def require_role(role: Role) -> Callable[[Request], User]:
    """Return a dependency: the user, who has this role at the clinic that is asked about.

    The clinic is `clinic` in the path or the query; without it, any clinic will do, and the route
    asks `user.may(clinic, role)` itself.
    """

    def check(request: Request) -> User:
        user = signed_in(request)
        clinic = request.path_params.get("clinic") or request.query_params.get("clinic")
        held = user.may(clinic, role) if clinic else role in {Role.VIEWER, user.role}
        if not held or not user.roles:
            raise HTTPException(403, "Your account may not do this here.")
        return user

    return check


SignedIn = Annotated[User, Depends(signed_in)]
Admin = Annotated[User, Depends(require_role(Role.ADMIN))]


# --------------------------------------------------------------- forms


def csrf_token(request: Request) -> str:
    """Return the token for the forms of this session, or of this visitor before a login."""
    return _token_for(runtime_of(request), _bound_to(request))


def _bound_to(request: Request) -> str:
    runtime = runtime_of(request)
    session = request.cookies.get(session_cookie(runtime))
    if session:
        return session
    if not hasattr(request.state, "visitor"):
        known = request.cookies.get(visitor_cookie(runtime))
        request.state.visitor = known or runtime.token()
    visitor: str = request.state.visitor
    return visitor


def _token_for(runtime: Runtime, bound_to: str) -> str:
    return hmac.new(runtime.secret, f"form {bound_to}".encode(), hashlib.sha256).hexdigest()


def csrf_field(request: Request) -> Markup:
    """Return the hidden fields that every form carries; in templates it is `csrf()`."""
    fields = {CSRF_FIELD: csrf_token(request), again.FIELD: again.page_of(request)}
    hidden = Markup('<input type="hidden" name="{}" value="{}">')
    return Markup("").join(hidden.format(name, value) for name, value in fields.items() if value)


async def check_form(request: Request) -> None:
    """Refuse a form, or a script's request, that does not carry this session's token.

    Its page is shown again for whoever is signed in; nobody else gets further than the login. The
    login's own leads on, and signs nobody in.
    """
    if request.method in SAFE:
        return
    given: Any = request.headers.get(CSRF_HEADER)
    if given is None:
        given = (await request.form()).get(CSRF_FIELD)
    known = csrf_token(request)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), known.encode()):
        if request.url.path == LOGIN:
            # They have signed in meanwhile, in another tab, or the page they go to asks for it.
            onward = local_path(str((await request.form()).get("next", HOME)))
            raise HTTPException(303, headers={"location": onward})
        await run_in_threadpool(signed_in, request)
        raise NotAllowedError(STALE)


def local_path(asked: str) -> str:
    """Return a path of this site: nobody is led elsewhere by a link to the login page."""
    plain = asked.isprintable() and "\\" not in asked
    return asked if plain and asked.startswith("/") and not asked.startswith("//") else HOME


def page_router(**more: Any) -> APIRouter:
    """Return a router for pages, whose forms are checked."""
    return APIRouter(dependencies=[Depends(check_form)], include_in_schema=False, **more)


def context(request: Request) -> dict[str, Any]:
    """Return what every template may use: a context processor of Jinja2Templates."""
    return {"csrf": lambda: csrf_field(request), "user": visitor_of(request)}


def keep_visitor(request: Request, response: Response) -> Response:
    """Give a visitor who is not signed in the cookie that the form's token belongs to."""
    runtime = runtime_of(request)
    visitor = getattr(request.state, "visitor", None)
    if visitor is not None:
        set_cookie(runtime, response, visitor_cookie(runtime), visitor)
    return response


def set_cookie(runtime: Runtime, response: Response, name: str, value: str) -> None:
    """Set a cookie that no script sees and that ends with the browser."""
    response.set_cookie(
        name, value, httponly=True, secure=is_https(runtime), samesite="lax", path="/"
    )


# --------------------------------------------------------------- the whole application


def protect(
    app: FastAPI,
    runtime: Runtime,
    too_large: Page | None = None,
    signed_out: SignedOut | None = None,
) -> None:
    """Put the headers, the limits and the checks around an application.

    `too_large` makes the page for a body that is, `signed_out` that for a form of somebody who is
    signed in no more.
    """
    app.state.runtime = runtime
    if not hasattr(app.state, "templates"):
        app.state.templates = Jinja2Templates(PAGES, context_processors=[context])
    most = runtime.config.web.upload_megabytes * _MEGABYTE
    app.add_middleware(_KeepAlive, runtime=runtime)
    app.add_middleware(BodyLimit, uploads=UPLOADS, limit=most, page=too_large)
    app.add_middleware(SameOrigin, public_url=runtime.config.web.public_url)
    app.add_middleware(SecureHeaders, https=is_https(runtime))

    @app.exception_handler(LoginNeededError)
    async def to_login(request: Request, error: LoginNeededError) -> Response:
        if request.method not in SAFE:
            page = signed_out(request, error.ended) if signed_out else None
            return page or PlainTextResponse("Log in.", 401)
        asked = [(k, v) for k, v in request.query_params.multi_items() if k != RENEWS]
        path = f"{request.url.path}?{urlencode(asked)}" if asked else request.url.path
        ended = f"&ended={error.ended}" if error.ended else ""
        return RedirectResponse(f"{LOGIN}?next={quote(path, safe='/')}{ended}", 303)


class _KeepAlive:
    """Writes down that a session is in use, after the answer: a page never waits for a writer."""

    def __init__(self, app: ASGIApp, *, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)
        session_id = scope.get("state", {}).get("touch")
        if session_id is not None:
            with contextlib.suppress(DatabaseFault):
                await run_in_threadpool(
                    self._runtime.in_transaction,
                    users.touch_session,
                    session_id,
                    self._runtime.clock.now(),
                )
