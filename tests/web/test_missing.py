"""Bookings that are missing in a file, cancelled as ticked; and who said yes to the file."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from reminders.web.app import create_app
from tests.engine.clinic import HEAD, Clinic, row
from tests.web.conftest import add_user, log_in

HERE = "/c/internet"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic with three bookings, and two people who may sign in."""
    made = open_clinic()
    made.read(*(row(ref, phone=f"070-174 06 0{n}") for n, ref in enumerate(("B1", "B2", "B3"), 5)))
    add_user(made, "anna")
    add_user(made, "berit")
    return made


def send(web: TestClient, page: str, path: str, **more: Any) -> Any:
    """Send a form of a page."""
    data = {**_hidden(web.get(page).text), **more.pop("data", {})}
    return web.post(path, data=data, **more)


def _hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf_token|fingerprint)" value="([^"]*)"', page))


ONE = row("B1") + row("B9", "2026-12-02 10:00", phone="070-174 06 19")
"""A file that has the first booking of a time alone."""


def upload(web: TestClient, lines: str = ONE, head: str = HEAD) -> str:
    """Upload a file of these lines; return its page."""
    text = head + lines
    file = {"file": ("ny.csv", text.encode(), "text/csv")}
    asked = {"full": "true"}
    answer = send(web, f"{HERE}/import", "/import/internet", data=asked, files=file)
    place = str(answer.headers["location"])
    for _ in range(600):
        if 'name="fingerprint"' in web.get(place).text:
            return place
        time.sleep(0.05)
    raise AssertionError("the file is not read")


def test_what_is_ticked_counts(clinic: Clinic) -> None:
    """A ticked booking is cancelled though nothing else was chosen; one that is not stays."""
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as web:
        log_in(web)
        place = upload(web)
        done = send(web, place, f"{place}/apply", data={"missing": "none", "cancel": ["B2"]})
        page = web.get(done.headers["location"]).text
        history = web.get(f"{HERE}/import").text
    stats = dict(re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", page))
    assert (stats["avbokade"], stats["saknas"]) == ("1", "2")
    assert "1 avbokade" in history
    states = [clinic.show(ref).visit.status for ref in ("B1", "B2", "B3")]
    assert states == ["booked", "cancelled", "booked"]


def test_the_import_is_of_who_said_yes(clinic: Clinic) -> None:
    """One reads a file in and another says yes: the import is the latter's."""
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as web:
        log_in(web, "anna")
        place = upload(web)
        web.cookies.clear()
        log_in(web, "berit")
        send(web, place, f"{place}/apply")
        page = web.get(f"{HERE}/import").text
    assert "berit" in page[page.index("ny.csv") :]


def test_what_cannot_be_read_is_said(clinic: Clinic) -> None:
    """The page names the lines that may be anybody's, and the visit whose refusal waits for a number."""
    head = HEAD.replace("status", "status;samtycke-sms")
    refuses = row("B1", phone="070x").replace("bokad", "bokad;nej")
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as web:
        log_in(web)
        lines = row("B1").replace("bokad", "bokad;ja") + refuses + row("", "x", phone="070y")
        place = upload(web, lines, head)
        assert "handlar om: 4." in web.get(place).text
        send(web, place, f"{place}/apply")
        visit = web.get(f"{HERE}/visit/B1").text
    assert "Ingen adress som gick att läsa." in visit
    assert "Inget samtycke: SMS" in visit
