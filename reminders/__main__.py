"""The program: `reminders`, and `python -m reminders`. From here on Ctrl-C ends it in words."""

import gc
import os
import signal
import sys
from typing import NoReturn

from reminders.interrupts import STATUS

INTERRUPTED = "Interrupted.\n"


def main() -> None:
    """Load the command line, and run it."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    gc.disable()  # what is loaded stays: looking through it for garbage takes a while, too
    from reminders.cli.app import main as run  # noqa: PLC0415 - it takes a while

    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, usual)
    try:
        run()
    except KeyboardInterrupt:
        sys.stderr.write(INTERRUPTED)
        sys.exit(STATUS)
    finally:
        # The command is over, and what it came to stands: Python alone has to end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(*_signal: object) -> NoReturn:
    """End at once. Nothing is begun; and Python could lose an exception while it loads modules."""
    sys.stderr.write(INTERRUPTED)
    sys.stderr.flush()
    os._exit(STATUS)


if __name__ == "__main__":
    main()
