"""Emails as a browser shows them: wide, narrow, dark, without pictures; and free of barriers."""

import base64
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from reminders.domain.contact import Channel
from reminders.message.render import Library
from tests.message.people import CLINIC, SOURCES, facts

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LIBRARY = Library(SOURCES.values())

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium once. Its own sandbox does not start as root."""
    with sync_playwright() as tools:
        opened = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def page_of(language: str, name: str, *, pictures: bool = True) -> str:
    """Return an email's HTML as a mail program shows it, its pictures put in."""
    source = SOURCES[language, name, Channel.EMAIL]
    rendered = LIBRARY.render(source, facts(8), CLINIC)
    html = rendered.html or ""
    for file in rendered.attachments:
        if file.inline and pictures:
            data = base64.b64encode(file.content).decode()
            html = html.replace(f"cid:{file.name}", f"data:image/png;base64,{data}")
    return html


@pytest.mark.parametrize(
    ("language", "name", "width", "scheme", "pictures"),
    [
        ("sv", "confirmation", 1000, "light", True),
        ("sv", "fifteen_minutes", 320, "light", True),
        ("en", "help", 320, "dark", True),
        ("sv", "not_come", 320, "light", False),
        ("ar", "fifteen_minutes", 320, "dark", True),
        ("ti", "confirmation", 600, "light", True),
    ],
)
def test_an_email_can_be_read(browser: Browser, language, name, width, scheme, pictures):
    """It fits its window, axe finds no barrier, and nothing is asked of the network."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(page_of(language, name, pictures=pictures))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert [url for url in asked if not url.startswith(("data:", "cid:"))] == []
    shown = page.evaluate("getComputedStyle(document.querySelector('.card')).direction")
    assert shown == ("rtl" if language == "ar" else "ltr")
    dark = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert (dark == "rgb(27, 36, 43)") == (scheme == "dark")
    pictures_shown = page.evaluate("[...document.images].map(i => i.naturalWidth)")
    assert all(bool(wide) == pictures for wide in pictures_shown)
    context.close()
