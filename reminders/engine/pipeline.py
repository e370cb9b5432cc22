"""The pipeline between claims and results: what is in hand, in flight, and to be written down.

Claimed messages wait in memory, a queue for each sender with the urgent ones in front. So many at a
time are with the providers; a sender may always have a few there, whatever the others do, so that a
provider that hangs holds up nobody else's messages.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from reminders.domain.fair import Sender
from reminders.domain.outcome import Outcome, Refusal, Rejected
from reminders.engine.claiming import Batch, Claimed
from reminders.engine.delivery import LEASE_LOST, Sent, hand_over
from reminders.engine.runtime import Runtime

ALWAYS = 2
"""So many messages of each sender may be in flight even if all places are taken."""

KEPT = 2 * ALWAYS
"""So many of each may be in hand, however many of others wait for a provider that hangs."""

FLUSH = 500
FLUSH_AFTER = 0.05
"""Results are written down when there are so many, or the oldest has waited so many seconds."""

_STOPS_OTHERS = frozenset({Refusal.THROTTLED, Refusal.CONFIGURATION})
"""What is said of a sender, and not of one message: nothing more of it is handed over."""

AHEAD = 0.5
MOST_AHEAD = 500
"""So many seconds' worth is claimed ahead, so many messages at most: far less than a lease."""


@dataclass(slots=True)
class Pipeline:
    """What this worker has in hand. `changed` is called when a message has come back."""

    runtime: Runtime
    changed: Callable[[], None]
    waiting: dict[Sender, list[tuple[int, int, Claimed]]] = field(default_factory=dict)
    queued: int = 0
    aloft: int = 0
    flying: Counter[Sender] = field(default_factory=Counter)
    results: list[Sent] = field(default_factory=list)
    since: float = 0.0
    pressing: bool = False
    halted: list[Claimed] = field(default_factory=list)
    """To be handed back: of senders that have to rest or whose settings are refused, and what has
    been in hand for too long."""

    closed: bool = False
    """Whether nothing more is to be handed over."""

    _stopped: set[Sender] = field(default_factory=set)
    _turns: deque[Sender] = field(default_factory=deque)
    _order: "count[int]" = field(default_factory=count)
    _speed: float = 0.0
    _measured_at: float | None = None
    _done: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def places(self) -> int:
        """Return how many messages may be with the providers at once."""
        return self.runtime.config.delivery.in_flight

    def room(self) -> int:
        """Return how many more messages to claim: what is in flight, and a little ahead.

        None until half of what was claimed ahead has gone: a claim costs the same for one as for
        hundreds.
        """
        ahead = min(max(int(self._speed * AHEAD), self.places), MOST_AHEAD)
        if self.queued > ahead // 2:
            return 0
        return max(self.places - self.aloft + ahead - self.queued, 0)

    def room_of(self, sender: Sender, *, stamps: bool) -> int:
        """Return how many more of one sender's; of one that cannot be asked, what can fly now.

        A few always, whatever the others have in hand.
        """
        held = len(self.waiting.get(sender, ())) + self.flying[sender]
        room = self.room()
        if stamps:
            return max(self.places - held if room else ALWAYS - held, 0)
        return max(room, KEPT - held)

    @property
    def idle(self) -> bool:
        """Tell whether nothing is in hand."""
        return not (self.aloft or self.queued or self.results or self.halted)

    def put_back(self, results: list[Sent]) -> None:
        """Keep results that could not be written down."""
        self.results = results + self.results

    def take(self, batch: Batch) -> None:
        """Take claimed messages in hand."""
        for claimed in batch.claimed:
            sender = (claimed.clinic_id, claimed.channel)
            if sender in self._stopped:  # it was claimed for before its answer came
                self.halted.append(claimed)
                continue
            if sender not in self.waiting:
                self.waiting[sender] = []
                self._turns.append(sender)
            heappush(self.waiting[sender], (claimed.urgency, next(self._order), claimed))
            self.queued += 1

    def launch(self) -> None:
        """Hand over what there is a place for, each sender in its turn."""
        passed = 0
        while self._turns and passed < len(self._turns) and not self.closed:
            sender = self._turns[0]
            if self.aloft >= self.places and self.flying[sender] >= ALWAYS:
                self._turns.rotate(-1)
                passed += 1
                continue
            passed = 0
            self.flying[sender] += 1  # first: a claim counts from its own thread what is held
            self.aloft += 1
            claimed = heappop(self.waiting[sender])[2]
            self.queued -= 1
            if self.waiting[sender]:
                self._turns.rotate(-1)
            else:
                self._turns.popleft()
                del self.waiting[sender]
            if self.runtime.clock.elapsed() < claimed.stale_at:
                self._send(sender, claimed)
            else:
                self.flying[sender] -= 1
                self.aloft -= 1
                self.halted.append(claimed)

    def _send(self, sender: Sender, claimed: Claimed) -> None:
        task = asyncio.get_running_loop().create_task(self._fly(sender, claimed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fly(self, sender: Sender, claimed: Claimed) -> None:
        outcome = await hand_over(self.runtime, claimed)
        self.flying[sender] -= 1
        self.aloft -= 1
        self._done += 1
        if not self.results:
            self.since = asyncio.get_running_loop().time()
        self.results.append(Sent(claimed, outcome))
        if isinstance(outcome, Rejected) and outcome.kind in _STOPS_OTHERS:
            self.pressing = True  # it must not be claimed for meanwhile
        if _stops_others(outcome):
            self._halt(sender)
        self.launch()  # at once: the dispatcher may be waiting for the database
        self.changed()

    def _halt(self, sender: Sender) -> None:
        """Begin nothing more of a sender: it would be refused as well."""
        self._stopped.add(sender)
        waiting = self.waiting.pop(sender, [])
        if waiting:
            self._turns.remove(sender)
            self.queued -= len(waiting)
            self.halted += [claimed for _, _, claimed in waiting]

    def pop_halted(self) -> list[Claimed]:
        """Return what is to be handed back; from now on the database says which sender is stopped.

        Only once the results are written down, so that nobody claims it at once. What has come back
        meanwhile is not: its sender stays stopped.
        """
        halted, self.halted = self.halted, []
        self._stopped = {
            (sent.claimed.clinic_id, sent.claimed.channel)
            for sent in self.results
            if _stops_others(sent.outcome)
        }
        return halted

    def flush_at(self) -> float | None:
        """Return when to write the results down, on the loop's clock; None if there are none."""
        if not self.results:
            return None
        idle = not self.aloft and not self.queued
        at_once = idle or self.pressing or len(self.results) >= FLUSH
        return 0.0 if at_once else self.since + FLUSH_AFTER

    def pop_results(self) -> list[Sent]:
        """Return the results that have not been written down, and measure the speed."""
        now = asyncio.get_running_loop().time()
        if self._measured_at is not None and now > self._measured_at:
            self._speed = self._done / (now - self._measured_at)
        self._measured_at, self._done = now, 0
        results, self.results, self.pressing = self.results, [], False
        return results

    def drop(self) -> None:
        """Let go of all that has not been begun: it is to be handed back."""
        self.halted += [claimed for queue in self.waiting.values() for _, _, claimed in queue]
        self.waiting.clear()
        self._turns.clear()
        self.queued = 0


def _stops_others(outcome: Outcome) -> bool:
    """Tell whether an answer is about its sender: the next message would get the same."""
    kinds = isinstance(outcome, Rejected) and outcome.kind in _STOPS_OTHERS
    return kinds and outcome is not LEASE_LOST
