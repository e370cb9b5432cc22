"""A provider that hangs, or fails, holds up nobody else; and nothing old is written once it goes on."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from reminders.domain.contact import Channel
from reminders.domain.outcome import Accepted, Ambiguous, Outcome, OutgoingMessage, Receipt, Sought
from reminders.engine import desk
from reminders.providers.sandbox import Sandbox
from reminders.simulation import loop
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]

BEFORE = "Prova i god tid"
TEN = "2026-12-01 10:00"
"""When the texts of the day before fall due."""


class Far:
    """Two providers: texts take as long as they are told to, and emails go at once."""

    def __init__(self, sending: float = 0.0, asking: float = 0.0) -> None:
        self.sending, self.asking = sending, asking
        self.sent: list[tuple[Channel, str, datetime]] = []
        self.tries = 0
        self.on_first: Callable[[], None] = lambda: None
        self.waits_before = False
        self.fails = False
        self.clock: Any = None

    def __call__(self, _name: str, setup: Any) -> Sandbox:
        far, self.clock = self, setup.clock

        class Slow(Sandbox):
            async def send(self, message: OutgoingMessage) -> Outcome:
                return await far.send(message)

            async def status(self, ref: str) -> Receipt | None:
                await asyncio.sleep(far.asking)
                if far.fails:
                    raise KeyError(ref)
                return None

            async def find(self, sought: Sought) -> Outcome | None:
                if far.fails:
                    raise KeyError(sought.token)
                return None

        return Slow(setup)

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a text."""
        self.tries += 1
        if self.tries == 1:
            self.on_first()
        if message.channel is Channel.SMS:
            if self.waits_before:
                await asyncio.sleep(self.sending)
            message.before_write()
            if not self.waits_before:
                await asyncio.sleep(self.sending)
        self.sent.append((message.channel, message.body, self.clock.now()))
        return Ambiguous("KeyError") if self.fails else Accepted(f"SM{self.tries}")

    def when(self, channel: Channel) -> list[datetime]:
        """Return when messages went on a channel."""
        return [moment for one, _, moment in self.sent if one is channel]


def clinic_with(open_clinic: Make, far: Far, texts: int, in_flight: int = 4) -> Clinic:
    """Return a clinic with so many texts due at ten, and an email a minute later."""
    clinic = open_clinic(make_provider=far, delivery__in_flight=in_flight)
    rows = [row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(5, 5 + texts)]
    mail = row("E1", "2026-12-02 10:01", phone="", email="saga@example.org")
    clinic.read(*rows, mail, confirmations=False)
    return clinic


@pytest.mark.parametrize(
    ("far", "texts"),
    [(Far(sending=100), 1), (Far(sending=14.5), 60), (Far(asking=100), 3)],
    ids=["one that hangs", "many that hang", "questions that hang"],
)
def test_who_hangs_holds_up_nobody_else(open_clinic: Make, far: Far, texts: int) -> None:
    """A minute after a provider began to hang, another's message goes at its time."""
    far.sent.clear()
    clinic = clinic_with(open_clinic, far, texts)
    clinic.until("2026-12-01 10:01:30")
    (went,) = far.when(Channel.EMAIL)
    assert went - at("2026-12-01 10:01") < timedelta(seconds=2)


def test_what_waited_behind_others_is_judged_again(open_clinic: Make) -> None:
    """A visit that is cancelled while its text waits in hand has no text, however slow the others."""
    far = Far(sending=20)
    clinic = clinic_with(open_clinic, far, 7)
    runtime = clinic.runtime

    def cancel() -> None:
        refs = [f"B{n}" for n in range(5, 12)]
        runtime.in_transaction(desk.cancel, runtime, "internet", refs, runtime.clock.now())

    def soon() -> None:
        asyncio.get_running_loop().call_later(5, cancel)

    far.on_first = soon
    clinic.until("2026-12-01 10:05")
    reminders = [body for channel, body, _ in far.sent if channel is Channel.SMS and BEFORE in body]
    assert len(reminders) == 4  # what was with the provider as they were cancelled


def test_what_waited_before_its_first_byte_goes_anew(open_clinic: Make) -> None:
    """Between the last judgement and the first byte lie fifteen seconds at most."""
    far = Far(sending=20)
    far.waits_before = True
    clinic = clinic_with(open_clinic, far, 1)
    clinic.until("2026-12-01 10:00:40")
    assert far.when(Channel.SMS) == []
    far.sending = 10
    clinic.until("2026-12-01 10:03")
    assert len(far.when(Channel.SMS)) == 1


def test_a_provider_that_fails_as_it_is_asked_ends_nothing(open_clinic: Make) -> None:
    """A clinic's own provider may fail in any way: sending goes on, and the fate is not known."""
    far = Far()
    far.fails = True
    clinic = clinic_with(open_clinic, far, 2)
    clinic.until("2026-12-01 10:10")
    assert [state for rule, _, state, _ in clinic.states("B5") if rule == "day_before"] == [
        "unknown"
    ]
    assert len(far.when(Channel.SMS)) == 2


def test_a_pass_leaves_what_hangs_to_the_next(open_clinic: Make) -> None:
    """A pass ends though a text is with its provider; told to stop, the next writes down what came."""
    far = Far(sending=60)
    clinic = clinic_with(open_clinic, far, 1)
    clinic.plan()
    clinic.clock.set(at(TEN))

    async def story() -> None:
        dispatcher = clinic.dispatcher
        report = await dispatcher.run_once()
        assert (dispatcher.unfinished, dispatcher.idle, report.sent) == (True, False, 0)
        dispatcher.stopping = True
        report = await dispatcher.run_once()
        assert (dispatcher.idle, report.sent) == (True, 1)

    loop.run(clinic.clock, story())


def test_a_pass_to_the_end_waits_for_all(open_clinic: Make) -> None:
    """For cron, which leaves no process behind."""
    far = Far(sending=60)
    clinic = clinic_with(open_clinic, far, 1)
    clinic.plan()
    clinic.clock.set(at(TEN))
    report = loop.run(clinic.clock, clinic.dispatcher.run_once(to_the_end=True))
    assert report.sent == 1
