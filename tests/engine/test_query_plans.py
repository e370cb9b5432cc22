"""What the daemon and the pages ask all day never reads the whole outbox, however long its history."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from reminders.engine import desk
from reminders.engine.housekeeping import purge_some
from reminders.store import anew, cases, clinics, outbox, pages, queue, views
from reminders.store.waiting import waiting
from tests.engine.clinic import Clinic, at, row

Statement = tuple[str, Any]


@contextmanager
def overheard(clinic: Clinic, table: str = "message") -> Iterator[list[Statement]]:
    """Give the statements on messages, or another table, that are run meanwhile."""
    heard: list[Statement] = []
    engine = clinic.runtime.database.engine

    def hear(conn, cursor, statement, parameters, context, executemany) -> None:
        asks = statement.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE"))
        if asks and re.search(rf"\b{table}\b", statement) and not executemany:
            heard.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def learn(clinic: Clinic) -> None:
    """Let PostgreSQL look at what is in the tables; SQLite is run without statistics."""
    if not clinic.runtime.database.is_sqlite:
        with clinic.runtime.database.transaction() as conn:
            conn.exec_driver_sql("ANALYZE")


def plans(clinic: Clinic, heard: list[Statement]) -> Iterator[tuple[str, str]]:
    """Yield each statement with the database's plan of it."""
    sqlite = clinic.runtime.database.is_sqlite
    explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
    with clinic.runtime.database.transaction() as conn:
        if not sqlite:
            # In a table of a few rows a scan is always cheapest: only ask whether it can be helped.
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in heard:
            rows = conn.exec_driver_sql(explain + statement, parameters)
            yield statement, "\n".join(str(found[-1]) for found in rows)


SCANS = re.compile(r"SCAN message$|SCAN message\n|Seq Scan on message\b|SCAN m$", re.MULTILINE)


def test_no_question_of_the_day_reads_all_of_history(clinic: Clinic) -> None:
    """Claiming, waking, ending what is late, the status and the worklist go by an index."""
    clinic.read(row(), row("B2", "2026-12-03 10:00", phone="070-174 06 06"))
    clinic.until("2026-12-02 09:00")
    clinic.clock.set(clinic.clock.now() + timedelta(hours=1))
    now = clinic.clock.now()
    with overheard(clinic) as heard:
        asyncio.run(clinic.dispatcher.run_once())
        with clinic.runtime.database.reading() as conn:
            views.health(conn, now)
            desk.worklist(conn, clinic.runtime, "internet", now)
        clinic.runtime.in_transaction(purge_some, clinic.runtime, "internet", now)
    assert len(heard) > 8
    scanned = [(sql, plan) for sql, plan in plans(clinic, heard) if SCANS.search(plan)]
    assert scanned == []


def test_a_claim_begins_at_what_is_due(clinic: Clinic) -> None:
    """However many visits there are, a claim reads those alone whose texts it takes."""
    clinic.read(*[row(f"B{n}", phone=f"070-174 06 {n % 95 + 5:02}") for n in range(300)])
    clinic.until("2026-12-01 09:59")
    with clinic.runtime.database.transaction() as conn:
        conn.exec_driver_sql("ANALYZE")
    now = clinic.clock.now() + timedelta(hours=1)
    with overheard(clinic) as heard, clinic.runtime.database.transaction() as conn:
        due = [front for front in queue.fronts(conn) if front.next_at <= now]
        taken = queue.take(conn, [(due[0], 20)], now)
        assert len(taken) == 20
    explain = "EXPLAIN QUERY PLAN " if clinic.runtime.database.is_sqlite else "EXPLAIN "
    sql, parameters = heard[-1]
    with clinic.runtime.database.reading() as conn:
        plan = [str(line[-1]) for line in conn.exec_driver_sql(explain + sql, parameters)]
    scans = [line for line in plan if re.search(r"Seq Scan|SCAN|Sort|TEMP B-TREE", line)]
    assert scans == []
    assert any("ix_message_due" in line for line in plan)


def test_planning_begins_at_what_waits_for_it(clinic: Clinic) -> None:
    """However many visits have been planned, the next chunk is read from those that wait alone."""
    days = ("2026-12-01 10:00", "2026-12-02 10:00")
    phones = [f"070-174 06 {n % 95 + 5:02}" for n in range(300)]
    clinic.read(*[row(f"B{n}", days[n % 2], phone=phone) for n, phone in enumerate(phones)])
    clinic.plan()
    clinic.read(*[row(f"B{n}", days[n % 2]) for n in (301, 302)])
    clinic.clock.set(at("2026-12-01 11:00"))
    learn(clinic)
    now = clinic.clock.now()
    with overheard(clinic, "appointment") as heard, clinic.runtime.database.reading() as conn:
        assert len(cases.pending(conn, 20, ["internet"], now)) == 2
    found = [plan for _, plan in plans(clinic, heard)]
    assert [re.findall(r"ix_appointment_\w+", plan) for plan in found] == [
        ["ix_appointment_pending"]
    ] * 2
    assert all(re.search(r"starts_at\s?[<>]", plan) for plan in found if "SEARCH" in plan)
    assert not any(re.search(r"Sort|TEMP B-TREE FOR ORDER", plan) for plan in found)


def test_planning_anew_goes_by_the_clinic_and_the_time(clinic: Clinic) -> None:
    """A chunk of what is planned by other rules now begins where the last one ended."""
    days = [f"2026-12-{n % 30 + 1:02} 10:00" for n in range(300)]
    phones = [f"070-174 06 {n % 95 + 5:02}" for n in range(300)]
    clinic.read(*[row(f"B{n}", days[n], phone=phones[n]) for n in range(300)])
    clinic.plan()
    clinic.clock.set(at("2026-12-10 09:00"))
    clinic.restart(rules__two_days__before="48h", rules__two_days__template="day_before")
    learn(clinic)
    now = clinic.clock.now()
    with overheard(clinic, "appointment") as heard, clinic.runtime.database.transaction() as conn:
        digest = clinics.practice_digest(conn, 1) or ""
        assert len(anew.take(conn, ["internet"], [digest], now, 50)) == 50
    [(_, plan), *_] = plans(clinic, heard)
    assert "ix_appointment_clinic_id_starts_at" in plan
    assert not re.search(r"SCAN appointment|Seq Scan on appointment|TEMP B-TREE", plan)


def test_what_is_due_and_waits_is_found_from_what_is_due(clinic: Clinic) -> None:
    """However many visits wait for the planner, those of due texts are read from the texts."""
    clinic.read(*[row(f"B{n}", phone=f"070-174 06 {n % 95 + 5:02}") for n in range(300)])
    clinic.until("2026-12-01 09:59")
    with clinic.runtime.database.transaction() as conn:
        conn.exec_driver_sql("UPDATE appointment SET needs_plan = true")
        conn.exec_driver_sql("ANALYZE")
    now = clinic.clock.now() + timedelta(hours=1)
    with overheard(clinic) as heard, clinic.runtime.database.reading() as conn:
        assert len(queue.unplanned(conn, now, 20)) == 20
    *_, (_, plan) = plans(clinic, heard)
    assert "ix_message_due" in plan
    assert not re.search(r"ix_appointment_pending|Seq Scan|SCAN (?!due|r\b|json)|Sort", plan)
    with overheard(clinic, "appointment") as heard, clinic.runtime.database.reading() as conn:
        assert cases.pending_among(conn, [2, 1], ["internet"]) == [2, 1]
    [(_, plan)] = plans(clinic, heard)
    assert not re.search(r"ix_appointment_|Seq Scan on app|SCAN app", plan)


def test_the_call_list_looks_at_what_is_in_trouble_alone(clinic: Clinic) -> None:
    """SQLite, which keeps no statistics, goes by the indexes of trouble, not by a clinic's visits."""
    now = clinic.clock.now()
    with overheard(clinic) as heard, clinic.runtime.database.reading() as conn:
        pages.troubled(conn, 1, now, 10)
    [(_, plan)] = plans(clinic, heard)
    used = set(re.findall(r"ix_message_\w+", plan))
    assert not clinic.runtime.database.is_sqlite or used == {
        "ix_message_trouble", "ix_message_expected", "ix_message_retried"
    }  # fmt: skip


def test_who_shares_a_phone_is_found_without_reading_all_visits(clinic: Clinic) -> None:
    """Siblings are looked up by the phone, the patient and the visit, each by its index."""
    clinic.read(row(), row("B2", born="2015-01-01"), row("B3", born="2014-01-01", status="avbokad"))
    clinic.plan()
    now = clinic.clock.now()
    with overheard(clinic) as heard, clinic.runtime.database.reading() as conn:
        found = outbox.addresses(conn, [1, 2], now)
    assert [len(place.siblings) for place in found.values()] == [1, 1]
    assert len(heard) == 2
    scans = re.compile(r"SCAN (?!anon_1 VIRTUAL)|Seq Scan on (?:contact|appointment|message)")
    scanned = [(sql, plan) for sql, plan in plans(clinic, heard) if scans.search(plan)]
    assert scanned == []


def test_what_is_late_is_counted_from_two_indexes(clinic: Clinic) -> None:
    """What waits is read from the index of what is due, and from that of what is tried again."""
    with overheard(clinic) as heard, clinic.runtime.database.reading() as conn:
        waiting(conn, clinic.clock.now())
    used = [
        name for _, plan in plans(clinic, heard) for name in re.findall(r"ix_message_\w+", plan)
    ]
    assert not clinic.runtime.database.is_sqlite or used == [
        "ix_message_due", "ix_message_retried", "ix_message_due", "ix_message_retried",
        "ix_message_due", "ix_message_retried",
    ]  # fmt: skip
