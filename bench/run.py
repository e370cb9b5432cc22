"""`make bench`: ours, the peers and the limits on the same work in the same run, interleaved.

    python bench/run.py [--quick]

Every case is run in rounds, one of each engine a round, and its median is told. Databases are made
anew for each. Writes bench/results/latest.json, and the tables and plots of docs/performance.md.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench import measure, report  # noqa: E402 - the path first

PEERS_PYTHON = HERE / ".venv/bin/python"
ON_POSTGRESQL = ("pgqueuer", "awa", "procrastinate")
ON_SQLITE = ("huey", "apscheduler")
TIMEOUT = 1800


@dataclass
class Bench:
    """The rows of a run, and the sizes it was made with."""

    quick: bool
    server: str
    due: int
    rounds: int
    file_rows: int
    rows: list = field(default_factory=list)
    made: int = 0

    def postgresql(self) -> str:
        """Return the URL of a new, empty database."""
        import psycopg

        self.made += 1
        name = f"bench_{self.made}"
        with psycopg.connect(self.server.replace("+psycopg", ""), autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {name}")
        return self.server.replace("/postgres?", f"/{name}?")

    def drop(self) -> None:
        import psycopg

        with psycopg.connect(self.server.replace("+psycopg", ""), autocommit=True) as conn:
            conn.execute(f"DROP DATABASE IF EXISTS bench_{self.made} WITH (FORCE)")

    @contextlib.contextmanager
    def database(self, kind: str):
        """Give the URL of a database of its own, and take it away afterwards."""
        if kind == "postgresql":
            yield self.postgresql()
            self.drop()
            return
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield f"sqlite:///{folder}/bench.db"

    def add(self, case: str, command: list[str], **facts) -> None:
        """Run one engine once, and keep the line of JSON that it prints."""
        began = time.monotonic()
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=True,
                cwd=HERE.parent,
            )
            row = json.loads(done.stdout.strip().splitlines()[-1])
        except subprocess.CalledProcessError as error:
            row = {"failed": error.stderr.strip().splitlines()[-1:]}
        except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
            row = {"failed": type(error).__name__}
        row = {"case": case, **facts, **row}
        self.rows.append(row)
        rate = row.get("per_second") or row.get("rows_per_second") or row.get("failed")
        took = time.monotonic() - began
        print(f"{case:22} {row.get('engine', ''):16} {rate!s:>8}  ({took:.0f} s)", flush=True)

    def ours(self, case: str, kind: str, *more: str, due: int | None = None) -> None:
        with self.database(kind) as url:
            size = ["--due", str(due or self.due)]
            command = [sys.executable, str(HERE / "ours.py"), "--url", url, *size, *more]
            self.add(case, command, engine="reminders")

    def peer(self, case: str, name: str, kind: str, *more: str) -> None:
        due = self.due // 4 if name in {"procrastinate", "apscheduler"} else self.due
        if not PEERS_PYTHON.exists():
            return
        with self.database(kind) as url, measure.stub() as port:
            size = ["--due", str(due), "--stub", str(port)]
            script = str(HERE / f"peers/with_{name}.py")
            command = [str(PEERS_PYTHON), script, "--url", url, *size, *more]
            self.add(case, command, engine=name)

    def limit(self, client: str) -> None:
        if not PEERS_PYTHON.exists():
            return
        with measure.stub() as port:
            more = ["--client", client, "--stub", str(port), "--due", str(self.due * 2)]
            self.add("limit", [str(PEERS_PYTHON), str(HERE / "limits.py"), *more])

    def imports(self, kind: str, rows: int) -> None:
        with self.database(kind) as url, tempfile.TemporaryDirectory(prefix="bench-") as folder:
            other = f"sqlite:///{folder}/other.db" if kind == "sqlite" else self.postgresql()
            command = [sys.executable, str(HERE / "imports.py"), "--url", url, "--other", other]
            self.add(f"import_{kind}", [*command, "--rows", str(rows)])

    def redis(self) -> None:
        """Compare with the queues that need Redis, where a server of it is installed."""
        server = shutil.which("redis-server")
        for name in ("dramatiq", "celery"):
            if server is None:
                self.rows.append(
                    {"case": "redis", "engine": name, "failed": "no redis-server here"}
                )
            else:
                with measure.stub() as port:
                    script = str(HERE / f"peers/with_{name}.py")
                    size = ["--due", str(self.due), "--stub", str(port), "--url", server]
                    self.add("redis", [str(PEERS_PYTHON), script, *size], engine=name)


def run(bench: Bench) -> None:
    """Run every case, round by round."""
    for _ in range(bench.rounds):
        bench.ours("pg", "postgresql")
        for name in ON_POSTGRESQL:
            bench.peer("pg", name, "postgresql")
        bench.ours("sqlite", "sqlite")
        for name in ON_SQLITE:
            bench.peer("sqlite", name, "sqlite")
        bench.ours("pg_no_http", "postgresql", "--no-http")
        for name in ON_POSTGRESQL[:2]:
            bench.peer("pg_no_http", name, "postgresql", "--no-http")
        for client in ("aiohttp", "pycurl"):
            bench.limit(client)
        bench.ours("latency_50ms", "postgresql", "--delay-ms", "50", "--in-flight", "200")
    for kind in ("sqlite", "postgresql"):
        for _ in range(1 if bench.quick else bench.rounds):
            bench.imports(kind, bench.file_rows)
    bench.rows.append(idle())
    if not bench.quick:
        long_run(bench)


def long_run(bench: Bench) -> None:
    """Run what takes long: backlogs, workers, and the queues on Redis."""
    for backlog in ("1000000", "10000000"):
        for _ in range(bench.rounds):
            bench.ours(f"pg_{backlog}", "postgresql", "--future", backlog)
            for name in ON_POSTGRESQL if backlog == "1000000" else ():
                bench.peer(f"pg_{backlog}", name, "postgresql", "--future", backlog)
    half = round((median(bench.rows, "pg_10000000", "reminders") or 0) / 2)
    if half:
        with bench.database("postgresql") as url:
            late = [sys.executable, str(HERE / "lateness.py"), "--url", url, "--rate", str(half)]
            bench.add("lateness", [*late, "--future", "10000000"])
    four = ("--delay-ms", "50", "--in-flight", "20")
    for _ in range(bench.rounds):
        bench.ours("workers_1", "postgresql", *four)
        bench.ours("workers_4", "postgresql", *four, "--workers", "4", due=bench.due * 4)
    with bench.database("postgresql") as small:
        claims = [sys.executable, str(HERE / "claims.py"), "--url"]
        bench.add("claim_10k", [*claims, small, "--future", "10000"])
    with bench.database("postgresql") as large:
        bench.add("claim_10m", [*claims, large, "--future", "10000000"])
    with bench.database("postgresql") as old:
        bench.add("claim_history_20m", [*claims, old, "--future", "10000", "--history", "20000000"])
    bench.redis()


def idle() -> dict[str, object]:
    """Return how much memory a daemon takes that has nothing to do."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environ = {**os.environ, "REMINDERS_DATABASE__URL": f"sqlite:///{folder}/r.db"}
        program = [sys.executable, "-m", "reminders"]
        where = {"cwd": folder, "env": environ | {"PYTHONPATH": str(HERE.parent)}}
        subprocess.run([*program, "init"], capture_output=True, check=True, **where)
        process = subprocess.Popen(
            [*program, "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **where
        )
        try:
            time.sleep(8)
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.terminate()
            process.wait()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "case": "idle",
        "engine": "reminders",
        "rss_mib": round(int(resident.split()[1]) / 1024),
    }


def median(rows, case: str, engine: str, figure: str = "per_second") -> float | None:
    """Return the median of a figure over the rounds."""
    found = [
        row[figure]
        for row in rows
        if row["case"] == case and row.get("engine") == engine and row.get(figure) is not None
    ]
    return statistics.median(found) if found else None


def best(rows, case: str, figure: str = "per_second", pick=max) -> float | None:
    """Return the best median of the peers in a case."""
    names = {row.get("engine") for row in rows if row["case"] == case} - {"reminders"}
    found = [value for name in names if (value := median(rows, case, name, figure)) is not None]
    return pick(found) if found else None


def over(one: float | None, other: float | None) -> float | None:
    """Return a ratio; None where a part of it was left out."""
    return round(one / other, 3) if one is not None and other else None


def ratios(rows) -> dict[str, float | None]:
    """Return the ratios that the run is made for; None where it left one out."""

    def us(case: str, figure: str = "per_second") -> float | None:
        return median(rows, case, "reminders", figure)

    one = us("workers_1")
    return {
        "pg_vs_best_peer": over(us("pg"), best(rows, "pg")),
        "pg_vs_best_peer_1m": over(us("pg_1000000"), best(rows, "pg_1000000")),
        "sqlite_vs_huey": over(us("sqlite"), median(rows, "sqlite", "huey")),
        "pg_no_http_vs_best_peer": over(us("pg_no_http"), best(rows, "pg_no_http")),
        "vs_bare_aiohttp": over(us("pg"), median(rows, "limit", "bare aiohttp")),
        "cpu_vs_best_peer": over(
            us("pg", "cpu_seconds_per_1000"), best(rows, "pg", "cpu_seconds_per_1000", min)
        ),
        "claim_10m_vs_10k": over(
            median(rows, "claim_10m", "reminders", "claim_ms"),
            median(rows, "claim_10k", "reminders", "claim_ms"),
        ),
        "lateness_p99_ms": median(rows, "lateness", "reminders", "p99_ms"),
        "import_sqlite_vs_limit": median(rows, "import_sqlite", "import", "vs_limit"),
        "import_pg_vs_limit": median(rows, "import_postgresql", "import", "vs_limit"),
        "four_workers_vs_sum": over(us("workers_4"), one and one * 4),
        "latency_50ms_vs_ideal": over(us("latency_50ms"), 4000),
        "idle_rss_mib": median(rows, "idle", "reminders", "rss_mib"),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--due", type=int, help="texts a case; else 2,000 or 10,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="rows of the file; else 20,000 or 100,000")
    given = parser.parse_args()
    due = given.due or (2_000 if given.quick else 10_000)
    file_rows = given.rows or (20_000 if given.quick else 100_000)
    with measure.postgresql() as server:
        bench = Bench(given.quick, server, due, given.rounds, file_rows)
        run(bench)
    result = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": given.quick,
        "due": due,
        "rounds": given.rounds,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "load_before": os.getloadavg()[2],
        "ratios": ratios(bench.rows),
        "rows": bench.rows,
    }
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(result, indent=1) + "\n")
    report.write(result, median)
    print(json.dumps(result["ratios"], indent=1))


if __name__ == "__main__":
    main()
