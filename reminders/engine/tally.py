"""What planning one visit leads to, counted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from reminders.domain.decision import Decision, Kept, Send, Suppress
from reminders.domain.plan import Case
from reminders.domain.reasons import Reason
from reminders.domain.state import State

SAID_OTHERWISE = frozenset({Reason.COVERED_BY, Reason.SHARED_ADDRESS, Reason.OTHER_BOOKING})
"""Why a text does not go whose reader is told the same by another."""


@dataclass(slots=True)
class Tally:
    """The messages of one visit by rule, their SMS parts, and what does not go.

    `kept_back` are held by the environment guard, `withdrawn` were planned and go no more, and
    `unwritten` have no approved text, or one that cannot be filled in.
    """

    messages: dict[str, int] = field(default_factory=dict)
    segments: int = 0
    kept_back: int = 0
    withdrawn: int = 0
    unwritten: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, rule: str, at: datetime, segments: int) -> None:
        """Add a message that goes at `at`."""
        self.messages[rule] = self.messages.get(rule, 0) + 1
        self.segments += segments
        self.first_at = min(self.first_at or at, at)
        self.last_at = max(self.last_at or at, at)


def kept_back(decisions: Iterable[Decision]) -> int:
    """Return how many messages the environment guard alone holds: those that go no other way."""
    guarded: set[tuple[str, int]] = set()
    going: set[tuple[str, int]] = set()
    for decision in decisions:
        if isinstance(decision, Send):
            going.add((decision.key.rule, decision.key.contact))
        elif isinstance(decision, Suppress) and decision.reason is Reason.ENVIRONMENT:
            guarded.add((decision.key.rule, decision.key.contact))
    return len(guarded - going)


def withdrawn(case: Case, decisions: Iterable[Decision]) -> int:
    """Return how many planned messages go no more, and no other says the same to their reader.

    Where the patient has another booking at the time, that one tells instead.
    """
    if any(isinstance(d, Suppress) and d.reason is Reason.STILL_BOOKED for d in decisions):
        return 0
    said: set[tuple[str, int]] = set()
    for decision in decisions:
        key = decision.message.key if isinstance(decision, Kept) else decision.key
        if not isinstance(decision, Suppress) or decision.reason in SAID_OTHERWISE:
            said.add((key.rule, key.contact))
    planned = (m.key for m in case.history if m.state is State.PLANNED)
    return sum((key.rule, key.contact) not in said for key in planned)
