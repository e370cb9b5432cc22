"""A clinic admin's whole day, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from reminders.web.language import Speaking
from tests.engine.clinic import at
from tests.web.browsing import DESKTOP, PHONE, chromium, sign_in, window
from tests.web.desk import EXAMPLE, Desk, new_desk, served

NOON = "2026-11-30 12:00"
LONG = 60_000
DROP = """(bytes) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "bokningar.csv"));
  return data;
}"""

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "swedish, desktop": ("sv", {"viewport": DESKTOP}),
    "english, phone": ("en", {"viewport": PHONE}),
    "swedish, phone, no JavaScript": ("sv", {"viewport": PHONE, "java_script_enabled": False}),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's browser, started once."""
    with chromium() as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a clinic's pages, served, with one admin and nothing imported."""
    made = new_desk(tmp_path, at(NOON))
    with served(made):
        yield made
    made.end()


class Day:
    """What an admin does, step by step, in one language."""

    def __init__(self, desk: Desk, page: Page, language: str, *, scripts: bool) -> None:
        self.desk, self.page, self.scripts = desk, page, scripts
        self.say = Speaking(language).text
        self.here = f"{desk.url}c/internet"

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=str(self.say(name)), exact=True)

    def import_example(self) -> None:
        page = self.page
        page.goto(f"{self.here}/import")
        if self.scripts:
            data = page.evaluate_handle(DROP, list(EXAMPLE.read_bytes()))
            page.dispatch_event("[data-drop]", "drop", {"dataTransfer": data})
            expect(page.locator("[data-chosen]")).to_have_text("bokningar.csv")
        else:
            page.set_input_files("#file", str(self.desk.example_file()))
        self.button("Read the file").click()
        self.looked_at()
        expect(page.locator(".stat", has_text=str(self.say("new"))).locator("dd")).to_have_text(
            "31"
        )

    def looked_at(self) -> None:
        """Wait until the difference is shown; without scripts the page loads itself anew."""
        expect(self.button("Yes, import it")).to_be_visible(timeout=LONG)

    def solve_a_row(self) -> None:
        row = self.page.locator("#problems + ul > li", has_text="B1024")
        row.locator("input[type=tel]").fill("070-174 06 77")
        row.get_by_role("button").click()
        self.looked_at()
        expect(self.page.locator("#problems + ul > li", has_text="B1024")).to_have_count(0)
        expect(
            self.page.locator(".stat", has_text=str(self.say("new"))).locator("dd")
        ).to_have_text("32")

    def approve(self) -> None:
        self.button("Confirm them").click()
        self.looked_at()
        self.button("Yes, import it").click()
        self.page.wait_for_url("**/import/*note=imported")
        self.desk.plan()

    def see_texts_arrive(self) -> None:
        self.desk.until("2026-11-30 12:10")
        self.page.goto(f"{self.here}/visit/B1024")
        expect(self.page.locator(".bubble").first).to_contain_text("1024")
        expect(self.page.locator(".state.delivered").first).to_be_visible()
        expect(
            self.page.get_by_text(str(self.say("Word for word as it was sent."))).first
        ).to_be_visible()

    def move(self) -> None:
        self.page.get_by_text(str(self.say("Move to another time"))).click()
        self.page.fill("#to-day", "2026-12-03")
        self.page.fill("#to-time", "10:15")
        self.button("Move").click()
        expect(self.page.locator(".note")).to_be_visible()
        expect(self.page.locator("h1")).to_contain_text("10:15")
        self.desk.until("2026-11-30 12:20")
        self.page.reload()
        self.has_message("New time")
        expect(self.page.locator(".bubble", has_text="10:15").first).to_be_visible()

    def has_message(self, name: str) -> None:
        told = self.page.locator("#messages + ul strong", has_text=str(self.say(name)))
        expect(told.first).to_be_visible()

    def cancel(self) -> None:
        self.page.goto(f"{self.here}/visit/B1001")
        self.page.locator("summary", has_text=str(self.say("Cancel the visit"))).click()
        self.button("Cancel the visit").click()
        expect(self.page.locator(".head .state")).to_have_text(str(self.say("Cancelled")))
        self.desk.until("2026-11-30 12:30")
        self.page.reload()
        self.has_message("Cancellation")

    def call(self) -> None:
        self.page.goto(f"{self.here}/calls")
        row = self.page.locator("tr", has_text="B1019")
        expect(row).to_be_visible()
        self.page.emulate_media(media="print")
        expect(self.page.locator("nav").first).to_be_hidden()
        expect(row).to_be_visible()
        self.page.emulate_media(media="screen")
        row.locator("input[name=initials]").fill("AB")
        row.get_by_role("button").click()
        expect(self.page.locator("tr", has_text="B1019")).to_have_count(0)
        expect(self.page.locator("#done + ul")).to_contain_text("AB")

    def search(self) -> None:
        self.page.goto(f"{self.here}/visits")
        self.page.fill("#text", "070-174 06 77")
        self.button("Search").click()
        self.page.get_by_role("link", name="B1024").click()
        assert "17406" not in re.sub(r"\D", "", unquote(self.page.url))
        expect(self.page.locator("h1")).to_contain_text("10:15")


@pytest.mark.parametrize("way", WAYS)
def test_the_whole_day(desk: Desk, browser: Browser, way: str) -> None:
    """An admin imports, solves a row, approves, sees texts arrive, moves, cancels, calls, searches."""
    language, settings = WAYS[way]
    desk.person(language=language)
    with window(browser, **settings) as page:
        sign_in(page, desk.url)
        day = Day(desk, page, language, scripts=settings.get("java_script_enabled", True))
        day.import_example()
        day.solve_a_row()
        day.approve()
        day.see_texts_arrive()
        day.move()
        day.cancel()
        day.call()
        day.search()


def test_two_admins_at_once(desk: Desk, browser: Browser) -> None:
    """A file whose difference was shown is shown again if somebody has changed a visit of it."""
    desk.person("anna")
    desk.person("bo")
    desk.example()
    with window(browser) as hers, window(browser) as his:
        sign_in(hers, desk.url, "anna")
        sign_in(his, desk.url, "bo")
        day = Day(desk, hers, "sv", scripts=True)
        hers.goto(f"{day.here}/import")
        hers.set_input_files("#file", str(desk.example_file()))
        hers.check("#older")
        day.button("Read the file").click()
        day.looked_at()
        his.goto(f"{day.here}/visit/B1002")
        his.locator("summary", has_text="Avboka besöket").click()
        his.get_by_role("button", name="Avboka besöket").click()
        expect(his.locator(".note")).to_be_visible()
        day.button("Yes, import it").click()
        expect(hers.get_by_role("alert")).to_contain_text("inte längre som det visades")
        assert desk.show("B1002").visit.status == "cancelled"
        day.looked_at()
        # What he did is newer than her file: it is named, and stands.
        expect(hers.locator("section", has=hers.locator("#kept"))).to_contain_text("B1002")
        day.button("Yes, import it").click()
        hers.wait_for_url("**/import/*note=imported")
        assert desk.show("B1002").visit.status == "cancelled"
