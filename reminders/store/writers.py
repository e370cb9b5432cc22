"""Who may write to a SQLite file next: within a process, whoever has waited longest.

SQLite itself has those who wait look again and again, with ever longer rests between. A thread that
writes one transaction after the other, as a large import does, is then always faster, and a text
that falls due waits for the end of it all.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Writers:
    """The threads that want to write, in the order in which they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._busy = False

    @contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Wait for a turn, but no longer than that: then it is for the database to say no."""
        mine = self._enter(seconds)
        try:
            yield
        finally:
            if mine:
                self._leave()

    def _enter(self, seconds: float) -> bool:
        with self._guard:
            if not self._busy:
                self._busy = True
                return True
            called = threading.Event()
            self._waiting.append(called)
        if called.wait(seconds):
            return True
        with self._guard:
            if called.is_set():
                return True
            self._waiting.remove(called)
            return False

    def _leave(self) -> None:
        """Hand the turn to the next one directly: nobody who comes now is before them."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._busy = False
