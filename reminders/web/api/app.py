"""The JSON API as an application of its own, and its OpenAPI document."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp

from reminders.engine.following import Follower
from reminders.engine.runtime import Runtime
from reminders.web.api.gate import Rates
from reminders.web.api.routes import router
from reminders.web.problems import MEDIA, TITLES, Problem, answer

BASE = "/api/v1"
DESCRIPTION = """Bookings in, messages out, for the programs of one clinic.

Each request carries a token: `Authorization: Bearer …`, made with `reminders users token add`.
A token belongs to one clinic. Errors are problem+json (RFC 9457); `errors` points at the fields.
"""
WRONG_METHOD = 405
_ALWAYS = (401, 403, 422, 429, 500, 503)
_NAMED = (404,)
_CHANGING = (409, 413, 415)
_REF = {"$ref": "#/components/schemas/Problem"}


class Api(FastAPI):
    """The application, whose document tells of every error answer."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = _document(self)
        return self.openapi_schema


def create_api(runtime: Runtime, wake: Callable[[], None] | None = None) -> Api:
    """Return the API. `wake` tells a sender in this process to look."""
    api = Api(
        title="reminders",
        version="1",
        description=DESCRIPTION,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": BASE}],
        root_path_in_servers=False,
        redirect_slashes=False,
    )
    api.state.runtime = runtime
    api.state.follower = Follower(runtime)
    api.state.rates = Rates()
    api.state.wake = wake or (lambda: None)
    api.include_router(router)
    api.add_exception_handler(HTTPException, _refused)
    return api


class Below(Mount):
    """A mount that keeps all that is below its path, a line break in it too."""

    def __init__(self, path: str, app: ASGIApp) -> None:
        """Take where it is, and what answers there."""
        super().__init__(path, app)
        self.path_regex = re.compile(f"^{re.escape(path)}/(?P<path>.*)$", re.DOTALL)


def attach(app: FastAPI, runtime: Runtime, wake: Callable[[], None] | None = None) -> None:
    """Put the API below its path of an application."""
    app.router.routes.append(Below(BASE, create_api(runtime, wake)))


async def _refused(request: Request, error: Exception) -> Response:
    """Answer what no route has taken: an unknown path, or a method that it does not have."""
    if not isinstance(error, HTTPException):
        return answer(500, "The log says where it failed.")
    if error.status_code == WRONG_METHOD:
        allowed = {"allow": ", ".join(sorted(_methods(request)))}
        return answer(error.status_code, "This path has other methods: see `Allow`.", (), allowed)
    return answer(error.status_code, str(error.detail), headers=error.headers)


def _methods(request: Request) -> set[str]:
    """Return every method that the path has; the framework tells of one route's alone."""
    found: set[str] = set()
    for route in (*router.routes, *request.app.routes):
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


def _document(api: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=api.title,
        version=api.version,
        description=api.description,
        routes=api.routes,
        servers=api.servers,
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _add_errors(path, method, operation)
    return document


def _add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    named = _NAMED if "{" in path and method != "put" else ()
    changing = _CHANGING if method != "get" else ()
    for status in (*_ALWAYS, *named, *changing):
        operation["responses"][str(status)] = {
            "description": TITLES[status],
            "content": {MEDIA: {"schema": _REF}},
        }
