"""Holding: nothing is sent until somebody says so, or until what stopped it is over.

The wall clock says what is due. If it jumps by half an hour or more, one of two times is wrong and
nobody can tell which: so all sending stops, visibly, until it has jumped back, or until a person
lets it go on.
"""

from datetime import datetime, timedelta

import structlog

from reminders.clock import Clock
from reminders.domain.outcome import CLOCKS_DIFFER_BY
from reminders.engine.approval import Shelf
from reminders.engine.claiming import doubt
from reminders.engine.planning import CHUNK, check_rules, plan_pending, plan_visits
from reminders.engine.runtime import Runtime
from reminders.store import cases, keeping, ledger, turns, workers
from reminders.store.database import Connection
from reminders.store.keeping import Cause, Held
from reminders.store.ledger import Fact

log = structlog.get_logger()

MOST_JUMP = CLOCKS_DIFFER_BY
MOST_ROUNDS = 5
"""A look that finds a plan outdated has it made anew, and looks again: so often at most."""


def hold(conn: Connection, runtime: Runtime, now: datetime, cause: Cause = Cause.PERSON) -> None:
    """Send nothing more, from any clinic of this installation, until it is released.

    What a person holds is not let go because the clock is right again.
    """
    standing = keeping.held_by(conn)
    if standing is None or (standing is Cause.CLOCK and cause is Cause.PERSON):
        keeping.hold(conn, now, cause)
        ledger.write(conn, now, runtime.actor, [Fact("held", detail={"cause": cause.value})])


def hold_restored(conn: Connection, runtime: Runtime, now: datetime) -> None:
    """Hold a database that was restored with other tools than ours, whatever it is held for."""
    keeping.hold_restored(conn, now)
    detail = {"cause": Cause.RESTORED.value}
    ledger.write(conn, now, runtime.actor, [Fact("held", detail=detail)])


def prepare(runtime: Runtime, now: datetime) -> None:
    """Plan all of a restored database that waits for it, in steps: `release` has less to do then.

    What is not planned cannot be looked for. Others may write between the steps.
    """
    if runtime.in_transaction(keeping.held_by) is not Cause.RESTORED:
        return
    runtime.in_transaction(check_rules, runtime, now)
    while runtime.in_step(plan_pending, runtime, now)[0]:
        pass


def release(conn: Connection, runtime: Runtime, now: datetime) -> None:
    """Let messages go out again.

    Of a restored backup, what is due is looked for at its provider first: it may have gone already.
    """
    held = keeping.held(conn)
    if held is not None and held.cause is Cause.RESTORED:
        _doubt(conn, runtime, held, now)
    if keeping.remove(conn, keeping.HELD):
        ledger.write(conn, now, runtime.actor, [Fact("released")])
        turns.hint(conn)


def _doubt(conn: Connection, runtime: Runtime, held: Held, now: datetime) -> None:
    """Plan what waits for it, and have all looked for that may have gone since the backup."""
    since = keeping.last_work(conn, held, now)
    until = max(since, min(held.at or now, now))
    _plan_all(conn, runtime, now)
    for _ in range(MOST_ROUNDS):
        doubt(conn, runtime, Shelf(), now, since, until)
        if not _plan_all(conn, runtime, now):
            return


def _plan_all(conn: Connection, runtime: Runtime, now: datetime) -> int:
    """Plan what waits for it, here and now; return how many visits."""
    count = 0
    while ids := cases.still_pending(conn, CHUNK, list(runtime.practices)):
        plan_visits(conn, runtime, ids, now)
        count += len(ids)
    return count


def release_clock(conn: Connection, runtime: Runtime, now: datetime) -> None:
    """Let messages go out again if nothing but the clock stood in their way."""
    if keeping.held_by(conn) is Cause.CLOCK:
        release(conn, runtime, now)


class ClockWatch:
    """Compares the wall clock with the one that only goes on, and holds sending where they part."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._zero: datetime | None = None
        self._at_least = False
        self._astray = False

    async def is_right(self, runtime: Runtime) -> bool:
        """Tell whether the wall clock can be believed; hold all sending when it no longer can."""
        if self._zero is None:
            self._begin(await runtime.work(workers.last_tick))
        jump = self._jump()
        astray = abs(jump) >= MOST_JUMP
        if astray and self._astray and await runtime.work(keeping.held_by) is None:
            self._zero, self._astray = None, False  # a person believes the clock as it is now
            return True
        if astray is not self._astray:
            change = hold if astray else release_clock
            arguments = (Cause.CLOCK,) if astray else ()
            await runtime.work(change, runtime, self._clock.now(), *arguments)
            self._astray = astray
            if astray:
                log.error("clock_jumped", seconds=round(jump.total_seconds()))
            else:
                log.info("clock_right")
        return not astray

    def _begin(self, last_tick: datetime | None) -> None:
        """Take the clock as it is, unless a worker was at work when it showed a later time."""
        now = self._clock.now()
        self._at_least = last_tick is not None and last_tick >= now + MOST_JUMP
        shown = last_tick if last_tick is not None and self._at_least else now
        self._zero = shown - timedelta(seconds=self._clock.elapsed())

    def _jump(self) -> timedelta:
        """Return how far the wall clock was set since a look found it right."""
        zero = self._clock.now() - timedelta(seconds=self._clock.elapsed())
        jump = zero - (self._zero or zero)
        if self._at_least:
            jump = min(jump, timedelta(0))  # how long nobody worked, nobody knows
        if abs(jump) < MOST_JUMP:
            self._zero, self._at_least = zero, False
        return jump
