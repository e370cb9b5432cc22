"""The call list on paper: it says of which clinic and when it is, and whom to phone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.engine.clinic import at
from tests.web.browsing import chromium, sign_in, window
from tests.web.desk import Desk, new_desk, served

DATED = re.compile(r"\w+ \d+ dec\.? 2026 \d\d:\d\d", re.IGNORECASE)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a clinic in the midst of its day."""
    made = new_desk(tmp_path, at("2026-11-30 12:00"))
    made.person()
    made.person("eve", "en")
    made.example()
    made.until("2026-12-01 09:20")
    with served(made):
        yield made
    made.end()


@pytest.mark.parametrize(
    ("login", "printed", "near"),
    [
        ("anna", "internet. Utskriven tis 1 dec. 2026 09:20", "i dag"),
        ("eve", "internet. Printed Tue 1 Dec 2026 09:20", "today"),
    ],
)
def test_the_sheet_says_when_and_whose_it_is(
    desk: Desk, login: str, printed: str, near: str
) -> None:
    """Each time on paper is a whole date, no button is printed, and everybody has a number."""
    with chromium() as started, window(started) as page:
        sign_in(page, desk.url, login)
        page.goto(f"{desk.url}c/internet/calls")
        rows = page.locator("tbody tr, #ask + ul > li")
        assert rows.count() > page.locator("tbody tr").count() > 0
        assert near in page.locator("main").inner_text()
        expect(page.locator("[data-print]")).to_be_visible()
        page.emulate_media(media="print")
        told = page.locator("main").inner_text()
        assert printed in " ".join(told.split())
        assert not re.search(rf"\b({near}|i morgon|tomorrow)\b \d", told)
        expect(page.locator("[data-print]")).to_be_hidden()
        for one in rows.all():
            assert DATED.search(one.inner_text())
        asked = page.locator("#ask + ul > li").all()
        assert all(re.search(r"07\d-\d{3} \d\d \d\d", one.inner_text()) for one in asked)
