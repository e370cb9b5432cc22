"""Rows that were held back when their file was applied: found, counted, and put right."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from reminders.engine import proposal
from reminders.engine.runtime import Runtime
from reminders.store import clearing, schema_intake
from reminders.web.app import create_app
from tests.engine.clinic import HEAD, Clinic, row
from tests.web.conftest import add_user, log_in

HERE = "/c/internet"
BAD = row("B7", phone="070-174 06 99 (mamma)", role="patient")


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic with a booking, and somebody who may sign in."""
    made = open_clinic()
    made.read(row("B1"))
    made.plan()
    add_user(made)
    return made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which anna is signed in."""
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as client:
        log_in(client)
        yield client


def links(page: str, words: str) -> list[str]:
    """Return where the links with these words lead."""
    return re.findall(rf'href="([^"]+)">{words}', page)


def put_right(web: TestClient, place: str, phone: str = "070-174 06 88"):
    """Fill in the first form of a page that puts a row right."""
    form = re.findall(r'action="([^"]+/solve)".*?</form>', web.get(place).text, re.DOTALL)
    whole = re.findall(r'<form[^>]+/solve".*?</form>', web.get(place).text, re.DOTALL)[0]
    hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', whole))
    who = re.findall(r'value="(\w+)" selected', whole)[0]
    return web.post(form[0], data={**hidden, "phone": phone, "role": who})


def staged(clinic: Clinic) -> int:
    """Return how many visits are staged."""
    with clinic.runtime.database.reading() as conn:
        query = select(func.count()).select_from(schema_intake.staged_visit)
        return int(conn.execute(query).scalar_one())


def sweep(clinic: Clinic) -> None:
    """Clear what nobody needs any more, as housekeeping does."""
    runtime: Runtime = clinic.runtime
    for run_id in runtime.in_transaction(clearing.spent):
        while runtime.in_transaction(clearing.clear_some, run_id):
            pass


def test_a_row_held_back_is_put_right_after_the_yes(clinic: Clinic, web: TestClient) -> None:
    """From Today a link leads to the row and its form; then the booking is there, and is told."""
    clinic.read(BAD, row("B1"))
    sweep(clinic)
    [place] = links(web.get(f"{HERE}/today").text, "Till raden")
    answer = put_right(web, place.partition("#")[0])
    assert answer.headers["location"].endswith("note=solved")
    assert "Till raden" not in web.get(f"{HERE}/today").text
    clinic.until("2026-11-30 12:10")
    shown = clinic.show("B7")
    assert [(one.role.value, one.phone) for one in shown.patient.people] == [
        ("patient", "+46701740688")
    ]
    assert {text.to for text in clinic.texts()} == {"•••• 688"}
    assert clinic.read(BAD, row("B1")).problems == []
    sweep(clinic)
    assert staged(clinic) == 0


def test_a_known_booking_is_put_right_at_its_visit(clinic: Clinic, web: TestClient) -> None:
    """Where the booking is known, Today leads to its page, where the contact is corrected."""
    clinic.read(row("B1", phone="070-174 06 99 (mamma)"))
    [place] = links(web.get(f"{HERE}/today").text, "Rätta")
    assert place == f"{HERE}/visit/B1"
    assert "/act/contact/B1" in web.get(place).text
    sweep(clinic)
    assert staged(clinic) == 0


def test_a_row_of_a_visit_that_has_begun_has_no_form(clinic: Clinic, web: TestClient) -> None:
    """Nothing can be put right of a visit that has been, and a form by hand is refused."""
    done = clinic.read(BAD, row("B1"))
    clinic.clock.set(clinic.clock.now() + timedelta(days=3))
    log_in(web)
    assert "/solve" not in web.get(f"{HERE}/import/{done.run_id}").text


def test_what_a_newer_file_says_stands(clinic: Clinic, web: TestClient) -> None:
    """A row of an older file is not put right any more once a newer one has the booking."""
    done = clinic.read(BAD, row("B1"))
    place = f"{HERE}/import/{done.run_id}"
    whole = web.get(place).text
    clinic.read(row("B7", phone="070-174 06 77", role="patient"), row("B1"))
    hidden = dict(re.findall(r'name="(csrf_token|problem)" value="(\w+)"', whole))
    answer = web.post(f"{place}/solve", data={**hidden, "phone": "070-174 06 88"})
    assert answer.status_code == 404
    (person,) = clinic.show("B7").patient.people
    assert person.phone == "+46701740677"
    assert "/solve" not in web.get(place).text
    sweep(clinic)
    assert staged(clinic) == 0


def test_all_problem_rows_are_counted_and_can_be_reached(
    clinic: Clinic, web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Today says how many there are, and a file's page leads on to those it has no room for."""
    monkeypatch.setattr(proposal, "MOST_PROBLEMS", 10)
    bad = [
        row(f"P{n}", f"2026-12-11 {8 + n // 60:02}:{n % 60:02}", phone="070-17") for n in range(23)
    ]
    file = {"file": ("många.csv", (HEAD + "".join(bad)).encode(), "text/csv")}
    token = re.findall(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/import").text)[0]
    answer = web.post("/import/internet", data={"csrf_token": token}, files=file)
    place = answer.headers["location"]
    while 'name="fingerprint"' not in (page := web.get(place).text):
        time.sleep(0.05)
    assert _seen(web, place) == [f"P{n}" for n in range(23)]
    mark = re.findall(r'name="fingerprint" value="(\w+)"', page)[0]
    web.post(f"{place}/apply", data={"csrf_token": token, "fingerprint": mark})
    today = web.get(f"{HERE}/today").text
    assert "Rader i filer att rätta · 23" in today
    [whole] = links(today, r"många.csv \(23\)")
    assert _seen(web, whole.partition("#")[0]) == [f"P{n}" for n in range(23)]
    for link in links(today, "Till raden"):
        path, _, row_id = link.partition("#")
        assert f'id="{row_id}"' in web.get(path).text


def _seen(web: TestClient, place: str) -> list[str]:
    """Return the bookings of the problem rows, page by page."""
    found: list[str] = []
    while place:
        page = web.get(place).text
        rows = page[page.index('id="problems"') :]
        found += re.findall(r'class="ref">(P\d+)<', rows)
        place = (re.findall(r'href="([^"]+)#problems">Fler rader', rows) or [""])[0]
    return found
