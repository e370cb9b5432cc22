"""What cannot be, asked for or sent, gets a page in words, in the user's language, with a way back."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from reminders.web.app import create_app
from tests.engine.clinic import Clinic, row
from tests.web.conftest import add_user, log_in

HERE = "/c/internet"


@pytest.fixture
def web(open_clinic: Callable[..., Clinic]) -> Iterator[TestClient]:
    """Return a browser in which an admin is signed in."""
    clinic = open_clinic()
    clinic.read(row("B1"))
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
    ],
)
def test_a_day_or_a_number_that_cannot_be(web: TestClient, asked: str) -> None:
    """It is a mistake that the page tells, not a failure of the program."""
    answer = web.get(f"{HERE}/{asked}")
    assert answer.status_code in {400, 404}
    assert "<h1>" in answer.text


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
