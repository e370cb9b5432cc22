"""The dispatch loop: claim, send, record; plan and ask between; until nothing is left to do now."""

import asyncio
import contextlib
import math
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from reminders.domain.state import State
from reminders.engine import receipts, reconcile
from reminders.engine.approval import Shelf
from reminders.engine.claiming import Batch, claim, hand_back
from reminders.engine.delivery import record
from reminders.engine.holding import ClockWatch
from reminders.engine.looking import Done, View, look, view
from reminders.engine.pipeline import Pipeline
from reminders.engine.runtime import Runtime

log = structlog.get_logger()

MOST_CLAIMED = 500
"""So many messages are claimed in one transaction at most."""

GATHER = 0.01
"""So many seconds pass between claims when messages fall due one by one, so that few are made."""

LOOK_EVERY = 5.0
"""While messages are with slow providers, so many seconds pass until what is new is noticed."""

SEEN_EVERY = 10.0
LONGEST = 20.0
"""A pass that has lasted so many seconds ends: the next one goes on with what is in flight."""

RESERVE_EVERY = 0.5
"""While all places are taken, others than who has taken them are claimed for so often."""

STEP = 0.25
"""So many seconds a chunk of planning is to last: what falls due meanwhile waits for it."""

FEWEST = 50
MOST_PLANNED = 1000

MOST_FRUITLESS = 20
"""So many claims in a row that settled nothing: the gate and the planner disagree, a defect."""


@dataclass(slots=True)
class Report:
    """What one pass did, in messages. `sent` were accepted by a provider in this pass.

    `down` are the channels that are stopped, and `next_at` is when there is something to do next:
    None if nothing is known of.
    """

    planned: int = 0
    sent: int = 0
    failed: int = 0
    retried: int = 0
    expired: int = 0
    unknown: int = 0
    down: list[str] = field(default_factory=list)
    next_at: datetime | None = None

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
    """Does the work that is due. One per process; several processes share by claiming.

    One step at a time touches the database, the most urgent first: results are written down, what
    is due is claimed, and between claims a look tells what there is, and does a chunk of what is
    not sending. Messages are with their providers meanwhile, and providers are asked for the fate
    of earlier ones. A pass begins and ends with a look: where there is nothing to do, it is one.
    """

    def __init__(self, runtime: Runtime, name: str) -> None:
        self._runtime = runtime
        self._name = name
        self._shelf = Shelf()
        self._changed = asyncio.Event()
        self._watch = ClockWatch(runtime.clock)
        self._line = Pipeline(runtime, self._has_changed)
        self._asking: dict[str, asyncio.Task[int]] = {}
        self._claiming: asyncio.Task[tuple[Batch, datetime] | None] | None = None
        self._seen_at = -math.inf
        self._chunk = FEWEST
        self._stopping = False
        self.progress_at = runtime.clock.elapsed()
        self.unfinished = False

    @property
    def stopping(self) -> bool:
        """Tell whether this worker is to claim nothing more."""
        return self._stopping

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self._stopping = self._line.closed = value
        self._has_changed()

    def _has_changed(self, _what: object = None) -> None:
        self._changed.set()

    @property
    def idle(self) -> bool:
        """Tell whether nothing is in hand, or asked about, since the last pass."""
        return self._line.idle and not self._asking and self._claiming is None

    async def run_once(self, *, to_the_end: bool = False) -> Report:
        """Do all that is due now, and return what was done. Stops early when told to.

        What providers have not answered after a while is left to the next pass (`unfinished`); or
        with `to_the_end` it is waited for, and nothing more is begun.
        """
        runtime = self._runtime
        self._changed = asyncio.Event()  # it belongs to the loop that it is first awaited in
        if self._claiming is not None and self._claiming.get_loop() is not _loop():
            self._claiming = None
        work = _Pass(Report(), runtime.clock.elapsed() + LONGEST, to_the_end=to_the_end)
        self._line.closed = self._stopping
        try:
            await self._watch.is_right(runtime)
            while await self._step(work):
                self.progress_at = runtime.clock.elapsed()
        except BaseException:
            # What comes back now is not written down until the next pass: no more is begun.
            self._line.closed = True
            raise
        self.unfinished = runtime.clock.elapsed() > work.ends_at
        if not work.looked:
            work.note_view(await runtime.work(view, runtime, runtime.clock.now()))
        return work.report

    async def _step(self, work: "_Pass") -> bool:
        """Do the most urgent step; tell whether the pass goes on."""
        self._changed.clear()
        line, now = self._line, _loop().time()
        self._take_claimed(work, now)
        if self._stopping and line.queued:
            line.drop()
        line.launch()
        flush_at = line.flush_at()
        if flush_at is not None and flush_at <= now:
            await self._record(work)
            await self._let_go()
            return True
        if line.halted and flush_at is None and self._claiming is None:
            await self._let_go()
            work.claim_at_once()  # what was in hand for too long is due all the same
            return True
        in_time = self._runtime.clock.elapsed() <= work.ends_at
        if not in_time and not work.to_the_end and not self._stopping:
            return False
        going_on = in_time and not self._stopping
        if self._claiming is None and going_on:
            if self._claim_at(work) <= now:
                work.reserve_at = now + RESERVE_EVERY
                self._claiming = _loop().create_task(self._claim())
                self._claiming.add_done_callback(self._has_changed)
            elif work.look_at <= now:
                await self._look(work)
                return True
        if self.idle:
            return going_on and work.last_look()
        await self._wait(work, going_on=going_on)
        return True

    def _claim_at(self, work: "_Pass") -> float:
        """Return when to claim; without room, for those alone who have next to nothing in hand."""
        return work.claim_at if self._line.room() > 0 else max(work.claim_at, work.reserve_at)

    async def _claim(self) -> tuple[Batch, datetime] | None:
        """Claim what is due; None where the clock cannot be trusted.

        Beside all the rest: where the database lets it, results are written down meanwhile.
        """
        runtime = self._runtime
        if not await self._watch.is_right(runtime):
            return None
        now = runtime.clock.now()
        room = self._line.room()
        most = min(room or self._line.places, MOST_CLAIMED)
        batch = await runtime.work(claim, runtime, self._shelf, now, most, self._line.room_of)
        return replace(batch, reserve=not room), now

    def _take_claimed(self, work: "_Pass", at: float) -> None:
        """Take in hand what has been claimed, if a claim has come back."""
        if self._claiming is None or not self._claiming.done():
            return
        claiming, self._claiming = self._claiming, None
        found = claiming.result()
        if found is None:
            work.claim_at, work.found = math.inf, False
            return
        batch, now = found
        self._line.take(batch)
        work.note(batch, now, at)

    async def _record(self, work: "_Pass") -> None:
        runtime = self._runtime
        results = self._line.pop_results()
        try:
            counts = await runtime.work(record, runtime, results, runtime.clock.now())
        except BaseException:
            self._line.put_back(results)
            raise
        work.report.add(counts)
        work.looked = False
        if work.probing and State.ACCEPTED in counts:
            work.probing = False
            work.claim_at_once()  # the channel is open: others wait
        if counts.keys() - {State.ACCEPTED}:
            work.look_at = -math.inf  # the planner may have been asked for another way

    async def _let_go(self) -> None:
        """Hand back what this worker will not begin, unless a claim may bring more of it."""
        if self._claiming is not None:
            return
        runtime, claims = self._runtime, self._line.pop_halted()
        if not claims:
            return
        try:
            await runtime.work(hand_back, runtime, claims, runtime.clock.now())
        except BaseException:
            self._line.halted += claims
            raise

    async def _look(self, work: "_Pass") -> None:
        """Do one chunk of each kind of other work, and begin to ask what has to be asked."""
        runtime, now = self._runtime, self._runtime.clock.now()
        began = runtime.clock.elapsed()
        shows = began - self._seen_at >= SEEN_EVERY
        done = await runtime.work(look, runtime, now, self._chunk, self._name if shows else None)
        self._seen_at = began if shows else self._seen_at
        self._fit(done.visits, runtime.clock.elapsed() - began)
        work.note_look(done, now, _loop().time())
        for name, at, ask in (
            ("search", done.view.agenda.sought, reconcile.search),
            ("poll", done.view.agenda.asked, receipts.poll),
        ):
            if at is not None and at <= now and name not in self._asking:
                task = _loop().create_task(ask(runtime, now))
                self._asking[name] = task
                task.add_done_callback(self._has_changed)

    def _fit(self, visits: int, seconds: float) -> None:
        """Choose how many visits are planned at a time: what falls due meanwhile waits for them."""
        if visits < self._chunk:
            return
        if seconds > STEP:
            self._chunk = max(FEWEST, int(self._chunk * STEP / seconds))
        elif seconds < STEP / 2:
            self._chunk = min(MOST_PLANNED, self._chunk * 2)

    async def _wait(self, work: "_Pass", *, going_on: bool) -> None:
        """Wait until something comes back, or there is something to do again."""
        for name in [name for name, task in self._asking.items() if task.done()]:
            if self._asking.pop(name).result():
                work.claim_at_once()
                work.look_at = -math.inf
            return
        times = [work.look_at] if going_on and self._claiming is None else []
        if going_on and self._claiming is None:
            times.append(self._claim_at(work))
        flush_at = self._line.flush_at()
        if flush_at is not None:
            times.append(flush_at)
        until = min(times, default=math.inf)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(None if until == math.inf else until):
                await self._changed.wait()


@dataclass(slots=True)
class _Pass:
    """One pass: what it has done, and when to look for more. Instants are on the loop's clock.

    `looked`: nothing has been done since the last look, which found nothing.
    """

    report: Report
    ends_at: float
    to_the_end: bool = False
    claim_at: float = math.inf
    reserve_at: float = -math.inf
    look_at: float = -math.inf
    looked: bool = False
    found: bool = False
    probing: bool = False
    fruitless: int = 0
    hurried: bool = False

    def claim_at_once(self) -> None:
        """Claim next, also if a claim is under way: it may not have seen what there is now."""
        self.claim_at, self.hurried = -math.inf, True

    def note(self, batch: Batch, now: datetime, at: float) -> None:
        """Take note of what a claim found, and when the next may find something."""
        self.report.expired += batch.expired
        self.found = batch.looked_at > 0
        self.looked = self.looked and not self.found
        self.probing = self.probing or batch.probing
        self.fruitless = self.fruitless + 1 if self.found and not batch.settled else 0
        if batch.settled < batch.looked_at:
            self.look_at = -math.inf  # some went back to the planner
        if self.fruitless > MOST_FRUITLESS:
            log.error("planner_and_gate_disagree")
            self.found, self.claim_at = False, math.inf
        elif batch.more or batch.reserve:
            self.claim_at = -math.inf  # of a reserve, once there is room for all that is due
        elif batch.again_at is not None:
            wait = (batch.again_at - now) / timedelta(seconds=1)
            self.claim_at = at + max(wait, GATHER)
        else:
            self.claim_at = at + GATHER if self.found else math.inf
        if self.hurried:
            self.claim_at, self.hurried = -math.inf, False

    def note_look(self, done: Done, now: datetime, at: float) -> None:
        """Take note of a look: where there was other work, there may be more."""
        self.report.planned += done.planned
        self.report.expired += done.expired
        self.note_view(done.view)
        if self.fruitless <= MOST_FRUITLESS:
            self.claim_at = min(self.claim_at, at + _seconds_until(done.view.send_at, now))
        rest = _seconds_until(done.view.agenda.next_at, now)  # what is past is being asked already
        rest = min(rest, LOOK_EVERY) if rest > 0 else LOOK_EVERY
        self.look_at = -math.inf if done.any else at + rest
        self.looked = not done.any

    def note_view(self, view: View) -> None:
        """Take note of what there is to do."""
        self.report.down, self.report.next_at = view.down, view.next_at

    def last_look(self) -> bool:
        """Look once more if something was done since the last look; tell whether to."""
        if self.looked:
            return False
        self.look_at = -math.inf
        return True


def _seconds_until(when: datetime | None, now: datetime) -> float:
    return math.inf if when is None else (when - now) / timedelta(seconds=1)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
