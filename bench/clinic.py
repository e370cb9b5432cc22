"""A region's morning for the benchmarks: real visits, planned by the real planner, all due now.

Each visit has one guardian with a phone. Its day-before text was delivered yesterday; its fifteen
minutes text is due. Future rows, where they are asked for, wait in the same table behind the same index.
"""

import asyncio
import multiprocessing
import random
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, text

from bench import backlog
from reminders.clock import SystemClock
from reminders.config import Config, example
from reminders.engine import approval
from reminders.engine.planning import check_rules, plan_pending
from reminders.engine.runtime import Runtime
from reminders.store import schema as s
from reminders.store.upgrade import upgrade
from reminders.wiring import build, close, make_key, open_store

CLINIC = "internet"
WEEK = timedelta(days=7)
TO_PREPARE = timedelta(seconds=30)
TO_PLAN = timedelta(milliseconds=3)
"""With a rate, the first text falls due when so long has passed, and so long for each text."""
YEAR = timedelta(days=365)
ACCOUNT = "AC" + "0" * 32
RULES = ("booked", "moved", "cancelled", "day_before", "fifteen_minutes", "help")


def config(url: str, stub: int, in_flight: int, folder: Path, **changes: object) -> Config:
    """Return the example configuration, with its texts going to the stub as to Twilio."""
    data = example().model_dump(by_alias=True)
    data["environment"] = "production"
    data["database"]["url"] = url
    data["delivery"]["in_flight"] = in_flight
    data["providers"] = {
        "twilio": {
            "account_sid": ACCOUNT,
            "auth_token": "none",
            "base_url": f"http://127.0.0.1:{stub}",
        }
    }
    clinic = data["clinics"][CLINIC]
    clinic["sms"]["provider"] = "twilio"
    clinic["rules"] = RULES
    clinic.update(changes)
    return Config.model_validate({**data, "folder": folder})


def prepare_apart(made: Config, *work: object, filled: bool = False) -> None:
    """Fill the database in a process of its own, so that its memory is not the caller's.

    Where it is filled already but for what is due, only that is added; see `prepare` and `add_due`.
    """
    target = add_due if filled else prepare
    process = multiprocessing.Process(target=target, args=(made, *work))
    process.start()
    process.join()
    assert process.exitcode == 0, "the database was not prepared"


def prepare(
    made: Config, due: int, future: int, rate: float | None = None, history: int = 0
) -> None:
    """Make the database and fill it: so many texts planned for later, then so many due now."""
    fill(made, future, history)
    add_due(made, due, future + history, rate)


def fill(made: Config, future: int, history: int = 0) -> None:
    """Make the database with all that is not due: minutes, where it is millions of rows."""
    make_key(made)
    database = open_store(made, create=True)
    upgrade(database)
    database.close()
    runtime = build(made)
    now = SystemClock().now()
    try:
        runtime.in_transaction(approval.approve, runtime, "bench", now)
        runtime.in_transaction(check_rules, runtime, now)
        with runtime.database.transaction() as conn:
            _visits(conn, [now + YEAR], now, first=1)
        runtime.in_transaction(plan_pending, runtime, now)
        with runtime.database.transaction() as conn:
            backlog.write(conn, now, future, history)
        _tidy(runtime)
    finally:
        asyncio.run(close(runtime))


def add_due(made: Config, due: int, beside: int, rate: float | None = None) -> None:
    """Add the visits whose texts are due: last of all, as they are so for ten minutes only.

    `beside`: how many rows there are that are not due.
    With a rate, in texts a second, they fall due one after another, from a little later on.
    """
    runtime = build(made)
    now = SystemClock().now()
    try:
        with runtime.database.transaction() as conn:
            _visits(conn, _starts(due, now, rate), now - WEEK, first=2)
        while runtime.in_transaction(plan_pending, runtime, now - WEEK)[0]:
            pass
        with runtime.database.transaction() as conn:
            conn.execute(
                text(
                    "UPDATE message SET state = 'delivered', attempts = 1, sent_at = due_at,"
                    " next_at = NULL WHERE rule = 'day_before' AND state = 'planned'"
                    " AND appointment_id > 1"
                )
            )
        # A vacuum of millions of rows would take of those ten minutes; `fill` has made one.
        _tidy(runtime, whole=not beside)
    finally:
        asyncio.run(close(runtime))


def _starts(count: int, now: datetime, rate: float | None) -> list[datetime]:
    """Return starts from four to fourteen minutes ahead, or such that the texts fall due evenly.

    The first are on whole minutes, as bookings are.
    """
    if rate is not None:
        first = now + timedelta(minutes=15) + TO_PREPARE + count * TO_PLAN
        return [first + timedelta(seconds=n / rate) for n in range(count)]
    chance = random.Random(7)
    minute = now.replace(second=0, microsecond=0)
    return [minute + timedelta(minutes=chance.randint(5, 14)) for _ in range(count)]


def _visits(conn, starts: list[datetime], changed_at: datetime, first: int) -> None:
    if not starts:
        return
    clinic_id = conn.execute(text("SELECT id FROM clinic")).scalar_one()
    ids = range(first, first + len(starts))
    conn.execute(
        insert(s.patient),
        [
            {
                "id": i,
                "clinic_id": clinic_id,
                "external_key": f"P{i}",
                "birth_date": (changed_at - timedelta(days=i % 4700)).date(),
            }
            for i in ids
        ],
    )
    conn.execute(
        insert(s.contact),
        [{"id": i, "patient_id": i, "role": "guardian", "phone": f"+4670{i:08d}"} for i in ids],
    )
    conn.execute(
        insert(s.consent),
        [{"contact_id": i, "channel": "sms", "status": "given", "source": "bench"} for i in ids],
    )
    conn.execute(
        insert(s.appointment),
        [
            {
                "id": i,
                "clinic_id": clinic_id,
                "ref": f"VB-{i}",
                "patient_id": i,
                "kind": "Video",
                "starts_at": at,
                "confirm": False,
                "changed_at": changed_at,
            }
            for i, at in zip(ids, starts, strict=True)
        ],
    )


def _tidy(runtime: Runtime, *, whole: bool = True) -> None:
    """Let the database gather its statistics, as it does by itself in an hour."""
    engine = runtime.database.engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if not runtime.database.is_sqlite:
            conn.exec_driver_sql("VACUUM ANALYZE" if whole else "ANALYZE")
            conn.exec_driver_sql("CHECKPOINT")


def states(runtime: Runtime) -> dict[str, int]:
    """Return how many fifteen-minutes texts are in each state, future rows aside."""
    with runtime.database.reading() as conn:
        rows = conn.execute(
            text(
                "SELECT state, count(*) FROM message WHERE rule = 'fifteen_minutes'"
                " AND occasion = 0 AND channel = 'sms' AND appointment_id > 1 GROUP BY state"
            )
        )
        return {row[0]: row[1] for row in rows}
