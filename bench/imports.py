"""A large file: staged, shown, applied and planned by us, against writing the same final rows.

    python bench/imports.py --url sqlite:////tmp/x/a.db --other sqlite:////tmp/x/b.db --rows 100000

The limit reads the file with csv.reader and writes rows that are made already, with executemany
(COPY on PostgreSQL), into the same tables with the same indexes, in one transaction. Ours counts
reading, checking, staging, the difference, applying and planning; the forecast that is shown before
a person says yes is told apart.
"""

import argparse
import asyncio
import csv
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import children, clinic
from reminders.clock import SystemClock
from reminders.engine import approval, importing
from reminders.engine.planning import check_rules, plan_pending
from reminders.store import bulk, schema
from reminders.store.upgrade import upgrade
from reminders.wiring import build, close, make_key, open_store

FINAL = ("patient", "contact", "consent", "appointment", "message", "ledger")
HEAD = "boknings-id;patient;starttid;besökstyp;mobil;roll;födelsedatum;status\n"


def write_file(path: Path, rows: int) -> None:
    """Write made-up bookings: four patients for five visits, over the coming ninety days."""
    chance = random.Random(1)
    first = SystemClock().now().replace(tzinfo=None, minute=0) + timedelta(days=2)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        for n in range(rows):
            day = first + timedelta(days=chance.randrange(90))
            at = f"{day:%Y-%m-%d} {chance.randrange(8, 17):02}:{chance.choice((0, 15, 30, 45)):02}"
            who = n * 4 // 5
            born = f"{1950 + who % 70}-{1 + who % 12:02}-{1 + who % 28:02}"
            phone = f"070-{1740605 + who % 90:07d}"
            file.write(f"B{n:08d};P{who:08d};{at};Videobesök;{phone};patient;{born};bokad\n")


def made(url: str, folder: Path):
    """Make an empty database; return its configuration."""
    config = clinic.config(url, 9, 20, folder)
    if not (folder / config.key_file).exists():
        make_key(config)
    database = open_store(config, create=True)
    upgrade(database)
    database.close()
    return config


def ours(config, path: Path, out) -> None:
    """Import the file in this process; tell how long each step took and how much memory."""
    runtime = build(config)
    now = SystemClock().now()
    runtime.in_transaction(approval.approve, runtime, "bench", now)
    runtime.in_transaction(check_rules, runtime, now)
    options = importing.Options(exported_at=now)
    longest = 0.0
    inner = type(runtime).in_transaction

    def timed(self, work, *arguments):
        nonlocal longest
        began = time.perf_counter()
        try:
            return inner(self, work, *arguments)
        finally:
            longest = max(longest, time.perf_counter() - began)

    type(runtime).in_transaction = timed
    seconds, cpu = {}, time.process_time()

    def step(name, work):
        nonlocal longest
        longest, began = 0.0, time.perf_counter()
        result = work()
        seconds[name] = round(time.perf_counter() - began, 3)
        seconds[f"longest_lock_{name}"] = round(longest, 3)
        return result

    def plan():
        while runtime.in_transaction(plan_pending, runtime, now)[0]:
            pass

    staged = step("stage", lambda: importing.stage(runtime, clinic.CLINIC, path, options, now))
    step("forecast", lambda: importing.look(runtime, staged, options, now))
    done = step("apply", lambda: importing.apply(runtime, staged, options, now))
    step("plan", plan)
    seconds["cpu"] = round(time.process_time() - cpu, 2)
    seconds["new"] = sum(done.counts.values())
    seconds["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    asyncio.run(close(runtime))
    out.put(seconds)


def limit(config, other, path: Path) -> float:
    """Write the rows that are in one database into another, as fast as its driver can."""
    source, target = open_store(config), open_store(other)
    tables = [schema.metadata.tables[name] for name in FINAL]
    rows = {}
    with source.engine.connect() as conn:
        for table in tables:
            columns = [column.name for column in table.c]
            found = conn.execute(table.select()).all()
            rows[table] = (columns, list(bulk._ready(conn, table, columns, found)))
        clinics = conn.execute(schema.clinic.select()).mappings().all()
    with target.transaction() as conn:
        conn.execute(schema.clinic.delete())
        conn.execute(schema.clinic.insert(), [dict(row) for row in clinics])
    began = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file, delimiter=";"):
            pass
    with target.transaction() as conn:
        for table, (columns, ready) in rows.items():
            names = ", ".join(f'"{name}"' for name in columns)
            if target.is_sqlite:
                places = ", ".join("?" * len(columns))
                conn.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({places})", ready)
                continue
            cursor = conn.connection.cursor()
            with cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in ready:
                    copy.write_row(row)
    seconds = time.perf_counter() - began
    source.close()
    target.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--other", required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--no-limit", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        path = folder / "bookings.csv"
        write_file(path, given.rows)
        config = made(given.url, folder)
        out = multiprocessing.Queue()
        process = multiprocessing.Process(target=ours, args=(config, path, out))
        with children.running([process]):
            (row,) = children.answers(out, [process])
        total = row["stage"] + row["apply"] + row["plan"]
        row |= {
            "engine": "import",
            "database": given.url.partition(":")[0].partition("+")[0],
            "rows": given.rows,
            "seconds": round(total, 3),
            "rows_per_second": round(given.rows / total),
        }
        if not given.no_limit:
            least = limit(config, made(given.other, folder), path)
            row |= {"limit_seconds": round(least, 3), "vs_limit": round(least / total, 3)}
    print(json.dumps(row))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
