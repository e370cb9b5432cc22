"""A page that renews itself is no sign of a person: the session ends, and the page says so."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, update
from starlette.testclient import TestClient

from reminders.engine import accounts
from reminders.store.schema_web import session
from reminders.web.app import create_app
from tests.engine.clinic import Clinic, at
from tests.web.browsing import chromium, sign_in, window
from tests.web.conftest import add_user, browser, log_in
from tests.web.desk import Desk, new_desk, served

TODAY = "/c/internet/today"
PART = {"x-part": "now"}


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which anna is signed in."""
    add_user(clinic)
    with browser(create_app(clinic.runtime)) as client:
        log_in(client)
        yield client


@pytest.mark.parametrize("renewed", ["by a script", "by the browser"])
def test_a_page_that_renews_itself_keeps_no_session(
    clinic: Clinic, web: TestClient, renewed: str
) -> None:
    """Two hours after the last click the session ends, however often the page asked meanwhile."""
    statuses = []
    for _ in range(13):
        clinic.clock.set(clinic.clock.now() + timedelta(minutes=10))
        by_script = renewed == "by a script"
        answer = web.get(TODAY, headers=PART) if by_script else web.get(f"{TODAY}?renews=1")
        statuses.append(answer.status_code)
    assert statuses == [200] * 11 + [303, 303]
    assert answer.headers["location"] == f"/login?next={TODAY}&ended=idle"
    told = web.get(answer.headers["location"]).text
    assert "Du är utloggad, eftersom sidorna inte har använts" in told
    assert f'name="next" value="{TODAY}"' in told


def test_a_click_keeps_the_session(clinic: Clinic, web: TestClient) -> None:
    """Who uses the pages now and then stays signed in, though they renew themselves between."""
    for _ in range(6):
        clinic.clock.set(clinic.clock.now() + timedelta(minutes=60))
        assert web.get(TODAY, headers=PART).status_code == 200
        clinic.clock.set(clinic.clock.now() + timedelta(minutes=55))
        assert web.get(TODAY).status_code == 200


def test_a_form_after_the_end_is_answered_in_words(clinic: Clinic, web: TestClient) -> None:
    """A form of a session that has ended changes nothing; a page says so and leads to the login."""
    page = web.get(TODAY).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    clinic.clock.set(clinic.clock.now() + timedelta(hours=3))
    answer = web.post("/c/internet/hold", data={"csrf_token": token})
    assert answer.status_code == 401
    assert "eftersom sidorna inte har använts" in answer.text
    assert "Inget ändrades: logga in" in answer.text
    assert "Logga in</a>" in answer.text
    assert web.get("/login").text.count("Du är utloggad") == 0


def _everywhere(clinic: Clinic) -> None:
    with clinic.runtime.database.transaction() as conn:
        conn.execute(delete(session))


def _disabled(clinic: Clinic) -> None:
    accounts.set_disabled(clinic.runtime, "anna", disabled=True)


def _at_its_length(clinic: Clinic) -> None:
    with clinic.runtime.database.transaction() as conn:
        conn.execute(update(session).values(expires_at=clinic.clock.now()))


@pytest.mark.parametrize("cause", [_everywhere, _disabled, _at_its_length])
def test_a_session_that_ended_otherwise_is_not_said_to_be_idle(
    clinic: Clinic, web: TestClient, cause: Callable[[Clinic], None]
) -> None:
    """Logged out elsewhere, disabled, or long enough: the session has ended, and no cause is made up."""
    page = web.get(TODAY).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    cause(clinic)
    asked = web.get(TODAY)
    assert asked.headers["location"] == f"/login?next={TODAY}&ended=other"
    told = web.get(asked.headers["location"]).text
    sent = web.post("/c/internet/hold", data={"csrf_token": token})
    assert sent.status_code == 401
    for text in (told, sent.text):
        assert "Din session har avslutats" in text
        assert "inte har använts" not in text


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a clinic whose pages are served."""
    made = new_desk(tmp_path, at("2026-11-30 12:00"))
    made.person()
    made.example()
    with served(made):
        yield made
    made.end()


def test_today_left_open_says_that_the_session_has_ended(desk: Desk) -> None:
    """In a real browser the page becomes the login page, says why, and leads back."""
    with chromium() as started, window(started) as page:
        page.clock.install()
        sign_in(page, desk.url)
        page.locator("#now a").first.focus()
        desk.clock.set(desk.clock.now() + timedelta(hours=3))
        page.clock.fast_forward(21_000)
        expect(page.get_by_role("alert")).to_contain_text("Du är utloggad")
        assert page.locator("#now").count() == 0
        page.fill("#login", "anna")
        page.fill("#password", "tre ord i rad")
        page.press("#password", "Enter")
        page.wait_for_url("**/today")
        expect(page.locator("h1")).to_have_text("I dag")
