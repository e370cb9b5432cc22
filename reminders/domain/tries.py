"""What came of trying a rule's channels for one person, one after the other."""

from collections.abc import Iterable
from datetime import datetime

from reminders.domain.decision import Decision, Kept, Send, Suppress
from reminders.domain.lifecycle import TOLD
from reminders.domain.message import Message
from reminders.domain.reasons import Reason
from reminders.domain.state import State


def settles(decision: Decision, now: datetime) -> bool:
    """Tell whether no other channel has to be tried."""
    if isinstance(decision, Kept):
        message = decision.message
        over = message.state is State.EXPIRED and now > message.not_after
        return message.state in TOLD or over
    return isinstance(decision, Send)


def is_no_address(decision: Decision) -> bool:
    """Tell whether a person has nothing that the channel could write to."""
    return isinstance(decision, Suppress) and decision.reason is Reason.NO_ADDRESS


def without_repeats(decisions: Iterable[Decision], history: Iterable[Message]) -> list[Decision]:
    """Keep one of the suppressions that say the same on every channel; keep all else.

    One that has a row already is kept, so that the row says the true reason.
    """
    rows = {message.key for message in history}
    seen: set[Reason] = set()
    kept: list[Decision] = []
    for decision in decisions:
        if isinstance(decision, Suppress):
            if decision.reason in seen and decision.key not in rows:
                continue
            seen.add(decision.reason)
        kept.append(decision)
    return kept
