"""Faults of the machine: a disk that takes nothing more, a database that is locked or read-only."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from reminders.domain.outcome import Outcome, OutgoingMessage
from reminders.engine.dispatch import Report
from reminders.providers.base import Setup
from reminders.providers.sandbox import Sandbox
from reminders.store import database
from reminders.store.database import DatabaseFault
from tests.engine.clinic import Clinic, at, row

DUE = "2026-12-01 10:00"
LITTLE = 4096
"""A page of the database does not fit in a file of this length; a pretended phone's text does."""


class Phone(Sandbox):
    """A phone; `after` is called when it has taken a text."""

    after: Callable[[], None] = staticmethod(lambda: None)

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a text."""
        outcome = await super().send(message)
        self.after()
        return outcome


class Disk:
    """The disk under the database's file."""

    def __init__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """Let no file grow any more: each write of the database fails."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (LITTLE, self._before[1]))

    def make_room(self) -> None:
        """Let files grow again."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Return the disk; there is room on it at the end."""
    made = Disk()
    yield made
    made.make_room()


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    """Return a clinic on SQLite whose one text has just fallen due."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)

    def make(_name: str, setup: Setup) -> Phone:
        return Phone(setup)

    url = f"sqlite:///{tmp_path / 'reminders.db'}"
    made = Clinic(tmp_path, url, at("2026-11-30 12:00"), make_provider=make)
    made.read(row(start="2026-12-02 10:00"), confirmations=False)
    made.plan()
    made.clock.set(at(DUE))
    yield made
    made.end()


def work(clinic: Clinic) -> Report:
    """Let the worker look once."""
    return asyncio.run(clinic.dispatcher.run_once())


@contextmanager
def locked(clinic: Clinic) -> Iterator[None]:
    """Let another process hold the database's write lock."""
    with clinic.runtime.database.transaction():
        yield


@contextmanager
def read_only(clinic: Clinic) -> Iterator[None]:
    """Let the database's file take no writes."""
    engine = clinic.runtime.database.engine

    def refuse(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    def allow(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA query_only = OFF")

    event.listen(engine, "checkout", refuse)
    event.listen(engine, "checkin", allow)
    yield
    event.remove(engine, "checkout", refuse)
    event.remove(engine, "checkin", allow)


def test_a_full_disk_before_the_send(clinic: Clinic, disk: Disk) -> None:
    """With no room to write the attempt down nothing is sent; with room again, one text."""
    disk.fill()
    with pytest.raises(DatabaseFault):
        work(clinic)
    assert clinic.texts() == []
    disk.make_room()
    assert work(clinic).sent == len(clinic.texts()) == 1


def test_a_full_disk_after_the_send(clinic: Clinic, disk: Disk, monkeypatch: Any) -> None:
    """An answer that cannot be written down is kept until it can, and nothing is sent again."""
    monkeypatch.setattr(Phone, "after", staticmethod(disk.fill))
    with pytest.raises(DatabaseFault):
        work(clinic)
    assert len(clinic.texts()) == 1
    with pytest.raises(DatabaseFault):
        work(clinic)
    disk.make_room()
    assert work(clinic).sent == len(clinic.texts()) == 1
    assert ("day_before", "sms", "accepted", None) in clinic.states("B1")


def test_a_full_disk_after_the_send_and_a_new_start(
    clinic: Clinic, disk: Disk, monkeypatch: Any
) -> None:
    """An answer lost with its process is looked for at the provider, and nothing is sent again."""
    monkeypatch.setattr(Phone, "after", staticmethod(disk.fill))
    with pytest.raises(DatabaseFault):
        work(clinic)
    disk.make_room()
    monkeypatch.setattr(Phone, "after", staticmethod(lambda: None))
    clinic.restart()
    clinic.until("2026-12-01 11:00")
    assert [text.at for text in clinic.texts()] == [DUE]
    assert [state for rule, _, state, _ in clinic.states("B1") if rule == "day_before"] == [
        "delivered"
    ]


@pytest.mark.parametrize("fault", [locked, read_only])
def test_a_database_that_cannot_be_written(clinic: Clinic, fault: Any) -> None:
    """While the database is locked, or may not be written, nothing is sent; afterwards it is."""
    with fault(clinic), pytest.raises(DatabaseFault):
        work(clinic)
    assert clinic.texts() == []
    assert work(clinic).sent == len(clinic.texts()) == 1


def test_a_file_on_a_full_disk(clinic: Clinic, disk: Disk) -> None:
    """A file that finds no room comes in not at all, and whole when there is room."""
    disk.fill()
    with pytest.raises(DatabaseFault):
        clinic.read(row("B2", "2026-12-03 10:00"))
    disk.make_room()
    assert clinic.read(row("B2", "2026-12-03 10:00")).applied
    assert clinic.show("B2").visit.status == "booked"
