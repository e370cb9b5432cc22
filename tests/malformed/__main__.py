"""Read malformed files without end.

python -m tests.malformed --files 1000000 --jobs 2 --json
"""

import argparse
import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from reminders.clock import SystemClock
from tests.malformed.campaign import Tally, campaign

SHARE = 5000


def share(seed: int, files: int) -> Tally:
    """Read one share in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return campaign(seed, files, Path(folder))


def main() -> int:
    """Return 1 if a file crashed the intake, or was imported in part."""
    parser = argparse.ArgumentParser(prog="python -m tests.malformed", description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    clock = SystemClock()
    began, total = clock.elapsed(), Tally()
    sizes = [SHARE] * (options.files // SHARE)
    if options.files % SHARE:
        sizes.append(options.files % SHARE)
    seeds = range(options.seed, options.seed + len(sizes))
    with ProcessPoolExecutor(options.jobs) as pool:
        for tally in pool.map(share, seeds, sizes):
            total.add(tally)
    for fault in [*total.crashes, *total.partial][:20]:
        print(fault, file=sys.stderr)
    said = {
        "files": total.files,
        "refused": total.refused,
        "rows": total.rows,
        "imports": total.imports,
        "crashes": len(total.crashes),
        "partial": len(total.partial),
        "seconds": round(clock.elapsed() - began, 1),
    }
    print(json.dumps(said) if options.json else said)
    return 1 if total.crashes or total.partial else 0


if __name__ == "__main__":
    sys.exit(main())
