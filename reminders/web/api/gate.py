"""Before a request is read: whose token it is, whether it may do this, and whether it is JSON."""

import contextlib
import traceback
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reminders.domain.access import Client, Scope
from reminders.engine import accounts
from reminders.engine.booking import UnusableBookingError
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, RemindersError
from reminders.store import tokens
from reminders.store.database import DatabaseFault
from reminders.web.problems import Fault, answer, from_rows, misread

log = structlog.get_logger()

STRANGERS_PER_MINUTE = 60
"""So many requests without a good token one address may make."""

UNREADABLE = 400
"""What the framework says of a body that it cannot decode."""

REMEMBERED = 10_000
RETRY_SECONDS = 5
_READING = frozenset({"GET", "HEAD"})
_JSON = "application/json"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class RefusedError(Exception):
    """The request is refused; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Rates:
    """How many requests each client has left: so many a minute, some of them at once."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, name: str, per_minute: int, now: float) -> float:
        """Take one request; return how many seconds to wait if there is none left, else 0."""
        most = max(per_minute / 6, 10.0)
        left, at = self._left.pop(name, (most, now))
        left = min(most, left + (now - at) * per_minute / 60)
        taken = left >= 1
        self._left[name] = (left - taken, now)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) * 60 / per_minute


class Gate(APIRoute):
    """A route that is entered with a token; what goes wrong in it is answered as problem+json."""

    def get_route_handler(self) -> Handler:
        """Return the handler with the gate before it."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await _served(request, inner)
            except RefusedError as refused:
                return refused.response
            except RequestValidationError as error:
                return answer(422, "Some of it cannot be read: see `errors`.", misread(error))
            except UnusableBookingError as error:
                faults = from_rows(error.problems)
                return answer(422, "The booking was not taken: see `errors`.", faults)
            except HTTPException as error:
                return _told(error)
            except NotFoundError as error:
                return answer(404, str(error))
            except RemindersError as error:
                return answer(409, str(error))
            except DatabaseFault as error:
                log.error("database_away", error=type(error).__name__)  # noqa: TRY400 - values
                wait = {"retry-after": str(RETRY_SECONDS)}
                return answer(503, "Try again in a few seconds.", headers=wait)
            except Exception as error:  # noqa: BLE001 - its text and traceback may hold values
                log.error("api_failed", error=type(error).__name__, at=_place(error))  # noqa: TRY400
                return answer(500, "Nothing was changed. The log says where it failed.")

        return handle


def _told(error: HTTPException) -> Response:
    if error.status_code == UNREADABLE:
        fault = Fault(place="body", pointer="", code="json_invalid", detail="This is no JSON.")
        return answer(422, "The body cannot be read: see `errors`.", [fault])
    return answer(error.status_code, str(error.detail), headers=error.headers)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


async def _served(request: Request, inner: Handler) -> Response:
    await _enter(request)
    response = await inner(request)
    response.background = _keep_in_mind(request)
    return response


def _keep_in_mind(request: Request) -> BackgroundTask | None:
    """Return what writes down, after the answer, that the token is in use; None if it is known."""
    client: Client = request.state.client
    runtime: Runtime = request.app.state.runtime
    now = runtime.clock.now()
    if client.used_at is not None and now - client.used_at < tokens.USED_EVERY:
        return None

    def write() -> None:
        with contextlib.suppress(DatabaseFault):
            runtime.in_transaction(tokens.touch, client.id, now)

    return BackgroundTask(write)


async def _enter(request: Request) -> None:
    runtime: Runtime = request.app.state.runtime
    rates: Rates = request.app.state.rates
    client = await _client(runtime, request)
    now = runtime.clock.elapsed()
    if client is None:
        address = request.client.host if request.client else ""
        _pace(rates.wait(f"stranger {address}", STRANGERS_PER_MINUTE, now))
        challenge = {"www-authenticate": 'Bearer realm="reminders"'}
        raise RefusedError(
            answer(401, "Send the token as 'Authorization: Bearer …'.", headers=challenge)
        )
    _pace(rates.wait(f"client {client.id}", runtime.config.web.api_per_minute, now))
    scope = Scope.READ if request.method in _READING else Scope.WRITE
    if scope not in client.scopes:
        challenge = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        detail = f"This token has no scope '{scope}'."
        raise RefusedError(answer(403, detail, headers=challenge))
    if client.clinic not in runtime.config.clinics:
        raise RefusedError(answer(403, "The token's clinic is no longer configured."))
    request.state.client = client
    _require_json(request)


async def _client(runtime: Runtime, request: Request) -> Client | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.casefold() != "bearer" or not token:
        return None
    now = runtime.clock.now()
    try:
        return await run_in_threadpool(accounts.find_client, runtime.database, token.strip(), now)
    except DatabaseFault:
        wait = {"retry-after": str(RETRY_SECONDS)}
        raise RefusedError(answer(503, "Try again in a few seconds.", headers=wait)) from None


def _pace(seconds: float) -> None:
    if seconds:
        wait = {"retry-after": str(int(seconds) + 1)}
        raise RefusedError(answer(429, "Send more slowly.", headers=wait))


def _require_json(request: Request) -> None:
    headers = request.headers
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if has_body and request.method not in _READING and kind != _JSON:
        raise RefusedError(answer(415, "Send the body as application/json."))
