"""The system's Chromium, as an admin's browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=360, height=740)
PASSWORD = "tre ord i rad"
PATIENCE = 30_000
"""Milliseconds: a busy machine may take so long; what is there is not waited for."""

expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser. Skip, and say why, where the system has none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser: Browser, *, complaints: int = 0, **settings: Any) -> Iterator[Page]:
    """Open a window of its own. Fail if a page complains: a script's error, a refused style.

    `complaints`: so many answers that are errors are meant to come.
    """
    context = browser.new_context(**{"viewport": DESKTOP, "locale": "sv-SE", **settings})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if _bad(message.type) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        yield page
        assert len(said) == complaints, said
    finally:
        context.close()


def _bad(kind: str) -> bool:
    return kind in {"error", "warning"}


def sign_in(page: Page, url: str, login: str = "anna") -> None:
    """Sign in, as a person does."""
    page.goto(url)
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url("**/today")
