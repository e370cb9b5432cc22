"""No page runs a query that grows with the tables, on either database."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text
from starlette.testclient import TestClient

from reminders.store.schema import appointment, message, patient
from reminders.web.app import create_app
from tests.engine import fresh
from tests.engine.clinic import at
from tests.web.conftest import log_in
from tests.web.desk import Desk

MOST_QUERIES = 19
GROWING = {table.name for table in (appointment, message, patient)} | {
    "contact", "consent", "attempt", "receipt", "ledger", "called", "problem", "staged_visit",
}  # fmt: skip
PAGES = (
    "today", "import", "import/1", "visits", "visits?day=2026-12-01&state=missed",
    "visits?who=WHO", "visits?status=cancelled", "visits?state=unknown", "visit/B1009", "several?day=2026-12-01", "calls", "texts", "settings",
)  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """Return the example clinic in the midst of its day, with the statistics of a large one."""
    folder = tmp_path_factory.mktemp("plans")
    url = f"sqlite:///{folder / 'reminders.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("module_postgres_url")
    made = Desk(folder, url, at("2026-11-30 12:00"))
    made.person()
    made.example()
    made.until("2026-12-01 09:20")
    yield made
    made.end()


@pytest.fixture(scope="module")
def module_postgres_url(_postgres: Any) -> Iterator[str]:
    """Return the URL of a PostgreSQL database for all tests of this module."""
    with fresh.copied(_postgres) as url:
        yield url


@pytest.mark.parametrize("path", PAGES)
def test_no_page_reads_a_whole_table(desk: Desk, path: str) -> None:
    """Each query of each page finds its rows by an index, and there are few of them."""
    app = create_app(desk.runtime)
    with TestClient(app, follow_redirects=False) as web:
        log_in(web)
        who = app.state.site.remember("+46701740605")
        with _queries(desk) as asked:
            answer = web.get(f"/c/internet/{path.replace('WHO', who)}")
        assert answer.status_code == 200
    assert len(asked) <= MOST_QUERIES
    assert [plan for statement in asked for plan in _scans(desk, *statement)] == []


class _queries:  # noqa: N801 - reads as a word of the test
    """Collects the queries of a database while the test is within."""

    def __init__(self, desk: Desk) -> None:
        self._engine = desk.runtime.database.engine
        self._asked: list[tuple[str, Any]] = []

    def __enter__(self) -> list[tuple[str, Any]]:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self._asked

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            self._asked.append((statement, values))


def _scans(desk: Desk, statement: str, values: Any) -> list[str]:
    """Return where a plan reads a growing table from end to end."""
    with desk.runtime.database.reading() as conn:
        if desk.runtime.database.is_sqlite:
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            lines = [row[3] for row in plan]
            # A whole clinic's is as good as all: most have one.
            found = [
                re.match(
                    r"SCAN (\w+)(?! VIRTUAL)|SEARCH (appointment|message|patient) .*\(clinic_id=\?\)$",
                    line,
                )
                for line in lines
            ]
        else:
            conn.execute(text("SET LOCAL enable_seqscan = off"))
            plan = conn.exec_driver_sql(f"EXPLAIN {statement}", values)
            lines = [row[0] for row in plan]
            found = [re.search(r"Seq Scan on (\w+)", line) for line in lines]
    return [
        f"{line}\n  in {statement}"
        for line, match in zip(lines, found, strict=True)
        if match and GROWING & set(match.groups())
    ]
