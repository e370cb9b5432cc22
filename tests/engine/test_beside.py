"""Claiming goes on beside sending and writing down: neither waits for it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from reminders.domain.outcome import Outcome, OutgoingMessage, Refusal, Rejected
from reminders.engine.claiming import claim, hand_back
from reminders.engine.delivery import record
from reminders.engine.dispatch import Dispatcher
from reminders.providers.sandbox import Sandbox
from reminders.store import schema
from tests.engine.clinic import Clinic, row

Make = Callable[..., Clinic]
IN_FLIGHT, VISITS = 4, 12
LONG = 20.0


class Desk(ThreadPoolExecutor):
    """Two database threads. What some work has done comes back only when it is let go."""

    def __init__(self, holds: Callable[..., Any], time: int) -> None:
        super().__init__(2)
        self.holds, self.left = holds, time
        self.held, self.go = threading.Event(), threading.Event()

    def submit(self, fn: Any, /, *_none: Any, **_named: Any) -> Future[Any]:
        """Do what the runtime asks for."""
        return super().submit(self._do, fn)

    def _do(self, fn: Any) -> Any:
        done = fn()
        if fn.args[0] is self.holds:
            self.left -= 1
            if self.left == 0:
                self.held.set()
                assert self.go.wait(LONG)
        return done


class Gate:
    """A provider that answers as often as it is told to, in the order in which it is asked."""

    def __init__(self) -> None:
        self.says: Outcome | None = None
        self.asked = 0
        self.answers = asyncio.Semaphore(0)
        self.answers_next: list[Outcome | None] = []

    def __call__(self, _name: str, setup: Any) -> Sandbox:
        gate = self

        class Waiting(Sandbox):
            async def send(self, message: OutgoingMessage) -> Outcome:
                gate.asked += 1
                await gate.answers.acquire()
                says = gate.answers_next.pop(0) if gate.answers_next else gate.says
                return says or await super().send(message)

        return Waiting(setup)

    def answer(self, times: int) -> None:
        """Let so many calls have their answers."""
        for _ in range(times):
            self.answers.release()


async def until(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(LONG):
        while not what():  # noqa: ASYNC110 - it is looked for in a database
            await asyncio.sleep(0.005)


def morning(open_clinic: Make, gate: Gate) -> Clinic:
    """Return a clinic with so many texts due at once."""
    clinic = open_clinic(make_provider=gate, delivery__in_flight=IN_FLIGHT)
    rows = [row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(5, 5 + VISITS)]
    clinic.read(*rows)
    clinic.plan()
    clinic.clock.set(clinic.clock.now().replace(day=1, month=12, hour=9, minute=0))
    return clinic


def run(
    clinic: Clinic,
    story: Callable[[Desk, Dispatcher], Awaitable[None]],
    holds: Callable[..., Any] = claim,
    time: int = 2,
) -> None:
    """Tell a story to whose end the second claim, or other work, is held."""
    with Desk(holds, time) as executor:
        dispatcher = Dispatcher(replace(clinic.runtime, executor=executor), "worker")

        async def whole() -> None:
            sending = asyncio.create_task(dispatcher.run_once())
            try:
                await story(executor, dispatcher)
            finally:
                executor.go.set()
            async with asyncio.timeout(LONG):
                await sending

        asyncio.run(whole())


async def two_answers(gate: Gate, executor: Desk) -> None:
    """Let all places be taken and two calls have their answers, until the work that is held."""
    await until(lambda: gate.asked == IN_FLIGHT)
    gate.answer(2)
    await until(executor.held.is_set)


def accepted(clinic: Clinic) -> int:
    """Return how many messages are known to have been taken."""
    query = select(func.count()).where(schema.message.c.state.in_(["accepted", "delivered"]))
    with clinic.runtime.database.reading() as conn:
        return conn.execute(query).scalar_one()


def test_texts_go_out_and_are_written_down_while_a_claim_is_under_way(open_clinic: Make) -> None:
    """A place that is free is taken from what is in hand, and what came back is in the database."""
    gate = Gate()
    clinic = morning(open_clinic, gate)

    async def story(executor: Desk, _dispatcher: Dispatcher) -> None:
        await two_answers(gate, executor)
        assert gate.asked == IN_FLIGHT + 2
        gate.answer(2)
        await until(lambda: gate.asked == IN_FLIGHT + 4)
        await until(lambda: accepted(clinic) == 4)
        gate.answer(VISITS)

    run(clinic, story)
    assert accepted(clinic) == len(clinic.texts()) == gate.asked == VISITS


def test_texts_go_out_while_results_are_written_down(open_clinic: Make) -> None:
    """What is in hand waits for a place with the provider, and not for the database."""
    gate = Gate()
    clinic = morning(open_clinic, gate)

    async def story(executor: Desk, _dispatcher: Dispatcher) -> None:
        await two_answers(gate, executor)
        gate.answer(2)
        await until(lambda: gate.asked == IN_FLIGHT + 4)
        gate.answer(VISITS)

    run(clinic, story, record, 1)
    assert accepted(clinic) == len(clinic.texts()) == gate.asked == VISITS


def test_what_was_claimed_before_a_refusal_of_the_settings_is_not_sent(open_clinic: Make) -> None:
    """A claim that comes back after its sender was refused is handed back whole."""
    gate = Gate()
    clinic = morning(open_clinic, gate)

    async def story(executor: Desk, _dispatcher: Dispatcher) -> None:
        await two_answers(gate, executor)
        await until(lambda: accepted(clinic) == 2)
        gate.says = Rejected("20003", Refusal.CONFIGURATION)
        gate.answer(VISITS)
        await until(lambda: bool(clinic.runtime.in_transaction(closed)))

    run(clinic, story)
    assert gate.asked == IN_FLIGHT + 2
    assert nothing_is_sending(clinic)


@pytest.mark.parametrize("under_way", [False, True])
def test_a_sender_that_has_to_rest_is_left_alone(open_clinic: Make, under_way: bool) -> None:
    """Too many, says the provider: neither what is in hand nor what a claim brings is sent."""
    gate = Gate()
    clinic = morning(open_clinic, gate)
    busy = Rejected("429", Refusal.THROTTLED, retry_after=timedelta(minutes=10))

    async def story(executor: Desk, _dispatcher: Dispatcher) -> None:
        await until(lambda: gate.asked == IN_FLIGHT)
        if under_way:
            gate.answer(2)
            await until(executor.held.is_set)
            await until(lambda: accepted(clinic) == 2)
        gate.says = busy
        gate.answer(1)
        await until(lambda: bool(clinic.runtime.in_transaction(resting)))
        executor.go.set()
        gate.says = None
        gate.answer(VISITS)
        await asyncio.sleep(0.1)  # long enough for who would go on

    run(clinic, story)
    assert gate.asked == IN_FLIGHT + 2 * under_way
    assert nothing_is_sending(clinic)


def resting(conn: Any) -> list[Any]:
    """Return the senders that have been told to rest."""
    sender = schema.sender
    return list(conn.execute(select(sender.c.channel).where(sender.c.paused_until.is_not(None))))


@pytest.mark.parametrize("refused_last", [False, True])
def test_of_answers_that_come_together_the_last_one_counts(
    open_clinic: Make, refused_last: bool
) -> None:
    """A channel stops if its settings were refused last, and not if a text has gone since."""
    gate = Gate()
    clinic = morning(open_clinic, gate)
    refused = Rejected("20003", Refusal.CONFIGURATION)

    async def story(executor: Desk, _dispatcher: Dispatcher) -> None:
        await until(lambda: gate.asked == IN_FLIGHT)
        gate.answers_next = [None, refused] if refused_last else [refused, None]
        gate.answer(2)
        await until(executor.held.is_set)
        assert bool(clinic.runtime.in_transaction(closed)) is refused_last
        gate.answer(VISITS)

    with capture_logs() as logs:
        run(clinic, story, record, 1)
    assert ("channel_down" in {entry["event"] for entry in logs}) is refused_last


class Broken(ThreadPoolExecutor):
    """Two database threads, to which the database is away for some work at first."""

    def __init__(self, fails: Callable[..., Any]) -> None:
        super().__init__(2)
        self.fails, self.left = fails, 1

    def submit(self, fn: Any, /, *_none: Any, **_named: Any) -> Future[Any]:
        """Do what the runtime asks for."""
        return super().submit(self._do, fn)

    def _do(self, fn: Any) -> Any:
        if fn.args[0] is self.fails and self.left:
            self.left -= 1
            raise OperationalError("away", None, RuntimeError("away"))
        return fn()


def test_after_a_pass_that_failed_nothing_more_is_begun(open_clinic: Make) -> None:
    """Whose answers nobody writes down waits for the next pass; then each goes once."""
    gate = Gate()
    clinic = morning(open_clinic, gate)
    with Broken(record) as executor:
        dispatcher = Dispatcher(replace(clinic.runtime, executor=executor), "worker")

        async def whole() -> None:
            sending = asyncio.create_task(dispatcher.run_once())
            await until(lambda: gate.asked == IN_FLIGHT)
            gate.answer(1)
            with pytest.raises(OperationalError):
                await sending
            begun = gate.asked
            gate.answer(VISITS)
            await asyncio.sleep(0.1)  # long enough for who would go on
            assert gate.asked == begun
            await dispatcher.run_once()

        asyncio.run(whole())
    assert accepted(clinic) == len(clinic.texts()) == gate.asked == VISITS


def test_what_could_not_be_handed_back_is_handed_back_later(open_clinic: Make) -> None:
    """A worker that is told to stop while the database is away lets go once it is back."""
    gate = Gate()
    clinic = morning(open_clinic, gate)
    with Broken(hand_back) as executor:
        dispatcher = Dispatcher(replace(clinic.runtime, executor=executor), "worker")

        async def whole() -> None:
            sending = asyncio.create_task(dispatcher.run_once())
            await until(lambda: gate.asked == IN_FLIGHT)
            dispatcher.stopping = True
            gate.answer(VISITS)
            with pytest.raises(OperationalError):
                await sending
            await dispatcher.run_once()

        asyncio.run(whole())
    assert accepted(clinic) == gate.asked == IN_FLIGHT
    assert nothing_is_sending(clinic)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_waits_for_one_another_is_begun_again(open_clinic: Make) -> None:
    """Two transactions that lock the same rows the other way round: both are done in the end."""
    clinic = open_clinic()
    clinic.read(row(), row("B2"))
    met = threading.Barrier(2)
    begun: list[str] = []

    def lock(conn: Any, first: str, second: str) -> None:
        begun.append(first)
        for ref in (first, second):
            visit = schema.appointment
            conn.execute(update(visit).where(visit.c.ref == ref).values(needs_plan=True))
            if ref == first and len(begun) <= 2:
                met.wait(LONG)

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(clinic.runtime.in_transaction, lock, "B1", "B2")
        other = threads.submit(clinic.runtime.in_transaction, lock, "B2", "B1")
        one.result(LONG)
        other.result(LONG)
    assert len(begun) == 3


def closed(conn: Any) -> list[Any]:
    """Return the channels that are stopped."""
    return list(conn.execute(select(schema.channel_state.c.channel)))


@pytest.mark.parametrize(("holds", "time"), [(claim, 2), (record, 1)])
def test_who_is_told_to_stop_hands_over_nothing_more(
    open_clinic: Make, holds: Callable[..., Any], time: int
) -> None:
    """Not even what is in hand: it goes back, with what a claim under way brings."""
    gate = Gate()
    clinic = morning(open_clinic, gate)

    async def story(executor: Desk, dispatcher: Dispatcher) -> None:
        await two_answers(gate, executor)
        dispatcher.stopping = True
        gate.answer(VISITS)
        await asyncio.sleep(0.1)  # long enough for who would go on

    run(clinic, story, holds, time)
    assert accepted(clinic) == gate.asked == IN_FLIGHT + 2
    assert nothing_is_sending(clinic)


def nothing_is_sending(clinic: Clinic) -> bool:
    """Tell whether every message is back from this worker's hand."""
    states = [state for n in range(5, 5 + VISITS) for *_, state, _ in clinic.states(f"B{n}")]
    return bool(states) and "sending" not in states
