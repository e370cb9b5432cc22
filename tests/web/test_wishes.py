"""What a contact wishes and agrees to is recorded on the visit's page."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from starlette.testclient import TestClient

from reminders.domain.contact import Channel, Wishes
from reminders.engine import people
from reminders.store.people import Person
from tests.engine.clinic import Clinic, at, row
from tests.web.browsing import PHONE, chromium, sign_in, window
from tests.web.desk import Desk, new_desk, served

HERE = "/c/internet"
OF_A_TEENAGER = row("B1", born="2011-05-01", email="kim@example.org")


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic with a teenager's visit, of whom one guardian is known."""
    made = open_clinic()
    made.read(OF_A_TEENAGER, confirmations=True)
    made.plan()
    return made


def guardian(clinic: Clinic) -> Person:
    """Return the one contact of the visit."""
    with clinic.runtime.database.reading() as conn:
        (person,) = people.people(conn, "internet", "B1").people
    return person


def post(web: TestClient, clinic: Clinic, **data: Any) -> Any:
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/visit/B1").text)
    assert found
    form = {"csrf_token": found[1], "contact": str(guardian(clinic).id), **data}
    return web.post(f"{HERE}/act/wishes/B1", data=form)


def test_what_nobody_touched_is_not_recorded(clinic: Clinic, web: TestClient) -> None:
    """A form sent as it stood records nothing: a file's consent does not become the staff's."""
    before = guardian(clinic)
    answer = post(web, clinic)
    assert answer.headers["location"] == f"{HERE}/visit/B1?note=unchanged"
    post(web, clinic, prefers="email")
    after = guardian(clinic)
    assert (after.words, after.wishes.prefers) == (before.words, Channel.EMAIL)


def test_a_no_to_a_channel_is_heeded(clinic: Clinic, web: TestClient) -> None:
    """A consent taken back on the page stays, and nothing more goes that way."""
    post(web, clinic, from_13="yes", sms="refused", language="en")
    person = guardian(clinic)
    assert (person.words[Channel.SMS].status, person.words[Channel.SMS].source) == (
        "refused",
        "staff",
    )
    assert person.language == "en"
    planned = {key[1] for key in clinic.states("B1") if key[2] == "planned"}
    assert planned == {"email"}
    post(web, clinic, language="none")
    assert guardian(clinic).language is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"begins": "08:00"},
        {"begins": "08:00", "ends": "08:00"},
        {"begins": "x", "ends": "y"},
        {"prefers": "pigeon"},
        {"sms": "perhaps"},
        {"language": "xx"},
        {"from_13": "maybe"},
    ],
)
def test_what_cannot_be_meant_is_refused(
    clinic: Clinic, web: TestClient, wrong: dict[str, str]
) -> None:
    """An answer that no list has, or half a span of hours, changes nothing."""
    before = guardian(clinic)
    assert post(web, clinic, **wrong).status_code == 400
    assert guardian(clinic) == before


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's browser, started once."""
    with chromium() as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with the teenager's visit."""
    made = new_desk(tmp_path, at("2026-11-30 12:00"))
    made.person()
    made.read(OF_A_TEENAGER, confirmations=True)
    made.plan()
    with served(made):
        yield made
    made.end()


def test_a_guardians_choice_is_recorded_on_the_page(desk: Desk, browser: Browser) -> None:
    """The page says where the choice is recorded; once it is, the guardian is told."""
    with window(browser, viewport=PHONE) as page:
        sign_in(page, desk.url)
        page.goto(f"{desk.url}c/internet/visit/B1")
        expect(page.locator("main")).to_contain_text("hos vårdnadshavaren under ”Rätta eller")
        expect(page.locator("main")).not_to_contain_text("reminders contact")
        page.locator("summary", has_text="Rätta eller stoppa").click()
        page.get_by_label("När patienten är 13 år eller äldre").select_option("Ska kontaktas")
        page.get_by_label("Från").fill("08:00")
        page.get_by_label("Till", exact=True).fill("15:00")
        page.get_by_role("button", name="Spara önskemålen").click()
        page.wait_for_url("**note=recorded")
        expect(page.locator("main")).to_contain_text("Vill inte ha SMS 08:00-15:00")
        expect(page.locator(".bubble").first).to_be_visible()
        page.locator("summary", has_text="Rätta eller stoppa").click()
        page.get_by_label("Från").fill("")
        page.get_by_label("Till", exact=True).fill("")
        page.get_by_role("button", name="Spara önskemålen").click()
        page.wait_for_url("**note=recorded")
        expect(page.locator("main")).not_to_contain_text("Vill inte ha SMS")
    assert guardian(desk).wishes == Wishes(from_13=True)
