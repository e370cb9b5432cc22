"""What the Twilio library is given to make its requests with: one try a request, nothing logged.

The library's own clients retry a POST, which texts twice, and log phone numbers.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from twilio.http.response import Response

from reminders.domain.outcome import Ambiguous, Outcome, Refusal, Rejected
from reminders.providers.http import Answer, CertificateError, Transport

LONG = 64
"""A value of so many characters is a text, as a rule: not a number, which differs each time."""


@dataclass(slots=True)
class Exchange:
    """The HTTP client that the library is given for one call, and how far that call came.

    `before_write` is called directly before the first byte, and `written` tells whether the other
    side may have seen one. `answer` is the last one.
    """

    transport: Transport
    before_write: Callable[[], None] | None = None
    written: bool = False
    answer: Answer | None = None
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
        **_held: object,  # the transport's own timeout holds, and no redirect is followed
    ) -> Response:
        """Make one request, once. Raise what `Transport.request` does."""
        query = f"?{_form(params).decode()}" if params else ""
        answer = await self.transport.request(
            method,
            uri + query,
            headers=_lines(tuple((headers or {}).items()), auth),
            body=_form(data) if data else None,
            guard=self._guard,
        )
        self.answer = answer
        return Response(answer.status, answer.text)

    @property
    def retry_after(self) -> str | None:
        """Return that header of the last answer."""
        return self.answer.headers.get("retry-after") if self.answer else None

    def ahead(self, now: datetime) -> timedelta:
        """Return how far `now`, our clock, is before the other side's, as far as it has told."""
        said = self.answer.headers.get("date", "") if self.answer else ""
        try:
            theirs = parsedate_to_datetime(said)
        except ValueError:
            return timedelta(0)
        return now - theirs if theirs.tzinfo else timedelta(0)

    def broken_off(self, error: Exception) -> Outcome:
        """Return what a broken connection means: before the first byte, that nothing was sent."""
        if self.written:
            return Ambiguous("timeout" if isinstance(error, TimeoutError) else "connection_lost")
        if isinstance(error, CertificateError):
            return Rejected("certificate", Refusal.CONFIGURATION)
        return Rejected("not_connected", Refusal.THROTTLED)

    def _guard(self) -> None:
        if self.before_write is not None:
            self.before_write()
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


@lru_cache(maxsize=32)
def _lines(headers: tuple[tuple[str, str], ...], auth: tuple[str, str] | None) -> tuple[str, ...]:
    """Return headers as they are sent: the same for every text of a provider."""
    lines = tuple(f"{name}: {value}" for name, value in headers)
    if auth is None:
        return lines
    return (*lines, f"Authorization: Basic {b64encode(':'.join(auth).encode()).decode()}")


def _form(data: Mapping[str, object]) -> bytes:
    """Return fields as a form. What is long is the text, and most texts are sent many times."""
    return "&".join(f"{_name(name)}={_value(str(value))}" for name, value in data.items()).encode()


def _value(value: str) -> str:
    if value.isalnum() and value.isascii():
        return value
    if _PHONE.fullmatch(value):
        return "%2B" + value[1:]
    return quote_plus(value) if len(value) < LONG else _text(value)


_PHONE = re.compile(r"\+[0-9]+")
_name = lru_cache(maxsize=64)(quote_plus)
_text = lru_cache(maxsize=512)(quote_plus)
