"""A whole day, or one clinician's visits: what is shown before it is done is what comes of it."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from reminders.engine import several
from reminders.engine.several import Done, Span
from reminders.store import clinics
from reminders.web.app import create_app
from tests.engine.clinic import Clinic, at
from tests.web.conftest import add_user, log_in

HERE = "/c/internet"
HEAD = "boknings-id;patient;starttid;besökstyp;behandlare;mobil;e-post;roll;skyddad;samtycke sms\n"
DAY = "2026-12-01"
OURS = f"{HERE}/several?day={DAY}&clinician=åsa öberg"


def visit(
    ref: str,
    time: str,
    who: str = "Åsa Öberg",
    *,
    phone: str = "",
    email: str = "",
    ok: str = "ja",
    protected: str = "nej",
) -> str:
    """Return one line of a file that names clinicians."""
    return f"{ref};P{ref};{DAY} {time};Videobesök;{who};{phone};{email};guardian;{protected};{ok}\n"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic at 07:30, in its night, with six visits of a clinician who is ill."""
    made = open_clinic("2026-11-27 10:00")
    made.read(
        visit("B1", "08:00", phone="070-174 06 05"),
        visit("B2", "09:00", phone="070-174 06 06"),
        visit("B3", "10:00", email="pappa@example.org"),
        visit("B4", "11:00", phone="070-174 06 08", protected="ja"),
        visit("B5", "13:00", phone="070-174 06 09", ok="nej"),
        visit("B6", "14:00", phone="070-174 06 10"),
        visit("C1", "09:00", "Bo Lind", phone="070-174 06 12"),
        head=HEAD,
        confirmations=True,
    )
    made.until(f"{DAY} 07:30")
    add_user(made)
    return made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which an admin is signed in."""
    with TestClient(create_app(clinic.runtime)) as client:
        log_in(client)
        yield client


@pytest.mark.parametrize(
    ("rule", "said", "untold"),
    [
        (
            None,
            "avbokat",
            {"news_too_late": "B1", "protected_identity": "B4", "nothing_to_tell": "B5"},
        ),
        ("help", "Så ansluter du", {"protected_identity": "B4", "no_consent": "B5"}),
    ],
)
def test_what_is_shown_is_what_comes_of_it(
    clinic: Clinic, rule: str | None, said: str, untold: dict[str, str]
) -> None:
    """Texts, emails, times, and who is not told and why: the same before and after, and sent so."""
    runtime, now = clinic.runtime, clinic.clock.now()
    with runtime.database.transaction() as conn:
        clinics.add_opt_out(conn, clinics.clinic_id(conn, "internet"), "+46701740610", "staff", now)
    span = Span(now, at("2026-12-02 00:00"), "åsa  ÖBERG")
    with runtime.database.reading() as conn:
        shown = several.choose(conn, runtime, "internet", span, rule, now)
    refs = [one.ref for one in shown.visits]
    act: Callable[..., Done] = several.tell if rule else several.cancel
    more = [rule] if rule else []
    done = runtime.in_transaction(act, runtime, "internet", refs, shown.mark, *more, now)
    with runtime.database.reading() as conn:
        came = several.what_came(conn, runtime, done, now)
    assert came.fates == shown.prospect.fates
    gaps = {reason.value: gap.visit.ref for reason, [gap] in came.gaps().items()}
    assert gaps == {**untold, "opted_out": "B6"}
    before = len(clinic.texts())
    clinic.until(f"{DAY} 08:00")
    # Besides, the last text before a visit goes by its rule, by SMS.
    sms = [text for text in clinic.texts()[before:] if text.channel == "sms" and said in text.body]
    emails = [text for text in clinic.texts()[before:] if text.channel == "email"]
    assert [len(sms), len(emails)] == [shown.prospect.texts, shown.prospect.emails] == [2, 1]


def _form(page: str) -> tuple[dict[str, list[str]], str]:
    """Return the fields of a preview's form, and where it is sent."""
    form = next(part for part in page.split("<form") if 'name="mark"' in part)
    data: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form):
        data.setdefault(name, []).append(unescape(value))
    return data, re.findall(r'action="([^"]+)"', form)[0]


def _post(web: TestClient, page: str) -> Any:
    """Press the button of a preview."""
    data, action = _form(web.get(page).text)
    return web.post(action, data=data)


def test_the_page_says_before_and_after_who_gets_what(web: TestClient) -> None:
    """Before, the numbers, the cost and the text itself; after, whom to phone, with the number."""
    page = web.get(OURS).text
    assert "Videobesöket i dag kl 08:00 är avbokat" in page
    assert re.search(r"<dt>SMS</dt><dd><strong>3</strong>.*3 delar · 1,65", page)
    assert "Avboka 6 besök" in page
    assert "/visit/C1" not in page
    told = web.get(f"{OURS}&text=help").text
    assert "Så ansluter du till videobesöket" in told
    assert "Skicka för 6 besök" in told
    after = _post(web, f"{OURS}&text=help").text
    gaps = after[after.index('id="gaps"') : after.index('id="visits"')]
    assert "Mottagaren har inte samtyckt" in gaps
    assert 'href="tel:+46701740609"' in gaps
    assert "B6" not in gaps
    assert "6 besök är avbokade" in _post(web, OURS).text


def test_a_clinician_who_is_not_there_is_not_a_dead_end(web: TestClient) -> None:
    """A name that nobody has then leads to the names of those who have visits."""
    page = web.get(f"{HERE}/several?day={DAY}&clinician=Åsa").text
    assert "Inget är bokat då hos en behandlare" in page
    assert re.search(r'href="[^"]+clinician=%C3%85sa(%20|\+)%C3%96berg[^"]*">Åsa Öberg', page)


def test_too_many_visits_are_offered_in_parts(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more visits than are taken at once none is shown: each part of the day is a link to some."""
    monkeypatch.setattr(several, "MOST", 3)
    page = web.get(f"{HERE}/several?day={DAY}").text
    assert 'name="mark"' not in page
    parts = page[page.index('id="parts"') :]
    assert re.findall(r"<a [^>]*>i dag ([^<]+)</a>\s*<span[^>]*>([^<]+)<", parts) == [
        ("07:30 – 10:00", "3 besök"),
        ("10:00 – 14:00", "3 besök"),
        ("14:00 – i morgon 00:00", "ett besök"),
    ]
    links = [unescape(link) for link in re.findall(r'href="([^"]+begins[^"]+)"', parts)]
    shown = [re.findall(r"/visit/(\w+)\">\w+</a><span", web.get(link).text) for link in links]
    assert shown == [["B1", "B2", "C1"], ["B3", "B4", "B5"], ["B6"]]
    [rest] = re.findall(r'href="([^"]+)">Resten av samma tid', _post(web, links[0]).text)
    assert "3 besök" in web.get(unescape(rest)).text


def test_more_than_can_start_together_is_for_one_clinician(
    web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where too many start at one minute that part is no link; of one clinician it is shown."""
    monkeypatch.setattr(several, "MOST", 1)
    page = web.get(f"{HERE}/several?day={DAY}&begins=09:00&ends=09.01").text
    assert "välj en behandlare" in page
    assert "/visit/C1" in web.get(f"{HERE}/several?day={DAY}&ends=09:01&clinician=Bo Lind").text


def test_a_text_is_not_asked_for_twice_by_mistake(web: TestClient) -> None:
    """A button pressed twice, or by two, sends once; who looks again sees that it was asked for."""
    data, action = _form(web.get(f"{OURS}&text=help").text)
    assert web.post(action, data=data).status_code == 200
    assert web.post(action, data=data).status_code == 409
    assert "För 4 av besöken är meddelandet redan begärt" in web.get(f"{OURS}&text=help").text
    assert "redan begärt" not in web.get(OURS).text
