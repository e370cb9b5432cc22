"""Draws the desk's pages for the documents: `make screenshots`. The data is the example's."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.engine.clinic import at
from tests.web.browsing import PHONE, chromium, sign_in, window
from tests.web.desk import Desk, new_desk, served

DOCS = Path(__file__).parents[2] / "docs"
SIZE = {"width": 1200, "height": 820}


def _shot(page: Page, name: str) -> None:
    page.screenshot(path=str(DOCS / f"desk-{name}.png"))


def draw(desk: Desk) -> None:
    """Walk through a day, and keep the best of it."""
    with served(desk), chromium() as browser:
        with window(browser, viewport=SIZE) as page:
            sign_in(page, desk.url)
            page.goto(f"{desk.url}c/internet/import")
            page.set_input_files("#file", str(desk.example_file()))
            page.get_by_role("button", name="Läs filen").click()
            page.wait_for_selector("#decide")
            _shot(page, "import")
            page.get_by_role("button", name="Ja, läs in").click()
            page.wait_for_url("**note=imported")
            desk.plan()
            desk.until("2026-12-01 09:20")
            sign_in(page, desk.url)
            for name, path in (("today", "today"), ("visit", "visit/B1001"), ("texts", "texts")):
                page.goto(f"{desk.url}c/internet/{path}")
                _shot(page, name)
        with window(browser, viewport=PHONE, color_scheme="dark") as page:
            sign_in(page, desk.url)
            page.goto(f"{desk.url}c/internet/visit/B1009")
            _shot(page, "phone")


def main() -> None:
    """Draw the pictures of docs/desk.md and the README."""
    with tempfile.TemporaryDirectory() as folder:
        desk = new_desk(Path(folder), at("2026-11-30 12:00"))
        desk.person()
        draw(desk)
        desk.end()


if __name__ == "__main__":
    main()
