"""What the pages say of a visit that was just imported or moved, and of a file with a long name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, expect
from starlette.testclient import TestClient

from reminders.domain.reasons import Reason, sentence
from reminders.engine import desk as acts
from reminders.store import clinics
from reminders.web.app import create_app
from tests.engine.clinic import HEAD, Clinic, at, row
from tests.web.browsing import PHONE, chromium, sign_in, window
from tests.web.conftest import add_user, log_in
from tests.web.desk import Desk, new_desk, served

HERE = "/c/internet"
NAME = "bokningar_internetmottagningen_2026-11-30_kl_12.50_export_slutlig_version.csv"


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which anna is signed in."""
    add_user(clinic)
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as client:
        log_in(client)
        yield client


def test_a_visit_that_was_just_imported_is_being_planned(clinic: Clinic, web: TestClient) -> None:
    """Until it is planned nobody is asked to phone: the page says that it is being done."""
    clinic.read(row("B1"))
    page = web.get(f"{HERE}/visit/B1").text
    assert "Meddelandena håller på att planeras" in page
    assert sentence(Reason.NO_ADDRESS, "sv") not in page
    clinic.plan()
    assert "håller på att planeras" not in web.get(f"{HERE}/visit/B1").text


def test_a_confirmation_that_arrived_counts_after_a_move(clinic: Clinic, web: TestClient) -> None:
    """The list of visits does not say 'no messages' of a visit whose confirmation arrived."""
    clinic.read(row("B1", "2026-12-01 10:00"), confirmations=True)
    clinic.until("2026-11-30 12:30")
    now = clinic.clock.now()
    with clinic.runtime.database.transaction() as conn:
        here = clinics.find_clinic_id(conn, "internet") or 0
        clinics.add_opt_out(conn, here, "+46701740605", "test", now)
    move = (clinic.runtime, "internet", "B1", at("2026-11-30 13:00"), now)
    clinic.runtime.in_transaction(acts.move, *move)
    clinic.plan()
    page = web.get(f"{HERE}/visits").text
    assert "B1" in page
    assert "Inga meddelanden" not in page


def test_what_was_planned_before_a_correction_names_no_new_number(
    clinic: Clinic, web: TestClient
) -> None:
    """The ledger says of what was planned anew that it was planned, not for which number or when."""
    clinic.read(row("B1"))
    clinic.plan()
    assert planned(web) == ["Vårdnadshavare …605 · SMS: planerat till"] * 2
    clinic.read(row("B1", phone="070-174 06 06"))
    clinic.plan()
    assert planned(web) == [
        *["Vårdnadshavare …606 · SMS: planerat till"] * 2,
        *["Vårdnadshavare · SMS: planerat"] * 2,
    ]


def test_whoever_has_no_number_any_more_is_named_by_role(clinic: Clinic, web: TestClient) -> None:
    """A text taken back, as the number is gone, names the role alone."""
    clinic.read(row("B1"))
    clinic.plan()
    clinic.read(row("B1", phone="", email="a@example.org"))
    clinic.plan()
    page = web.get(f"{HERE}/visit/B1").text
    assert "Vårdnadshavare · SMS: återtaget" in page
    assert "Project-Id-Version" not in page


def planned(web: TestClient) -> list[str]:
    """Return what the ledger of B1 says of what was planned, the newest first."""
    page = " ".join(web.get(f"{HERE}/visit/B1").text.split())
    return re.findall(r"(Vårdnadshavare[^<,:]* · SMS: planerat(?: till)?)", page)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return one of two clinics, whose pages are served."""
    made = new_desk(tmp_path, at("2026-11-30 12:00"), clinics__other={"phone": "08-465 004 00"})
    made.person()
    with served(made):
        yield made
    made.end()


def test_a_long_file_name_fits_a_phone(desk: Desk) -> None:
    """No page with the name of a file is wider than the phone; a clinic's name stays on a line."""
    lines = HEAD + row("N1", phone="12") + row("N2", phone="070-174 06 32")
    file: FilePayload = {"name": NAME, "mimeType": "text/csv", "buffer": lines.encode()}
    with chromium() as started, window(started, viewport=PHONE) as page:
        sign_in(page, desk.url)
        page.goto(f"{desk.url}c/internet/import")
        page.set_input_files("#file", files=[file])

        def fits() -> None:
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], page.url

        fits()
        page.get_by_role("button", name="Läs filen").click()
        expect(page.locator("#decide")).to_be_visible()
        fits()
        page.get_by_role("button", name="Ja, läs in").click()
        page.wait_for_url("**/import/*note=imported")
        fits()
        for path in ("import", "today", "settings"):
            page.goto(f"{desk.url}c/internet/{path}")
            fits()
        height = page.locator(".clinics summary").bounding_box()
        assert height is not None
        assert height["height"] < 45
