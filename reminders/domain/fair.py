"""Fairness: whose messages a claim takes, and how fast a sender may go.

A sender is one clinic's channel. Urgent messages go first. Within a class, every sender that has
something due gets the same part of a claim; what one does not need goes to the others. So a clinic
with fifty thousand texts to send holds up nobody else's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from reminders.domain.contact import Channel

Sender = tuple[int, Channel]


@dataclass(frozen=True, slots=True)
class Front:
    """What a sender has to look at next in one class: 0 goes first. `clinic` is its key.

    `clinic_id` 0 and no key: the clinic has not been written beside the message.
    """

    clinic_id: int
    clinic: str | None
    channel: Channel
    urgency: int
    next_at: datetime

    @property
    def sender(self) -> Sender:
        """Return whose it is."""
        return self.clinic_id, self.channel


def shares(
    fronts: Sequence[Front], most: int, room: Callable[[Sender], int]
) -> list[tuple[Front, int]]:
    """Share out a claim of at most so many messages among fronts that are due.

    `room` tells how many a sender may have in all. A front may need less than it is given: the
    claim is asked for again while there is something due.
    """
    left = most
    given: dict[Sender, int] = {}
    shared: list[tuple[Front, int]] = []
    for _, group in groupby(sorted(fronts, key=lambda f: f.urgency), key=lambda f: f.urgency):
        waiting = list(group)
        for place, front in enumerate(waiting):
            part = -(-left // (len(waiting) - place))
            part = min(part, room(front.sender) - given.get(front.sender, 0))
            if part > 0:
                shared.append((front, part))
                given[front.sender] = given.get(front.sender, 0) + part
                left -= part
    return shared


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of a sender's rate: so many messages at once, at `at`."""

    tokens: float
    at: datetime


def filled(bucket: Bucket | None, per_second: float, now: datetime) -> Bucket:
    """Return the bucket as it is at `now`: it holds one second's worth, and at least one."""
    full = max(per_second, 1.0)
    if bucket is None:
        return Bucket(full, now)
    passed = max((now - bucket.at) / timedelta(seconds=1), 0.0)
    return Bucket(min(bucket.tokens + passed * per_second, full), max(now, bucket.at))


def next_token(bucket: Bucket, per_second: float) -> datetime:
    """Return when the bucket holds a whole token again."""
    return bucket.at + timedelta(seconds=max(1.0 - bucket.tokens, 0.0) / per_second)
