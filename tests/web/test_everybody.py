"""Every page is for everybody: axe finds nothing, a keyboard is enough, a phone is wide enough."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.engine.clinic import at
from tests.web.browsing import DESKTOP, PHONE, chromium, sign_in, window
from tests.web.desk import Desk, new_desk, served

PAGES = (
    "today", "import", "import/1", "visits", "visits?day=2026-12-01&state=reached", "visit/B1009",
    "visit/B1019", "several?day=2026-12-01", "calls", "texts", "texts?language=en&name=moved",
    "texts/waiting", "settings", "more", "what-if",
)  # fmt: skip

HOSTILE = "<script>window.struck=1</script><img src=x onerror='window.struck=1'>"
HOSTILE_ROWS = f"""boknings-id;patient;starttid;besökstyp;behandlare;mobil;roll;status
B9 {HOSTILE};P9 {HOSTILE};2026-12-05 10:00;Videobesök;{HOSTILE};070-174 06 91;patient;bokad
B8 {HOSTILE};P8;2026-12-05 11:00;Videobesök;{HOSTILE};{HOSTILE};{HOSTILE};{HOSTILE}
B7;P7;2026-12-05 11:00;{HOSTILE};A;070-174 06 92;patient;bokad
"""
HOSTILE_FILE: FilePayload = {
    "name": f"{HOSTILE}.csv",
    "mimeType": "text/csv",
    "buffer": HOSTILE_ROWS.encode(),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's browser, started once."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a clinic in the midst of its day, with a text edited and an address stopped."""
    folder = tmp_path_factory.mktemp("desk")
    own = folder / "texts" / "sv"
    own.mkdir(parents=True)
    (own / "help.sms.txt").write_text("Ring {{ clinic.phone }}.\n", "utf-8")
    made = new_desk(folder, at("2026-11-30 12:00"), templates_folder=str(folder / "texts"))
    made.person()
    made.person("eve", "en")
    made.example()
    made.until("2026-12-01 09:20")
    with served(made):
        yield made
    made.end()


def _faults(page: Page, *rules: str) -> list[str]:
    """Return what axe finds; with rules, of these alone."""
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{v['id']}: {node['html'][:200]}" for v in found for node in v["nodes"]]


def test_axe_finds_nothing(desk: Desk, browser: Browser) -> None:
    """No page breaks a rule of axe-core, in light and in dark, and none is wider than a phone."""
    with window(browser, color_scheme="light", viewport=PHONE) as page:
        page.goto(desk.url)
        _fit_for_all(page)
        sign_in(page, desk.url)
        for path in PAGES:
            page.goto(f"{desk.url}c/internet/{path}")
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            _fit_for_all(page)


def _fit_for_all(page: Page) -> None:
    assert (page.url, _faults(page)) == (page.url, [])
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url
    # Of a page in dark nothing differs but its colours.
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert (page.url, _faults(page, "color-contrast")) == (page.url, [])
    page.emulate_media(color_scheme="light", reduced_motion="reduce")


def test_axe_finds_nothing_in_a_difference(desk: Desk, browser: Browser) -> None:
    """What a file would change, with missing bookings and problem rows, breaks no rule either."""
    with window(browser) as page:
        sign_in(page, desk.url)
        page.goto(f"{desk.url}c/internet/import")
        page.set_input_files("#file", str(desk.example_file()))
        page.check("#full")
        page.check("#older")
        page.get_by_role("button", name="Läs filen").click()
        expect(page.locator("#decide")).to_be_visible()
        assert _faults(page) == []
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_what_a_file_says_is_never_run(desk: Desk, browser: Browser) -> None:
    """Markup and scripts in every cell of a file, and in its name, are shown as they are written."""
    with window(browser) as page:
        sign_in(page, desk.url)
        page.goto(f"{desk.url}c/internet/import")
        page.set_input_files("#file", files=[HOSTILE_FILE])
        page.check("#older")
        page.get_by_role("button", name="Läs filen").click()
        expect(page.locator("#problems")).to_be_visible()
        _only_shown(page, f"B8 {HOSTILE}")
        page.get_by_role("button", name="Ja, läs in").click()
        page.wait_for_url("**/import/*note=imported")
        _only_shown(page, f"B8 {HOSTILE}")
        desk.plan()
        visit = quote(f"B9 {HOSTILE}", safe="")
        for path in ("today", "visits?day=2026-12-05", "several?day=2026-12-05", f"visit/{visit}"):
            page.goto(f"{desk.url}c/internet/{path}")
            _only_shown(page, HOSTILE)


def _only_shown(page: Page, text: str) -> None:
    expect(page.locator("main")).to_contain_text(text)
    assert page.evaluate("window.struck === undefined"), page.url


def test_a_keyboard_is_enough(desk: Desk, browser: Browser) -> None:
    """Without a mouse, an admin signs in, opens a visit from the list, and corrects a contact."""
    with window(browser, viewport=DESKTOP) as page:
        sign_in(page, desk.url, "eve")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        _tab_to(page, "Visits")
        page.keyboard.press("Enter")
        page.wait_for_url("**/visits")
        _tab_to(page, "B1027")
        page.keyboard.press("Enter")
        page.wait_for_url("**/visit/B1027")
        _tab_to(page, "Correct or stop Guardian 1", "Correct or stop Patient 1")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("070-174 06 88")
        page.keyboard.press("Enter")
        expect(page.locator(".note")).to_contain_text("corrected")
        expect(page.locator("a[href='tel:+46701740688']")).to_be_visible()


def _tab_to(page: Page, *names: str) -> None:
    for _ in range(200):
        page.keyboard.press("Tab")
        text = page.evaluate("document.activeElement.innerText || ''")
        if " ".join(text.split()) in names:
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"no Tab leads to {names}")
