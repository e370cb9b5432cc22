"""Logging in and out, sessions, and who may do what."""

import asyncio
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

import pytest

from reminders.domain.access import Role
from reminders.engine import accounts
from reminders.store.schema_web import session, user
from tests.engine.clinic import Clinic
from tests.web.conftest import PASSWORD, add_user, browser, form_token, log_in, pages


def test_a_login_leads_to_where_one_was_going(open_clinic, either_url):
    """Who asks for a page logs in first and is then led to it."""
    clinic = open_clinic(url=either_url)
    add_user(clinic)
    web = browser(pages(clinic))
    asked = web.get("/?day=1")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/%3Fday%3D1")
    entered = log_in(web, next="/?day=1")
    assert (entered.status_code, entered.headers["location"]) == (303, "/?day=1")
    assert web.get("/").json() == "anna"


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_a_login_leads_nowhere_else(clinic: Clinic, place: str):
    """A link to the login page cannot lead on to another site."""
    add_user(clinic)
    assert log_in(browser(pages(clinic)), next=place).headers["location"] == "/"


def test_the_database_has_no_token_and_no_password(clinic: Clinic):
    """Neither the session's token nor the password stands in the database, only hashes."""
    add_user(clinic)
    web = browser(pages(clinic))
    log_in(web)
    token = web.cookies["reminders_session"]
    with clinic.runtime.database.reading() as conn:
        kept = conn.execute(session.select()).one()
        raw = conn.exec_driver_sql("SELECT value FROM credential").scalar_one()
    assert kept.token_hash == accounts.secret_hash(token) != token
    assert raw.startswith("$argon2id$")
    assert PASSWORD not in raw


def test_cookies_are_for_the_server_alone(open_clinic):
    """The cookie is HttpOnly and SameSite; over https also Secure and bound to the host."""
    clinic = open_clinic(web__public_url="https://reminders.example.org")
    add_user(clinic)
    web = browser(pages(clinic), base_url="https://reminders.example.org")
    given = log_in(web).headers["set-cookie"]
    assert given.startswith("__Host-reminders=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {
        part.strip() for part in given.split(",")[0].split(";")
    }


def test_a_session_gets_a_token_of_its_own(clinic: Clinic):
    """A token that was there before the login is good for nothing after it."""
    add_user(clinic)
    app = pages(clinic)
    web = browser(app)
    web.cookies.set("reminders_session", "given-by-somebody-else")
    log_in(web)
    second = browser(app, cookies={"reminders_session": "given-by-somebody-else"})
    assert second.get("/").status_code == 303


def test_a_session_ends_when_it_is_not_used(clinic: Clinic):
    """Two hours without a click end a session; a click in between keeps it."""
    add_user(clinic)
    web = browser(pages(clinic))
    log_in(web)
    for _ in range(3):
        clinic.clock.set(clinic.clock.now() + timedelta(minutes=100))
        assert web.get("/").status_code == 200
    clinic.clock.set(clinic.clock.now() + timedelta(minutes=121))
    assert web.get("/").status_code == 303


def test_a_session_ends_after_twelve_hours(clinic: Clinic):
    """However much it is used, a session ends twelve hours after the login."""
    add_user(clinic)
    web = browser(pages(clinic))
    log_in(web)
    statuses = []
    for _ in range(8):
        clinic.clock.set(clinic.clock.now() + timedelta(minutes=100))
        statuses.append(web.get("/").status_code)
    assert statuses == [200] * 7 + [303]


def test_logging_out_ends_the_session_on_the_server(clinic: Clinic):
    """A token that somebody kept is worth nothing after logging out."""
    add_user(clinic)
    app = pages(clinic)
    web = browser(app)
    log_in(web)
    kept = web.cookies["reminders_session"]
    other = browser(app)
    log_in(other)
    token = _token_in_session(web, app)
    assert web.post("/logout", data={"csrf_token": token}).status_code == 303
    assert browser(app, cookies={"reminders_session": kept}).get("/").status_code == 303
    assert other.get("/").status_code == 200


def test_logging_out_everywhere_ends_every_session(clinic: Clinic):
    """Logging out everywhere also ends the session on the other machine."""
    add_user(clinic)
    app = pages(clinic)
    web, other = browser(app), browser(app)
    log_in(web)
    log_in(other)
    web.post("/logout-everywhere", headers={"x-csrf-token": _token_in_session(web, app)})
    assert other.get("/").status_code == 303


@pytest.mark.parametrize("change", ["password", "disable"])
def test_a_changed_account_is_logged_out(clinic: Clinic, change: str):
    """A new password, or a disabled account, ends the sessions at once."""
    add_user(clinic)
    web = browser(pages(clinic))
    log_in(web)
    if change == "password":
        accounts.change_password(clinic.runtime, "anna", "fyra helt nya ord")
    else:
        accounts.set_disabled(clinic.runtime, "Anna", disabled=True)
    assert web.get("/").status_code == 303
    assert log_in(web).status_code == 401


def test_wrong_and_unknown_look_the_same(clinic: Clinic):
    """A wrong password and a login that does not exist get the same answer, after equal work."""
    add_user(clinic)
    web = browser(pages(clinic))
    hashes: list[list[str]] = []
    accounts._nobodys_hash()
    right = accounts._right

    def counted(known: str, password: str) -> bool:
        hashes.append(known.split("$")[:4])
        return right(known, password)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_right", counted)
        wrong = log_in(web, password="something else")
        unknown = log_in(web, login="nobody", password="something else")
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.text.replace(form_token(web), "") == unknown.text.replace(form_token(web), "")
    assert hashes[0] == hashes[1]


def test_a_login_form_from_before_another_login_leads_on(clinic: Clinic):
    """Signed in in another tab, one is led on; with no cookie left, to a new form. Nobody signs in."""
    add_user(clinic)
    web = browser(pages(clinic))
    old = {"csrf_token": form_token(web), "login": "anna", "password": PASSWORD, "next": "/?day=1"}
    log_in(web)
    for _ in range(2):
        answer = web.post("/login", data=old)
        assert (answer.status_code, answer.headers["location"]) == (303, "/?day=1")
        assert "reminders_session" not in answer.headers.get("set-cookie", "")
        web.cookies.clear()
    assert web.get("/?day=1").headers["location"].startswith("/login?next=")
    away = web.post("/login", data={**old, "next": "https://evil.example/"})
    assert away.headers["location"] == "/"


def test_guessing_is_slowed_down(clinic: Clinic):
    """After five wrong passwords even the right one has to wait, and is then taken."""
    add_user(clinic)
    web = browser(pages(clinic))
    assert [log_in(web, password="a wrong guess").status_code for _ in range(6)] == [401] * 5 + [
        429
    ]
    refused = log_in(web)
    assert refused.status_code == 429
    clinic.clock.set(clinic.clock.now() + timedelta(seconds=int(refused.headers["retry-after"])))
    assert log_in(web).status_code == 303


def test_a_form_needs_its_token(clinic: Clinic):
    """A form without its token, or with another visitor's, is refused."""
    add_user(clinic)
    app = pages(clinic)
    web = browser(app)
    log_in(web)
    foreign = form_token(browser(app))
    for data in ({}, {"csrf_token": ""}, {"csrf_token": "å"}, {"csrf_token": foreign}):
        assert web.post("/internet/act", data=data).status_code == 403
    token = _token_in_session(web, app)
    assert web.post("/internet/act", data={"csrf_token": token}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://testserver"}, 200),
        ({}, 200),
    ],
)
def test_a_form_of_another_site_is_refused(clinic: Clinic, headers, status: int):
    """A form that another site's page sends is refused, even with the right token."""
    add_user(clinic)
    app = pages(clinic)
    web = browser(app)
    log_in(web)
    token = _token_in_session(web, app)
    answer = web.post("/internet/act", data={"csrf_token": token}, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("roles", "status"),
    [
        ({"internet": Role.ADMIN}, 200),
        ({"internet": Role.VIEWER}, 403),
    ],
)
def test_roles_hold_for_one_clinic(clinic: Clinic, roles, status: int):
    """An admin of a clinic may act there; a viewer may only look."""
    add_user(clinic, **roles)
    app = pages(clinic)
    web = browser(app)
    log_in(web)
    token = {"csrf_token": _token_in_session(web, app)}
    assert web.post("/internet/act", data=token).status_code == status
    assert web.post("/elsewhere/act", data=token).status_code == 403
    assert web.get("/").status_code == 200


def test_every_answer_has_the_headers(clinic: Clinic):
    """Pages, refusals and errors alike say what a browser may do with them."""
    web = browser(pages(clinic))
    for answer in (web.get("/login"), web.get("/nowhere"), web.post("/login"), web.get("/")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_a_large_body_is_refused_before_it_is_read(clinic: Clinic):
    """A body that says it is too large is refused unread."""
    web = browser(pages(clinic))
    declared = web.post("/login", content=b"", headers={"content-length": str(1 << 30)})
    assert declared.status_code == 413


def test_a_body_that_does_not_end_is_refused(clinic: Clinic):
    """A body that does not say how large it is, is refused midway, with bounded memory."""
    told, said = 0, []

    async def receive() -> dict[str, object]:
        nonlocal told
        told += 1
        assert told < 50
        return {"type": "http.request", "body": b"a" * 100_000, "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/login",
        "raw_path": b"/login",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), kind],
    }
    asyncio.run(pages(clinic)(scope, receive, send))
    assert said[0]["status"] == 413


def test_an_account_has_a_login_and_a_real_password(clinic: Clinic):
    """Short passwords, blank logins and clinics that do not exist are refused in words."""
    from reminders.errors import UsageError

    for login, password, where in [
        ("anna", "short", "internet"),
        ("", PASSWORD, "internet"),
        ("two words", PASSWORD, "internet"),
        ("anna", PASSWORD, "nowhere"),
    ]:
        with pytest.raises(UsageError):
            accounts.add_user(clinic.runtime, login, "sv", {where: Role.ADMIN}, password)
    with clinic.runtime.database.reading() as conn:
        assert conn.execute(user.select()).all() == []


def _token_in_session(web, app) -> str:
    from starlette.requests import Request

    from reminders.web.security import csrf_token

    cookie = "; ".join(f"{name}={value}" for name, value in web.cookies.items())
    scope = {"type": "http", "headers": [(b"cookie", cookie.encode())], "app": app, "state": {}}
    return csrf_token(Request(scope))
