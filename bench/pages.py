"""How soon each page begins to arrive: 100,000 visits and 400,000 messages, on SQLite.

    .venv/bin/python -m bench.pages [VISITS]

Prints the median and the worst of the time to the first byte, over loopback, signed in.
"""

import http.client
import json
import re
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from sqlalchemy import insert

from reminders.engine import accounts
from reminders.store import clinics
from reminders.store.schema import appointment, consent, contact, ledger, message, patient
from tests.engine.clinic import at
from tests.web.desk import Desk, served

NOW = "2026-12-01 09:20"
ROUNDS = 15
CHUNK = 5_000
PAST, COMING = timedelta(days=60), timedelta(days=120)
STATES = ("delivered", "delivered", "delivered", "undelivered")
WHO = "visits?who=..."
PAGES = (
    "today", "import", "visits", "visits?day=2026-12-01&state=missed", WHO, "visits?status=cancelled",
    "visits?state=unknown",    "visit/B20000", "several?day=2026-12-01&ends=13:30", "calls", "texts", "texts/waiting", "settings", "more",
)  # fmt: skip


def fill(desk: Desk, visits: int) -> None:
    """Write visits with four messages each, spread over half a year, as the engine leaves them."""
    now = desk.clock.now()
    step = (PAST + COMING) / visits
    with desk.runtime.database.transaction() as conn:
        clinic_id = clinics.clinic_id(conn, "internet")
        for start in range(1, visits + 1, CHUNK):
            numbers = range(start, min(start + CHUNK, visits + 1))
            _write(conn, clinic_id, [(n, now - PAST + step * n) for n in numbers], now)


def _write(conn, clinic_id, chunk, now):
    rows = {"patient": [], "contact": [], "consent": [], "visit": [], "message": [], "ledger": []}
    for n, starts in chunk:
        one = {"id": n, "clinic_id": clinic_id, "external_key": f"patient:P{n}"}
        rows["patient"].append(one)
        rows["contact"].append(
            {"id": n, "patient_id": n, "role": "guardian", "phone": f"+4670{n:07d}"}
        )
        wish = {"contact_id": n, "channel": "sms", "status": "given", "source": "import"}
        rows["consent"].append({**wish, "recorded_at": now})
        rows["visit"].append(
            {
                "id": n, "clinic_id": clinic_id, "ref": f"B{n}", "patient_id": n, "kind": "Videobesök",
                "starts_at": starts, "status": "booked", "needs_plan": False, "version": 1,
                "planned_starts_at": starts, "planned_status": "booked", "known_at": now,
                "planned_at": now, "changed_at": now, "confirm": True,
            }
        )  # fmt: skip
        for k, rule in enumerate(("booked", "day_before", "fifteen_minutes", "moved")):
            rows["message"].append(_message(n, k, rule, starts, now, clinic_id))
        fact = {"at": now, "actor": "planner", "appointment_id": n, "message_id": None}
        rows["ledger"].append({**fact, "event": "version", "detail": {"version": 1}})
    tables = {
        "patient": patient, "contact": contact, "consent": consent, "visit": appointment,
        "message": message, "ledger": ledger,
    }  # fmt: skip
    for name, table in tables.items():
        conn.execute(insert(table), rows[name])


def _message(n, k, rule, starts, now, clinic_id):
    leads = (timedelta(days=20), timedelta(days=1), timedelta(minutes=15), timedelta(days=10))
    due = starts - leads[k]
    gone = due < now
    state = ("undelivered" if n % 200 == 0 else STATES[0]) if gone else "planned"
    row = {
        "appointment_id": n, "version": 1, "rule": rule, "contact_id": n, "channel": "sms",
        "occasion": 0, "state": state, "urgency": 1, "due_at": due,
        "next_at": None if gone else due, "not_after": starts, "truth_starts_at": starts,
        "truth_status": "booked", "address_key": "", "short": False,
        "reason": "not_delivered" if state == "undelivered" else None,
        "attempts": int(gone), "lease_token": int(gone), "sent_at": due if gone else None,
        "changed_at": due if gone else now,
    }  # fmt: skip
    if "clinic_id" in message.c:
        row["clinic_id"] = clinic_id
    return row


def measure(desk: Desk, visits: int) -> dict[str, list[float]]:
    """Return, for each page, the milliseconds to the first byte in each round."""
    place = urlsplit(desk.url)
    token = accounts.log_in(desk.runtime, "anna", "tre ord i rad", "127.0.0.1")
    headers = {"Cookie": f"reminders_session={token}"}
    found: dict[str, list[float]] = {}
    connection = http.client.HTTPConnection(place.hostname, place.port)
    who = look_up(connection, headers, f"+4670{visits // 2:07d}")
    for page in PAGES:
        path = who if page == WHO else f"/c/internet/{page}"
        for _ in range(ROUNDS + 2):
            before = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            took = (time.perf_counter() - before) * 1000
            answer.read()
            assert answer.status == 200, (page, answer.status)
            found.setdefault(page, []).append(took)
    connection.close()
    return {page: times[2:] for page, times in found.items()}


def look_up(connection, headers, number: str) -> str:
    """Look for somebody's number as a person does; return where the visits are shown."""
    connection.request("GET", "/c/internet/visits", headers=headers)
    page = connection.getresponse().read().decode()
    form = {"text": number, "csrf_token": re.search(r'name="csrf_token" value="(\w+)"', page)[1]}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/c/internet/visits", urlencode(form), {**headers, **kind})
    answer = connection.getresponse()
    answer.read()
    return answer.headers["Location"]


def main() -> None:
    """Fill a database, serve it, measure."""
    visits = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), f"sqlite:///{folder}/reminders.db", at(NOW))
        desk.person()
        fill(desk, visits)
        with served(desk):
            found = measure(desk, visits)
        desk.end()
    for page, times in found.items():
        print(f"{statistics.median(times):7.1f} ms median {max(times):7.1f} ms worst  {page}")
    medians = {page: round(statistics.median(times), 1) for page, times in found.items()}
    print(json.dumps({"visits": visits, "messages": visits * 4, "first_byte_ms": medians}))


if __name__ == "__main__":
    main()
