"""A pretended Twilio on loopback. It keeps state, can be made to fail, and remembers what it took.

async with FakeTwilio() as fake:
    fake.faults.append(Fault(Trouble.ERROR_AFTER))
    ... TwilioSms(setup with fake.settings()) ...
    assert fake.texts() == ["Hej"]
"""

import asyncio
import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum, auto
from typing import Any, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from aiohttp import web

from reminders.clock import SystemClock
from reminders.providers.base import CallbackRequest
from tests.fakes.twilio_messages import API, Account, ApiError, Kept

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "not-a-secret"
ENDLESS = 3600.0


class Trouble(Enum):
    """What can go wrong with the creation of a message. BEFORE and AFTER are of its acceptance."""

    ERROR_BEFORE = auto()
    ERROR_AFTER = auto()
    HANG_BEFORE = auto()
    HANG_AFTER = auto()
    RESET_BEFORE = auto()
    RESET_AFTER = auto()
    GARBAGE = auto()  # accepted, and the answer cannot be read
    SLOW = auto()  # accepted after `seconds`
    REFUSE = auto()  # `error` is answered


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault; it hits the next creation."""

    trouble: Trouble
    seconds: float = 0.0
    error: ApiError | None = None
    body: str = "<html>Service unavailable</html>"


def throttled(retry_after: str | None = "2") -> Fault:
    """Return the fault of one request too many."""
    return Fault(Trouble.REFUSE, error=ApiError(429, 20429, "Too Many Requests", retry_after))


def refused(status: int, code: int, message: str = "refused") -> Fault:
    """Return the fault of an error answer."""
    return Fault(Trouble.REFUSE, error=ApiError(status, code, message))


@dataclass(slots=True)
class FakeTwilio:
    """The server. `advance_on_fetch` moves a message one step each time it is asked for."""

    now: Callable[[], datetime] = SystemClock().now
    advance_on_fetch: bool = False
    account_status: str = "active"
    account: Account = field(init=False)
    faults: deque[Fault] = field(default_factory=deque)
    broken: bool = False  # everything but creation answers 503
    creations: int = 0  # requests seen, whatever became of them
    base_url: str = ""
    _runner: web.AppRunner | None = None

    def __post_init__(self) -> None:
        self.account = Account(ACCOUNT_SID, self.now)

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._as_api])
        account = f"{API}/Accounts/{{account}}"
        app.router.add_get(f"{account}.json", self._fetch_account)
        app.router.add_post(f"{account}/Messages.json", self._create)
        app.router.add_get(f"{account}/Messages.json", self._list)
        app.router.add_get(f"{account}/Messages/{{sid}}.json", self._fetch)
        app.router.add_post(f"{account}/Messages/{{sid}}.json", self._update)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the `[providers.twilio]` section that leads here."""
        return {
            "account_sid": ACCOUNT_SID,
            "auth_token": AUTH_TOKEN,
            "base_url": self.base_url,
            **more,
        }

    def texts(self, to: str | None = None) -> list[str]:
        """Return the bodies that were really accepted, in order: the judge's word."""
        return [one.body for one in self.account.accepted if to in {None, one.to}]

    def report(self, sid: str, status: str | None = None) -> CallbackRequest:
        """Return a really signed status callback for a message, as its receiver gets it.

        Any status may be reported, in any order and again.
        """
        kept = self.account.get(sid)
        assert kept.callback is not None, "the message was created without a StatusCallback"
        fields = self._callback_fields(kept, status or kept.status)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": sign(kept.callback, fields),
        }
        return CallbackRequest(kept.callback, headers, urlencode(fields).encode())

    async def post_report(
        self, sid: str, status: str | None = None, *, through: str | None = None
    ) -> int:
        """POST a status callback and return the receiver's HTTP status.

        `through` is the scheme and host to connect to, where the public ones do not lead here.
        """
        request = self.report(sid, status)
        parts = urlsplit(request.url)
        if through is not None:
            reached = urlsplit(through)
            parts = parts._replace(scheme=reached.scheme, netloc=reached.netloc)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                urlunsplit(parts), data=request.body, headers=dict(request.headers)
            ) as response,
        ):
            return response.status

    def _callback_fields(self, kept: Kept, status: str) -> dict[str, str]:
        fields = {
            "AccountSid": self.account.sid,
            "ApiVersion": "2010-04-01",
            "From": kept.sender or "",
            "MessageSid": kept.sid,
            "MessageStatus": status,
            "SmsSid": kept.sid,
            "SmsStatus": status,
            "To": kept.to,
        }
        if status in {"undelivered", "failed"} and kept.error_code is not None:
            fields["ErrorCode"] = str(kept.error_code)
        return fields

    @web.middleware
    async def _as_api(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            self._check_access(request)
            response: web.StreamResponse = await handler(request)
            response.headers["Date"] = format_datetime(self.now().astimezone(UTC), usegmt=True)
        except ApiError as error:
            headers = {"Retry-After": error.retry_after} if error.retry_after else None
            return web.json_response(error.body(), status=error.status, headers=headers)
        return response

    def _check_access(self, request: web.Request) -> None:
        expected = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            raise ApiError(401, 20003, "Authenticate")
        if request.match_info.get("account", self.account.sid) != self.account.sid:
            raise ApiError(404, 20404, "The requested resource was not found")
        if self.broken and not _is_creation(request):
            raise ApiError(503, 20503, "Service unavailable")

    async def _fetch_account(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "sid": self.account.sid,
                "status": self.account_status,
                "type": "Full",
                "friendly_name": "Example clinic",
                "uri": f"{API}/Accounts/{self.account.sid}.json",
            }
        )

    async def _create(self, request: web.Request) -> web.Response:
        self.creations += 1
        form = {key: str(value) for key, value in (await request.post()).items()}
        fault = self.faults.popleft() if self.faults else None
        if fault is None:
            return self._created(form)
        return await self._spoiled(request, form, fault)

    def _created(self, form: dict[str, str]) -> web.Response:
        return web.json_response(self.account.resource(self.account.create(form)), status=201)

    async def _spoiled(
        self, request: web.Request, form: dict[str, str], fault: Fault
    ) -> web.Response:
        match fault.trouble:
            case Trouble.ERROR_BEFORE | Trouble.HANG_BEFORE | Trouble.RESET_BEFORE:
                pass
            case Trouble.REFUSE:
                assert fault.error is not None
                raise fault.error
            case Trouble.SLOW:
                await asyncio.sleep(fault.seconds)
                return self._created(form)
            case _:
                self.account.create(form)
        match fault.trouble:
            case Trouble.GARBAGE:
                return web.Response(text=fault.body, status=201, content_type="text/html")
            case Trouble.RESET_BEFORE | Trouble.RESET_AFTER:
                assert request.transport is not None
                request.transport.abort()
                await asyncio.sleep(ENDLESS)
            case Trouble.HANG_BEFORE | Trouble.HANG_AFTER:
                await asyncio.sleep(fault.seconds or ENDLESS)
            case _:
                pass
        raise ApiError(500, 20500, "Internal server error")

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response(self.account.page(request.query))

    async def _fetch(self, request: web.Request) -> web.Response:
        kept = self.account.get(request.match_info["sid"])
        if self.advance_on_fetch:
            self.account.advance(kept.sid)
        return web.json_response(self.account.resource(kept))

    async def _update(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        kept = self.account.redact(request.match_info["sid"], form)
        return web.json_response(self.account.resource(kept))


def sign(url: str, fields: dict[str, str]) -> str:
    """Return the signature that Twilio puts on a form it posts to `url`."""
    signed = url + "".join(key + fields[key] for key in sorted(fields))
    digest = hmac.new(AUTH_TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _is_creation(request: web.Request) -> bool:
    return request.method == "POST" and request.path.endswith("/Messages.json")
