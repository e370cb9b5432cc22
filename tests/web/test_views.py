"""The pages over HTTP: who may see and do what, and what is said when something is wrong."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from reminders.domain.access import Role
from reminders.engine import accounts, applying, desk
from reminders.errors import NotFoundError
from reminders.web.app import create_app
from tests.engine.clinic import HEAD, Clinic, at, row
from tests.web.conftest import PASSWORD, add_user, log_in

HERE = "/c/internet"
OTHER = {"phone": "08-465 004 00"}


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic with a visit, one of two clinics."""
    made = open_clinic(clinics__other=OTHER)
    made.read(row("B1"), row("B2", phone="070-174 06 06"), confirmations=True)
    made.plan()
    return made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which nobody is signed in."""
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as client:
        yield client


def _post(web: TestClient, page: str, path: str, **data: Any) -> Any:
    """Send a form of a page, with the token that stands there."""
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get(HERE + page).text)
    assert found
    return web.post(HERE + path, data={"csrf_token": found[1], "from": HERE + page, **data})


def test_nobody_sees_a_page_without_signing_in(web: TestClient) -> None:
    """Each page leads to the login page, and back."""
    answer = web.get(f"{HERE}/visits?day=2026-12-01")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/c/internet/visits%3Fday%3D2026-12-01"


def test_a_clinic_that_is_not_the_users_is_not_there(clinic: Clinic, web: TestClient) -> None:
    """A user of one clinic sees nothing of another, not even that it is there."""
    add_user(clinic, "eva", other=Role.ADMIN)
    log_in(web, "eva")
    assert web.get("/").headers["location"] == "/c/other/today"
    for path in ("/today", "/visit/B1", "/import", "/nothing"):
        assert web.get(HERE + path).status_code == 404
    assert web.get("/c/nowhere/today").status_code == 404


def test_a_viewer_looks_and_does_nothing(clinic: Clinic, web: TestClient) -> None:
    """A viewer sees the visit, no button, and may not act by hand either."""
    add_user(clinic, "eva", Role.VIEWER)
    log_in(web, "eva")
    page = web.get(f"{HERE}/visit/B1").text
    assert "B1" in page
    assert "/act/" not in page
    assert _post(web, "/more", "/act/cancel/B1").status_code == 403
    assert _post(web, "/more", "/hold").status_code == 403
    assert clinic.show("B1").visit.status == "booked"


def test_a_form_without_its_token_does_nothing(clinic: Clinic, web: TestClient) -> None:
    """A form from elsewhere changes nothing."""
    add_user(clinic)
    log_in(web)
    assert web.post(f"{HERE}/act/cancel/B1").status_code == 403
    assert clinic.show("B1").visit.status == "booked"


def test_a_search_puts_no_number_in_the_address(clinic: Clinic, web: TestClient) -> None:
    """A phone number is looked for exactly, and stands in no address."""
    add_user(clinic)
    log_in(web)
    answer = _post(web, "/visits", "/visits", text="0701740606")
    where = answer.headers["location"]
    assert "1740606" not in where
    page = web.get(where).text
    assert ("B2" in page, "/visit/B1" in page) == (True, False)
    assert _post(web, "/visits", "/visits", text="B1").headers["location"] == f"{HERE}/visit/B1"
    answer = _post(web, "/visits", "/visits", text="<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "inget telefonnummer" in answer.text
    assert 'value="&lt;script&gt;alert(1)&lt;/script&gt;"' in answer.text


def test_a_wrong_number_is_told_and_not_repeated(clinic: Clinic, web: TestClient) -> None:
    """A number that is none is refused in plain words of the user's language."""
    add_user(clinic)
    log_in(web)
    answer = _post(web, "/visit/B1", "/act/contact/B1", contact="1", phone="12 34 mamma")
    assert answer.status_code == 400
    told, _, rest = answer.text.partition("Telefonnumret innehåller bokstäver")
    assert rest
    assert "mamma" not in told


def test_a_corrected_number_gets_what_is_planned(clinic: Clinic, web: TestClient) -> None:
    """After a correction the texts go to the new number, and none to the old."""
    add_user(clinic)
    log_in(web)
    person = str(clinic.show("B1").lines[0].message.key.contact)
    answer = _post(web, "/visit/B1", "/act/contact/B1", contact=person, phone="070-174 06 99")
    assert answer.headers["location"].endswith("note=contact")
    clinic.until("2026-11-30 12:05")
    numbers = {text.to for text in clinic.texts()}
    assert numbers == {"•••• 699", "•••• 606"}


def test_a_contact_that_is_added_is_not_said_to_be_corrected(
    clinic: Clinic, web: TestClient
) -> None:
    """Who is added has no old address: the note says that they are added."""
    add_user(clinic)
    log_in(web)
    new = {"role": "guardian", "phone": "070-174 06 98"}
    answer = _post(web, "/visit/B1", "/act/contact/B1", **new)
    page = web.get(answer.headers["location"]).text
    assert "Kontakten är tillagd" in page
    assert "gamla adressen" not in page


def test_a_stopped_address_gets_nothing_more(clinic: Clinic, web: TestClient) -> None:
    """Nothing goes to an address that staff have stopped; the visit stands on the call list."""
    add_user(clinic)
    log_in(web)
    _post(web, "/visit/B1", "/act/stop/B1", address="+46701740605")
    clinic.until("2026-11-30 12:05")
    assert {text.to for text in clinic.texts()} == {"•••• 606"}
    assert "B1" in web.get(f"{HERE}/calls").text
    answer = _post(web, "/visit/B1", "/act/stop/B1", address="+46701740606")
    assert answer.status_code == 404


def test_who_cannot_be_told_of_a_change_is_on_the_call_list(
    clinic: Clinic, web: TestClient
) -> None:
    """The page says so after cancelling, and the call list has them, with what they do not know."""
    add_user(clinic)
    log_in(web)
    clinic.until("2026-11-30 12:05")
    _post(web, "/visit/B1", "/act/stop/B1", address="+46701740605")
    runtime, now = clinic.runtime, clinic.clock.now()
    runtime.in_transaction(desk.move, runtime, "internet", "B1", at("2026-12-23 10:00"), now)
    page = re.sub(r"<[^>]+>", "", web.get(f"{HERE}/calls").text)
    assert re.search(r"den förra tiden\. De räknar med ons 2 dec\S* 2026 10:00\.", page), page
    answer = _post(web, "/visit/B1", "/act/cancel/B1")
    assert "se ringlistan" in web.get(answer.headers["location"]).text
    assert "avbokat, och de vet inte om det" in web.get(f"{HERE}/calls").text
    answer = _post(web, "/visit/B2", "/act/cancel/B2")
    assert "se ringlistan" not in web.get(answer.headers["location"]).text


def test_held_sending_sends_nothing_until_released(clinic: Clinic, web: TestClient) -> None:
    """While sending is held no text leaves, and the first page says so."""
    add_user(clinic)
    log_in(web)
    _post(web, "/today", "/hold")
    clinic.until("2026-11-30 12:05")
    assert clinic.texts() == []
    assert "utskicken är stoppade" in web.get(f"{HERE}/today").text
    _post(web, "/today", "/release")
    clinic.until("2026-11-30 12:10")
    assert len(clinic.texts()) == 2


def test_what_waits_while_sending_is_held_is_said_where_it_is_done(
    clinic: Clinic, web: TestClient
) -> None:
    """Each page that sends says that nothing goes out, and no note says that something does."""
    add_user(clinic)
    log_in(web)
    pages = ("/visit/B1", "/visits", "/several", "/calls")
    held = "utskicken är stoppade"
    assert [held in web.get(HERE + page).text for page in pages] == [False] * 4
    _post(web, "/today", "/hold")
    assert [held in web.get(HERE + page).text for page in pages] == [True] * 4
    answer = _post(web, "/visit/B1", "/act/help/B1")
    said = web.get(answer.headers["location"]).text
    assert "Meddelandet väntar" in said
    assert "går ut nu" not in said


def test_a_text_sent_by_hand_shortly_before_its_time_goes_once(
    clinic: Clinic, web: TestClient
) -> None:
    """It goes in the place of the planned one, and the page says so; held too long, that one goes."""
    add_user(clinic)
    clinic.until("2026-12-01 09:30")
    log_in(web)
    answers = [
        _post(web, f"/visit/{ref}", f"/act/resend/{ref}", rule="day_before") for ref in ("B1", "B2")
    ]
    assert "i stället för det som snart" in web.get(answers[0].headers["location"]).text
    _post(web, "/today", "/hold")
    clinic.until("2026-12-01 10:45")
    _post(web, "/today", "/release")
    clinic.until("2026-12-01 11:00")
    gone = clinic.texts()[2:]
    assert sorted(text.to[-3:] for text in gone) == ["605", "606"]
    assert [one[2:] for one in clinic.states("B1") if one[0] == "day_before"] == [
        ("delivered", None),
        ("expired", "deadline_passed"),
    ]


def test_a_day_is_cancelled_only_as_it_was_shown(clinic: Clinic, web: TestClient) -> None:
    """Cancelling a day does nothing if one of its visits has been moved since it was shown."""
    add_user(clinic)
    log_in(web)
    page = web.get(f"{HERE}/several?day=2026-12-02").text
    mark = re.findall(r'name="mark" value="(\w+)"', page)[0]
    chosen = {"mark": mark, "ref": ["B1", "B2"]}
    _post(web, "/visit/B2", "/act/move/B2", day="2026-12-02", time="11:00")
    assert _post(web, "/visits", "/several/cancel", **chosen).status_code == 409
    assert clinic.show("B1").visit.status == "booked"
    page = web.get(f"{HERE}/several?day=2026-12-02").text
    mark = re.findall(r'name="mark" value="(\w+)"', page)[0]
    again = {"mark": mark, "ref": ["B1", "B2"]}
    assert _post(web, "/visits", "/several/cancel", **again).status_code == 303
    assert [clinic.show(ref).visit.status for ref in ("B1", "B2")] == ["cancelled"] * 2


def test_a_gigabyte_is_refused_before_it_is_read(clinic: Clinic, web: TestClient) -> None:
    """An upload that says it is too large is refused at once."""
    add_user(clinic)
    log_in(web)
    headers = {"content-length": str(1 << 30), "content-type": "multipart/form-data; boundary=x"}
    assert web.post("/import/internet", content=b"", headers=headers).status_code == 413


def test_a_script_in_a_files_name_is_text(clinic: Clinic, web: TestClient) -> None:
    """What a file is called can put no markup into a page."""
    add_user(clinic)
    log_in(web)
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/import").text)
    assert found
    file = {"file": ("<img src=x onerror=alert(1)>.csv", b"x", "text/csv")}
    answer = web.post("/import/internet", data={"csrf_token": found[1]}, files=file)
    page = web.get(answer.headers["location"]).text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_the_settings_tell_who_may_what_and_who_did_what(clinic: Clinic, web: TestClient) -> None:
    """Users with what they may do here, opt-outs, and acts of this clinic alone, with their visits."""
    add_user(clinic)
    add_user(clinic, "eve", Role.VIEWER)
    accounts.add_user(clinic.runtime, "olle", "sv", {"other": Role.ADMIN}, PASSWORD)
    log_in(web)
    _post(web, "/visit/B1", "/act/cancel/B1")
    page = web.get(f"{HERE}/settings").text
    users = page[page.index('id="users"') : page.index('id="acts"')]
    assert re.findall(r"<span>(\w+)</span><span[^>]*>([^<]+)", users) == [
        ("anna", "får ändra"),
        ("eve", "får titta"),
    ]
    acts = page[page.index('id="acts"') :]
    assert "Avbokade ett besök" in acts
    assert f'href="{HERE}/visit/B1"' in acts
    elsewhere = web.get("/c/other/settings").text
    assert "olle" in elsewhere
    assert "Avbokade ett besök" not in elsewhere


def _upload(web: TestClient, *rows: str) -> str:
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/import").text)
    assert found
    file = {"file": ("ny.csv", "\n".join([HEAD, *rows]).encode(), "text/csv")}
    return str(
        web.post("/import/internet", data={"csrf_token": found[1]}, files=file).headers["location"]
    )


def _read(web: TestClient, place: str) -> str:
    """Wait until a file is read and compared; return the page that shows it."""
    for _ in range(600):
        page = web.get(place)
        if page.status_code != 200 or 'name="fingerprint"' in page.text:
            return page.text
        time.sleep(0.05)
    raise AssertionError("the file is not read")


def test_a_file_that_sends_emails_alone_shows_one(clinic: Clinic, web: TestClient) -> None:
    """What would be read is shown where nothing but emails would go, too."""
    add_user(clinic)
    log_in(web)
    page = _read(web, _upload(web, row("B7", phone="", email="anna@example.org").strip()))
    assert "Inget skulle skickas" not in page
    assert re.search(r"<article class=.letter.*?videobesök", page, re.DOTALL | re.IGNORECASE)


def test_a_file_that_waited_through_a_restart_is_told_to_be_gone(
    clinic: Clinic, web: TestClient
) -> None:
    """After a restart a file that waited for a yes is not there, and the page says so plainly."""
    add_user(clinic)
    log_in(web)
    place = _upload(web, row("B7", phone="070-174 06 07"))
    assert 'name="fingerprint"' in _read(web, place)
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as after:
        after.cookies = web.cookies
        gone = after.get(place)
        assert gone.headers["location"].endswith("/import?note=lost")
        page = after.get(gone.headers["location"]).text
        assert "Filen väntar inte längre" in page
        assert "Väntar på ja" not in page
        fingerprint = {"csrf_token": _csrf(page), "fingerprint": "x"}
        assert after.post(f"{place}/apply", data=fingerprint).status_code == 404
    with pytest.raises(NotFoundError):
        clinic.show("B7")


def test_a_large_file_is_applied_aside(
    clinic: Clinic, web: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file is imported beside the pages; its page tells so, then shows what it changed."""
    monkeypatch.setattr(applying, "AT_ONCE", 0)
    add_user(clinic)
    log_in(web)
    place = _upload(web, row("B7", phone="070-174 06 07"))
    page = _read(web, place)
    fingerprint = re.findall(r'name="fingerprint" value="([^"]+)"', page)[0]
    data = {"csrf_token": _csrf(page), "fingerprint": fingerprint}
    answer = web.post(f"{place}/apply", data=data)
    while answer.status_code == 200 or answer.headers["location"] == place:
        answer = web.get(place)
    assert answer.headers["location"].endswith("?note=imported")
    assert clinic.show("B7").visit.status == "booked"


def _csrf(page: str) -> str:
    found = re.search(r'name="csrf_token" value="(\w+)"', page)
    assert found
    return found[1]


def test_what_an_outage_would_do_to_the_plan(open_clinic, either_url: str) -> None:
    """What if, without a file, is asked of the real plan, with an outage; nothing changes."""
    clinic = open_clinic(url=either_url)
    clinic.read(row("B1"), row("B2", phone="070-174 06 06"), confirmations=True)
    clinic.plan()
    clinic.until("2026-11-30 12:10")
    before = [line.message.state for line in clinic.show("B1").lines]
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as web:
        add_user(clinic)
        log_in(web)
        found = re.search(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/what-if").text)
        assert found
        asked = {
            "days": "2", "outage_day": "2026-11-30", "outage_time": "13:00", "hours": "48",
            "csrf_token": found[1],
        }  # fmt: skip
        page = web.post("/import/internet/what-if", data=asked, files={"file": ("", b"")}).text
        refused = web.post("/import/internet/what-if", data=asked | {"days": "99"})
    assert "Planen som den är" in page
    numbers = [int(n) for n in re.findall(r"<dd>(\d+)</dd></div>", page)[:4]]
    assert numbers[2] >= 2
    assert refused.status_code == 400
    assert [line.message.state for line in clinic.show("B1").lines] == before


def test_the_language_is_the_users(clinic: Clinic, web: TestClient) -> None:
    """A user who chooses English has the pages in English from then on."""
    add_user(clinic)
    log_in(web)
    assert "<h1>I dag</h1>" in web.get(f"{HERE}/today").text
    _post(web, "/more", "/language", language="en")
    assert "<h1>Today</h1>" in web.get(f"{HERE}/today").text
