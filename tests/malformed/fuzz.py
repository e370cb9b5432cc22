"""Reads files that a fuzzer guided by coverage makes, until one crashes the intake or time is up.

python -m tests.malformed.fuzz -max_total_time=60

atheris is no dependency, as few machines have a wheel for it: pip install atheris.
"""

import importlib
import logging
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Fuzz; libFuzzer ends the process, with another status than 0 if a file crashed the intake."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["reminders.intake"]):
        from reminders.errors import RefusedFileError
        from reminders.intake.bookings import read
        from tests.intake.helpers import FORM, NOW
        from tests.malformed.files import corpus
    logging.disable(logging.CRITICAL)

    def one(data: bytes) -> None:
        try:
            for _ in read(data, FORM, NOW):
                pass
        except RefusedFileError:
            return

    with tempfile.TemporaryDirectory() as folder:
        for number, sound in enumerate(corpus()):
            (Path(folder) / str(number)).write_bytes(sound)
        atheris.Setup([*sys.argv, "-max_len=4096", folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
