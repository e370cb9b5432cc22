"""A backup is restored: it knows nothing of what went out after it was taken."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reminders.domain.outcome import (
    Accepted,
    Outcome,
    OutgoingMessage,
    Receipt,
    Refusal,
    Rejected,
    Sought,
)
from reminders.domain.state import State
from reminders.engine import holding
from reminders.engine.planning import plan_pending
from reminders.engine.wording import words_of
from reminders.providers.base import Setup
from reminders.providers.sandbox import Sandbox
from reminders.store import backup, keeping
from reminders.store.keeping import Cause
from reminders.wiring import read_secret
from tests.engine.clinic import Clinic, at, row


@dataclass
class Kept:
    """A text as the provider has it."""

    ref: str
    to: str
    body: str
    at: datetime


class Network(Sandbox):
    """A provider that is asked by number, then by time and text, as real ones are."""

    kept: list[Kept]
    away: bool = False

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a text."""
        message.before_write()
        ref = f"SM{len(self.kept)}"
        self.kept.append(Kept(ref, message.to, message.body, self._setup.clock.now()))
        return Accepted(ref)

    async def find(self, sought: Sought) -> Outcome | None:
        """Look for a text."""
        if self.away:
            return None
        since = sought.since(timedelta(0))
        listed = [one for one in self.kept if one.to == sought.to and one.at >= since]
        perhaps = [one for one in listed if one.ref not in sought.others]
        for one in perhaps:
            if sought.digest(one.body) == sought.body_digest:
                return Accepted(one.ref)
        if perhaps and sought.any_words:
            return None
        return Rejected("absent", Refusal.THROTTLED)

    async def status(self, ref: str) -> Receipt | None:
        """Tell that it arrived."""
        return Receipt(ref, State.DELIVERED)


@dataclass
class Story:
    """A clinic on SQLite of which a backup is taken, and put back later."""

    folder: Path
    clinic: Clinic = field(init=False)

    def __post_init__(self) -> None:
        """Open it on Monday at noon."""
        url = f"sqlite:///{self.folder / 'reminders.db'}"
        self.clinic = Clinic(self.folder, url, at("2026-11-30 12:00"), make_provider=_network)

    def back_up(self) -> None:
        """Take a copy."""
        backup.back_up(self.clinic.runtime.database, self.folder / "copy.db")

    def restore(self, when: str) -> Clinic:
        """Put the copy back at a Stockholm wall-clock time; return the clinic."""
        clinic = self.clinic
        clinic.clock.set(at(when))
        clinic.runtime.database.close()
        backup.restore(
            self.folder / "copy.db",
            read_secret(clinic.config),
            self.folder / "reminders.db",
            clinic.clock.now(),
            replace=True,
        )
        aside = self.folder / f"reminders.db{backup.ASIDE}"
        aside.unlink()
        clinic.restart()
        return clinic


def _network(_name: str, setup: Setup) -> Network:
    return Network(setup)


def release(clinic: Clinic) -> None:
    """Let the clinic send again, as the command does."""
    holding.prepare(clinic.runtime, clinic.clock.now())
    clinic.runtime.in_transaction(holding.release, clinic.runtime, clinic.clock.now())


def went() -> list[str]:
    """Return the ends of the numbers that texts went to, in their order."""
    return [one.to[-3:] for one in Network.kept]


def held(clinic: Clinic) -> keeping.Held:
    """Return what is kept of the hold."""
    found = clinic.runtime.in_transaction(keeping.held)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _empty_network() -> None:
    Network.kept = []
    Network.away = False


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """Return a clinic of which nothing is kept yet."""
    told = Story(tmp_path)
    yield told
    told.clinic.end()


@pytest.fixture
def restored(story: Story) -> Clinic:
    """Return a clinic restored from a backup of Monday, on Tuesday at noon; a text went at ten."""
    story.clinic.read(
        row("B1", "2026-12-02 10:00"),
        row("B2", "2026-12-02 11:00", phone="070-174 06 06"),
        confirmations=False,
    )
    story.clinic.plan()
    story.back_up()
    story.clinic.until("2026-12-01 10:30")
    assert went() == ["605"]
    return story.restore("2026-12-01 12:00")


def test_a_restored_backup_is_compared_before_it_sends(restored: Clinic) -> None:
    """What went out after the backup is found at the provider; what did not go goes, once."""
    restored.until("2026-12-01 12:10")
    assert len(Network.kept) == 1
    restored.runtime.in_transaction(holding.release, restored.runtime, restored.clock.now())
    restored.until("2026-12-01 12:20")
    assert went() == ["605", "606"]
    for ref in ("B1", "B2"):
        states = [state for rule, _, state, _ in restored.states(ref) if rule == "day_before"]
        assert states in (["accepted"], ["delivered"])


def test_what_a_person_stopped_is_not_looked_for(restored: Clinic) -> None:
    """Where nothing was restored nothing is in doubt: a release sends at once."""
    restored.runtime.in_transaction(holding.release, restored.runtime, restored.clock.now())
    restored.until("2026-12-01 12:10")
    restored.read(row("B3", "2026-12-02 12:30", phone="070-174 06 07"), confirmations=False)
    restored.runtime.in_transaction(holding.hold, restored.runtime, restored.clock.now())
    restored.until("2026-12-01 12:40")
    restored.runtime.in_transaction(holding.release, restored.runtime, restored.clock.now())
    assert "unknown" not in [state for _, _, state, _ in restored.states("B3")]
    restored.until("2026-12-01 12:50")
    assert went() == ["605", "606", "607"]


def test_what_went_in_other_words_is_left_to_a_person(story: Story) -> None:
    """A text said "tomorrow" and would say "today" now: it does not go again; a person sees it."""
    story.clinic.read(
        row("B1", "2026-12-02 10:00"),
        row("B2", "2026-12-02 10:05", phone="070-174 06 06"),
        confirmations=False,
    )
    story.clinic.plan()
    story.back_up()
    story.clinic.until("2026-12-01 10:01")
    clinic = story.restore("2026-12-02 08:30")
    release(clinic)
    clinic.until("2026-12-02 09:00")
    assert went().count("605") == 1
    assert ("day_before", "sms", "unknown", "restored") in clinic.states("B1")
    assert [item.reason for item in clinic.worklist() if item.ref == "B1"] == ["restored"]
    assert went().count("606") == 1, "to whom nothing went, it goes"


@pytest.mark.parametrize("daemon", [False, True])
def test_a_booking_of_after_the_backup_is_confirmed_once(story: Story, daemon: bool) -> None:
    """It is read again after the restore, planned or not: its text went before that."""
    booked = row("B1", "2026-12-04 10:00")
    story.back_up()
    story.clinic.clock.set(at("2026-11-30 13:00"))
    story.clinic.read(booked, confirmations=True)
    story.clinic.until("2026-11-30 14:00")
    assert went() == ["605"]
    clinic = story.restore("2026-11-30 15:00")
    clinic.read(booked, row("B2", "2026-12-04 11:00", phone="070-174 06 06"), confirmations=True)
    if daemon:
        clinic.until("2026-11-30 15:10")
    clinic.runtime.in_transaction(holding.release, clinic.runtime, clinic.clock.now())
    clinic.until("2026-11-30 15:30")
    assert went() == ["605", "606"]
    assert ("booked", "sms", "delivered", None) in clinic.states("B1")
    with clinic.runtime.database.reading() as conn:
        words = words_of(conn, clinic.runtime, clinic.show("B1"), clinic.clock.now())
    assert [said.exact for said in words.values() if said.exact is not None] == [True]


def test_a_move_of_after_the_backup_is_told_once(story: Story) -> None:
    """What was known before the backup is told from what came of it since."""
    story.clinic.read(row("B1", "2026-12-04 10:00"), confirmations=True)
    story.clinic.until("2026-11-30 12:30")
    story.back_up()
    story.clinic.clock.set(at("2026-11-30 13:00"))
    story.clinic.read(row("B1", "2026-12-04 11:00"), confirmations=True)
    story.clinic.until("2026-11-30 14:00")
    assert went() == ["605", "605"]
    clinic = story.restore("2026-11-30 15:00")
    clinic.read(row("B1", "2026-12-04 11:00"), confirmations=True)
    clinic.until("2026-11-30 15:10")
    release(clinic)
    clinic.until("2026-11-30 15:30")
    assert went() == ["605", "605"]


def test_what_waits_for_the_morning_is_looked_for_too(story: Story) -> None:
    """A reminder and a confirmation went in the evening; released at night, neither goes again."""
    booked = row("B2", "2026-12-04 10:00", phone="070-174 06 06")
    later = row("B3", "2026-12-04 11:00", phone="070-174 06 07")
    story.clinic.read(row("B1", "2026-12-01 20:30"), confirmations=False)
    story.clinic.plan()
    story.back_up()
    story.clinic.clock.set(at("2026-11-30 20:20"))
    story.clinic.read(row("B1", "2026-12-01 20:30"), booked, confirmations=True)
    story.clinic.until("2026-11-30 20:50")
    assert sorted(went()) == ["605", "606"]
    clinic = story.restore("2026-11-30 22:00")
    clinic.read(row("B1", "2026-12-01 20:30"), booked, later, confirmations=True)
    release(clinic)
    clinic.until("2026-12-01 07:00")
    assert sorted(went()) == ["605", "606"]
    clinic.until("2026-12-01 12:00")
    assert sorted(went()) == ["605", "606", "607"]
    assert Network.kept[-1].at >= at("2026-12-01 08:00")


def test_what_is_not_due_yet_is_not_in_doubt(restored: Clinic) -> None:
    """A reminder whose time comes later cannot have gone: nobody asks for it, and it is on time."""
    restored.read(
        row("B1", "2026-12-02 10:00"),
        row("B2", "2026-12-02 11:00", phone="070-174 06 06"),
        row("B4", "2026-12-02 15:00", phone="070-174 06 08"),
        confirmations=False,
    )
    release(restored)
    assert "unknown" not in [state for _, _, state, _ in restored.states("B4")]
    restored.until("2026-12-01 14:59")
    assert went() == ["605", "606"]
    restored.until("2026-12-01 15:01")
    assert went() == ["605", "606", "608"]


def test_a_provider_that_is_away_is_asked_again_after_a_restore(restored: Clinic) -> None:
    """Days may lie between the backup, the restore and the release: it is asked for a day more."""
    restored.read(
        row("B1", "2026-12-02 10:00"),
        row("B2", "2026-12-04 11:00", phone="070-174 06 06"),
        confirmations=True,
    )
    restored.clock.set(at("2026-12-03 12:00"))
    Network.away = True
    release(restored)
    restored.until("2026-12-03 13:00")
    assert ("unknown", "restored") in [state[2:] for state in restored.states("B2")]
    Network.away = False
    restored.until("2026-12-03 14:00")
    assert went() == ["605", "606"]


def test_a_hold_of_an_older_version_is_released_rightly(restored: Clinic) -> None:
    """It does not say of when the backup is: the ledger does."""
    kept = held(restored)
    assert kept.at is not None
    assert kept.worked_until == at("2026-11-30 12:00")
    old = f"{kept.at.isoformat()} restored".encode()
    restored.runtime.in_transaction(keeping.put, keeping.HELD, old)
    assert held(restored) == keeping.Held(Cause.RESTORED, kept.at)
    restored.until("2026-12-01 12:10")
    release(restored)
    restored.until("2026-12-01 12:20")
    assert went() == ["605", "606"]


def test_a_hold_that_tells_nothing_reaches_far_back(restored: Clinic) -> None:
    """Whatever is kept, what went is found."""
    restored.runtime.in_transaction(keeping.put, keeping.HELD, b"1")
    assert held(restored) == keeping.Held(Cause.RESTORED)
    release(restored)
    restored.until("2026-12-01 12:20")
    assert went() == ["605", "606"]


def test_a_backup_of_a_restored_database_reaches_back_to_the_first(story: Story) -> None:
    """Restored, copied before it was released, and restored again: the first backup counts."""
    story.back_up()
    first = held(story.restore("2026-11-30 15:00")).worked_until
    story.clinic.read(row("B1", "2026-12-04 10:00"), confirmations=True)
    (story.folder / "copy.db").unlink()
    story.back_up()
    again = held(story.restore("2026-11-30 16:00"))
    assert (again.worked_until, again.at) == (first, at("2026-11-30 16:00"))


def test_a_database_restored_with_other_tools_is_held(open_clinic: Callable[..., Clinic]) -> None:
    """Whoever says so after pg_restore has what is due looked for, as after our own restore."""
    booked: dict[str, Any] = {"confirmations": True}
    clinic = open_clinic(make_provider=_network)
    clinic.read(row("B1", "2026-12-04 10:00"), **booked)
    clinic.clock.set(at("2026-11-30 13:00"))
    clinic.runtime.in_transaction(holding.hold, clinic.runtime, clinic.clock.now())
    clinic.runtime.in_transaction(holding.hold_restored, clinic.runtime, clinic.clock.now())
    assert held(clinic).cause is Cause.RESTORED
    clinic.until("2026-11-30 13:05")
    assert went() == []
    _sent_by_what_was_lost(clinic, "070-174 06 05")
    clinic.read(
        row("B1", "2026-12-04 10:00"),
        row("B2", "2026-12-04 11:00", phone="070-174 06 06"),
        **booked,
    )
    release(clinic)
    clinic.until("2026-11-30 13:30")
    assert went() == ["605", "606"]
    assert ("booked", "sms", "unknown", "restored") in clinic.states("B1")


def test_what_another_worker_is_planning_is_waited_for(
    tmp_path: Path, ready_postgres_url: str
) -> None:
    """A release leaves no visit to a planner that has it in hand: its text is looked for too."""
    clinic = Clinic(tmp_path, ready_postgres_url, at("2026-11-30 13:00"), make_provider=_network)
    runtime, now = clinic.runtime, clinic.clock.now()
    runtime.in_transaction(holding.hold_restored, runtime, now)
    clinic.read(row("B1", "2026-12-04 10:00"), confirmations=True)
    with ThreadPoolExecutor(1) as other:
        with runtime.database.transaction() as conn:
            assert plan_pending(conn, runtime, now)[0] == 1
            released = other.submit(runtime.in_transaction, holding.release, runtime, now)
            assert wait([released], timeout=0.5).not_done
        released.result(timeout=10)
    assert ("booked", "sms", "unknown", "restored") in clinic.states("B1")
    clinic.end()


def _sent_by_what_was_lost(clinic: Clinic, phone: str) -> None:
    """Let a text have gone of which the restored database knows nothing."""
    number = "+46" + phone.replace("-", "").replace(" ", "")[1:]
    Network.kept.append(Kept("SMX", number, "Välkommen.", clinic.clock.now()))
