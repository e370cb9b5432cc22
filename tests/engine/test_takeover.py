"""Who may take over what another worker was sending, and when it may go again."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from reminders.domain.state import State
from reminders.engine.approval import Shelf
from reminders.engine.claiming import claim
from reminders.engine.delivery import LEASE_LOST, record, send_all
from reminders.engine.reconcile import search, take_back_abandoned
from reminders.engine.runtime import Runtime
from reminders.providers.base import Setup
from reminders.store.attempts import take_waiting
from reminders.store.presence import Presence
from tests.engine.clinic import Clinic, at, row
from tests.engine.test_reconcile import Network, Searched

Make = Callable[..., Clinic]
OTHER = 77


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def clinic(open_clinic: Make, network: Network) -> Clinic:
    """Return a clinic with one text due, through a provider whose log is searched."""

    class Provider(Searched):
        pass

    Provider.network = network

    def make(_name: str, setup: Setup) -> Provider:
        return Provider(replace(setup, settings={"show": "none"}))

    made = open_clinic(make_provider=make)
    made.read(row())
    made.plan()
    made.clock.set(at("2026-12-01 10:00"))
    return made


@pytest.fixture
def other(clinic: Clinic) -> Iterator[tuple[Runtime, Presence]]:
    """Return another worker, which is there."""
    runtime = replace(clinic.runtime, session=OTHER)
    presence = Presence(runtime.database, OTHER)
    presence.hold()
    yield runtime, presence
    presence.leave()


def take(runtime: Runtime):
    """Let a worker claim the text."""
    batch = runtime.in_transaction(claim, runtime, Shelf(), runtime.clock.now(), 10)
    assert len(batch.claimed) == 1
    return batch.claimed


def sms(clinic: Clinic) -> str:
    return next(state for rule, _, state, _ in clinic.states("B1") if rule == "day_before")


def test_a_worker_that_hangs_is_not_overtaken(
    clinic: Clinic, network: Network, other: tuple[Runtime, Presence]
) -> None:
    """While a worker's session lives its text is not sent by another; when it ends, it is."""
    runtime, presence = other
    if runtime.database.is_sqlite:
        pytest.skip("one process sends from a SQLite file")
    take(runtime)
    clinic.clock.set(at("2026-12-01 10:03"))
    asyncio.run(clinic.dispatcher.run_once())
    assert sms(clinic) == "sending"
    clinic.until("2026-12-01 10:10")
    assert sms(clinic) == "unknown"
    assert network.taken == []
    assert "unknown" in [item.kind for item in clinic.worklist()]
    presence.leave()
    clinic.until("2026-12-01 10:15")
    assert len(network.taken) == 1
    assert sms(clinic) == "accepted"


def test_a_worker_that_wakes_late_sends_nothing_and_is_believed(
    clinic: Clinic, network: Network, other: tuple[Runtime, Presence]
) -> None:
    """A worker that wakes after its lease writes nothing, says so, and the text goes at once."""
    runtime, _ = other
    if runtime.database.is_sqlite:
        pytest.skip("one process sends from a SQLite file")
    claimed = take(runtime)
    clinic.until("2026-12-01 10:10")
    late = asyncio.run(send_all(runtime, claimed))
    assert network.taken == []
    runtime.in_transaction(record, runtime, late, clinic.clock.now())
    clinic.until("2026-12-01 10:11")
    assert len(network.taken) == 1


def test_an_answer_that_comes_after_the_take_over_is_believed(
    clinic: Clinic, network: Network, other: tuple[Runtime, Presence]
) -> None:
    """An answer written down late, for an attempt that is still being looked for, settles it."""
    runtime, presence = other
    sent = asyncio.run(send_all(runtime, take(runtime)))
    presence.leave()
    network.hidden = True
    clinic.until("2026-12-01 10:10")
    assert sms(clinic) == "unknown"
    runtime.in_transaction(record, runtime, sent, clinic.clock.now())
    assert sms(clinic) == "accepted"
    clinic.until("2026-12-01 10:15")
    assert len(network.taken) == 1


def test_the_sole_sender_takes_back_at_once_what_another_left(
    clinic: Clinic, network: Network, other: tuple[Runtime, Presence]
) -> None:
    """Who alone may send waits for nobody's lease: what was left is looked for at once."""
    runtime, presence = other
    asyncio.run(send_all(runtime, take(runtime)))
    presence.leave()
    now = clinic.clock.now()
    assert clinic.runtime.in_transaction(take_back_abandoned, clinic.runtime, now) == 1
    clinic.until("2026-12-01 10:01")
    assert sms(clinic) == "accepted"
    assert len(network.taken) == 1


def test_the_sole_sender_asks_at_once_what_another_was_asking(
    clinic: Clinic, network: Network, other: tuple[Runtime, Presence]
) -> None:
    """A worker that is killed while it asks the provider leaves a question, not a wait."""
    runtime, presence = other
    asyncio.run(send_all(runtime, take(runtime)))
    presence.leave()
    now = clinic.clock.now()
    clinic.runtime.in_transaction(take_back_abandoned, clinic.runtime, now)
    asked = runtime.in_transaction(take_waiting, State.UNKNOWN, now, 10)
    assert len(asked) == 1
    clinic.runtime.in_transaction(take_back_abandoned, clinic.runtime, now)
    asyncio.run(search(clinic.runtime, now))
    assert sms(clinic) == "accepted"
    assert len(network.taken) == 1


def test_a_lease_is_asked_on_a_clock_that_runs_through_sleep(
    clinic: Clinic, network: Network
) -> None:
    """A text whose lease ran out between its claim and its write is not written."""
    claimed = take(clinic.runtime)
    clinic.clock.set(clinic.clock.now() + timedelta(minutes=2))
    (sent,) = asyncio.run(send_all(clinic.runtime, claimed))
    assert network.taken == []
    assert sent.outcome == LEASE_LOST
