"""What is done now and then, in small steps: finishing imports, and purging what is old."""

from datetime import datetime, timedelta

from reminders.config_rules import parse_duration
from reminders.engine.applying import apply_some
from reminders.engine.runtime import Runtime
from reminders.store import aside, clearing, clinics, problems, retention, staging, turns
from reminders.store.database import Connection

BATCH = 100
"""Visits that go in one transaction, some milliseconds long."""

PAST_SHOWN = timedelta(days=1)
"""So long a visit in the past stands on the worklist, in case its date is wrong."""

MOST_BATCHES = 200
"""So many in one turn: what is left is for the next."""


async def keep_house(runtime: Runtime, now: datetime) -> int:
    """Finish or clear what imports have left, and purge what is older than `retention.keep`.

    Return how many visits were purged.
    """
    await _finish_imports(runtime, now)
    await _clear_staging(runtime, now)
    gone = 0
    for key in runtime.practices:
        await runtime.work(settle_past, key, now)
        for _ in range(MOST_BATCHES):
            count = await runtime.work(purge_some, runtime, key, now)
            gone += count
            if not count:
                break
    return gone


async def _finish_imports(runtime: Runtime, now: datetime) -> None:
    for run_id in await runtime.work(staging.unfinished):
        while not (await runtime.work(apply_some, runtime, run_id, now)).applied:
            pass
        while await runtime.work(clearing.clear_some, run_id):
            pass


async def _clear_staging(runtime: Runtime, now: datetime) -> None:
    """Take away the rows, numbers and all, of files that nobody goes on with, or that are done."""
    abandoned = await runtime.work(clearing.abandoned, now)
    for run_id in [*abandoned, *await runtime.work(clearing.spent)]:
        while await runtime.work(clearing.clear_some, run_id):
            pass
    for run_id in abandoned:
        await runtime.work(clearing.forget, run_id)


def settle_past(conn: Connection, clinic: str, now: datetime) -> int:
    """Close problems of visits in the past that nobody has put right in a day: it is too late."""
    return problems.settle_past(conn, clinics.clinic_id(conn, clinic), now - PAST_SHOWN, now)


def purge_some(conn: Connection, runtime: Runtime, clinic: str, now: datetime) -> int:
    """Purge one batch of a clinic's history; return how many visits went."""
    if not turns.have_turn(conn, "purge"):
        return 0
    before = now - parse_duration(runtime.config.retention.keep)
    clinic_id = clinics.clinic_id(conn, clinic)
    gone = retention.purge_visits(conn, clinic_id, before, BATCH)
    if not gone:
        retention.purge_imports(conn, clinic_id, before, BATCH)
        aside.purge(conn, clinic_id, before)
    return gone
