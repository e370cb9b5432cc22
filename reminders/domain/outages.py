"""Texts whose channel is down: one that waits in vain goes another way, and never both."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from reminders.domain.decision import Decision, Kept, Send, Suppress
from reminders.domain.message import Message, is_open
from reminders.domain.reasons import Reason
from reminders.domain.state import State

PATIENCE = timedelta(minutes=5)
"""So long a text waits for a channel that is down before it is out of reach."""

WAITS = frozenset({State.PLANNED, State.SUPPRESSED})


def patience(due_at: datetime, not_after: datetime) -> timedelta:
    """Return how long a text waits for its channel: another way needs the half of a short time."""
    return min(PATIENCE, (not_after - due_at) / 2)


def is_stuck(send: Send, history: Sequence[Message]) -> bool:
    """Tell whether the text for this person, or for this address, was found out of reach.

    Two people with one address wait for one text: neither gets it beside what the other gets. For
    the person it is so whatever their address is by now: what is down is the channel.
    """
    if all(m.reason is not Reason.OUT_OF_REACH for m in history):
        return False
    last: dict[int, Message] = {}
    for message in sorted(history, key=lambda m: m.key):
        own = message.key.contact == send.key.contact
        if _slot(message) == _slot(send) and (own or message.address_key == send.address_key):
            last[message.key.contact] = message
    return any(m.state in WAITS and m.reason is Reason.OUT_OF_REACH for m in last.values())


def given_up(send: Send, history: Sequence[Message]) -> Decision:
    """Return the decision about a text that goes another way instead."""
    own = [m for m in history if _slot(m) == _slot(send) and m.key.contact == send.key.contact]
    last = max(own, key=lambda m: m.key, default=None)
    if last is not None and last.state is State.SUPPRESSED and not is_open(last):
        return Kept(last)
    return Suppress(send.key, Reason.OUT_OF_REACH, send.request_id)


def _slot(one: Send | Message) -> tuple[object, ...]:
    return (one.key.version, one.key.rule, one.key.channel, one.request_id)
