"""Whatever stands in a field of a form, or in an address, is answered with a page that says so."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from reminders.web.app import PAGES, create_app
from tests.engine.clinic import HEAD, Clinic, at, row
from tests.web.conftest import log_in
from tests.web.desk import new_desk

WRONG = ("boss", "", "-1", "9" * 30, "x" * 600, "\x00", "9999-12-31", "25:61")
GOOD = {"phone": "070-174 06 34", "initials": "AB", "role": "patient", "text": "B1009"}
"""What stands in the other fields, so that the wrong one is looked at."""
OPEN = (
    "today", "more", "import", "visits", "visit/B1009", "visit/B1019", "calls", "texts",
    "texts/waiting", "settings", "several?day=2026-12-03", "what-if",
)  # fmt: skip


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a browser in which an admin of a clinic in the midst of its day is signed in."""
    folder = tmp_path_factory.mktemp("wrong")
    desk = new_desk(folder, at("2026-11-30 12:00"))
    desk.person()
    desk.example()
    desk.until("2026-12-01 09:20")
    _held_back(desk)
    app = create_app(desk.runtime)
    with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
        log_in(client)
        yield client
    desk.end()


def _held_back(clinic: Clinic) -> None:
    clinic.read(row("H1", "2026-12-12 10:00", phone="070-174 06 99 (mamma)"))


def _forms(page: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where each form of a page is sent, and its fields as they stand."""
    for action, inner in re.findall(
        r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', page, re.DOTALL
    ):
        names = re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]+)"', inner)
        values = dict(re.findall(r'name="([^"]+)"(?: [^>]*?)? value="([^"]*)"', inner))
        filled = {name: unescape(values.get(name) or GOOD.get(name, "")) for name in names}
        yield unescape(action), filled


def _faults(answer: Any, what: str) -> list[str]:
    words = "internal server error" in answer.text.lower() or not answer.text.strip()
    bad = answer.status_code >= 500 or (answer.status_code >= 400 and words)
    return [f"{answer.status_code} {what}"] if bad else []


@pytest.mark.parametrize("wrong", [WRONG[:1], pytest.param(WRONG[1:], marks=pytest.mark.long)])
def test_no_wrong_field_of_a_form_is_an_error_of_ours(
    web: TestClient, wrong: tuple[str, ...]
) -> None:
    """Each field of each form is given values that it cannot have: none leads to a 500."""
    where = f"{web.base_url}"
    file = {"file": ("ny.csv", (HEAD + row("W1", phone="12")).encode(), "text/csv")}
    token = re.findall(r'name="csrf_token" value="(\w+)"', web.get("/c/internet/import").text)[0]
    place = web.post("/import/internet", data={"csrf_token": token}, files=file).headers["location"]
    while "data-until" in web.get(place).text:
        pass
    pages = [f"/c/internet/{path}" for path in OPEN] + [place, "/c/internet/import/2"]
    found: list[str] = []
    tried: set[tuple[str, str]] = set()
    for page in pages:
        for action, fields in _forms(web.get(page).text):
            kind = re.sub(r"B\d+|\d+", "N", action)
            if action in {"/logout", "/logout-everywhere"} or kind.endswith(("/throw", "/hold")):
                continue
            for name in fields:
                if name == "csrf_token" or (kind, name) in tried:
                    continue
                tried.add((kind, name))
                for value in wrong:
                    answer = web.post(action, data={**fields, "csrf_token": token, name: value})
                    found += _faults(answer, f"{where}{action} {name}={value[:20]!r}")
    assert found == []
    assert {"role", "phone", "contact", "rule", "day", "initials"} <= {name for _, name in tried}


def test_no_wrong_address_is_an_error_of_ours(web: TestClient) -> None:
    """Each part of the query of each page is given values that it cannot have: none is a 500."""
    found: list[str] = []
    asked = 0
    for route in (one for router in PAGES for one in router.routes):
        if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()):
            continue
        names = {one.name for one in route.dependant.query_params}
        path = route.path.replace("{clinic}", "internet").replace("{ref}", "B1009")
        path = re.sub(r"\{\w+(:\w+)?\}", "1", path)
        for name in names:
            for wrong in WRONG:
                asked += 1
                found += _faults(web.get(path, params={name: wrong}), f"{path} {name}={wrong!r}")
    assert found == []
    assert asked > 50
