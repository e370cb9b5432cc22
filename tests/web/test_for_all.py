"""What concerns every clinic of the installation needs an administrator of all of them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from reminders.domain.access import Role
from reminders.engine import approval
from reminders.store import keeping
from reminders.web.app import create_app
from tests.engine.clinic import SECOND, Clinic
from tests.web.conftest import add_user, log_in

OTHER = {"phone": "08-465 004 00"}
HERE = "/c/internet"
THERE = "/c/other"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """Return one of two clinics, whose texts have been edited."""
    own = tmp_path / "texts" / "sv"
    own.mkdir(parents=True)
    made = open_clinic(clinics__other=OTHER, templates_folder=str(own.parent))
    (own / "help.sms.txt").write_text("Ring {{ clinic.phone }}.\n", "utf-8")
    made.clock.set(made.clock.now() + SECOND)  # of two versions of one instant, either is the last
    return made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which nobody is signed in."""
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as client:
        yield client


def _post(web: TestClient, place: str, path: str, **data: str) -> Any:
    """Send a form by hand, with the token that any page has."""
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get(f"{place}/more").text)
    assert found
    sent = {"csrf_token": found[1], "from": f"{place}/today", **data}
    return web.post(place + path, data=sent)


def _waiting(clinic: Clinic) -> list[dict[str, str]]:
    names = ("language", "name", "channel", "version")
    with clinic.runtime.database.reading() as conn:
        found = approval.waiting(conn, clinic.runtime)
    return [dict(zip(names, map(str, one.source.identity), strict=True)) for one in found]


def _held(clinic: Clinic) -> bool:
    with clinic.runtime.database.reading() as conn:
        return keeping.held_by(conn) is not None


def test_an_admin_of_one_clinic_does_nothing_to_all(clinic: Clinic, web: TestClient) -> None:
    """The buttons are not there, the pages say who has them, and a form by hand is refused."""
    add_user(clinic, "nina", other=Role.ADMIN)
    log_in(web, "nina")
    today = web.get(f"{THERE}/today").text
    assert f"{THERE}/hold" not in today
    assert "En administratör för alla mottagningar kan stoppa alla utskick." in today
    texts = web.get(f"{THERE}/texts/waiting").text
    assert "texts/approve" not in texts
    assert "En administratör för alla mottagningar godkänner en ändring." in texts
    [edited] = _waiting(clinic)
    answers = [
        _post(web, THERE, "/hold"),
        _post(web, THERE, "/release"),
        _post(web, THERE, "/texts/approve", **edited),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert all("Det här gäller alla mottagningar" in answer.text for answer in answers)
    assert not _held(clinic)
    assert _waiting(clinic) == [edited]


@pytest.mark.parametrize(
    "roles", [{}, {"internet": Role.ADMIN, "other": Role.ADMIN}], ids=["all", "each"]
)
def test_an_admin_of_all_clinics_does(clinic: Clinic, web: TestClient, roles: Any) -> None:
    """Who is an admin of all the clinics, or of each by name, holds, releases and approves."""
    add_user(clinic, "anna", **roles)
    log_in(web)
    assert f"{HERE}/hold" in web.get(f"{HERE}/today").text
    assert _post(web, HERE, "/hold").status_code == 303
    assert _held(clinic)
    assert f"{HERE}/release" in web.get(f"{HERE}/today").text
    assert _post(web, HERE, "/release").status_code == 303
    assert not _held(clinic)
    assert "texts/approve" in web.get(f"{HERE}/texts/waiting").text
    assert _post(web, HERE, "/texts/approve", **_waiting(clinic)[0]).status_code == 303
    assert _waiting(clinic) == []


def test_an_admin_of_one_clinic_cannot_let_all_go_on(clinic: Clinic, web: TestClient) -> None:
    """While sending is held, an admin of one clinic sees that it is, and who lets it go on."""
    with clinic.runtime.database.transaction() as conn:
        keeping.hold(conn, clinic.clock.now(), keeping.Cause.PERSON)
    add_user(clinic, "nina", other=Role.ADMIN)
    log_in(web, "nina")
    today = web.get(f"{THERE}/today").text
    assert "utskicken är stoppade" in today
    assert f"{THERE}/release" not in today
    assert "En administratör för alla mottagningar släpper på det igen." in today
    assert _post(web, THERE, "/release").status_code == 403
    assert _held(clinic)


def test_a_clinic_by_itself_is_the_whole_installation(open_clinic: Callable[..., Clinic]) -> None:
    """Where there is one clinic, its admin may do all of it."""
    clinic = open_clinic()
    add_user(clinic, "nina", internet=Role.ADMIN)
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as web:
        log_in(web, "nina")
        assert f"{HERE}/hold" in web.get(f"{HERE}/today").text
        assert _post(web, HERE, "/hold").status_code == 303
    assert _held(clinic)
