"""`make bench`: ours, the peers and the limits on the same work in the same run, interleaved.

    python bench/run.py [--quick] [--resume]
    python bench/run.py --trial           every case of the whole run, in a few minutes
    python bench/run.py --trial --quick

Every case is run in rounds, one of each engine a round, and its median is told. Databases are made
anew for each; those with millions of rows are copies of one that is filled once. After each case
bench/results/latest.json is written, and at the end the tables and plots of docs/performance.md.

A run that was ended (Ctrl-C), or in which cases failed, may be gone on with by `--resume`, at the
same commit, with the same sizes. The whole run needs 25 GB in /tmp. A trial has tiny sizes, tells
nothing of speed, writes bench/results/trial.json and leaves the docs alone.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench import measure, report  # noqa: E402 - the path first
from bench.harness import Bench, CaseError  # noqa: E402
from bench.ratios import median, ratios  # noqa: E402

ON_POSTGRESQL = ("pgqueuer", "awa", "procrastinate")
ON_SQLITE = ("huey", "apscheduler")
WHOLE = {
    "due": 10_000,
    "rounds": 3,
    "rows": 100_000,
    "backlogs": [1_000_000, 10_000_000],
    "history": 20_000_000,
    "lateness_seconds": 60,
}
QUICK = {"due": 2_000, "rows": 20_000}
TRIAL = {
    "due": 100,
    "rounds": 1,
    "rows": 500,
    "backlogs": [2000, 5000],
    "history": 5000,
    "lateness_seconds": 5,
}


def run(bench: Bench, sizes: dict) -> None:
    """Run every case, round by round."""
    rounds = range(1, sizes["rounds"] + 1)
    for bench.round in rounds:
        bench.ours("pg")
        for name in ON_POSTGRESQL:
            bench.peer("pg", name)
        bench.ours("sqlite", kind="sqlite")
        for name in ON_SQLITE:
            bench.peer("sqlite", name, kind="sqlite")
        bench.ours("pg_no_http", "--no-http")
        for name in ON_POSTGRESQL[:2]:
            bench.peer("pg_no_http", name, "--no-http")
        for client in ("aiohttp", "pycurl"):
            bench.limit(client)
        bench.ours("latency_50ms", "--delay-ms", "50", "--in-flight", "200")
    for kind in ("sqlite", "postgresql"):
        for bench.round in rounds[:1] if sizes["quick"] else rounds:
            bench.imports(kind, sizes["rows"])
    bench.round = 1
    bench.take("idle", "reminders", idle)
    if not sizes["quick"]:
        long_run(bench, sizes)


def long_run(bench: Bench, sizes: dict) -> None:
    """Run what takes long: backlogs, workers, and the queues on Redis."""
    rounds = range(1, sizes["rounds"] + 1)
    few, many = sizes["backlogs"]
    with bench.template(few) as template:
        for bench.round in rounds:
            bench.ours("pg_1000000", template=template)
            for name in ON_POSTGRESQL:
                bench.peer("pg_1000000", name, future=few)
    with bench.template(many) as template:
        for bench.round in rounds:
            bench.ours("pg_10000000", template=template)
        for bench.round in rounds:
            lateness(bench, template, sizes["lateness_seconds"])
        claims(bench, template, sizes)
    four = ("--delay-ms", "50", "--in-flight", "20")
    for bench.round in rounds:
        bench.ours("workers_1", *four)
        bench.ours("workers_4", *four, "--workers", "4", due=bench.due * 4)
    for bench.round in rounds:
        for name in ("dramatiq", "celery"):
            bench.redis(name, shutil.which("redis-server"))


def lateness(bench: Bench, template, seconds: int) -> None:
    """Let half as many texts fall due a second as can be sent."""
    half = round((median(bench.rows, "pg_10000000", "reminders") or 0) / 2)
    if half:
        more = ("--rate", str(half), "--seconds", str(seconds))
        bench.program("lateness", "lateness.py", *more, template=template)
        return

    def no_rate() -> dict:
        raise CaseError("half of which rate is not known")

    bench.take("lateness", "reminders", no_rate)


def claims(bench: Bench, large, sizes: dict) -> None:
    """Claim beside few rows that are not due, beside many, and beside much history."""
    few = min(10_000, sizes["backlogs"][0])
    with bench.template(few) as small, bench.template(few, sizes["history"]) as old:
        for bench.round in range(1, sizes["rounds"] + 1):
            bench.program("claim_10k", "claims.py", template=small)
            bench.program("claim_10m", "claims.py", template=large)
            history = ("--history", str(sizes["history"]))
            bench.program("claim_history_20m", "claims.py", *history, template=old)


def idle() -> dict[str, object]:
    """Return how much memory a daemon takes that has nothing to do."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environ = {**os.environ, "REMINDERS_DATABASE__URL": f"sqlite:///{folder}/r.db"}
        program = [sys.executable, "-m", "reminders"]
        where = {"cwd": folder, "env": environ | {"PYTHONPATH": str(HERE.parent)}}
        subprocess.run([*program, "init"], capture_output=True, check=True, timeout=60, **where)
        process = subprocess.Popen([*program, "run"], stderr=subprocess.PIPE, text=True, **where)
        try:
            while "started" not in (line := process.stderr.readline()):
                assert line, "the daemon ended"
            time.sleep(8)
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {"rss_mib": round(int(resident.split()[1]) / 1024)}


def options() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--trial", action="store_true", help="tiny sizes; the docs are left alone")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was ended")
    parser.add_argument("--due", type=int, help="texts a case; else 2,000 or 10,000")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--rows", type=int, help="rows of the file; else 20,000 or 100,000")
    parser.add_argument("--backlogs", type=_two, help="future rows; else 1000000,10000000")
    parser.add_argument("--history", type=int, help="texts that have gone; else 20,000,000")
    return parser.parse_args()


def _two(told: str) -> list[int]:
    few, many = map(int, told.split(","))
    return [few, many]


def sizes_of(given: argparse.Namespace) -> dict:
    """Return the sizes of the run: as told, else as its kind has them."""
    kind = TRIAL if given.trial else QUICK if given.quick else {}
    told = {name: value for name, value in vars(given).items() if name in WHOLE and value}
    return {"quick": given.quick, **WHOLE, **kind, **told}


def commit() -> str:
    """Return what is measured; an empty string where Git does not know."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False)
    return told.stdout.strip()


def earlier(path: Path, head: dict) -> dict:
    """Return the run in the file, if this one may go on with it."""
    found = json.loads(path.read_text()) if path.exists() else {}
    same = ("commit", "sizes", "machine")
    if not head["commit"] or any(found.get(name) != head[name] for name in same):
        sys.exit(f"{path} is not of this commit, these sizes and this machine")
    return found


def write(path: Path, result: dict) -> None:
    """Write the file whole, or not at all."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(result, indent=1) + "\n")
    new.replace(path)


def main() -> None:
    given = options()
    sizes = sizes_of(given)
    path = HERE / "results" / ("trial.json" if given.trial else "latest.json")
    path.parent.mkdir(exist_ok=True)
    head = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "sizes": sizes,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "load_before": os.getloadavg()[2],
    }
    kept = []
    if given.resume:
        found = earlier(path, head)
        kept = [row for row in found["rows"] if "failed" not in row]
        head |= {"made_at": found["made_at"], "load_before": found["load_before"]}
    elif path.exists():
        path.replace(path.with_suffix(".before.json"))  # it may have taken hours

    def save(rows: list, *, complete: bool = False) -> dict:
        result = {**head, "complete": complete, "ratios": ratios(rows), "rows": rows}
        write(path, result)
        return result

    save(kept)
    # Ended like Ctrl-C: the groups of processes that the cases have are not left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with measure.postgresql() as server:
            bench = Bench(server, sizes["due"], save, kept)
            run(bench, sizes)
    except KeyboardInterrupt:
        sys.exit(f"\nEnded. {path} has what is there; --resume goes on with it.")
    result = save(bench.rows, complete=True)
    if not given.trial:
        report.write(result)
    print(json.dumps(result["ratios"], indent=1))


if __name__ == "__main__":
    main()
