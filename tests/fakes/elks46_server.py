"""A pretended 46elks on loopback. It keeps state, can be made to fail, and remembers what it took.

async with FakeElks46() as fake:
    fake.faults.append(Fault(Trouble.ERROR_AFTER))
    ... Elks46(setup with fake.settings()) ...
    assert fake.texts() == ["Hej"]
"""

import asyncio
import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from reminders.clock import SystemClock
from reminders.providers.base import CallbackRequest
from tests.fakes.twilio_messages import segments
from tests.fakes.twilio_server import ENDLESS, Fault, Trouble

USERNAME, PASSWORD = "u" + "0" * 31 + "1", "not-a-secret"
MOST = 100
PRICE = 5000
COURSE = ("created", "sent", "delivered")
ENDS = frozenset({"delivered", "failed"})


class RefusedError(Exception):
    """An answer in plain words, as most errors are."""

    def __init__(self, status: int, words: str, retry_after: str | None = None) -> None:
        super().__init__(words)
        self.status, self.words, self.retry_after = status, words, retry_after


@dataclass(slots=True)
class Kept:
    """One text of the account."""

    ref: str
    sender: str
    to: str
    message: str
    created: datetime
    callback: str | None
    logged: bool
    status: str = "created"
    delivered: datetime | None = None


@dataclass(slots=True)
class FakeElks46:
    """The server. `took` is called with each text that is accepted, before the answer."""

    now: Callable[[], datetime] = SystemClock().now
    took: Callable[[Kept], None] = lambda kept: None
    advance_on_fetch: bool = False
    balance: int = 1_000_000
    broken: bool = False  # everything but creation answers 503
    kept: dict[str, Kept] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    undeliverable: set[str] = field(default_factory=set)
    late_by: int = 0  # so many of the newest texts are not listed yet
    creations: int = 0
    base_url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.open(0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def open(self, port: int) -> None:
        app = web.Application(middlewares=[self._as_api])
        app.router.add_post("/a1/sms", self._create)
        app.router.add_get("/a1/sms", self._history)
        app.router.add_get("/a1/sms/{ref}", self._fetch)
        app.router.add_get("/a1/me", self._account)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        host, used = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{used}/a1"

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the `[providers.elks46]` section that leads here."""
        return {"username": USERNAME, "password": PASSWORD, "base_url": self.base_url, **more}

    def texts(self, to: str | None = None) -> list[str]:
        """Return the texts that were really accepted, in order: the judge's word."""
        return [one.message for one in self.kept.values() if to in {None, one.to}]

    def report(self, ref: str, status: str | None = None) -> CallbackRequest:
        """Return a delivery report as its receiver gets it: any status, in any order, again."""
        kept = self.kept[ref]
        assert kept.callback is not None, "the text was created without whendelivered"
        fields = {"id": ref, "status": status or kept.status}
        if fields["status"] == "delivered":
            fields["delivered"] = _stamp(kept.delivered or self.now())
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return CallbackRequest(kept.callback, headers, urlencode(fields).encode())

    @web.middleware
    async def _as_api(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            self._let_in(request)
            answer: web.StreamResponse = await handler(request)
            answer.headers["Date"] = format_datetime(self.now().astimezone(UTC), usegmt=True)
        except RefusedError as refused:
            headers = {"Retry-After": refused.retry_after} if refused.retry_after else {}
            return web.Response(status=refused.status, text=refused.words, headers=headers)
        return answer

    def _let_in(self, request: web.Request) -> None:
        expected = b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            raise RefusedError(401, "API access requires Basic HTTP authentication")
        if self.broken and request.method != "POST":
            raise RefusedError(503, "Service unavailable")

    async def _account(self, _request: web.Request) -> web.Response:
        return web.json_response({"id": USERNAME, "balance": self.balance, "currency": "SEK"})

    async def _create(self, request: web.Request) -> web.Response:
        self.creations += 1
        form = {key: str(value) for key, value in (await request.post()).items()}
        fault = self.faults.popleft() if self.faults else None
        if fault is None:
            return web.json_response(self._take(form))
        return await self._spoiled(request, form, fault)

    async def _spoiled(
        self, request: web.Request, form: dict[str, str], fault: Fault
    ) -> web.Response:
        if fault.trouble is Trouble.REFUSE:
            assert fault.error is not None
            raise RefusedError(fault.error.status, fault.error.message, fault.error.retry_after)
        if fault.trouble is Trouble.SLOW:
            await asyncio.sleep(fault.seconds)
            return web.json_response(self._take(form))
        if not fault.trouble.name.endswith("BEFORE"):
            self._take(form)
        if fault.trouble is Trouble.GARBAGE:
            return web.Response(text=fault.body, content_type="text/html")
        if fault.trouble in {Trouble.RESET_BEFORE, Trouble.RESET_AFTER}:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(ENDLESS)
        if fault.trouble in {Trouble.HANG_BEFORE, Trouble.HANG_AFTER}:
            await asyncio.sleep(fault.seconds or ENDLESS)
        raise RefusedError(500, "Internal server error")

    def _take(self, form: Mapping[str, str]) -> dict[str, Any]:
        check(form)
        parts = int(segments(form["message"]))
        shown = {
            "status": "created",
            "direction": "outgoing",
            "from": form["from"],
            "to": form["to"],
            "parts": parts,
            "message": form["message"],
        }
        if form.get("dryrun") == "yes":
            return shown | {"estimated_cost": parts * PRICE}
        kept = Kept(
            ref=f"s{len(self.kept) + 1:032x}",
            sender=form["from"],
            to=form["to"],
            message=form["message"],
            created=self.now(),
            callback=form.get("whendelivered"),
            logged=form.get("dontlog") != "message",
        )
        self.kept[kept.ref] = kept
        self.took(kept)
        return shown | {"id": kept.ref, "created": _stamp(kept.created), "cost": parts * PRICE}

    async def _history(self, request: web.Request) -> web.Response:
        query = request.query
        limit = min(int(query.get("limit", MOST)), MOST)
        listed = list(reversed(self.kept.values()))[self.late_by :]
        found = [
            one
            for one in listed
            if query.get("to") in {None, one.to}
            and _stamp(one.created) > query.get("end", "")
            and ("start" not in query or _stamp(one.created) < query["start"])
        ]
        answer: dict[str, Any] = {"data": [self._shown(one) for one in found[:limit]]}
        if len(found) > limit:
            answer["next"] = _stamp(found[limit - 1].created)
        return web.json_response(answer)

    async def _fetch(self, request: web.Request) -> web.Response:
        kept = self.kept.get(request.match_info["ref"])
        if kept is None:
            raise RefusedError(404, "Not found")
        if self.advance_on_fetch:
            self.advance(kept.ref)
        return web.json_response(self._shown(kept))

    def advance(self, ref: str) -> str:
        """Take a text one step on its course and return the new status."""
        kept = self.kept[ref]
        if kept.status not in ENDS:
            kept.status = COURSE[COURSE.index(kept.status) + 1]
            if kept.status == "delivered":
                kept.delivered = self.now()
                if kept.to in self.undeliverable:
                    kept.status, kept.delivered = "failed", None
        return kept.status

    def _shown(self, kept: Kept) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": kept.ref,
            "created": _stamp(kept.created),
            "direction": "outgoing",
            "from": kept.sender,
            "to": kept.to,
            "status": kept.status,
            "parts": int(segments(kept.message)),
            "cost": int(segments(kept.message)) * PRICE,
        }
        if kept.logged:
            shown["message"] = kept.message
        if kept.delivered:
            shown["delivered"] = _stamp(kept.delivered)
        return shown


def check(form: Mapping[str, str]) -> None:
    """Refuse what the API refuses, in its plain words."""
    for name in ("from", "to", "message"):
        if not form.get(name):
            raise RefusedError(400, f"Missing key {name}")
    if not re.fullmatch(r"\+[1-9]\d{6,14}", form["to"]):
        raise RefusedError(400, f"Invalid to number {form['to']}")
    if not re.fullmatch(r"\+?\w{1,15}", form["from"], re.ASCII):
        raise RefusedError(400, "Invalid sender ID")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
