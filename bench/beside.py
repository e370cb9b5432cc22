"""Beside: what an upload of 100,000 rows on the page does to the texts that fall due, and to the pages.

    python bench/beside.py [--rows 100000] [--rate 5] [--seconds 300] [--url sqlite:////tmp/x/a.db]

One real process sends and serves the pages (`reminders run --web`). Texts fall due evenly. In the middle
an admin uploads a file, looks at what it would change, says yes, and it is planned; all that time another
opens *Today* four times a second. Prints, as one line of JSON, the lateness of the texts and the time to
the page's first byte, without and with the upload beside, and the most memory the process had.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import multiprocessing
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import text

from bench import clinic, imports, measure
from bench.lateness import share
from reminders import daemon
from reminders.cli import work
from reminders.clock import SystemClock
from reminders.domain.access import ALL_CLINICS, Role
from reminders.engine import accounts
from reminders.wiring import build, close

PASSWORD = "three words in line"
EVERY = 0.25
CALM = 0.3
"""The part of the time after which the upload begins."""


def serve(made) -> None:
    """Send and serve the pages, in one process, until SIGTERM."""
    daemon.run(build(made), work._pages(made))


class Admin:
    """Somebody signed in, on one connection."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.headers = port, {"Cookie": f"reminders_session={token}"}
        self._open()

    def _open(self) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str):
        """Return the status, the place it leads to, the text, and the seconds to the first byte."""
        began = time.perf_counter()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.line.request(method, path, body, self.headers | named)
        answer = self.line.getresponse()
        took = time.perf_counter() - began
        return answer.status, answer.getheader("location", ""), answer.read().decode(), took

    def look(self, path: str) -> str:
        """Return a page."""
        status, _, page, _ = self.ask("GET", path)
        assert status == 200, (path, status)
        return page

    def post(self, path: str, **fields: str) -> str:
        """Send a form; return where it leads."""
        kind = "application/x-www-form-urlencoded"
        status, to, _, _ = self.ask("POST", path, urlencode(fields).encode(), content_type=kind)
        assert status == 303, (path, status)
        return to

    def upload(self, path: str, file: Path, csrf: str) -> str:
        """Send a file; return where it leads."""
        parts = (
            f'--x\r\ncontent-disposition: form-data; name="csrf_token"\r\n\r\n{csrf}\r\n--x\r\n'
            f'content-disposition: form-data; name="file"; filename="{file.name}"\r\n\r\n'
        )
        body = parts.encode() + file.read_bytes() + b"\r\n--x--\r\n"
        kind = "multipart/form-data; boundary=x"
        status, to, _, _ = self.ask("POST", path, body, content_type=kind)
        assert status == 303, (path, status)
        return to


def field(page: str, name: str) -> str:
    """Return the value of a hidden field."""
    return re.findall(rf'name="{name}" value="([^"]*)"', page)[0]


def bring(admin: Admin, file: Path) -> dict[str, float]:
    """Upload a file, wait for what it would change, say yes; return when each step was over."""
    here = f"/c/{clinic.CLINIC}/import"
    csrf = field(admin.look(here), "csrf_token")
    at = {"uploading": time.time()}
    place = admin.upload(f"/import/{clinic.CLINIC}", file, csrf)
    at["uploaded"] = time.time()
    while "/apply" not in (page := admin.look(place)):
        time.sleep(1)
    at["shown"] = time.time()
    to = admin.post(f"{place}/apply", csrf_token=csrf, fingerprint=field(page, "fingerprint"))
    while to == place or not to:
        time.sleep(0.5)
        _, to, _, _ = admin.ask("GET", place)
    at["applied"] = time.time()
    return at


def watch(admin: Admin, found: list[tuple[float, float]], stop: threading.Event) -> None:
    """Open Today again and again; note when, and the milliseconds to its first byte."""
    while not stop.wait(EVERY):
        at = time.time()
        status, _, _, took = admin.ask("GET", f"/c/{clinic.CLINIC}/today")
        assert status == 200
        found.append((at, took * 1000))


def pending(runtime) -> int:
    """Return how many visits wait for the planner."""
    query = "SELECT count(*) FROM appointment WHERE needs_plan OR planned_starts_at IS NULL"
    with runtime.database.reading() as conn:
        return conn.execute(text(query)).scalar_one()


def lateness(runtime) -> list[tuple[float, float]]:
    """Return when each text was due, and how many milliseconds later its request began."""
    query = text(
        "SELECT message.due_at, attempt.started_at FROM message"
        " JOIN attempt ON attempt.message_id = message.id"
        " WHERE message.rule = 'fifteen_minutes' AND message.occasion = 0"
        " AND message.appointment_id > 1 AND attempt.ended_at IS NOT NULL"
    )
    with runtime.database.reading() as conn:
        rows = conn.execute(query).all()
    instants = [[_seconds(value) for value in row] for row in rows]
    return [(due, (started - due) * 1000) for due, started in instants]


def _seconds(value) -> float:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def memory(pid: int, name: str) -> int:
    """Return what a process has (VmRSS) or had at most (VmHWM), in MiB."""
    told = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(rf"{name}:\s+(\d+)", told)[0]) // 1024


def told(values: list[float]) -> dict[str, float | int | None]:
    """Return the middle, the ninety-ninth of a hundred and the most of some milliseconds."""
    ordered = sorted(values)
    shares = {
        name: share(ordered, part) for name, part in (("p50", 0.5), ("p99", 0.99), ("most", 1))
    }
    return {"count": len(ordered), **shares}


def measured(made, port: int, file: Path, seconds: float) -> dict[str, object]:
    """Serve, upload, watch; return the figures."""
    runtime = build(made)
    accounts.add_user(runtime, "anna", "en", {ALL_CLINICS: Role.ADMIN}, PASSWORD)
    tokens = [accounts.log_in(runtime, "anna", PASSWORD, "127.0.0.1") for _ in range(2)]
    process = multiprocessing.Process(target=serve, args=(made,))
    process.start()
    first, last = _span(runtime)
    while time.time() < first:
        time.sleep(0.1)
    pages, stop = [], threading.Event()
    watcher = threading.Thread(target=watch, args=(Admin(port, tokens[0]), pages, stop))
    watcher.start()
    before = memory(process.pid, "VmRSS")
    time.sleep(max(first + seconds * CALM - time.time(), 0))
    at = bring(Admin(port, tokens[1]), file)
    while pending(runtime):
        time.sleep(0.5)
    at["planned"] = time.time()
    stop.set()
    watcher.join()
    most = memory(process.pid, "VmHWM")
    time.sleep(max(last + 3 - time.time(), 0))
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    late = lateness(runtime)
    asyncio.run(close(runtime))
    begins, ends = at["uploading"], at["planned"]
    return {
        "seconds": {step: round(at[step] - begins, 1) for step in at},
        "texts_calm_ms": told([ms for due, ms in late if due < begins]),
        "texts_beside_ms": told([ms for due, ms in late if begins <= due < ends]),
        "today_calm_ms": told([ms for when, ms in pages if when < begins]),
        "today_beside_ms": told([ms for when, ms in pages if begins <= when < ends]),
        "rss_before_mib": before,
        "rss_most_mib": most,
    }


def _span(runtime) -> tuple[float, float]:
    query = text(
        "SELECT min(due_at), max(due_at) FROM message WHERE rule = 'fifteen_minutes'"
        " AND occasion = 0 AND appointment_id > 1"
    )
    with runtime.database.reading() as conn:
        first, last = conn.execute(query).one()
    return _seconds(first), _seconds(last)


def _free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=5, help="texts a second")
    parser.add_argument("--seconds", type=float, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, measure.stub() as stub:
        folder, port = Path(name), _free_port()
        url = given.url or f"sqlite:///{folder / 'reminders.db'}"
        made = clinic.config(url, stub, 50, folder)
        made = made.model_copy(update={"web": made.web.model_copy(update={"port": port})})
        file = folder / "bookings.csv"
        imports.write_file(file, given.rows)
        clinic.prepare_apart(made, int(given.rate * given.seconds), 0, given.rate)
        found = measured(made, port, file, given.seconds)
        counted = measure.count(stub)
    began = SystemClock().now()
    head = {"engine": "beside", "rows": given.rows, "rate": given.rate, "at": f"{began:%Y-%m-%d}"}
    print(json.dumps(head | found | {"posted": counted}))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
