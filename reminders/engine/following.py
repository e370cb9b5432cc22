"""Following the messages as they are made: each once, in the order of their ids."""

import threading

from reminders.engine.runtime import Runtime
from reminders.store import following
from reminders.store.views import Line

PAUSE = 0.01
TRIES = 100
"""So often, with a pause in seconds, it is looked whether others have ended what they write."""


class Follower:
    """Reads pages of messages. No message comes to stand before one that was read.

    PostgreSQL gives an id when a message is written, and shows it when its transaction ends: a
    smaller one may be seen later. So a page ends at an id below which nobody writes any more.
    Who wrote when that id was there already has to end first; what begins later takes larger ones.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._settled = 0

    def page(self, clinic: str, after: int, limit: int) -> list[Line]:
        """Return at most `limit` of a clinic's messages with an id above `after`, in their order.

        What somebody else may still put before it is waited for; if that takes longer than a
        second, the messages since are left for later.
        """
        found = self._read(clinic, after, limit)
        if len(found) < limit and self._settle():
            found = self._read(clinic, after, limit)
        return found

    def _read(self, clinic: str, after: int, limit: int) -> list[Line]:
        with self._database.reading() as conn:
            return following.lines_between(conn, clinic, after, self._settled, limit)

    def _settle(self) -> bool:
        """Find out up to which id all is there; tell whether that is more than was known."""
        with self._database.reading() as conn:
            newest = following.newest(conn)
            if newest <= self._settled:
                return False
            writers = following.writers(conn)
        tries = TRIES
        while writers and tries:
            threading.Event().wait(PAUSE)
            with self._database.reading() as conn:
                writers &= following.writers(conn)
            tries -= 1
        if not writers:
            self._settled = newest
        return not writers
