"""The JSON API: bookings in, messages out, and every error in one form."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from reminders.domain.access import Scope
from reminders.engine import accounts, aside, booking, following
from reminders.store.database import Connection
from reminders.web.api import BASE, attach
from reminders.web.api.models import BookingIn
from reminders.web.security import protect
from tests.engine.clinic import Clinic, at

BOOKING: dict[str, Any] = {
    "starts_at": "2026-12-02T10:00:00+01:00",
    "patient": {"key": "P1", "birth_date": "2016-05-01"},
    "contacts": [{"role": "guardian", "mobile": "070-174 06 05", "email": "a@example.org"}],
}


def serve(clinic: Clinic) -> FastAPI:
    """Return the web side with the API alone."""
    app = FastAPI(openapi_url=None)
    attach(app, clinic.runtime)
    protect(app, clinic.runtime)
    return app


def program(clinic: Clinic, *scopes: Scope, app: FastAPI | None = None) -> TestClient:
    """Return a program with a token of its own."""
    name = f"program {len(scopes)} {id(scopes)}"
    secret = accounts.add_token(clinic.runtime, "internet", name, scopes, None)
    client = TestClient(app or serve(clinic), base_url=f"http://testserver{BASE}")
    client.headers["authorization"] = f"Bearer {secret}"
    return client


@pytest.fixture
def api(clinic: Clinic) -> TestClient:
    """Return a program that may read and write."""
    return program(clinic, *Scope)


def test_a_booking_becomes_texts(open_clinic, either_url):
    """A booking that a program brings is planned at once and texted like one of a file."""
    clinic = open_clinic(url=either_url)
    api = program(clinic, *Scope)
    made = api.put("/appointments/B1", json=BOOKING)
    assert (made.status_code, made.json()["result"]) == (201, "new")
    planned = {m["rule"] for m in made.json()["appointment"]["messages"] if m["state"] == "planned"}
    assert {"booked", "day_before", "fifteen_minutes"} <= planned
    clinic.until("2026-12-02 11:00")
    assert [text.at[:16] for text in clinic.texts() if text.channel == "sms"] != []
    after = api.get("/appointments/B1").json()
    assert {m["state"] for m in after["messages"]} <= {"accepted", "delivered", "suppressed"}


def test_bringing_it_again_changes_nothing(clinic: Clinic, api: TestClient):
    """The same booking sent twice is unchanged, leaves no import behind, and is texted once."""
    api.put("/appointments/B1", json=BOOKING)
    again = api.put("/appointments/B1", json=BOOKING)
    assert (again.status_code, again.json()["result"]) == (200, "unchanged")
    with clinic.runtime.database.reading() as conn:
        for table in ("import_run", "staged_visit", "staged_contact", "problem"):
            assert conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    assert [e.event for e in clinic.show("B1").entries].count("imported") == 1


def test_an_address_left_out_is_not_told(clinic: Clinic, api: TestClient):
    """It stays, also beside somebody who has one; an empty one says that there is none any more."""
    api.put("/appointments/B1", json=BOOKING)
    known, child = BOOKING["contacts"][0], {"role": "patient", "email": "kim@example.org"}
    for change, email in (({}, "a@example.org"), ({"email": ""}, None)):
        contact = {"role": known["role"], "mobile": known["mobile"], **change}
        api.put("/appointments/B1", json=BOOKING | {"contacts": [contact, child]})
        emails = {one.role.value: one.email for one in clinic.show("B1").patient.people}
        assert emails == {"guardian": email, "patient": "kim@example.org"}


def test_a_booking_is_moved_and_cancelled(clinic: Clinic, api: TestClient):
    """Moving and cancelling, by a new booking or by name, tell who was told before."""
    api.put("/appointments/B1", json=BOOKING)
    clinic.until("2026-11-30 13:00")
    moved = api.put("/appointments/B1", json=BOOKING | {"starts_at": "2026-12-02 11:00"})
    assert moved.json()["result"] == "moved"
    by_name = api.post("/appointments/B1/move", json={"starts_at": "2026-12-02T12:00+01:00"})
    assert by_name.json()["starts_at"] == "2026-12-02T12:00:00+01:00"
    cancelled = api.post("/appointments/B1/cancel")
    assert cancelled.json()["status"] == "cancelled"
    assert api.post("/appointments/B1/cancel").json()["version"] == cancelled.json()["version"]
    refused = api.post("/appointments/B1/move", json={"starts_at": "2026-12-03 12:00"})
    assert (refused.status_code, refused.json()["status"]) == (409, 409)


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"starts_at": "tomorrow"}, "/starts_at", "bad_time"),
        ({"starts_at": "2025-12-02 10:00"}, "/starts_at", "past_time"),
        ({"starts_at": "2027-03-28 02:30"}, "/starts_at", "impossible_time"),
        ({"contacts": []}, "/contacts", "no_contact"),
        ({"patient": {"key": "1,5E+09"}}, "/patient/key", "lost_digits"),
        ({"patient": {"birth_date": "1820-01-01"}}, "/patient/birth_date", "bad_birth_date"),
        ({"status": "perhaps"}, "/status", "enum"),
        ({"nonsense": 1}, "/nonsense", "extra_forbidden"),
        (
            {"contacts": [*BOOKING["contacts"], {"role": "patient", "mobile": "070-1 (mamma)"}]},
            "/contacts/1/mobile",
            "bad_phone",
        ),
        ({"contacts": [{"role": "patient", "email": "a@b"}]}, "/contacts/0/email", "bad_email"),
        ({"contacts": [{"role": "aunt"}]}, "/contacts/0/role", "literal_error"),
        ({"clinician": "a\nb"}, "/clinician", "string_pattern_mismatch"),
    ],
)
def test_what_is_wrong_is_pointed_at(api: TestClient, change, pointer: str, code: str):
    """A booking with anything wrong is not taken; the answer points at the field."""
    refused = api.put("/appointments/B1", json=BOOKING | change)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    found = [(e["pointer"], e["code"]) for e in refused.json()["errors"]]
    assert (pointer, code) in found
    assert api.get("/appointments/B1").status_code == 404
    assert "mamma" not in refused.text


def test_a_reference_is_what_it_says(api: TestClient):
    """A reference that would be kept otherwise than it was sent is refused."""
    for ref in ("a%0Ab", "%0A", "%20B1", "'B1", "B1%E2%80%8B", '="B1"'):
        refused = api.put(f"/appointments/{ref}", json=BOOKING)
        assert (refused.status_code, refused.json()["errors"][0]["place"]) == (422, "path")


@pytest.mark.parametrize("ref", ["2026/17", "a/move", "a%2Fcancel", "a/b/c", "%2e%2e/x"])
def test_a_reference_may_have_slashes(api: TestClient, ref: str):
    """A booking whose reference has a slash in it is brought, seen, moved and cancelled."""
    made = api.put(f"/appointments/{ref}", json=BOOKING)
    assert made.status_code == 201
    assert api.get(f"/appointments/{ref}").json()["ref"] == unquote(ref)
    moved = api.post(f"/appointments/{ref}/move", json={"starts_at": "2026-12-02T12:00+01:00"})
    assert moved.json()["starts_at"] == "2026-12-02T12:00:00+01:00"
    assert api.post(f"/appointments/{ref}/cancel").json()["status"] == "cancelled"


def test_other_kinds_are_ignored(api: TestClient):
    """A visit that is no video visit is not kept, as in a file."""
    taken = api.put("/appointments/B1", json=BOOKING | {"kind": "Telefon"}).json()
    assert taken == {"result": "ignored", "appointment": None}


@pytest.mark.parametrize("given", [None, "Bearer", "Bearer wrong", "Basic YTpi", "Bearer å"])
def test_nobody_enters_without_a_token(clinic: Clinic, given: str | None):
    """Without a token in force the answer is 401, whatever the rest of the request."""
    client = TestClient(serve(clinic), base_url=f"http://testserver{BASE}")
    headers = [(b"authorization", given.encode())] if given else []
    for answer in (
        client.get("/status", headers=headers),
        client.put("/appointments/B1", content=b"{", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["title"] == "A token is needed"


def test_a_reader_may_not_write(clinic: Clinic):
    """A token with the scope to read may not change anything."""
    reader = program(clinic, Scope.READ)
    assert reader.get("/status").status_code == 200
    refused = reader.put("/appointments/B1", json=BOOKING)
    assert (refused.status_code, refused.json()["status"]) == (403, 403)
    assert "insufficient_scope" in refused.headers["www-authenticate"]


def test_a_program_sees_its_own_clinic(open_clinic):
    """A token of one clinic finds nothing of another."""
    from reminders.config import example

    data = example().model_dump(by_alias=True)
    clinic = open_clinic(clinics__second=data["clinics"]["internet"])
    api = program(clinic, *Scope)
    api.put("/appointments/B1", json=BOOKING)
    secret = accounts.add_token(clinic.runtime, "second", "other", Scope, None)
    other = TestClient(serve(clinic), base_url=f"http://testserver{BASE}")
    other.headers["authorization"] = f"Bearer {secret}"
    assert other.get("/appointments/B1").status_code == 404
    assert other.post("/appointments/B1/cancel").status_code == 404
    assert other.get("/messages").json() == {"messages": [], "next": None}


def test_messages_come_page_by_page(clinic: Clinic, api: TestClient):
    """Pages of messages, one after another, have each message once."""
    for number in range(5):
        api.put(f"/appointments/B{number}", json=BOOKING | {"patient": {"key": f"P{number}"}})
    everything = [m["id"] for m in api.get("/messages?limit=500").json()["messages"]]
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = api.get(f"/messages?limit=4&after={after}").json()
        found += [m["id"] for m in page["messages"]]
        after = page["next"]
    assert found == everything
    assert len(found) > 10


@pytest.fixture
def shared(open_clinic, ready_postgres_url: str) -> Clinic:
    """Return a clinic on PostgreSQL, where several write at once."""
    clinic: Clinic = open_clinic(url=ready_postgres_url)
    return clinic


def bring(clinic: Clinic, conn: Connection, ref: str) -> None:
    """Bring a booking in a transaction that goes on: others do not see its messages yet."""
    items = booking.read_booking(
        clinic.runtime, "internet", BookingIn.model_validate(BOOKING).lines(ref), clinic.clock.now()
    )
    booking.take(conn, clinic.runtime, "internet", ref, items, clinic.clock.now(), confirm=True)


def test_what_is_seen_late_is_not_passed_over(shared: Clinic, monkeypatch):
    """While somebody writes, messages with larger ids wait: who follows the list misses none."""
    monkeypatch.setattr(following, "TRIES", 2)
    api = program(shared, *Scope)
    with shared.runtime.database.transaction() as conn:
        bring(shared, conn, "A1")
        api.put("/appointments/B1", json=BOOKING | {"patient": {"key": "P2"}})
        assert api.get("/messages").json() == {"messages": [], "next": None}
    page = api.get("/messages").json()["messages"]
    assert [m["ref"] for m in page] == sorted(m["ref"] for m in page)
    assert {m["ref"] for m in page} == {"A1", "B1"}


def test_a_page_waits_for_who_is_about_to_end(shared: Clinic, monkeypatch):
    """A page waits a moment for those who write, so that a busy sender holds nobody up for good."""
    monkeypatch.setattr(following, "TRIES", 100_000)
    api = program(shared, *Scope)
    with ThreadPoolExecutor(1) as beside:
        with shared.runtime.database.transaction() as conn:
            bring(shared, conn, "A1")
            api.put("/appointments/B1", json=BOOKING | {"patient": {"key": "P2"}})
            page = beside.submit(api.get, "/messages")
            with pytest.raises(TimeoutError):
                page.result(0.2)
        assert {m["ref"] for m in page.result(60).json()["messages"]} == {"A1", "B1"}


def test_no_number_is_told(clinic: Clinic, api: TestClient):
    """No answer has a whole phone number or address in it."""
    api.put("/appointments/B1", json=BOOKING)
    clinic.until("2026-12-02 10:30")
    for path in ("/appointments/B1", "/messages", "/worklist", "/status"):
        text = api.get(path).text
        assert "0605" not in text.replace(" ", "").replace("-", "")
        assert "a@example.org" not in text


def test_a_file_that_waits_stands_on_the_worklist(clinic: Clinic, api: TestClient):
    """A file of the watched folder that waits for a person is an item of its own kind."""
    path, now = clinic.folder / "bokningar.csv", clinic.clock.now()
    path.write_text("", "utf-8")
    why = aside.Why(aside.Code.STRICT, "The file has problems.")
    clinic.runtime.in_transaction(
        aside.keep, "internet", path, path.name, aside.End.WAITING, why, [], now
    )
    (item,) = api.get("/worklist").json()["items"]
    assert (item["kind"], item["reason"], item["ref"]) == ("file", "strict", None)
    assert item["detail"] == "bokningar.csv: The file has problems."


def test_errors_have_one_form(clinic: Clinic, api: TestClient):
    """Unknown paths, other methods, other bodies and too large ones are problems too."""
    kind = {"content-type": "text/plain"}
    answers = {
        404: [
            api.get("/nothing"), api.get("/appointments/none"), api.get("/appointments"),
            api.get("/status/", follow_redirects=False), api.post("/a/b/c/d"), api.get("/a%0Ab"),
        ],
        405: [api.delete("/status"), api.delete("/appointments/B1"), api.post("/appointments/B1")],
        413: [api.put("/appointments/B1", content=b"{}", headers={"content-length": "99999999"})],
        415: [api.put("/appointments/B1", content=b"{}", headers=kind)],
        422: [api.get("/messages?limit=0"), api.put("/appointments/B1", content=b"{", headers={"content-type": "application/json"})],
    }  # fmt: skip
    for status, found in answers.items():
        for answer in found:
            assert (answer.status_code, answer.json()["status"]) == (status, status)
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_told_the_right_ones(api: TestClient):
    """A path that has other methods tells all of them."""
    assert api.delete("/appointments/B1").headers["allow"] == "GET, PUT"
    assert api.delete("/appointments/B1/move").headers["allow"] == "GET, POST, PUT"


def test_a_program_in_a_hurry_waits(open_clinic):
    """A program that sends too fast is told how long to wait, and is then let in again."""
    clinic = open_clinic(web__api_per_minute=60)
    api = program(clinic, *Scope)
    statuses = [api.get("/status").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    refused = api.get("/status")
    clinic.clock.set(clinic.clock.now() + timedelta(seconds=int(refused.headers["retry-after"])))
    assert api.get("/status").status_code == 200


def test_a_database_that_is_away_is_503(clinic: Clinic, api: TestClient):
    """While the database does not answer, programs are told to try again."""
    clinic.runtime.database.close()
    path = clinic.folder / "reminders.db"
    path.write_bytes(b"this is no database at all" * 200)
    for extra in ("reminders.db-wal", "reminders.db-shm"):
        (clinic.folder / extra).unlink(missing_ok=True)
    answer = api.get("/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_failure_tells_nothing(clinic: Clinic, api: TestClient, monkeypatch, caplog):
    """A defect of ours is answered and logged without a value of the request."""
    from reminders.engine import booking

    def fail(*_arguments, **_more):
        raise ValueError("070-174 06 05")

    monkeypatch.setattr(booking, "take", fail)
    answer = api.put("/appointments/B1", json=BOOKING)
    assert answer.status_code == 500
    assert "070" not in answer.text + caplog.text


def test_the_status_is_what_the_command_says(clinic: Clinic, api: TestClient):
    """The status has the numbers of `reminders status`."""
    clinic.until("2026-11-30 12:01")
    found = api.get("/status").json()
    assert found["ok"] is True
    assert found["due"] == found["overdue"] == 0
    assert at("2026-11-30 12:00").isoformat()[:13] <= found["last_tick"]


def test_the_token_is_known_to_be_in_use(clinic: Clinic, api: TestClient):
    """When a token was used last is kept, to the hour."""
    from reminders.store import tokens

    api.get("/status")
    with clinic.runtime.database.reading() as conn:
        assert [token.used_at for token in tokens.all_tokens(conn)] == [clinic.clock.now()]


def test_a_cancelled_booking_that_stands_again_is_not_new(clinic: Clinic, api: TestClient):
    """Brought again after it was cancelled, a booking is updated: it was there before."""
    api.put("/appointments/B1", json=BOOKING)
    api.post("/appointments/B1/cancel")
    again = api.put("/appointments/B1", json=BOOKING)
    assert (again.status_code, again.json()["result"]) == (200, "updated")
    assert again.json()["appointment"]["status"] == "booked"
