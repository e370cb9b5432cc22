"""A backup is restored: it knows nothing of what went out after it was taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

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
from reminders.providers.base import Setup
from reminders.providers.sandbox import Sandbox
from reminders.store import backup
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

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a text."""
        message.before_write()
        ref = f"SM{len(self.kept)}"
        self.kept.append(Kept(ref, message.to, message.body, self._setup.clock.now()))
        return Accepted(ref)

    async def find(self, sought: Sought) -> Outcome | None:
        """Look for a text."""
        for one in self.kept:
            in_time = one.at >= sought.started_at - timedelta(minutes=2)
            mine = one.ref not in sought.others and sought.digest(one.body) == sought.body_digest
            if one.to == sought.to and in_time and mine:
                return Accepted(one.ref)
        return Rejected("absent", Refusal.THROTTLED)

    async def status(self, ref: str) -> Receipt | None:
        """Tell that it arrived."""
        return Receipt(ref, State.DELIVERED)


@pytest.fixture
def restored(tmp_path: Path) -> Iterator[Clinic]:
    """Return a clinic restored from a backup of Monday, on Tuesday at noon; a text went at ten."""
    Network.kept = []

    def make(_name: str, setup: Setup) -> Network:
        return Network(setup)

    url = f"sqlite:///{tmp_path / 'reminders.db'}"
    clinic = Clinic(tmp_path, url, at("2026-11-30 12:00"), make_provider=make)
    clinic.read(
        row("B1", "2026-12-02 10:00"),
        row("B2", "2026-12-02 11:00", phone="070-174 06 06"),
        confirmations=False,
    )
    clinic.plan()
    copy = tmp_path / "monday.db"
    backup.back_up(clinic.runtime.database, copy)
    clinic.until("2026-12-01 10:30")
    assert [one.to[-3:] for one in Network.kept] == ["605"]
    clinic.clock.set(at("2026-12-01 12:00"))
    clinic.runtime.database.close()
    backup.restore(
        copy,
        read_secret(clinic.config),
        tmp_path / "reminders.db",
        clinic.clock.now(),
        replace=True,
    )
    clinic.restart()
    yield clinic
    clinic.end()


def test_a_restored_backup_is_compared_before_it_sends(restored: Clinic) -> None:
    """What went out after the backup is found at the provider; what did not go goes, once."""
    restored.until("2026-12-01 12:10")
    assert len(Network.kept) == 1
    restored.runtime.in_transaction(holding.release, restored.runtime, restored.clock.now())
    restored.until("2026-12-01 12:20")
    assert [one.to[-3:] for one in Network.kept] == ["605", "606"]
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
    assert [one.to[-3:] for one in Network.kept] == ["605", "606", "607"]
