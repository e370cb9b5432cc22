"""The OpenAPI document against the API itself: no failure, and every answer as documented."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from reminders.domain.access import Scope
from reminders.engine import accounts
from reminders.web.api import BASE, create_api
from tests.engine.clinic import Clinic, at
from tests.web.test_api import BOOKING, serve

OPERATIONS = [
    ("PUT", "/appointments/{ref}"),
    ("GET", "/appointments/{ref}"),
    ("POST", "/appointments/{ref}/cancel"),
    ("POST", "/appointments/{ref}/move"),
    ("GET", "/messages"),
    ("GET", "/worklist"),
    ("GET", "/status"),
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, str]]]:
    """Return the schema of a served clinic with a few bookings, and a program's headers."""
    folder: Path = tmp_path_factory.mktemp("schema")
    clinic = Clinic(
        folder,
        f"sqlite:///{folder / 'reminders.db'}",
        at("2026-11-30 12:00"),
        web__api_per_minute=10**9,
    )
    app = serve(clinic)
    secret = accounts.add_token(clinic.runtime, "internet", "schema", Scope, None)
    headers = {"Authorization": f"Bearer {secret}"}
    yield schemathesis.openapi.from_asgi(f"{BASE}/openapi.json", app), headers
    clinic.end()


def test_every_operation_is_tried(clinic: Clinic):
    """The document has exactly the operations that are tried here, each with its errors."""
    document = create_api(clinic.runtime).openapi()
    told = {
        (method.upper(), path): set(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(told) == set(OPERATIONS)
    assert all({"401", "403", "422", "429", "500", "503"} <= answers for answers in told.values())
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_requests_of_every_kind(served, method: str, path: str, mode: GenerationMode):
    """Right requests and wrong ones are answered as the document says, and none breaks anything."""
    try_out(served, method, path, mode, 15)


@pytest.mark.long
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_ten_thousand_requests(served, method: str, path: str, mode: GenerationMode):
    """More than ten thousand requests of every kind are answered as the document says."""
    cases = int(os.environ.get("API_CASES", "750"))
    assert try_out(served, method, path, mode, cases) >= cases


def try_out(served, method: str, path: str, mode: GenerationMode, cases: int) -> int:
    """Send so many requests of one kind, and check each answer; return how many were sent."""
    sent = 0
    schema, headers = served
    operation = schema[path][method]
    # A word in the address that is not known is passed over, so a wrong GET may be answered.
    wrong = mode is GenerationMode.NEGATIVE and method != "GET"
    checks = [*CHECKS, negative_data_rejection] if wrong else CHECKS

    @settings(
        max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: schemathesis.Case[Any]) -> None:
        nonlocal sent
        sent += 1
        if method == "PUT" and mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
            # Without a little help, no random booking would ever be one.
            case.body = {
                **case.body,
                "contacts": BOOKING["contacts"],
                "starts_at": "2026-12-02 10:00",
            }
        case.call_and_validate(headers=headers, checks=checks)

    attempt()
    return sent
