"""Logging in and out."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reminders.engine import accounts
from reminders.web.security import (
    HOME,
    LOGIN,
    SignedIn,
    keep_visitor,
    local_path,
    page_router,
    runtime_of,
    session_cookie,
    set_cookie,
    visitor_cookie,
)

router = page_router()

TEXTS: Mapping[str, Mapping[str, str]] = {
    "sv": {
        "title": "Logga in",
        "login": "Användarnamn",
        "password": "Lösenord",
        "send": "Logga in",
        "wrong": "Användarnamnet eller lösenordet stämmer inte.",
        "idle": "Du är utloggad, eftersom sidorna inte har använts på ett tag. Logga in, så kommer"
        " du tillbaka till sidan du hade.",
        "ended": "Din session har avslutats. Logga in igen, så kommer du tillbaka till sidan du"
        " hade.",
        "wait": "För många försök. Vänta {seconds} sekunder och försök igen.",
    },
    "en": {
        "title": "Log in",
        "login": "User name",
        "password": "Password",
        "send": "Log in",
        "wrong": "The user name or the password is not right.",
        "idle": "You are signed out, since the pages were not used for a while. Log in, and you"
        " come back to the page that you had.",
        "ended": "Your session has ended. Log in again, and you come back to the page that you"
        " had.",
        "wait": "Too many attempts. Wait {seconds} seconds and try again.",
    },
}


@router.get(LOGIN)
def show_login(request: Request, next: str = HOME, ended: str = "") -> Response:  # noqa: A002 - the name in the URL
    """Show the login page; `ended`: why the session of whoever comes here has ended."""
    fault = "idle" if ended == accounts.Ended.IDLE else "ended"
    return _page(request, next, fault if ended else None)


@router.post(LOGIN)
def log_in(
    request: Request,
    login: Annotated[str, Form(max_length=1000)] = "",
    password: Annotated[str, Form(max_length=10_000)] = "",
    next: Annotated[str, Form(max_length=2000)] = HOME,  # noqa: A002 - the name in the form
) -> Response:
    """Open a session with a token of its own, and go on to where the user came from."""
    runtime = runtime_of(request)
    address = request.client.host if request.client else ""
    try:
        token = accounts.log_in(runtime, login.strip(), password, address)
    except accounts.LoginRefusedError:
        return _page(request, next, "wrong", status=401)
    except accounts.TooManyLoginsError as error:
        return _page(request, next, "wait", status=429, seconds=error.seconds)
    before = request.cookies.get(session_cookie(runtime))
    if before:
        accounts.log_out(runtime, before)
    response = RedirectResponse(local_path(next), 303)
    set_cookie(runtime, response, session_cookie(runtime), token)
    response.delete_cookie(visitor_cookie(runtime))
    return response


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End this session."""
    runtime = runtime_of(request)
    token = request.cookies.get(session_cookie(runtime))
    if token:
        accounts.log_out(runtime, token)
    return _gone(request)


@router.post("/logout-everywhere")
def log_out_everywhere(request: Request, user: SignedIn) -> Response:
    """End all sessions of this user, on every machine."""
    accounts.log_out_everywhere(runtime_of(request), user)
    return _gone(request)


def _gone(request: Request) -> Response:
    response = RedirectResponse(LOGIN, 303)
    response.delete_cookie(session_cookie(runtime_of(request)))
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


def language_of(request: Request) -> str:
    """Return the language of somebody who is not known yet: the browser's, or Swedish."""
    wanted = request.headers.get("accept-language", "").casefold()
    names = (part.partition(";")[0].strip()[:2] for part in wanted.split(","))
    return next((name for name in names if name in TEXTS), "sv")


def _page(
    request: Request, asked: str, fault: str | None = None, *, status: int = 200, seconds: int = 0
) -> Response:
    language = language_of(request)
    texts = TEXTS[language]
    values = {
        "language": language,
        "texts": texts,
        "fault": texts[fault].format(seconds=seconds) if fault else None,
        "next": local_path(asked),
    }
    response: Response = request.app.state.templates.TemplateResponse(
        request, "login.html", values, status_code=status
    )
    if seconds:
        response.headers["retry-after"] = str(seconds)
    return keep_visitor(request, response)
