"""What the quiet daemon costs: CPU time while nothing falls due, and memory.

    python bench/idle.py [--seconds 60] [--url URL]

Starts `reminders run` on a database with a thousand visits next week, lets it settle, and reads what
the system has counted of it. Prints one line of JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reminders.resources import example_config

TICKS = os.sysconf("SC_CLK_TCK")


def counted(pid: int) -> tuple[float, int]:
    """Return CPU seconds and context switches so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    switches = sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
    return (int(fields[11]) + int(fields[12])) / TICKS, switches


def resident(pid: int) -> float:
    """Return the resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def bookings(path: Path, count: int) -> None:
    """Write a file of visits next week."""
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() + 7 * 86400))
    lines = ["boknings-id;starttid;besökstyp;mobil;roll\n"]
    for n in range(count):
        phone = f"070-174 06 {n % 95 + 5:02}"
        lines.append(f"B{n};{day} {8 + n % 9:02}:{n % 60:02};Videobesök;{phone};vårdnadshavare\n")
    path.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--settle", type=float, default=20)
    parser.add_argument("--visits", type=int, default=1000)
    parser.add_argument("--url")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        config = folder / "config.toml"
        text = example_config()
        if chosen.url:
            text = text.replace('url = "sqlite:///reminders.db"', f'url = "{chosen.url}"')
        config.write_text(text, encoding="utf-8")
        program = [sys.executable, "-m", "reminders", "--config", str(config)]
        bookings(folder / "b.csv", chosen.visits)
        subprocess.run([*program, "init"], check=True, capture_output=True)
        imported = [*program, "import", str(folder / "b.csv"), "--yes"]
        subprocess.run(imported, check=True, capture_output=True)
        daemon = subprocess.Popen([*program, "run"], stderr=subprocess.PIPE, text=True)
        try:
            assert daemon.stderr is not None
            while "started" not in (line := daemon.stderr.readline()):
                assert line, "the daemon ended"
            time.sleep(chosen.settle)
            before, switches = counted(daemon.pid)
            time.sleep(chosen.seconds)
            after, later = counted(daemon.pid)
            print(
                json.dumps(
                    {
                        "seconds": chosen.seconds,
                        "cpu_percent": round((after - before) / chosen.seconds * 100, 3),
                        "context_switches_per_second": round(
                            (later - switches) / chosen.seconds, 2
                        ),
                        "idle_rss_mib": round(resident(daemon.pid)),
                    }
                )
            )
        finally:
            daemon.terminate()
            daemon.wait()


if __name__ == "__main__":
    main()
