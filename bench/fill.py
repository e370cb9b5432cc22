"""A database with its millions of rows, and nothing due yet: the template that rounds have copies of.

    python bench/fill.py --url postgresql+psycopg://… --folder /tmp/x --future 10000000 --history 0

The folder gets the key of the installation, which whoever uses a copy has to be given. Prints one
line of JSON.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import clinic


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--future", type=int, default=0)
    parser.add_argument("--history", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    clinic.fill(clinic.config(given.url, 9, 50, given.folder), given.future, given.history)
    row = {
        "engine": "reminders",
        "future": given.future,
        "history": given.history,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(row))


main()
