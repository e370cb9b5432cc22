"""Choosing: whose messages the next claim takes, and how many of each.

Urgent before others, fair between senders, no faster than each sender may go, and of a stopped
channel one message to try it with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reminders.domain.fair import Bucket, Front, Sender, filled, next_token, shares
from reminders.engine.runtime import Runtime
from reminders.store import clinics, queue, senders
from reminders.store.clinics import ClosedChannel
from reminders.store.database import Connection
from reminders.store.obstacles import Obstacles, obstacles

NO_LIMIT = 1_000_000


class Room(Protocol):
    """How many more messages of a sender this worker can take in hand."""

    def __call__(self, sender: Sender, *, stamps: bool) -> int:
        """Return it. `stamps`: nothing can be asked afterwards, so none may lie waiting."""


@dataclass(slots=True)
class Choice:
    """What to take of each front. `again_at` is when there may be more: None if nothing is known.

    `buckets` are those of senders with a rate, locked until the transaction ends. `probing`: a
    stopped channel is tried.
    """

    wants: Sequence[tuple[Front, int]]
    again_at: datetime | None
    buckets: Mapping[Sender, Bucket] = field(default_factory=dict)
    probing: bool = False


@dataclass(frozen=True, slots=True)
class Outlook:
    """The fronts of this process's clinics; who is stopped, has to wait, or has a rate.

    `down` are all stopped channels.
    """

    fronts: Sequence[Front]
    down: Sequence[ClosedChannel]
    closed: Mapping[Sender, ClosedChannel]
    waits: Mapping[Sender, datetime]
    rates: Mapping[Sender, float]

    def at(self, front: Front, now: datetime) -> datetime:
        """Return when a front can be looked at."""
        wait = self.waits.get(front.sender, now)
        closed = self.closed.get(front.sender)
        held = [until for until in (wait, closed.retry_at if closed else now) if until > now]
        return max([front.next_at, *held])

    def again_at(self, now: datetime) -> datetime | None:
        """Return when the next message can be looked at."""
        return min((self.at(front, now) for front in self.fronts), default=None)


def outlook(conn: Connection, runtime: Runtime, now: datetime, there: Obstacles) -> Outlook:
    """Return what there is to send, and what stands in its way: nothing while sending is held."""
    down = clinics.closed_channels(conn) if there.down else []
    if there.held:
        return Outlook((), down, {}, {}, {})
    known = [f for f in queue.fronts(conn) if f.clinic is None or f.clinic in runtime.practices]
    closed = {(c.clinic_id, c.channel): c for c in down}
    paces = senders.paces(conn) if known and there.paced else {}
    rates = _rates(runtime, known)
    waits: dict[Sender, datetime] = {}
    for sender, pace in paces.items():
        times = [pace.paused_until] if pace.paused_until is not None else []
        if sender in rates:
            times.append(next_token(filled(pace.bucket, rates[sender], now), rates[sender]))
        waits[sender] = max(times, default=now)
    return Outlook(known, down, closed, waits, rates)


def choose(conn: Connection, runtime: Runtime, now: datetime, most: int, room: Room) -> Choice:
    """Choose what the next claim takes, at most so many messages."""
    seen = outlook(conn, runtime, now, obstacles(conn))
    due = [front for front in seen.fronts if seen.at(front, now) <= now]
    probes = _probes(conn, due, seen, now)
    open_fronts = [front for front in due if front.sender not in seen.closed]
    buckets = _buckets(conn, seen.rates, open_fronts, now)
    stamping = {front.sender for front in open_fronts if _stamps(runtime, front)}

    def allowed(sender: Sender) -> int:
        bucket = buckets.get(sender)
        free = room(sender, stamps=sender in stamping)
        return min(free, NO_LIMIT if bucket is None else int(bucket.tokens))

    later = [at for front in seen.fronts if (at := seen.at(front, now)) > now]
    wants = [(front, 1) for front in probes] + shares(open_fronts, most, allowed)
    return Choice(wants, min(later, default=None), buckets, probing=bool(probes))


def _probes(conn: Connection, due: Sequence[Front], seen: Outlook, now: datetime) -> list[Front]:
    """Return one front for each stopped channel that this worker, of all, is to try now."""
    probes: dict[Sender, Front] = {}
    for front in due:
        closed = seen.closed.get(front.sender)
        if closed is None or front.sender in probes:
            continue
        if clinics.take_probe(conn, closed, now):
            probes[front.sender] = front
    return list(probes.values())


def _stamps(runtime: Runtime, front: Front) -> bool:
    if front.clinic is None:
        return True
    return runtime.providers[front.clinic, front.channel].stamps


def _rates(runtime: Runtime, fronts: Sequence[Front]) -> dict[Sender, float]:
    """Return the rates of the senders that have one, in messages per second."""
    found: dict[Sender, float] = {}
    for front in fronts:
        if front.clinic is not None:
            rate = runtime.clinic(front.clinic).channel(front.channel).messages_per_second
            if rate is not None:
                found[front.sender] = rate
    return found


def _buckets(
    conn: Connection, rates: Mapping[Sender, float], due: Sequence[Front], now: datetime
) -> dict[Sender, Bucket]:
    """Lock what is left of the rates of senders that have something due."""
    limited = {front.sender: rates[front.sender] for front in due if front.sender in rates}
    full = {sender: filled(None, rate, now) for sender, rate in limited.items()}
    kept = senders.lock_buckets(conn, full)
    return {sender: filled(kept[sender], rate, now) for sender, rate in limited.items()}
