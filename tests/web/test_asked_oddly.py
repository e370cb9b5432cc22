"""What cannot be, asked for or sent, gets a page in words, in the user's language, with a way back."""

import re
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from reminders.web.app import create_app
from tests.engine.clinic import Clinic, row
from tests.web.conftest import add_user, log_in

HERE = "/c/internet"


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return a clinic with a visit."""
    made = open_clinic()
    made.read(row("B1"))
    return made


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which an admin is signed in."""
    add_user(clinic)
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as client:
        log_in(client)
        yield client


@pytest.mark.parametrize(
    "asked",
    [
        "several?day=0001-01-01",
        "several?day=9999-12-31",
        "visits?day=0001-01-01",
        f"import?before={'9' * 30}",
        f"import/{'9' * 30}",
        "import/-1",
    ],
)
def test_a_day_or_a_number_that_cannot_be(web: TestClient, asked: str) -> None:
    """It is a mistake that the page tells, not a failure of the program."""
    answer = web.get(f"{HERE}/{asked}")
    assert answer.status_code in {400, 404}
    assert "<h1>" in answer.text


def test_a_place_in_a_list_that_no_page_has_ends_the_list(web: TestClient) -> None:
    """Beyond every visit there is none."""
    answer = web.get(f"{HERE}/visits?after=9999999999.{'9' * 30}")
    assert answer.status_code == 200
    assert "/visit/B1" not in answer.text


def test_what_is_too_large_is_said_on_a_page(web: TestClient) -> None:
    """A file that is too large is refused in the user's words, with a link that leads on."""
    kind = {"content-type": "multipart/form-data; boundary=x", "content-length": str(1 << 40)}
    answer = web.post("/import/internet", content=b"", headers=kind)
    assert answer.status_code == 413
    assert "Filen är för stor" in answer.text
    assert 'href="/"' in answer.text
    assert answer.headers["connection"] == "close"


def test_a_refusal_is_in_the_language_that_the_user_chose(web: TestClient) -> None:
    """Too large, not there, or no form of ours: the browser's language counts for strangers alone."""
    web.headers["accept-language"] = "en"
    form = {"content-type": "multipart/form-data; boundary=x"}
    huge = {**form, "content-length": str(1 << 40)}
    for method, path, headers, status in (
        ("POST", "/import/internet", huge, 413),
        ("GET", "/c/internet/nothing-there", {}, 404),
        ("POST", f"{HERE}/act/cancel/B1", {}, 403),
    ):
        answer = web.request(method, path, headers=headers)
        assert answer.status_code == status
        assert '<html lang="sv"' in answer.text, path
    web.cookies.clear()
    assert '<html lang="en"' in web.post("/import/internet", content=b"", headers=huge).text


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"import/aside/{'9' * 30}/close", ""),
        (f"import/aside/{'9' * 30}/look", ""),
        (f"import/{'9' * 30}/settle", "problem"),
        ("import/1/settle", "problem"),
        ("import/aside/x/look", ""),
        ("answered", "answer"),
        ("called", "contact"),
        ("not-called", "called"),
        ("act/contact/B1", "contact"),
        ("act/wishes/B1", "contact"),
        ("act/informed/B1", "contact"),
    ],
)
def test_a_number_that_names_nothing_is_not_there(web: TestClient, path: str, field: str) -> None:
    """No address and no form with a number that no row can have breaks anything: it is not there."""
    token = re.findall(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/more").text)[0]
    data = {
        "csrf_token": token,
        "ref": "B1",
        "initials": "AB",
        **({field: "9" * 30} if field else {}),
    }
    answer = web.post(f"{HERE}/{path}", data=data)
    assert answer.status_code == 404
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    ("path", "back", "named"),
    [
        ("import/1/settle", "import", {"problem": "9999"}),
        ("not-called", "calls", {"ref": "B1", "called": "9999"}),
        ("called", "calls", {"ref": "B1", "contact": "9999", "initials": "AB"}),
    ],
)
def test_a_form_of_what_is_not_there_claims_nothing(
    clinic: Clinic, web: TestClient, path: str, back: str, named: dict[str, str]
) -> None:
    """What a form names and is not there, or another clinic's, is said to be so; no note says done."""
    token = re.findall(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/more").text)[0]
    data = {"csrf_token": token, "from": f"{HERE}/{back}", **named}
    answer = web.post(f"{HERE}/{path}", data=data)
    assert answer.status_code == 404
    assert re.search(r'role="alert".*(Inget ändrades|Ingen prickades av)', answer.text)
    events = {entry.event for entry in clinic.show("B1").entries}
    assert not events & {"called", "not_called"}


def test_whom_a_form_may_tick_off(clinic: Clinic, web: TestClient) -> None:
    """A contact of the visit's, and the family as a whole, are ticked off as before."""
    token = re.findall(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/more").text)[0]
    [person] = clinic.show("B1").patient.people
    for contact in (person.id, 0):
        data = {"csrf_token": token, "ref": "B1", "contact": contact, "initials": "AB"}
        answer = web.post(f"{HERE}/called", data=data)
        assert answer.headers["location"].endswith("note=called")


def test_a_sign_that_no_database_takes_is_not_found(
    open_clinic: Callable[..., Clinic], either_url: str
) -> None:
    """A reference with a NUL in it is not there, on SQLite and on PostgreSQL."""
    clinic = open_clinic(url=either_url)
    add_user(clinic)
    with TestClient(create_app(clinic.runtime), follow_redirects=False) as web:
        log_in(web)
        assert web.get(f"{HERE}/visit/B1%00").status_code == 404
        token = re.findall(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/visits").text)[0]
        sent = web.post(f"{HERE}/visits", data={"csrf_token": token, "text": "B1\0"})
        assert sent.status_code == 404
