"""A clinic's pages: the real application over the real store, on a clock moved by hand."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from reminders.domain.access import ALL_CLINICS, Role
from reminders.engine import accounts
from reminders.web.accounts import router
from reminders.web.app import LoginTemplates, _tell_errors, create_app
from reminders.web.security import Admin, SignedIn, page_router, protect
from reminders.web.site import Site
from tests.engine.clinic import Clinic, at

START = "2026-11-30 12:00"
PASSWORD = "tre ord i rad"


@pytest.fixture(autouse=True)
def _light_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make passwords' hashes with little work: the real argon2, at its lightest."""
    light = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", light)
    accounts._nobodys_hash.cache_clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database without rows, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'reminders.db'}"
    url: str = request.getfixturevalue("ready_postgres_url")
    return url


@pytest.fixture
def open_clinic(tmp_path: Path) -> Iterator[Callable[..., Clinic]]:
    """Return a maker of clinics; they are closed at the end."""
    opened: list[Clinic] = []

    def make(start: str = START, url: str | None = None, **changes: Any) -> Clinic:
        where = url or f"sqlite:///{tmp_path / 'reminders.db'}"
        clinic = Clinic(tmp_path, where, at(start), **changes)
        opened.append(clinic)
        return clinic

    yield make
    for clinic in opened:
        clinic.end()


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic]) -> Clinic:
    """Return the example clinic on Monday 30 November 2026 at noon."""
    return open_clinic()


@pytest.fixture
def web(clinic: Clinic) -> Iterator[TestClient]:
    """Return a browser in which anna, an admin, is signed in."""
    add_user(clinic)
    with browser(create_app(clinic.runtime)) as client:
        log_in(client)
        yield client


def pages(clinic: Clinic) -> FastAPI:
    """Return the login pages, and one page for each role."""
    app = FastAPI(openapi_url=None)
    app.state.site = Site(clinic.runtime)
    app.state.templates = LoginTemplates(app.state.site)
    more = page_router()

    @more.get("/")
    def home(user: SignedIn) -> str:
        return user.login

    @more.post("/{clinic}/act")
    def act(user: Admin) -> str:
        return user.login

    app.include_router(router)
    app.include_router(more)
    _tell_errors(app)
    protect(app, clinic.runtime)
    return app


def browser(app: FastAPI, **more: Any) -> TestClient:
    """Return a browser that follows no redirection by itself."""
    return TestClient(app, follow_redirects=False, **more)


def add_user(clinic: Clinic, login: str = "anna", role: Role = Role.ADMIN, **roles: Role) -> None:
    """Add a user, of all clinics or of those named."""
    held = dict(roles) or {ALL_CLINICS: role}
    accounts.add_user(clinic.runtime, login, "sv", held, PASSWORD)


def form_token(web: TestClient) -> str:
    """Return the token of the login form."""
    found = re.search(r'name="csrf_token" value="(\w+)"', web.get("/login").text)
    assert found
    return found[1]


def log_in(web: TestClient, login: str = "anna", password: str = PASSWORD, **more: str) -> Any:
    """Fill in the login form and send it."""
    data = {"login": login, "password": password, "csrf_token": form_token(web), **more}
    return web.post("/login", data=data)
