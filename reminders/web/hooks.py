"""What providers report: status callbacks and texts that came in, from the open internet.

Nothing here believes what it is told before the provider's own check has passed, and nothing is
written to a log but the clinic, the channel and what became of the report.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response

from reminders.domain.contact import Channel
from reminders.domain.outcome import Receipt
from reminders.engine import inbound, receipts
from reminders.engine.runtime import Runtime
from reminders.providers.base import CallbackRequest, Inbound, Provider
from reminders.store.database import DatabaseFault

log = structlog.get_logger()

LARGEST_BODY = 64 * 1024
BODY_SECONDS = 10.0
DATABASE_SECONDS = 5.0
"""A provider gives up after some 15 seconds and calls again: it is told to before that."""

MOST_AT_ONCE = 8
PLACE = "/hooks/{clinic}/{channel}"


class TooLargeError(Exception):
    """The body is larger than any report is."""


def _nobody() -> None:
    """Wake nobody: no sender lives in this process."""


def hooks_app(runtime: Runtime, wake: Callable[[], None] = _nobody) -> FastAPI:
    """Return an application of the hooks alone, with no pages that describe it.

    `wake` tells a sender in this process to look: an answer may be due.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router(runtime, wake))
    return app


def router(runtime: Runtime, wake: Callable[[], None] = _nobody) -> APIRouter:
    """Return the routes that providers call."""
    routes = APIRouter(include_in_schema=False)
    places = asyncio.Semaphore(MOST_AT_ONCE)

    @routes.post(PLACE)
    async def report(clinic: str, channel: str, request: Request) -> Response:
        """Take in what became of a message."""
        answer = await _serve(runtime, places, clinic, channel, request, REPORT)
        wake()
        return answer

    @routes.post(f"{PLACE}/inbound")
    async def text(clinic: str, channel: str, request: Request) -> Response:
        """Take in a text that somebody wrote. A body of the answer would be sent as a text."""
        answer = await _serve(runtime, places, clinic, channel, request, TEXT)
        wake()
        return answer

    return routes


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of request: its name in the log, who reads it, and who takes it in.

    `take_in` returns a word for the log.
    """

    name: str
    read: Callable[[Provider, CallbackRequest], Any]
    take_in: Callable[[Runtime, Any], str]


async def _serve(
    runtime: Runtime,
    places: asyncio.Semaphore,
    clinic: str,
    channel: str,
    request: Request,
    kind: Kind,
) -> Response:
    provider = _provider(runtime, clinic, channel)
    if provider is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _body(request)
    except TooLargeError:
        return _closing(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except TimeoutError:
        return _closing(HTTPStatus.REQUEST_TIMEOUT)
    said = _parse(provider, CallbackRequest(str(request.url), dict(request.headers), body), kind)
    if said is None:
        log.warning("hook_refused", kind=kind.name, clinic=clinic, channel=channel)
        return Response(status_code=HTTPStatus.FORBIDDEN)
    try:
        async with asyncio.timeout(DATABASE_SECONDS), places:
            outcome = await asyncio.to_thread(kind.take_in, runtime, said)
    except (TimeoutError, DatabaseFault) as error:
        log.warning("hook_put_off", kind=kind.name, clinic=clinic, error=type(error).__name__)
        wait = {"Retry-After": "30"}
        return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers=wait)
    log.info(kind.name, clinic=clinic, channel=channel, outcome=outcome)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _provider(runtime: Runtime, clinic: str, channel: str) -> Provider | None:
    """Return who may call here: a provider that only pretends cannot tell a forger."""
    if channel not in set(Channel):
        return None
    found = runtime.providers.get((clinic, Channel(channel)))
    return found if found is not None and found.real else None


async def _body(request: Request) -> bytes:
    """Return the body. Raise TooLargeError as soon as it is larger than any report is."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > LARGEST_BODY:
        raise TooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise TooLargeError
    return bytes(body)


def _closing(status: HTTPStatus) -> Response:
    """Return an answer after which the connection ends: the rest of the body is not read."""
    return Response(status_code=status, headers={"Connection": "close"})


def _parse(provider: Provider, request: CallbackRequest, kind: Kind) -> Any:
    """Return what a genuine request says; None if it is forged or broken."""
    try:
        return kind.read(provider, request)
    except ValueError:
        return None
    except Exception as error:  # noqa: BLE001 - a clinic's own provider meets the open internet
        log.error("hook_failed", provider=provider.name, error=type(error).__name__)  # noqa: TRY400 - its text may hold the request
        return None


def _take_in_report(runtime: Runtime, said: tuple[str | None, Receipt]) -> str:
    token, receipt = said
    if token is None:
        return "unknown"
    now = runtime.clock.now()
    known = runtime.in_transaction(receipts.by_callback, runtime, token, receipt, now)
    return "known" if known else "unknown"


def _take_in_text(runtime: Runtime, said: Inbound) -> str:
    now = runtime.clock.now()
    return runtime.in_transaction(inbound.receive, runtime, said, now).value


REPORT = Kind("report", lambda provider, asked: provider.parse_receipt(asked), _take_in_report)
TEXT = Kind("inbound", lambda provider, asked: provider.parse_inbound(asked), _take_in_text)
