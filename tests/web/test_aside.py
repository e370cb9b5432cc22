"""Files of the watched folder that wait for a person, on the pages."""

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from reminders.domain.access import Role
from reminders.engine.watch import Watcher
from tests.engine.clinic import HEAD, Clinic, at, row
from tests.web.browsing import PHONE, chromium, sign_in, window
from tests.web.conftest import add_user, log_in
from tests.web.desk import Desk, new_desk, served

HERE = "/c/internet"
WATCH = {"folder": "exports"}
BOOKED = [row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(10, 20)]
CANCELLED = [line.replace("bokad", "avbokad") for line in BOOKED]


def put(clinic: Clinic, name: str, *rows: str, written: str = "2026-11-30 12:00") -> None:
    """Put a file into the watched folder, and let it be taken."""
    folder = clinic.folder / "exports"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(HEAD + "".join(rows), "utf-8")
    os.utime(folder / name, (at(written).timestamp(),) * 2)
    watcher = Watcher(clinic.runtime)
    watcher.look(clinic.clock.now())
    clinic.clock.set(clinic.clock.now() + timedelta(seconds=31))
    watcher.look(clinic.clock.now())


def there(folder: Path, end: str) -> list[str]:
    """Return the names of the files of one ending, without the time before each."""
    return sorted(path.name.partition(" ")[2] for path in (folder / "exports" / end).iterdir())


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic with a watched folder in which a file waits for a person."""
    made = open_clinic(clinics__internet__watch=WATCH)
    made.read(*BOOKED, exported_at=at("2026-11-30 11:00"))
    put(made, "avbokat.csv", *CANCELLED)
    return made


def press(web: TestClient, path: str) -> Any:
    """Press a button of the page *Import* that leads to this path."""
    page = web.get(f"{HERE}/import").text
    token = re.search(r'name="csrf_token" value="(\w+)"', page)
    where = re.search(rf'action="({HERE}/import/{path})"', page)
    assert token
    assert where, page
    return web.post(where[1], data={"csrf_token": token[1]})


def test_a_file_that_is_gone_is_said_to_be(clinic: Clinic, web: TestClient) -> None:
    """A file that somebody took out of the folder cannot be looked at; the entry can be closed."""
    (waiting,) = (clinic.folder / "exports" / "waiting").glob("*.csv")
    page = web.get(f"{HERE}/import").text
    waiting.unlink()
    token = re.search(r'name="csrf_token" value="(\w+)"', page)
    where = re.search(rf'action="({HERE}/import/aside/\d+/look)"', page)
    assert token
    assert where
    answer = web.post(where[1], data={"csrf_token": token[1]})
    assert answer.headers["location"] == f"{HERE}/import?note=file_gone"
    page = web.get(f"{HERE}/import").text
    assert "Filen ligger inte längre kvar i mappen" in page
    assert "/look" not in page
    press(web, r"aside/\d+/close")
    assert "avbokat.csv" not in web.get(f"{HERE}/import").text


def test_a_refused_file_lists_its_lines(clinic: Clinic, web: TestClient) -> None:
    """A refused file names its lines in the user's language, and leaves once it is seen to."""
    put(clinic, "trasig.csv", row("B1"), row("B1", start="2026-12-03 10:00"))
    entry = web.get(f"{HERE}/import").text.split("trasig.csv")[1].split("</li>\n")[0]
    assert "Rad 3" in entry
    assert "Två rader för samma bokning" in entry
    press(web, r"aside/\d+/close")
    assert "trasig.csv" not in web.get(f"{HERE}/import").text


def test_two_files_of_one_name_are_told_apart(clinic: Clinic, web: TestClient) -> None:
    """Where two of a name wait, the time at which each came has its seconds; so it has on Today."""
    shown = web.get(f"{HERE}/import").text
    assert re.search(r"avbokat.csv, [\w ]+ \d\d:\d\d</span>", shown)
    put(clinic, "avbokat.csv", *CANCELLED[1:], written="2026-11-30 12:01")
    for path in ("import", "today"):
        found = re.findall(r"avbokat.csv, [\w ]+ (\d\d:\d\d:\d\d)", web.get(f"{HERE}/{path}").text)
        assert found == ["12:01:02", "12:00:31"]
    press(web, r"aside/\d+/look")
    assert re.search(r"anna, [\w ]+ 12:01</span>", web.get(f"{HERE}/import").text)


def test_a_folder_that_is_away_stands_on_today(clinic: Clinic, web: TestClient) -> None:
    """Whoever waits for an export to be read sees that none can be."""
    (clinic.folder / "exports").rename(clinic.folder / "unmounted")
    watcher = Watcher(clinic.runtime)
    for _ in range(2):
        watcher.look(clinic.clock.now())
        clinic.clock.set(clinic.clock.now() + timedelta(minutes=6))
    page = web.get(f"{HERE}/today").text
    assert "Den bevakade mappen går inte att nå." in page
    assert re.search(r"har lästs in sedan i dag 12:00", page)


def test_a_viewer_sees_the_file_and_no_button(clinic: Clinic, web: TestClient) -> None:
    """Who may only look sees on both pages that a file waits, and nothing to press."""
    add_user(clinic, "eva", Role.VIEWER)
    log_in(web, "eva")
    for path in ("import", "today"):
        page = web.get(f"{HERE}/{path}").text
        assert "avbokat.csv" in page
        assert "import/aside/" not in page


def _is_refused(clinic: Clinic) -> None:
    assert there(clinic.folder, "waiting") == []
    assert there(clinic.folder, "refused") == ["avbokat.csv", "avbokat.csv.report.json"]
    [report] = (clinic.folder / "exports" / "refused").glob("*.json")
    said = json.loads(report.read_text("utf-8"))
    assert (said["end"], said["decided_by"], said["cancelled"]) == ("refused", "anna", 10)


def test_a_no_without_a_look_is_a_no(clinic: Clinic, web: TestClient) -> None:
    """Who says no on the list has refused the file as well; a file that cannot be moved is said to be."""
    looked = press(web, r"aside/\d+/look").headers["location"]
    assert press(web, r"aside/\d+/close").headers["location"] == f"{HERE}/import?note=file_refused"
    _is_refused(clinic)
    while (page := web.get(looked)).status_code == 200:  # it may still be read, and is then gone
        assert 'name="fingerprint"' not in page.text
    assert page.headers["location"] == f"{HERE}/import?note=lost"
    put(clinic, "igen.csv", *CANCELLED)
    (clinic.folder / "exports" / "refused").rename(clinic.folder / "elsewhere")
    (clinic.folder / "exports" / "refused").write_text("in the way", "utf-8")
    answer = press(web, r"aside/\d+/close")
    assert answer.headers["location"] == f"{HERE}/import?note=file_not_moved"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's browser, started once."""
    with chromium() as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with a watched folder in which a file waits."""
    made = new_desk(tmp_path, at("2026-11-30 12:00"), clinics__internet__watch=WATCH)
    made.person()
    made.read(*BOOKED, exported_at=at("2026-11-30 11:00"))
    put(made, "avbokat.csv", *CANCELLED)
    with served(made):
        yield made
    made.end()


def test_a_file_that_cannot_be_moved_is_imported_all_the_same(desk: Desk, browser: Browser) -> None:
    """If the done ones' folder cannot be made, the yes still holds, and nothing is waited for."""
    (desk.folder / "exports" / "done").write_text("in the way", "utf-8")
    with window(browser) as page:
        look(page, desk)
        page.get_by_role("button", name="Ja, läs in").click()
        page.wait_for_url("**/import/*note=imported")
        page.goto(f"{desk.url}c/internet/import")
        expect(page.locator("#folder")).to_have_count(0)
    assert there(desk.folder, "waiting") == ["avbokat.csv", "avbokat.csv.report.json"]


def test_the_pages_with_a_waiting_file_are_for_everybody(desk: Desk, browser: Browser) -> None:
    """On a phone axe finds nothing where a file waits, one is refused, and after the yes."""
    put(desk, "trasig.csv", row("B1"), row("B1", start="2026-12-03 10:00"))
    with window(browser, viewport=PHONE) as page:
        sign_in(page, desk.url)
        for path in ("today", "import"):
            page.goto(f"{desk.url}c/internet/{path}")
            expect(page.locator("main")).to_contain_text("trasig.csv")
            _fits(page)
        page.get_by_role("button", name="Granska").click()
        page.get_by_role("button", name="Ja, läs in").click()
        page.wait_for_url("**/import/*note=imported")
        _fits(page)


def _fits(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def look(page: Page, desk: Desk) -> None:
    """Go from *Today* to the file, and look at it."""
    sign_in(page, desk.url)
    expect(page.locator("#todo")).to_be_visible()
    page.get_by_role("link", name="Till filen").click()
    expect(page.locator("#folder + ul")).to_contain_text("ändra uppgifter i 10 av de 10")
    page.get_by_role("button", name="Granska").click()
    expect(page.get_by_role("button", name="Ja, läs in")).to_be_visible()


def test_a_person_looks_and_says_yes(desk: Desk, browser: Browser) -> None:
    """The file is shown as an uploaded one is; a yes imports it, and moves it to the done ones."""
    with window(browser) as page:
        look(page, desk)
        page.get_by_role("button", name="Ja, läs in").click()
        page.wait_for_url("**/import/*note=imported")
        page.goto(f"{desk.url}c/internet/today")
        expect(page.locator("main")).not_to_contain_text("avbokat.csv")
    assert there(desk.folder, "done") == ["avbokat.csv", "avbokat.csv.report.json"]
    assert there(desk.folder, "waiting") == []


def test_a_person_looks_and_says_no(desk: Desk, browser: Browser) -> None:
    """A no changes nothing; the file leaves the lists, and lies with who refused it in its report."""
    with window(browser) as page:
        look(page, desk)
        page.get_by_role("button", name="Nej, läs inte in den").click()
        page.wait_for_url("**/import?note=file_refused")
        expect(page.locator("main")).not_to_contain_text("avbokat.csv")
    _is_refused(desk)
