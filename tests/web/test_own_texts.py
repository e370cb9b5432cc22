"""The pages of a clinic show its own texts, and whoever is its administrator approves them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reminders.domain.access import Role
from reminders.engine import approval
from reminders.web.app import create_app
from tests.engine.clinic import Clinic
from tests.web.conftest import add_user, log_in

NORTH = {"phone": "08-465 004 00", "templates_folder": "north"}
HERE = "/c/internet"
THERE = "/c/north"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """Return two clinics: the second has edited a text of its own, and every clinic's is edited."""
    for folder in ("north", "all"):
        (tmp_path / folder / "sv").mkdir(parents=True)
    made = open_clinic(clinics__north=NORTH, templates_folder="all")
    own = tmp_path / "north" / "sv" / "day_before.sms.txt"
    own.write_text("Norr: {{ visit.day }}. {{ clinic.phone }}\n", "utf-8")
    for_all = tmp_path / "all" / "sv" / "help.sms.txt"
    for_all.write_text("Ring {{ clinic.phone }}.\n", "utf-8")
    add_user(made, "nina", north=Role.ADMIN)
    add_user(made, "anna")
    return made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return the browser of an administrator of the northern clinic alone."""
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as client:
        log_in(client, "nina")
        yield client


def _forms(page: str) -> list[dict[str, str]]:
    """Return what each form that approves sends."""
    found = re.findall(
        r'<form method="post" action="[^"]*/texts/approve">.*?</form>', page, re.DOTALL
    )
    return [dict(re.findall(r'type="hidden" name="(\w+)" value="(\w*)"', one)) for one in found]


def _waiting(clinic: Clinic) -> list[tuple[str, str]]:
    with clinic.runtime.database.reading() as conn:
        found = approval.waiting(conn, clinic.runtime)
    return [(one.source.clinic, one.source.name) for one in found]


def test_an_admin_of_one_clinic_approves_its_own(clinic: Clinic, web: TestClient) -> None:
    """Its own text has the button, every clinic's has not; then it is shown as what goes out."""
    page = web.get(f"{THERE}/texts/waiting").text
    assert "Mottagningens egen text" in page
    assert "En administratör för alla mottagningar godkänner en ändring." in page
    [form] = _forms(page)
    assert (form["own"], form["name"]) == ("north", "day_before")
    answer = web.post(f"{THERE}/texts/approve", data=form)
    assert answer.headers["location"] == f"{THERE}/texts/waiting?note=approved"
    assert _waiting(clinic) == [("", "help")]
    shown = web.get(f"{THERE}/texts?name=day_before").text
    assert "Norr: " in shown
    assert "Mottagningens egen text" in shown


def test_a_form_by_hand_approves_nothing_for_others(clinic: Clinic, web: TestClient) -> None:
    """What is every clinic's stays as it is, however the form says whose it is."""
    [form] = _forms(web.get(f"{THERE}/texts/waiting").text)
    with clinic.runtime.database.reading() as conn:
        [for_all] = [one for one in approval.waiting(conn, clinic.runtime) if not one.source.clinic]
    names = ("language", "name", "channel", "version")
    theirs = form | dict(zip(names, map(str, for_all.source.identity), strict=True))
    assert web.post(f"{THERE}/texts/approve", data=theirs).status_code == 409
    assert web.post(f"{THERE}/texts/approve", data={**theirs, "own": ""}).status_code == 403
    assert len(_waiting(clinic)) == 2


def test_another_clinic_sees_every_clinics_alone(clinic: Clinic, web: TestClient) -> None:
    """The pages of a clinic show no other's texts, and count none of what waits there."""
    log_in(web, "anna")
    forms = _forms(web.get(f"{HERE}/texts/waiting").text)
    assert [(form["own"], form["name"]) for form in forms] == [("", "help")]
    assert "Norr: " not in web.get(f"{HERE}/texts?name=day_before").text
    forms = _forms(web.get(f"{THERE}/texts/waiting").text)
    assert [(form["own"], form["name"]) for form in forms] == [
        ("", "help"),
        ("north", "day_before"),
    ]
    assert web.post(f"{HERE}/texts/approve", data={**forms[1], "own": "north"}).status_code == 409


def test_a_text_that_is_gone_goes_back(clinic: Clinic, web: TestClient) -> None:
    """The page says what approving means, and every clinic's text goes out there again."""
    [form] = _forms(web.get(f"{THERE}/texts/waiting").text)
    web.post(f"{THERE}/texts/approve", data=form)
    (clinic.folder / "north" / "sv" / "day_before.sms.txt").unlink()
    page = web.get(f"{THERE}/texts/waiting").text
    assert "finns inte längre i mappen" in page
    [form] = _forms(page)
    web.post(f"{THERE}/texts/approve", data=form)
    assert _waiting(clinic) == [("", "help")]
    assert "Norr: " not in web.get(f"{THERE}/texts?name=day_before").text
