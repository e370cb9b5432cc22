"""What a file would change, and what an import has changed, visit by visit."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from reminders.engine.watch import ACTOR
from tests.engine.clinic import HEAD, Clinic, at, row
from tests.web.browsing import PHONE, chromium, sign_in, window
from tests.web.desk import Desk, new_desk, served

HERE = "/c/internet"
BEFORE = [row(f"B{n}", phone=f"070-174 06 1{n}") for n in range(1, 6)]
AFTER = [
    row("B1", "2026-12-03 11:00", phone="070-174 06 11"),
    row("B2", phone="070-174 06 12", status="avbokad"),
    row("B3", phone="070-174 06 99"),
    row("B4", phone="070-174 06 14"),
    row("B6", "2026-12-04 09:00", phone="070-174 06 16"),
    row("B7", kind="Telefon", phone="070-174 06 17"),
    row("B8", phone="", email=""),
]


def listed(page: str) -> dict[str, list[str]]:
    """Return what stands in each fold: its name, and the visits with their times."""
    folds = re.findall(r'<details class="fold"><summary>(.*?)</details>', page, re.DOTALL)
    return {
        fold.split(" <span")[0]: [
            " ".join(re.sub(r"<[^>]+>", " ", line).split())
            for line in re.findall(r"<li[^>]*>(.*?)</li>", fold, re.DOTALL)
        ]
        for fold in folds
    }


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic that has imported two files."""
    made = open_clinic()
    made.read(*BEFORE, exported_at=at("2026-11-30 10:00"))
    made.plan()
    return made


def test_an_import_keeps_what_it_changed(clinic: Clinic, web: TestClient) -> None:
    """Its page tells each visit that was moved, with both times, cancelled, new or left alone."""
    clinic.read(*AFTER, full=True, cancel_missing=True)
    page = web.get(f"{HERE}/import/2").text
    assert listed(page) == {
        "Flyttade": ["B1 ons 2 dec. 10:00 → tors 3 dec. 11:00"],
        "Avbokat": ["B2 ons 2 dec. 10:00", "B5 ons 2 dec. 10:00"],
        "Nya": ["B6 fre 4 dec. 09:00"],
        "Med andra ändringar": ["B3 ons 2 dec. 10:00"],
        "Hålls tillbaka: ingen kan få veta": ["B8 ons 2 dec. 10:00"],
        "Läses inte: inga videobesök": ["B7 ons 2 dec. 10:00"],
    }
    assert f'href="{HERE}/visit/B8"' not in page
    assert listed(web.get(f"{HERE}/import/1").text)["Nya"][0] == "B1 ons 2 dec. 10:00"


def test_what_staff_changed_is_listed_as_kept(clinic: Clinic, web: TestClient) -> None:
    """A visit that somebody has moved since the export is told to stay as it is."""
    token = re.search(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/more").text)
    assert token
    data = {"csrf_token": token[1], "day": "2026-12-08", "time": "10:00"}
    assert web.post(f"{HERE}/act/move/B4", data=data).status_code == 303
    clinic.read(*AFTER, exported_at=at("2026-11-30 11:00"))
    kept = listed(web.get(f"{HERE}/import/2").text)["Ändrade här efter exporten"]
    assert [line.split()[0] for line in kept] == ["B4"]


def test_a_row_put_right_is_no_problem_of_the_next_import(clinic: Clinic, web: TestClient) -> None:
    """Corrected at the visit, the same row is neither on Today nor open on the next import's page."""
    wrong = row("B1", phone="070-174 06 11 (mamma)")
    clinic.read(wrong)
    assert (
        "B1" in web.get(f"{HERE}/today").text.split("Rader i filer att rätta")[1].split("</ul>")[0]
    )
    page = web.get(f"{HERE}/visit/B1").text
    form = next(part for part in page.split("<form")[1:] if "/act/contact/B1" in part)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    answer = web.post(f"{HERE}/act/contact/B1", data={**hidden, "phone": "070-174 06 88"})
    assert answer.status_code == 303
    clinic.read(wrong)
    assert "Rader i filer att rätta" not in web.get(f"{HERE}/today").text
    page = web.get(f"{HERE}/import/3").text
    assert "Rättad" in page
    assert "/settle" not in page


def test_only_what_was_put_right_is_said_to_be(clinic: Clinic, web: TestClient) -> None:
    """A mistyped year stays on Today after other files; one that a file closed is off the list."""
    clinic.read(row("Y1", "2025-12-04 10:00"), row("Y2", "2026-11-29 10:00"))
    clinic.read(row("B1", phone="070-174 06 11"))
    page = web.get(f"{HERE}/import/2").text
    first, second = page.split('id="problem-')[1:3]
    assert "Y1" in web.get(f"{HERE}/today").text
    assert "/settle" in first
    assert "Inte längre på listan" in second
    assert "/settle" not in second
    assert "Rättad" not in page


def test_who_imported_what_stands_among_what_people_did(clinic: Clinic, web: TestClient) -> None:
    """The settings list a person's import, with its file; not what the watched folder did."""
    system = clinic.runtime
    for actor in ("eva", ACTOR):
        clinic.runtime = replace(system, actor=actor)
        clinic.read(*AFTER)
    clinic.runtime = system
    acts = web.get(f"{HERE}/settings").text.split('id="acts"')[1]
    assert "Läste in en fil" in acts
    assert f'href="{HERE}/import/2">bokningar.csv</a>' in acts
    assert "eva, i dag 12:00" in acts
    assert "import/3" not in acts


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with the first file's visits."""
    made = new_desk(tmp_path, at("2026-11-30 12:00"))
    made.person()
    made.read(*BEFORE, exported_at=at("2026-11-30 10:00"))
    made.plan()
    with served(made):
        yield made
    made.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's browser, started once."""
    with chromium() as started:
        yield started


def test_new_visits_are_listed_before_and_after_the_yes(desk: Desk, browser: Browser) -> None:
    """What the file would bring can be unfolded before the yes, and on the import's page."""
    file = desk.folder / "ny.csv"
    file.write_text(HEAD + "".join(AFTER), "utf-8")
    with window(browser, viewport=PHONE) as page:
        sign_in(page, desk.url)
        page.goto(f"{desk.url}c/internet/import")
        page.set_input_files("#file", str(file))
        page.check("#older")
        page.get_by_role("button", name="Läs filen").click()
        expect(page.locator("#decide")).to_be_visible()
        _unfolded(page)
        page.get_by_role("button", name="Ja, läs in").click()
        page.wait_for_url("**/import/*note=imported")
        _unfolded(page)


def _unfolded(page: Page) -> None:
    fold = page.locator("details", has=page.locator("summary", has_text="Nya"))
    expect(fold.get_by_text("B6")).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.get_by_text("B6")).to_be_visible()
    expect(fold).to_contain_text("fre 4 dec. 09:00")
