"""A desk for tests and pictures: the real pages on a real port, on a clock moved by hand."""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from reminders.domain.access import ALL_CLINICS, Role
from reminders.engine import accounts, importing
from reminders.engine.dispatch import Report
from reminders.engine.importing import Options
from reminders.resources import examples
from reminders.web import server
from reminders.web.app import create_app
from tests.engine.clinic import Clinic
from tests.web.browsing import PASSWORD

EXAMPLE = examples() / "bokningar.csv"


class Desk(Clinic):
    """A clinic whose pages are served. `url` is where."""

    url = ""

    def until(self, when: str) -> Report:
        """Let the engine work until a wall-clock time, in a thread: Playwright has a loop here."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(super().until, when).result()

    def end(self) -> None:
        """Close what is open, in a thread for the same reason."""
        with ThreadPoolExecutor(1) as thread:
            thread.submit(super().end).result()

    def person(self, login: str = "anna", language: str = "sv", role: Role = Role.ADMIN) -> None:
        """Add somebody who may sign in, with the password of all tests."""
        accounts.add_user(self.runtime, login, language, {ALL_CLINICS: role}, PASSWORD)

    def example_file(self) -> Path:
        """Return the example as an admin has it: exported an hour ago, by the desk's own clock."""
        path = self.folder / EXAMPLE.name
        path.write_bytes(EXAMPLE.read_bytes())
        exported_at = (self.clock.now() - timedelta(hours=1)).timestamp()
        os.utime(path, (exported_at, exported_at))
        return path

    def example(self, *, confirmations: bool = True) -> None:
        """Import the example file."""
        chosen = Options(exported_at=self.clock.now(), confirmations=confirmations)
        now = self.clock.now()
        staged = importing.stage(self.runtime, "internet", EXAMPLE, chosen, now)
        importing.apply(self.runtime, staged, chosen, now)
        self.plan()


@contextmanager
def served(desk: Desk) -> Iterator[Desk]:
    """Serve a desk's pages from a thread of their own, while the test goes on."""
    listener = server.listen("127.0.0.1", 0)
    desk.url = server.address(listener)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    app = create_app(desk.runtime)

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve(app, listener, stop))
        loop.close()

    thread = threading.Thread(target=work, name="pages")
    thread.start()
    try:
        yield desk
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


def new_desk(folder: Path, start: datetime, **changes: Any) -> Desk:
    """Return a desk on a SQLite file in `folder`."""
    return Desk(folder, f"sqlite:///{folder / 'reminders.db'}", start, **changes)
