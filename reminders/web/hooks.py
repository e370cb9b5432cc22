"""What providers report: status callbacks, over HTTP, from the open internet.

Nothing here believes what it is told before the provider's own check has passed, and nothing is
written to a log but the clinic, the channel and what became of the report.
"""

import asyncio
from http import HTTPStatus

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response

from reminders.domain.contact import Channel
from reminders.domain.outcome import Receipt
from reminders.engine import receipts
from reminders.engine.runtime import Runtime
from reminders.providers.base import CallbackRequest, Provider
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


def hooks_app(runtime: Runtime) -> FastAPI:
    """Return an application of the hooks alone, with no pages that describe it."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router(runtime))
    return app


def server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """Return a server that keeps no access log: addresses there hold tokens."""
    config = uvicorn.Config(
        app, host=host, port=port, access_log=False, log_config=None, server_header=False
    )
    return uvicorn.Server(config)


def router(runtime: Runtime) -> APIRouter:
    """Return the routes that providers call."""
    routes = APIRouter()
    places = asyncio.Semaphore(MOST_AT_ONCE)

    @routes.post(PLACE)
    async def report(clinic: str, channel: str, request: Request) -> Response:
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
        said = _parse(provider, CallbackRequest(str(request.url), dict(request.headers), body))
        if said is None:
            log.warning("report_refused", clinic=clinic, channel=channel)
            return Response(status_code=HTTPStatus.FORBIDDEN)
        token, receipt = said
        if token is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        try:
            async with asyncio.timeout(DATABASE_SECONDS), places:
                known = await asyncio.to_thread(_take_in, runtime, token, receipt)
        except (TimeoutError, DatabaseFault) as error:
            log.warning("report_put_off", clinic=clinic, error=type(error).__name__)
            wait = {"Retry-After": "30"}
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers=wait)
        log.info("report", clinic=clinic, channel=channel, known=known)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return routes


def _provider(runtime: Runtime, clinic: str, channel: str) -> Provider | None:
    if channel not in set(Channel):
        return None
    return runtime.providers.get((clinic, Channel(channel)))


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


def _parse(provider: Provider, request: CallbackRequest) -> tuple[str | None, Receipt] | None:
    """Return what a genuine report says; None if it is forged or broken."""
    try:
        return provider.parse_receipt(request)
    except ValueError:
        return None
    except Exception as error:  # noqa: BLE001 - a clinic's own provider meets the open internet
        log.error("report_failed", provider=provider.name, error=type(error).__name__)  # noqa: TRY400 - its text may hold the report
        return None


def _take_in(runtime: Runtime, token: str, receipt: Receipt) -> bool:
    now = runtime.clock.now()
    return runtime.in_transaction(receipts.by_callback, runtime, token, receipt, now)
