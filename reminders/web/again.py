"""A form that cannot be done: its page is shown again, with the reason on top and what was typed.

What was typed goes back to whoever typed it, in the same answer: it stands in no address, and is
kept nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from fastapi import Request
from fastapi.responses import Response
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.types import Message, Receive, Scope, Send

FIELD = "from"
"""The field of each form with the page that it stands on."""

PAGES = "/c/"


@dataclass(frozen=True, slots=True)
class Again:
    """Why a form could not be done, and what was typed into it. `action` is where it was sent."""

    said: Markup
    action: str
    typed: Mapping[str, str]

    def of(self, action: str, which: Mapping[str, object]) -> bool:
        """Tell whether it was this form: the one sent there, with these hidden fields."""
        same = all(self.typed.get(name, "") == str(value) for name, value in which.items())
        return same and self.action == unquote(action)


def page_of(request: Request) -> str:
    """Return the address of the page that is shown, for the forms on it."""
    path, query = _path(request), request.url.query
    if not path.startswith(PAGES):
        return ""
    return f"{path}?{query}" if query else path


def _path(request: Request) -> str:
    """Return the path as it was asked for: a booking's reference may have any sign in it."""
    return quote(request.scope["path"], safe="/")


def shown(request: Request) -> Again | None:
    """Return what a page that is shown again has to say."""
    again: Again | None = getattr(request.state, "again", None)
    return again


async def show_again(request: Request, status: int, said: Markup) -> Response | None:
    """Return the page that a form stands on, once more. None if it is not known which.

    A page whose own address asks for what cannot be is shown without what it asks for.
    """
    if shown(request) is not None:
        return None
    if request.method == "GET":
        typed = dict(request.query_params)
        back = _path(request) if typed else ""
    else:
        form = await request.form()
        typed = _texts(form)
        back = typed.pop(FIELD, "")
    if not back.startswith(PAGES):
        return None
    return _Page(request, back, status, Again(said, request.scope["path"], typed))


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


class _Page(Response):
    """Another page of the application as the answer, with a status of its own."""

    def __init__(self, request: Request, address: str, status: int, again: Again) -> None:
        super().__init__(status_code=status)
        parts = urlsplit(address)
        self._app: Any = request.app.router
        self._scope = {
            **{key: value for key, value in request.scope.items() if key not in _OF_A_ROUTE},
            "method": "GET",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "state": {**request.scope.get("state", {}), "again": again},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the page; one that leads elsewhere does so."""

        async def send_it(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:  # noqa: PLR2004
                message = {**message, "status": self.status_code}
            await send(message)

        await self._app(self._scope, receive, send_it)


_OF_A_ROUTE = frozenset({"path_params", "endpoint", "route"})
