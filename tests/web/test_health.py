"""Health and metrics: what those who watch over the program are told."""

import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from reminders.web import health, metrics
from reminders.web.security import protect
from tests.engine.clinic import Clinic, row


def watched(clinic: Clinic, address: str = "127.0.0.1") -> TestClient:
    """Return a watcher at an address."""
    app = FastAPI(openapi_url=None)
    app.include_router(health.router)
    app.include_router(metrics.router)
    metrics.begin(app, clinic.runtime)
    protect(app, clinic.runtime)
    return TestClient(app, client=(address, 50_000))


def numbers(watcher: TestClient) -> dict[str, float]:
    """Return the samples by name and labels."""
    answer = watcher.get("/metrics")
    assert answer.status_code == 200
    found = re.findall(r"^(reminders\w+(?:\{.*\})?) (\S+)$", answer.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_ready_is_more_than_alive(clinic: Clinic):
    """A process is ready once somebody sends, and no longer when nobody has for five minutes."""
    watcher = watched(clinic)
    assert watcher.get("/healthz").status_code == 200
    assert watcher.get("/readyz").json() == {"database": True, "sending": False, "channels": True}
    clinic.until("2026-11-30 12:01")
    assert watcher.get("/readyz").status_code == 200
    clinic.clock.set(clinic.clock.now() + timedelta(minutes=6))
    assert watcher.get("/readyz").status_code == 503
    assert watcher.get("/healthz").status_code == 200


def test_not_ready_with_another_version_of_the_database(clinic: Clinic):
    """A database of another version is not ready."""
    clinic.until("2026-11-30 12:01")
    watcher = watched(clinic)
    with clinic.runtime.database.transaction() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert watcher.get("/readyz").json() == {"database": False, "sending": True, "channels": True}


def test_not_ready_without_a_database(clinic: Clinic):
    """A database that cannot be read is not ready, and the numbers are not made up."""
    watcher = watched(clinic)
    clinic.runtime.database.close()
    for name in ("reminders.db", "reminders.db-wal", "reminders.db-shm"):
        (clinic.folder / name).unlink(missing_ok=True)
    (clinic.folder / "reminders.db").write_bytes(b"no database" * 1000)
    assert watcher.get("/readyz").json() == {"database": False, "sending": False, "channels": False}
    assert watcher.get("/metrics").status_code == 503


def test_the_numbers_tell_what_happened(open_clinic, either_url):
    """Due, sent and late messages are counted, each once, and with no name or number."""
    clinic = open_clinic(url=either_url)
    watcher = watched(clinic)
    clinic.read(row("B1", "2026-12-02 10:00"), row("B2", "2026-12-02 11:00"), confirmations=False)
    clinic.plan()
    clinic.clock.set(clinic.clock.now() + timedelta(hours=22, minutes=30))
    assert numbers(watcher)["reminders_due"] == 1
    assert numbers(watcher)["reminders_overdue"] == 1
    clinic.until("2026-12-01 11:30")
    clinic.clock.set(clinic.clock.now() + timedelta(seconds=10))
    numbers(watcher)
    found = numbers(watcher)
    assert found["reminders_due"] == 0
    assert found['reminders_messages_total{channel="sms",outcome="accepted"}'] == 2
    assert found['reminders_lateness_seconds_count{channel="sms"}'] == 2
    assert found['reminders_lateness_seconds_bucket{channel="sms",le="5.0"}'] == 1
    assert found['reminders_provider_seconds_count{provider="sandbox"}'] == 2
    assert found['reminders_channel_down{channel="sms",clinic="internet"}'] == 0
    assert "701740605" not in watcher.get("/metrics").text


@pytest.mark.parametrize(
    ("token", "address", "headers", "status"),
    [
        ("", "127.0.0.1", {}, 200),
        ("", "::1", {}, 200),
        ("", "192.0.2.7", {}, 403),
        ("", "127.0.0.1", {"x-forwarded-for": "192.0.2.7"}, 403),
        ("secret", "127.0.0.1", {}, 403),
        ("secret", "192.0.2.7", {"authorization": "Bearer secret"}, 200),
        ("secret", "192.0.2.7", {"authorization": "Bearer wrong"}, 403),
    ],
)
def test_who_may_see_the_numbers(open_clinic, token, address, headers, status):
    """The numbers are shown to this machine alone, or to who has the token."""
    watcher = watched(open_clinic(web__metrics_token=token), address)
    assert watcher.get("/metrics", headers=headers).status_code == status


def test_the_numbers_are_read_from_small_indexes(clinic: Clinic):
    """No query for a gauge reads a whole table of messages or visits."""
    from sqlalchemy import event

    seen: list[tuple[str, Any]] = []
    event.listen(
        clinic.runtime.database.engine,
        "before_cursor_execute",
        lambda _c, _cur, statement, parameters, *_: seen.append((statement, parameters)),
    )
    watched(clinic).get("/metrics")
    with clinic.runtime.database.reading() as conn:
        plans = [
            " ".join(r.detail for r in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", p).all())
            for s, p in list(seen)
            if s.startswith("SELECT") and ("message" in s or "appointment" in s)
        ]
    assert len(plans) >= 6
    assert [
        plan for plan in plans if re.search(r"SCAN (message|appointment|ledger)(?! USING)", plan)
    ] == []


def test_the_whole_application_has_them(clinic: Clinic):
    """The web side as it is served has the API, health and the numbers beside the pages."""
    from reminders.web.app import create_app

    with TestClient(create_app(clinic.runtime), client=("127.0.0.1", 50_000)) as web:
        assert web.get("/healthz").text == "ok\n"
        assert web.get("/metrics").status_code == 200
        assert web.get("/api/v1/status").json()["status"] == 401
        assert web.get("/api/v1/openapi.json").json()["info"]["title"] == "reminders"
        assert web.get("/login").status_code == 200
