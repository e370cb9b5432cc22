"""What keeps messages from going out at present: sending is held, or a channel is down."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.domain.contact import Channel
from reminders.domain.message import Message
from reminders.store import clinics, keeping
from reminders.store.clinics import ClosedChannel
from reminders.store.database import Connection
from reminders.store.keeping import Cause

SOON = timedelta(minutes=1)
"""So long after its time a message is still about to go."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How sending stands at a clinic: why nothing goes, if it is held, and the channels down."""

    held: Cause | None = None
    closed: tuple[ClosedChannel, ...] = ()

    def stopped(self, channels: Collection[Channel]) -> list[Channel]:
        """Return those of these channels that are down, in a fixed order."""
        return [one.channel for one in self.closed if one.channel in channels]

    def keeps(self, message: Message, now: datetime) -> bool:
        """Tell whether a planned message, which was to have gone by `now`, waits for something."""
        stopped = self.held is not None or self.stopped({message.key.channel})
        return bool(stopped) or message.due_at + SOON < now


def read(conn: Connection, clinic: str) -> Standing:
    """Return how sending stands at a clinic."""
    closed = (one for one in clinics.closed_channels(conn) if one.clinic == clinic)
    return Standing(keeping.held_by(conn), tuple(closed))
