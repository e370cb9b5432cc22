"""Ctrl-C, where it cannot be heeded at that very moment, or might be lost.

Python raises KeyboardInterrupt wherever it happens to be. Within what clears up, that leaves it
undone; within the loading of a module, Python itself may swallow it.
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Self

STATUS = 130
"""The exit status of a command that was interrupted."""


class Interrupts:
    """A block that counts how often Ctrl-C is pressed in it, and forgets none of it.

    In any thread but the main one, which alone is interrupted, it does nothing; nor in a process
    that was told to take no notice.
    """

    def __init__(self, *, wait: bool) -> None:
        self.count = 0
        self._wait = wait
        self._counts = False

    def __enter__(self) -> Self:
        """Begin to count."""
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:
            with suppress(ValueError):  # it is not the main thread
                signal.signal(signal.SIGINT, self._note)
                self._counts = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        """Heed what has waited, or what was lost on the way."""
        if not self._counts:
            return
        signal.signal(signal.SIGINT, self._before)
        if self.count and (self._wait or kind is None):
            signal.raise_signal(signal.SIGINT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if not self._wait and callable(self._before):
            self._before(number, frame)


def held() -> Interrupts:
    """Let Ctrl-C wait until the end of the block: what is in it is done whole."""
    return Interrupts(wait=True)


def noted() -> Interrupts:
    """Heed Ctrl-C at once, and at the end of the block at the latest."""
    return Interrupts(wait=False)


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` in the running event loop on SIGTERM and SIGINT, where the loop can hear them."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # No loop of another thread than the main one hears signals, and on Windows none does.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
