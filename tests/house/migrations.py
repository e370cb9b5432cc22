"""`python -m tests.house.migrations`: the migrations make exactly the tables of the program."""

import sys
import tempfile
from pathlib import Path

from reminders.store.database import open_database
from reminders.store.upgrade import differences, upgrade


def main() -> int:
    """Compare, and say what differs."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'check.db'}", create=True)
        upgrade(database)
        found = differences(database)
        database.close()
    for difference in found:
        sys.stderr.write(f"migrations and tables differ: {difference}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
