"""Finding out what became of messages whose answer was lost."""

import asyncio
import gc
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import select

from reminders.domain.lifecycle import FIRST_POLL
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    Outcome,
    OutgoingMessage,
    Refusal,
    Rejected,
    Sought,
)
from reminders.engine import desk, receipts
from reminders.engine.runtime import bounded
from reminders.providers.base import Setup
from reminders.providers.sandbox import Sandbox
from reminders.store import attempts, outbox
from reminders.store.schema import message
from tests.engine.clinic import Clinic, row

Make = Callable[..., Clinic]


@dataclass
class Network:
    """A provider's own log, which is searched by number and text, as real ones are."""

    taken: list[tuple[str, str]] = field(default_factory=list)
    lose: list[bool] = field(default_factory=list)  # for each call: lost before it was taken?
    hidden: bool = False


class Searched(Sandbox):
    """A provider that loses answers, and whose log knows no tokens."""

    network: ClassVar[Network]

    async def send(self, message: OutgoingMessage) -> Outcome:
        message.before_write()
        lost_before = self.network.lose.pop(0) if self.network.lose else None
        if lost_before:
            return Ambiguous("timeout")
        self.network.taken.append((message.to, message.body))
        ref = f"ref{len(self.network.taken)}"
        return Accepted(ref) if lost_before is None else Ambiguous("timeout")

    async def find(self, sought: Sought) -> Outcome | None:
        if self.network.hidden:
            return None
        for number, (to, body) in enumerate(self.network.taken, 1):
            same = to == sought.to and sought.digest(body) == sought.body_digest
            if same and f"ref{number}" not in sought.others:
                return Accepted(f"ref{number}")
        return Rejected("absent", Refusal.THROTTLED)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def searched(open_clinic: Make, network: Network) -> Make:
    class Provider(Searched):
        pass

    Provider.network = network

    def make(_name: str, setup: Setup) -> Provider:
        return Provider(replace(setup, settings={"show": "none"}))

    return lambda **changes: open_clinic(make_provider=make, **changes)


def test_a_lost_text_that_was_taken_is_found(searched: Make, network: Network) -> None:
    """A text that was taken while its answer was lost is found, and goes once."""
    network.lose = [False]
    clinic = searched()
    clinic.read(row())
    clinic.until("2026-12-01 10:05")
    assert len(network.taken) == 1
    assert ("day_before", "sms", "accepted", None) in clinic.states("B1")


def test_a_lost_text_that_never_came_is_sent_after_the_horizon(
    searched: Make, network: Network
) -> None:
    """A text that is still absent when the horizon has passed is sent then, and not before."""
    network.lose = [True]
    clinic = searched(DELIVERY__HORIZON="5m")
    clinic.read(row())
    clinic.until("2026-12-01 10:04")
    assert network.taken == []
    clinic.until("2026-12-01 10:06")
    assert len(network.taken) == 1


def test_the_same_words_sent_twice_are_two_texts(searched: Make, network: Network) -> None:
    """A lost text is not taken for an earlier one with the same words to the same number."""
    clinic = searched()
    clinic.read(row())
    clinic.until("2026-12-01 10:00")
    assert len(network.taken) == 1
    network.lose = [True]
    with clinic.runtime.database.transaction() as conn:
        desk.resend(conn, clinic.runtime, "internet", "B1", "day_before", clinic.clock.now())
    clinic.until("2026-12-01 10:05")
    assert len(network.taken) == 2
    assert network.taken[0] == network.taken[1]


def test_a_provider_that_cannot_be_asked_leaves_it_to_a_person(
    searched: Make, network: Network
) -> None:
    """What the provider's log cannot tell is never sent again, and staff are told in time."""
    network.lose = [True]
    network.hidden = True
    clinic = searched()
    clinic.read(row())
    clinic.until("2026-12-01 10:15")
    assert network.taken == []
    assert ("day_before", "sms", "unknown", "no_answer") in clinic.states("B1")
    assert "unknown" in [item.kind for item in clinic.worklist()]


def test_who_is_interrupted_leaves_no_call_that_nobody_awaits(clinic: Clinic) -> None:
    """What ends a worker as it begins to ask makes no noise."""
    asked: list[int] = []

    async def ask(number: int) -> None:
        asked.append(number)

    async def interrupted() -> None:
        asking = asyncio.create_task(bounded(clinic.runtime, ask, [1, 2]))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        asyncio.run(interrupted())
        gc.collect()
    assert [str(one.message) for one in said if one.category is RuntimeWarning] == []
    assert asked == []


def test_texts_that_went_together_are_asked_about_together(clinic: Clinic) -> None:
    """Who goes to ask about one text asks about those whose turn comes in a moment, too."""
    clinic.read(row("B1"))
    clinic.until("2026-12-01 10:00")
    clinic.read(row("B2", "2026-12-02 09:00", phone="070-174 06 06"))
    clinic.clock.advance(timedelta(seconds=10))
    asyncio.run(clinic.dispatcher.run_once())
    clinic.clock.advance(FIRST_POLL - timedelta(seconds=10))
    assert asyncio.run(receipts.poll(clinic.runtime, clinic.clock.now())) == 2


def test_what_is_sought_no_more_holds_up_no_other(searched: Make, network: Network) -> None:
    """A lost text that has been looked for long enough is in the way of none that is lost later."""
    network.lose, network.hidden = [False], True
    clinic = searched()
    clinic.read(row("B1"))
    clinic.until("2026-12-02 10:30")
    assert ("day_before", "sms", "unknown", "no_answer") in clinic.states("B1")
    network.lose, network.hidden = [False], False
    clinic.read(row("B2", "2026-12-03 12:00", phone="070-174 06 06"), confirmations=False)
    clinic.until("2026-12-02 12:05")
    assert ("day_before", "sms", "accepted", None) in clinic.states("B2")


def test_what_is_asked_about_no_more_holds_up_no_other(clinic: Clinic) -> None:
    """A text whose fate nobody has told within two days keeps no other from being asked about."""
    clinic.read(row("B1"), row("B2", phone="070-174 06 06"))
    clinic.until("2026-12-01 10:00")
    with clinic.runtime.database.transaction() as conn:
        first = conn.execute(select(message.c.id).where(message.c.state == "accepted")).scalars()
        attempts.poll_again(conn, [min(first)], None)
        assert outbox.agenda(conn).asked is not None
