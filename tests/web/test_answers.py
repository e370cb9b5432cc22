"""The pages show what people answered, wish, and have to be asked and told, and record it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from reminders.domain.appointment import OwnLogin
from reminders.domain.contact import Channel
from reminders.domain.unheard import CALL_FOR
from reminders.engine import approval, inbound
from reminders.providers.base import Inbound
from reminders.store.schema import TROUBLE
from reminders.web.app import create_app
from tests.engine.clinic import HEAD, Clinic, row
from tests.web.conftest import log_in

HERE = "/c/internet"
OURS = "+46701740699"
TEENAGER = ("B2", "2026-12-03 10:00")
WISHES = HEAD.rstrip("\n") + ";egen inloggning;vårdnadshavare från 13;inga sms;kontaktväg\n"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """Return a clinic that can be answered, with a child's visit and a teenager's."""
    sms = {"provider": "sandbox", "sender": OURS, "two_way": True}
    (tmp_path / "texts" / "sv").mkdir(parents=True)
    made = open_clinic(clinics__internet__sms=sms, templates_folder=str(tmp_path / "texts"))
    child, teenager = (
        row("B1", phone="070-174 06 05").rstrip("\n") + ";;;08.00-11;e-post\n",
        row(*TEENAGER, phone="070-174 06 06", role="patient", born="2011-05-01").rstrip("\n"),
    )
    made.read(child, teenager + ";;;;\n", head=WISHES, confirmations=True)
    made.until("2026-11-30 12:05")
    return made


def write(clinic: Clinic, text: str, sender: str = "+46701740605") -> None:
    """Let a text come in."""
    came = Inbound("sandbox", clinic.runtime.token(), sender, OURS, text)
    now = clinic.clock.now()
    clinic.runtime.in_transaction(inbound.receive, clinic.runtime, came, now)


def post(web: TestClient, page: str, path: str, **data: Any) -> Any:
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get(HERE + page).text)
    assert found
    return web.post(HERE + path, data={"csrf_token": found[1], **data})


def answer_of(page: str) -> str:
    found = re.search(r'name="answer" value="(\d+)"', page)
    assert found
    return found[1]


def test_a_no_stands_on_the_first_page_until_it_is_seen_to(clinic: Clinic, web: TestClient) -> None:
    """A NEJ stands on today and at the visit, which stays booked, until somebody ticks it off."""
    write(clinic, "Nej")
    page = web.get(f"{HERE}/today").text
    assert "Har svarat NEJ. Inget är avbokat" in page
    assert f'href="{HERE}/visit/B1"' in page
    visit = web.get(f"{HERE}/visit/B1").text
    assert "Har svarat NEJ. Inget är avbokat" in visit
    gone = post(web, "/today", "/answered", answer=answer_of(page), ref="B1")
    assert gone.headers["location"] == f"{HERE}/visit/B1?note=answered"
    assert "Har svarat NEJ" not in web.get(f"{HERE}/today").text
    assert clinic.show("B1").visit.status == "booked"
    assert post(web, "/today", "/answered", answer=answer_of(page)).status_code == 404


def test_a_yes_after_a_no_stands_by_it(clinic: Clinic, web: TestClient) -> None:
    """After NEJ and JA, *Today* and the visit say both; the item waits for a person."""
    write(clinic, "Nej")
    assert "Därefter har JA svarats" not in web.get(f"{HERE}/today").text
    clinic.until("2026-11-30 13:12")
    write(clinic, "Ja")
    for page in ("today", "visit/B1"):
        text = web.get(f"{HERE}/{page}").text
        assert re.search(r"Har svarat NEJ.*Därefter har JA svarats, i dag 13:12: fråga vad", text)
    assert clinic.show("B1").visit.status == "booked"


def test_words_are_read_on_the_page_and_are_gone_when_seen_to(
    clinic: Clinic, web: TestClient
) -> None:
    """What somebody wrote can be read where it is ticked off, as text and never as markup."""
    write(clinic, "<b>Kan vi byta tid?</b>")
    page = web.get(f"{HERE}/visit/B1").text
    assert "&lt;b&gt;Kan vi byta tid?" in page
    post(web, "/visit/B1", "/answered", answer=answer_of(page), ref="B1")
    page = web.get(f"{HERE}/visit/B1").text
    assert "Skrev något annat" in page
    assert "byta tid" not in page


def test_a_strangers_text_stands_with_its_number(clinic: Clinic, web: TestClient) -> None:
    """A number that no patient has can be phoned back from the first page."""
    write(clinic, "Ring mig", "+46701740690")
    page = web.get(f"{HERE}/today").text
    assert "070-174 06 90" in page
    assert "Ring mig" in page


def test_another_clinics_answer_cannot_be_ticked_off(
    open_clinic: Callable[..., Clinic], clinic: Clinic, web: TestClient
) -> None:
    """An answer to one clinic is not another clinic's to tick off."""
    write(clinic, "Nej")
    answer = answer_of(web.get(f"{HERE}/today").text)
    clinic.restart(clinics__other={"phone": "08-465 004 00"})
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as other:
        log_in(other)
        page = other.get("/c/other/today").text
        found = re.search(r'name="csrf_token" value="(\w+)"', page)
        assert found
        data = {"csrf_token": found[1], "answer": answer}
        assert other.post("/c/other/answered", data=data).status_code == 404


def test_a_yes_is_shown(clinic: Clinic, web: TestClient) -> None:
    """Who has answered JA stands at the visit, and nobody has anything to do."""
    write(clinic, "Ja!")
    assert "Vårdnadshavare har svarat att de kommer" in web.get(f"{HERE}/visit/B1").text
    assert "Har skrivit till oss" not in web.get(f"{HERE}/today").text


def test_a_login_is_asked_for_and_recorded(clinic: Clinic, web: TestClient) -> None:
    """A teenager without a known login is on the call list until the answer is recorded."""
    assert "B2" in web.get(f"{HERE}/calls").text
    page = web.get(f"{HERE}/visit/B2").text
    assert "Egen inloggning" in page
    assert "Inte frågat än" in page
    assert "Egen inloggning" not in web.get(f"{HERE}/visit/B1").text
    assert post(web, "/visit/B2", "/act/login/B2", answer="perhaps").status_code == 400
    post(web, "/visit/B2", "/act/login/B2", answer="confirmed")
    assert clinic.show("B2").patient.own_login is OwnLogin.CONFIRMED
    assert "B2" not in web.get(f"{HERE}/calls").text


def test_wishes_stand_by_the_contact(clinic: Clinic, web: TestClient) -> None:
    """Hours without SMS and the preferred channel are told in words."""
    page = web.get(f"{HERE}/visit/B1").text
    assert "Vill helst ha e-post." in page
    assert "Vill inte ha SMS 08:00-11:00." in page


def test_consent_told_to_staff_is_to_the_present_texts(clinic: Clinic, web: TestClient) -> None:
    """A contact whom staff add has consented to the texts as they are, with their edition."""
    post(web, "/visit/B1", "/act/contact/B1", role="guardian", phone="070-174 06 09")
    first, added = clinic.show("B1").patient.people
    assert added.words[Channel.SMS].edition == first.words[Channel.SMS].edition is not None
    assert added.words[Channel.SMS].source == "staff"


PLAIN = "Videobesök {{ visit.day }}. Ring {{ clinic.phone }}.\n"


def edit(clinic: Clinic, words: str = PLAIN) -> Any:
    """Let the clinic write the day-before SMS anew; return what waits."""
    own = clinic.folder / "texts" / "sv" / "day_before.sms.txt"
    own.write_text(words, "utf-8")
    [source] = [
        s
        for (language, name, channel), s in approval.on_disk(clinic.runtime).items()
        if (language, name, channel) == ("sv", "day_before", Channel.SMS)
    ]
    return source


@pytest.mark.parametrize("meaning", ["true", ""])
def test_whether_a_text_changes_its_meaning_is_chosen(
    clinic: Clinic, web: TestClient, meaning: str
) -> None:
    """Only an approval that says so puts those who agreed on the call list, until they are told."""
    source = edit(clinic)
    clinic.clock.set(clinic.clock.now().replace(minute=30))
    assert 'name="meaning"' in web.get(f"{HERE}/texts/waiting").text
    names = ("language", "name", "channel", "version")
    key = dict(zip(names, source.identity, strict=True))
    done = post(web, "/texts/waiting", "/texts/approve", **key, meaning=meaning)
    assert done.headers["location"].endswith("note=approved")
    told = "Meddelandena säger något annat nu"
    assert (told in web.get(f"{HERE}/calls").text) is bool(meaning)
    assert (told in web.get(f"{HERE}/visit/B1").text) is bool(meaning)
    person = clinic.show("B1").patient.people[0].id
    post(web, "/visit/B1", "/act/informed/B1", contact=person)
    assert told not in web.get(f"{HERE}/visit/B1").text


def test_a_text_that_says_too_much_cannot_be_approved(clinic: Clinic, web: TestClient) -> None:
    """The page says what is wrong and has no button; who sends the form all the same is refused."""
    source = edit(clinic, "BUP ringer dig {{ visit.day }}.\n")
    page = web.get(f"{HERE}/texts/waiting").text
    assert "sv/day_before.sms.txt, rad 1" in page
    assert "Den kan inte godkännas som den är" in page
    assert "texts/approve" not in page
    names = ("language", "name", "channel", "version")
    key = dict(zip(names, source.identity, strict=True))
    done = post(web, "/visit/B1", "/texts/approve", **key)
    assert done.status_code >= 400
    assert "sv/day_before.sms.txt, rad 1" in web.get(f"{HERE}/texts/waiting").text


def test_the_call_list_has_everybody_whom_the_worklist_has() -> None:
    """No reason to phone somebody is left out where the page looks for them."""
    assert [reason.value for reason in CALL_FOR if f"'{reason.value}'" not in TROUBLE] == []


def test_a_guardian_without_a_choice_is_on_the_pages_call_list(
    clinic: Clinic, web: TestClient
) -> None:
    """Whom nobody may write to for want of a choice is to be phoned, on the page as well."""
    clinic.read(row("B3", phone="070-174 06 07", born="2011-05-01"), confirmations=True)
    clinic.plan()
    page = web.get(f"{HERE}/calls").text
    assert f'{HERE}/visit/B3"' in page
    assert "070-174 06 07" in page
