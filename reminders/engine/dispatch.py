"""The dispatch loop: plan, claim, send, record, ask; until nothing is left to do now."""

from dataclasses import asdict, dataclass, field
from datetime import datetime

import structlog

from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.engine import planning, receipts, reconcile
from reminders.engine.approval import Shelf
from reminders.engine.claiming import claim
from reminders.engine.delivery import record, send_all
from reminders.engine.runtime import Runtime
from reminders.store import clinics, outbox, workers
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write

log = structlog.get_logger()

BATCH = 100
MOST_ROUNDS = 10_000
"""A pass ends after so many rounds even if there is more: the next one goes on."""

MOST_FRUITLESS = 20
"""So many rounds that settled nothing end a pass: the gate and the planner disagree, a defect."""


@dataclass(slots=True)
class Report:
    """What one pass did, in messages. `sent` were accepted by a provider in this pass."""

    planned: int = 0
    sent: int = 0
    failed: int = 0
    retried: int = 0
    expired: int = 0
    unknown: int = 0
    down: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the counts alone, as `tick --json` prints them."""
        return {name: value for name, value in asdict(self).items() if isinstance(value, int)}

    def add(self, states: dict[State, int]) -> None:
        """Add what came of a batch."""
        self.sent += states.get(State.ACCEPTED, 0)
        self.failed += states.get(State.FAILED, 0)
        self.retried += states.get(State.PLANNED, 0)
        self.expired += states.get(State.EXPIRED, 0)
        self.unknown += states.get(State.UNKNOWN, 0)


class Dispatcher:
    """Does the work that is due. One per process; several processes share by claiming."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        self._runtime = runtime
        self._name = name
        self._shelf = Shelf()
        self._fruitless = 0
        self.stopping = False

    async def run_once(self) -> Report:
        """Do all that is due now, and return what was done. Stops early when told to."""
        report = Report()
        runtime = self._runtime
        await runtime.work(workers.seen, self._name, runtime.clock.now())
        for _ in range(MOST_ROUNDS):
            if self.stopping or not await self._round(report):
                break
            if self._fruitless > MOST_FRUITLESS:
                log.error("planner_and_gate_disagree")
                break
        closed = await runtime.work(clinics.closed_channels)
        report.down = [f"{channel.clinic}/{channel.channel.value}" for channel in closed]
        await runtime.work(workers.seen, self._name, runtime.clock.now())
        return report

    async def _round(self, report: Report) -> bool:
        """Do one round; tell whether it found anything to do."""
        runtime = self._runtime
        now = runtime.clock.now()
        visits, planned = await runtime.work(planning.plan_pending, runtime, now)
        report.planned += planned
        busy = visits > 0
        ended = await runtime.work(expire_overdue, runtime, now)
        report.expired += ended
        lost = await runtime.work(reconcile.take_back_lost, runtime, now)
        batch = await runtime.work(claim, runtime, self._shelf, now, BATCH)
        report.expired += batch.expired
        fruitless = batch.looked_at > 0 and batch.settled == 0
        self._fruitless = self._fruitless + 1 if fruitless else 0
        if batch.claimed:
            results = await send_all(runtime, batch.claimed)
            report.add(await runtime.work(record, runtime, results, runtime.clock.now()))
        busy = busy or batch.looked_at > 0 or ended > 0 or lost > 0
        searched = await reconcile.search(runtime, runtime.clock.now())
        polled = await receipts.poll(runtime, runtime.clock.now())
        return busy or searched > 0 or polled > 0

    async def next_wake(self) -> datetime | None:
        """Return when there is something to do next; None if nothing is known of."""
        return await self._runtime.work(next_wake)


def next_wake(conn: Connection) -> datetime | None:
    """Return when a message, or a stopped channel, has to be looked at next."""
    return outbox.next_wake(conn, clinics.closed_channels(conn))


def expire_overdue(conn: Connection, runtime: Runtime, now: datetime) -> int:
    """End planned messages that can no longer help; return how many."""
    late = outbox.overdue(conn, now, BATCH)
    facts: list[Fact] = []
    for due in late:
        outbox.put(conn, due.message.id, State.EXPIRED, Reason.DEADLINE_PASSED, now)
        detail = {"rule": due.message.key.rule, "reason": Reason.DEADLINE_PASSED.value}
        facts.append(Fact(State.EXPIRED.value, due.appointment_id, due.message.id, detail))
    write(conn, now, runtime.actor, facts)
    return len(late)
