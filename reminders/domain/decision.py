"""What the planner can decide for one rule, contact and channel."""

from dataclasses import dataclass
from datetime import datetime

from reminders.domain.message import Key, Message
from reminders.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Send:
    """A message is to go at `due_at` (UTC), and helps until `not_after`."""

    key: Key
    due_at: datetime
    not_after: datetime
    address_key: str
    short: bool = False
    urgent: bool = False
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Suppress:
    """No message, and why. `covered_by` names the rule whose text says it already."""

    key: Key
    reason: Reason
    request_id: int | None = None
    covered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that has already been attempted stands for this decision."""

    message: Message


Decision = Send | Suppress | Kept
