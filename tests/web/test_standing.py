"""While sending is held or a channel is down, no page says that something goes out now."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from reminders.domain.contact import Channel
from reminders.store import clinics
from reminders.web.app import create_app
from tests.engine.clinic import HEAD, Clinic, at, row
from tests.web.conftest import add_user, log_in

HERE = "/c/internet"
OTHER = {"phone": "08-465 004 00"}
DOWN = "SMS går inte ut."
HELD = "utskicken är stoppade"
REFUSED = "070-174 06 19"


@pytest.fixture
def clinic(open_clinic) -> Clinic:
    """Return one of two clinics, with visits whose people have SMS, email, or a number refused."""
    fails = {"sandbox": {"show": "none", "fail": {"+46701740619": "address"}}}
    made: Clinic = open_clinic(clinics__other=OTHER, providers=fails)
    made.read(
        row("B1"), row("B2", phone="", email="mamma@example.org"), row("B3", phone=REFUSED),
        confirmations=True,
    )  # fmt: skip
    made.until("2026-11-30 12:05")
    add_user(made)
    return made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which anna is signed in."""
    with TestClient(create_app(clinic.runtime)) as client:
        log_in(client)
        yield client


def close(clinic: Clinic) -> None:
    """Let the provider of SMS take nothing any more."""

    def stop(conn: Any) -> None:
        here = clinics.find_clinic_id(conn, "internet") or 0
        clinics.close_channel(conn, here, Channel.SMS, "20003", clinic.clock.now())

    clinic.runtime.in_transaction(stop)


def send(web: TestClient, page: str, path: str, **more: Any) -> str:
    """Send a form of a page, with the token that stands there; return the page after it."""
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get(HERE + page).text)
    assert found
    token = {"csrf_token": found[1], "from": HERE + page}
    files = more.pop("files", None)
    return words(web.post(path, data={**token, **more}, files=files).text)


def words(page: str) -> str:
    """Return what a page says."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def waiting_file(web: TestClient) -> str:
    """Choose a file; return the page that shows what it would change."""
    file = {"file": ("b.csv", (HEAD + row("B9", phone="070-174 06 09")).encode())}
    send(web, "/import", "/import/internet", files=file)
    for _ in range(400):
        (job,) = re.findall(rf"{HERE}(/import/waiting/\w+)", web.get(f"{HERE}/import").text)
        if "would" in (page := web.get(HERE + job).text) or "sends" in page:
            return str(job)
    raise AssertionError("the file is not read")


def test_each_page_that_sends_names_what_does_not_go_out(clinic: Clinic, web: TestClient) -> None:
    """The import's pages too; of another clinic's channel nothing is said."""
    job = waiting_file(web)
    pages = ("/visit/B1", "/visits", "/several", "/calls", "/import", "/import/1", job)
    for said in (DOWN, HELD):
        assert [said in words(web.get(HERE + page).text) for page in pages] == [False] * 7
    close(clinic)
    for page in pages:
        assert DOWN in words(web.get(HERE + page).text), page
    assert DOWN not in words(web.get("/c/other/visits").text)
    assert DOWN not in words(web.get("/c/other/import").text)
    send(web, "/today", f"{HERE}/hold")
    for page in pages:
        assert HELD in words(web.get(HERE + page).text), page


def test_a_text_asked_for_waits_for_its_channel(clinic: Clinic, web: TestClient) -> None:
    """Nothing says that it goes out now or went out; by email it does, whatever is with SMS."""
    assert "Anslutningshjälpen går ut nu." in send(web, "/visit/B2", f"{HERE}/act/help/B2")
    close(clinic)
    for act in ("act/help/B1", "act/resend/B1"):
        page = send(web, "/visit/B1", f"{HERE}/{act}", rule="day_before")
        assert "Det som ska gå med SMS väntar: inget går ut den vägen just nu. Ring" in page
        assert "går ut nu" not in page.lower()
        assert "Väntar sedan i dag 12:05." in page
    page = send(web, "/visit/B2", f"{HERE}/act/resend/B2", rule="booked")
    assert "Meddelandet går ut nu." in page


def test_a_move_is_told_as_far_as_its_channel_works(clinic: Clinic, web: TestClient) -> None:
    """Who is told by SMS is told later, or stands on the call list; by email they are told now."""
    close(clinic)
    to = {"day": "2026-12-03", "time": "11:00"}
    page = send(web, "/visit/B1", f"{HERE}/act/move/B1", **to)
    assert "De som kände till det får veta, men inte än med SMS: inget går" in page
    page = send(web, "/visit/B2", f"{HERE}/act/move/B2", **to)
    assert "Besöket har en ny tid. De som kände till den gamla får veta det." in page


def test_who_has_both_ways_is_told_which_of_them_waits(clinic: Clinic, web: TestClient) -> None:
    """A guardian by SMS waits; the other, by email, does not."""
    clinic.read(row("B4", phone="070-174 06 15"), row("B4", phone="", email="pappa@example.org"))
    clinic.until("2026-11-30 12:10")
    close(clinic)
    page = send(web, "/visit/B4", f"{HERE}/act/help/B4")
    assert "Det som ska gå med SMS väntar: inget går ut den vägen just nu." in page
    assert page.count("Väntar sedan") == page.count("Går ut nu.") == 1


def test_a_whole_day_is_not_told_at_once_while_a_channel_is_down(
    clinic: Clinic, web: TestClient
) -> None:
    """The forecast says what waits, and that nothing goes at once while sending is held."""
    asked = f"{HERE}/several?day=2026-12-02&text=help"
    assert "Går ut genast" in words(web.get(asked).text)
    close(clinic)
    assert "Går ut genast, men inte än med SMS" in words(web.get(asked).text)
    send(web, "/visit/B2", f"{HERE}/act/cancel/B2")
    assert "Går ut när leverantören tar emot igen" in words(web.get(asked).text)
    send(web, "/today", f"{HERE}/hold")
    assert "Går ut när utskicken släpps på" in words(web.get(asked).text)


def test_what_was_refused_was_not_sent(web: TestClient) -> None:
    """A text that the provider refused was handed over; one that it took was sent."""
    page = words(web.get(f"{HERE}/visit/B3").text)
    assert "Lämnades till leverantören i dag 12:00 och avvisades." in page
    assert "Ord för ord som det lämnades till leverantören." in page
    assert "Skickat i dag" not in page
    assert "som det skickades" not in page
    page = words(web.get(f"{HERE}/visit/B1").text)
    assert "Ord för ord som det skickades." in page
    assert "avvisades" not in page


def test_a_text_whose_time_has_passed_waits(clinic: Clinic, web: TestClient) -> None:
    """A planned text goes out now for a minute; after it, it has waited since its time."""
    send(web, "/visit/B1", f"{HERE}/act/help/B1")
    assert "Går ut nu." in words(web.get(f"{HERE}/visit/B1").text)
    clinic.clock.set(at("2026-11-30 12:08"))
    page = words(web.get(f"{HERE}/visit/B1").text)
    assert "Väntar sedan i dag 12:05." in page
    assert "Går ut nu." not in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Filen är tom."),
        (HEAD.replace("starttid", "annat").encode(), "Rad 1: Det saknas en kolumn som behövs."),
    ],
)
def test_what_if_says_in_swedish_why_a_file_cannot_be_used(
    web: TestClient, content: bytes, said: str
) -> None:
    """As the import's page does, and not in English."""
    page = send(web, "/what-if", "/import/internet/what-if", files={"file": ("b.csv", content)})
    assert f"Filen kan inte användas, och inget ändrades. {said}" in page
    assert "nothing was changed" not in page
