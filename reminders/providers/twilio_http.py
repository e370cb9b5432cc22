"""The HTTP under the Twilio library: one session, one try a request, nothing logged.

The library's own clients retry a POST, which texts twice, and log phone numbers.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.connector import Connection
from twilio.http.response import Response

MAX_CONNECTIONS = 100

LONG = 64
"""A value of so many characters is a text, as a rule: not a number, which differs each time."""


class GuardedRequest(ClientRequest):
    """A request that asks its guard once it has a live connection, before the first byte."""

    guard: Callable[[], Awaitable[None]] | None = None

    async def send(self, conn: Connection) -> ClientResponse:
        """Await the guard, then write."""
        if self.guard is not None:
            await self.guard()
        return await super().send(conn)


class Transport:
    """The one session of a provider, opened inside the running loop when it is first needed."""

    def __init__(self, connect_timeout: float, timeout: float) -> None:
        """Take the seconds to get a connection in, and the seconds for the whole request."""
        self._timeout = ClientTimeout(total=timeout, connect=connect_timeout)
        self._session: ClientSession | None = None

    def session(self) -> ClientSession:
        """Return the session."""
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=MAX_CONNECTIONS),
                cookie_jar=DummyCookieJar(),
                request_class=GuardedRequest,
                timeout=self._timeout,
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """Close all connections; a second call does nothing."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


@dataclass(slots=True)
class Exchange:
    """The HTTP client that the library is given for one call, and how far that call came.

    `written` tells whether the other side may have seen a byte of a guarded request; `headers` are
    those of the last answer.
    """

    transport: Transport
    before_write: Callable[[], Awaitable[None]] | None = None
    written: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    is_async: bool = True

    async def request(
        self,
        method: str,
        uri: str,
        *,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_held: object,  # the session's own timeout holds, and no redirect is followed
    ) -> Response:
        """Make one request, once. Raise what aiohttp raises, and what `before_write` raises."""
        async with self.transport.session().request(
            method,
            uri,
            params={key: str(value) for key, value in params.items()} if params else None,
            data=_form(data) if data else None,
            headers={**(headers or {}), **_authorization(auth)},
            allow_redirects=False,
            middlewares=(self._arm,),
        ) as response:
            text = (await response.read()).decode("utf-8", "replace")
            self.headers = response.headers
            return Response(response.status, text, response.headers)

    async def _arm(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if self.before_write is not None and isinstance(request, GuardedRequest):
            request.guard = self._write
        return await handler(request)

    async def _write(self) -> None:
        if self.before_write is not None:
            await self.before_write()
        self.written = True


CURRENT: ContextVar[Exchange] = ContextVar("CURRENT")
"""The exchange of the call that is being made in this task."""


class Shared:
    """The HTTP client of a library client that all calls share: each has its own exchange.

    Making a library client anew for every text would take longer than sending it.
    """

    is_async = True

    async def request(self, method: str, uri: str, **given: Any) -> Response:
        """Make one request, once, in the exchange of this task."""
        return await CURRENT.get().request(method, uri, **given)


def _form(data: Mapping[str, object]) -> bytes:
    """Return fields as a form. What is long is the text, and most texts are sent many times."""
    fields = ((name, str(value)) for name, value in data.items())
    return "&".join(
        f"{quote_plus(name)}={quote_plus(value) if len(value) < LONG else _quoted(value)}"
        for name, value in fields
    ).encode()


@lru_cache(maxsize=512)
def _quoted(text: str) -> str:
    return quote_plus(text)


@lru_cache(maxsize=8)
def _authorization(auth: tuple[str, str] | None) -> dict[str, str]:
    if auth is None:
        return {}
    return {"Authorization": f"Basic {b64encode(':'.join(auth).encode()).decode()}"}
