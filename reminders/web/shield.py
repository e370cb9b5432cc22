"""What stands around every page: the headers, the size of a body, and where a form came from."""

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reminders.web.problems import answer

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
NOT_STORED = "no-store"
BODY_LIMIT = 1 << 20
"""Bytes that a request may have, but for uploads."""

TOO_LARGE = "That is too large."

FOR_PEOPLE = ("/c/", "/import/")
"""How the addresses begin to which forms of the pages are sent."""

CLOSE = {"connection": "close"}
"""The connection is not used again: what is left of a body would be read as a request."""

Page = Callable[[Request], Awaitable[Response]]
"""Makes the page for people whose request is refused."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SecureHeaders:
    """Adds the headers to every answer; nothing is stored by a browser unless a route says so."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", NOT_STORED)
                if self._https:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self._app(scope, receive, with_headers)


class SameOrigin:
    """Refuses a form, or any other change, that another site's page sent.

    Programs send no Origin and no Sec-Fetch-Site, and pass; forms need their token besides.
    """

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self._app = app
        self._public = urlsplit(public_url).netloc.casefold()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] not in SAFE:
            headers = Headers(scope=scope)
            if not self._allowed(headers):
                refusal = _refusal(scope, 403, "This was sent from another site.")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _allowed(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            host = urlsplit(origin).netloc.casefold()
        except ValueError:
            return False
        return bool(host) and host in {headers.get("host", "").casefold(), self._public}


class BodyLimit:
    """Refuses a body that is too large before it is read, and one that does not say so midway."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        uploads: re.Pattern[str],
        limit: int,
        page: Page | None = None,
    ) -> None:
        """Take the paths that may have more than others, how much, and the page that says no."""
        self._app = app
        self._page = page
        self._uploads = uploads
        self._upload_limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > limit:
            refusal = await self._refusal(scope)
            await refusal(scope, receive, send)
            return
        counted = _Counted(receive, send, limit)
        try:
            await self._app(scope, counted.receive, counted.send)
        except _TooLargeError:
            if not counted.answered:
                refusal = await self._refusal(scope)
                await refusal(scope, receive, send)

    def _limit(self, path: str) -> int:
        return self._upload_limit if self._uploads.fullmatch(path) else BODY_LIMIT

    async def _refusal(self, scope: Scope) -> Response:
        if self._page is None or not scope["path"].startswith(FOR_PEOPLE):
            return _refusal(scope, 413, TOO_LARGE)
        page = await self._page(Request(scope))
        page.headers.update(CLOSE)
        return page


class _TooLargeError(HTTPException):
    """Raised while a body is read, wherever that is: the application may answer it itself."""

    def __init__(self) -> None:
        super().__init__(413, TOO_LARGE)


class _Counted:
    """Counts what is received, and knows whether an answer has begun."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._left = receive, send, limit
        self.answered = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise _TooLargeError
        return message

    async def send(self, message: Message) -> None:
        self.answered = True
        await self._send(message)


def _refusal(scope: Scope, status: int, text: str) -> Response:
    if scope["path"].startswith("/api/"):
        return answer(status, text, headers=CLOSE)
    return PlainTextResponse(text, status, CLOSE)
