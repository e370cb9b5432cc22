"""A form that cannot be done leads back to its page: the reason on top, what was typed kept."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from starlette.testclient import TestClient

from tests.engine.clinic import Clinic, at, row
from tests.web.browsing import PHONE, chromium, sign_in, window
from tests.web.conftest import log_in
from tests.web.desk import Desk, new_desk, served

HERE = "/c/internet"
ODD = "B/1 ?#å"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """Return a clinic with two visits, one of an odd reference, and a folder of its own texts."""
    (tmp_path / "texts" / "sv").mkdir(parents=True)
    made = open_clinic(templates_folder=str(tmp_path / "texts"))
    made.read(row("B1"), row(ODD, phone="070-174 06 06"), confirmations=True)
    made.plan()
    return made


def send(web: TestClient, page: str, action: str, **data: Any) -> Any:
    """Send the form of a page that leads to `action`, with its hidden fields."""
    text = web.get(page).text
    form = next(part for part in text.split("<form")[1:] if f'action="{action}"' in part)
    hidden = dict(
        re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.split("</form")[0])
    )
    return web.post(action, data={**hidden, **data})


@pytest.mark.parametrize("ref", ["B1", "B%2F1%20%3F%23%C3%A5"])
def test_a_wrong_number_can_be_corrected_where_it_stands(web: TestClient, ref: str) -> None:
    """The visit is shown again with the number in its field; sent again from there, it is taken."""
    page, action = f"{HERE}/visit/{ref}", f"{HERE}/act/contact/{ref.replace('%2F', '/')}"
    answer = send(web, page, action, phone="070-174 06 0", email="")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'value="070-174 06 0"' in answer.text
    assert f'name="from" value="{page.replace("%2F", "/")}"' in answer.text
    assert answer.text.count('value="070-174 06 0"') == 1
    answer = send(web, page, action, phone="070-174 06 09", email="")
    assert answer.headers["location"].endswith("note=contact")


def test_what_is_typed_stands_in_no_address(web: TestClient) -> None:
    """Neither the answer's headers nor a link of the page has what was typed."""
    answer = send(web, f"{HERE}/visit/B1", f"{HERE}/act/contact/B1", phone="12 mamma", email="")
    assert "mamma" not in str(answer.headers)
    assert not re.search(r'(?:href|action|src)="[^"]*mamma', answer.text)


def test_a_page_that_cannot_be_asked_so_is_shown_without(web: TestClient) -> None:
    """An address with a day that is none shows the page, the reason, and the day that was typed."""
    answer = web.get(f"{HERE}/several?day=2026-12-02&until=2027-12-02")
    assert answer.status_code == 400
    assert "Välj högst 31 dagar" in answer.text
    assert 'value="2027-12-02"' in answer.text
    assert web.get(f"{HERE}/visits?day=igår").status_code == 400


def test_a_text_edited_meanwhile_is_not_approved(clinic: Clinic, web: TestClient) -> None:
    """Approving what has been edited since it was shown is a conflict, and shows it as it is now."""
    file = clinic.folder / "texts" / "sv" / "help.sms.txt"
    file.write_text("Ring {{ clinic.phone }}.\n", "utf-8")
    page = web.get(f"{HERE}/texts/waiting").text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    file.write_text("Ring oss: {{ clinic.phone }}.\n", "utf-8")
    answer = web.post(f"{HERE}/texts/approve", data=hidden)
    assert answer.status_code == 409
    assert "Texten har ändrats igen" in answer.text
    assert "Ring oss" in answer.text


def test_a_form_from_nowhere_still_gets_an_answer(web: TestClient) -> None:
    """A form that names no page of ours, or one that is none, is answered with the reason."""
    token = re.search(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/today").text)
    assert token
    for back in ("", "https://example.org/", "/static/app.css", "/c/internet/nowhere"):
        data = {"csrf_token": token[1], "from": back, "day": "x", "time": "y"}
        answer = web.post(f"{HERE}/act/move/B1", data=data)
        assert answer.status_code in {400, 404}, back
        assert "<h1>" in answer.text


def test_a_form_from_before_a_second_login_is_shown_again(clinic: Clinic, web: TestClient) -> None:
    """Signed in anew in another tab: nothing is done; page, reason and what was typed come again."""
    page, action = f"{HERE}/visit/B1", f"{HERE}/act/move/B1"
    old = dict(
        re.findall(r'type="hidden" name="(csrf_token|from)" value="([^"]*)"', web.get(page).text)
    )
    log_in(web)
    moved = {"day": "2026-12-08", "time": "10:05"}
    answer = web.post(action, data={**old, **moved})
    assert answer.status_code == 403
    assert "sidan var från innan du loggade in" in answer.text
    assert "administratör" not in answer.text.split("<main")[1].split("<form")[0]
    assert all(f'value="{typed}"' in answer.text for typed in moved.values())
    assert clinic.show("B1").visit.starts_at == at("2026-12-02 10:00")
    [fresh] = set(re.findall(r'name="csrf_token" value="(\w+)"', answer.text))
    assert fresh != old["csrf_token"]
    again = web.post(action, data={**old, "csrf_token": fresh, **moved})
    assert again.headers["location"].startswith(f"{page}?note=moved")


def test_a_form_of_nobody_leads_to_the_login(clinic: Clinic, web: TestClient) -> None:
    """Signed out in another tab: a form changes nothing, and its page says to sign in."""
    hidden = dict(
        re.findall(
            r'type="hidden" name="(csrf_token|from)" value="([^"]*)"',
            web.get(f"{HERE}/visit/B1").text,
        )
    )
    web.cookies.clear()
    answer = web.post(f"{HERE}/act/cancel/B1", data=hidden)
    assert answer.status_code == 401
    assert "Inget ändrades: logga in" in answer.text
    assert clinic.show("B1").visit.status == "booked"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with a visit."""
    made = new_desk(tmp_path, at("2026-11-30 12:00"))
    made.person()
    made.read(row("B1"), confirmations=True)
    made.plan()
    with served(made):
        yield made
    made.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's browser, started once."""
    with chromium() as started:
        yield started


def test_an_ordinary_mistake_is_no_dead_end(desk: Desk, browser: Browser) -> None:
    """Somebody mistypes a number, twice, corrects it in the field where it stands, and goes on."""
    with window(browser, viewport=PHONE, complaints=2) as page:
        sign_in(page, desk.url)
        page.goto(f"{desk.url}c/internet/visit/B1")
        page.locator("summary", has_text="Rätta eller stoppa").click()
        number = page.get_by_label("Mobilnummer").first
        for typed in ("070-174 06", "08-123 456 78"):
            number.fill(typed)
            page.get_by_role("button", name="Spara", exact=True).first.click()
            expect(page.get_by_role("alert")).to_be_visible()
            expect(number).to_have_value(typed)
            expect(number).to_be_visible()
        number.fill("070-174 06 99")
        page.get_by_role("button", name="Spara", exact=True).first.click()
        expect(page.locator(".note")).to_contain_text("rättad")
