"""A message's states, and how outcomes and receipts lead from one to the next."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from reminders.domain.outcome import Accepted, Ambiguous, Outcome, Receipt, Refusal, Rejected
from reminders.domain.reasons import Reason
from reminders.domain.state import State

_S = State
TRANSITIONS: dict[State, frozenset[State]] = {
    _S.PLANNED: frozenset(
        {
            _S.SENDING,
            _S.CANCELLED,
            _S.SUPPRESSED,
            _S.EXPIRED,
            _S.ACCEPTED,  # a report may prove that a text thought absent was taken after all
            _S.DELIVERED,
            _S.UNDELIVERED,
            _S.FAILED,
        }
    ),
    _S.CANCELLED: frozenset({_S.PLANNED, _S.SUPPRESSED}),
    _S.SUPPRESSED: frozenset({_S.PLANNED, _S.CANCELLED}),
    _S.SENDING: frozenset(
        {
            _S.ACCEPTED,
            _S.DELIVERED,  # a callback may outrun the answer
            _S.UNDELIVERED,
            _S.PLANNED,
            _S.FAILED,
            _S.EXPIRED,
            _S.CANCELLED,
            _S.UNKNOWN,
        }
    ),
    _S.UNKNOWN: frozenset(
        {_S.ACCEPTED, _S.DELIVERED, _S.UNDELIVERED, _S.PLANNED, _S.FAILED, _S.EXPIRED}
    ),
    _S.ACCEPTED: frozenset({_S.DELIVERED, _S.UNDELIVERED, _S.FAILED}),
    _S.DELIVERED: frozenset(),
    _S.UNDELIVERED: frozenset(),
    _S.FAILED: frozenset(),
    _S.EXPIRED: frozenset(),
}
"""Every step there is. `cancelled` and `suppressed` are left only if never attempted."""

TOLD = frozenset({_S.SENDING, _S.ACCEPTED, _S.UNKNOWN, _S.DELIVERED})
"""States in which the recipient has, or may have, read the message."""

NOT_REACHED = frozenset({_S.FAILED, _S.UNDELIVERED})
"""Final states in which the recipient did not get it, and another way may be tried."""


class TransitionError(ValueError):
    """A step that the table does not have: a defect in this program, never bad input."""


def check(before: State, after: State) -> State:
    """Return `after` if the table has the step; a state may always stay as it is."""
    if before != after and after not in TRANSITIONS[before]:
        raise TransitionError(f"no step from {before} to {after}")
    return after


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a message: its next state, why, and when to look at it again (UTC)."""

    state: State
    reason: Reason | None = None
    next_at: datetime | None = None
    channel_down: bool = False
    opt_out: bool = False


_REFUSED: dict[Refusal, Reason] = {
    Refusal.ADDRESS: Reason.INVALID_ADDRESS,
    Refusal.OPT_OUT: Reason.OPTED_OUT_AT_PROVIDER,
    Refusal.BLOCKED: Reason.BLOCKED,
    Refusal.CONTENT: Reason.CONTENT_REFUSED,
    Refusal.ENVIRONMENT: Reason.ENVIRONMENT,
}

FIRST_POLL = timedelta(seconds=30)
FIRST_SEARCH = timedelta(seconds=10)


def backoff(attempt: int, jitter: float) -> timedelta:
    """Return the wait before try `attempt` + 1: 10 s doubling to 5 min, times 0.5 to 1.0."""
    doubled = min(max(attempt - 1, 0), 5)  # bounded first: the power grows beyond any number
    return timedelta(seconds=min(10.0 * 2**doubled, 300.0) * (0.5 + jitter / 2))


def after_outcome(
    outcome: Outcome, *, now: datetime, not_after: datetime, attempt: int, jitter: float
) -> Step:
    """Return the step from `sending` that a provider's answer means.

    `attempt` counts tries from 1; `jitter` is in [0, 1). A refusal that is worth another try goes
    back to planned only while the text still helps.
    """
    match outcome:
        case Accepted():
            return Step(State.ACCEPTED, next_at=now + FIRST_POLL)
        case Ambiguous():
            return Step(State.UNKNOWN, Reason.NO_ANSWER, next_at=now + FIRST_SEARCH)
        case Rejected(kind=Refusal.THROTTLED | Refusal.DEFERRED):
            wait = max(backoff(attempt, jitter), outcome.retry_after or timedelta(0))
            if now + wait > not_after:
                return Step(State.EXPIRED, Reason.DEADLINE_PASSED)
            return Step(State.PLANNED, Reason.PROVIDER_BUSY, next_at=now + wait)
        case Rejected(kind=Refusal.CONFIGURATION):
            if now > not_after:
                return Step(State.EXPIRED, Reason.DEADLINE_PASSED, channel_down=True)
            return Step(State.PLANNED, Reason.CHANNEL_DOWN, next_at=now, channel_down=True)
        case Rejected(kind=kind):
            return Step(State.FAILED, _REFUSED[kind], opt_out=kind is Refusal.OPT_OUT)
        case _:
            assert_never(outcome)


def after_receipt(state: State, receipt: Receipt, now: datetime) -> Step | None:
    """Return the step a delivery report means, or None if it says nothing new.

    Reports repeat and come in any order: a final state never changes. One for a planned message
    is of its last attempt, which seemed not to have come through: it must not be sent again.
    """
    if state not in {State.ACCEPTED, State.UNKNOWN, State.SENDING, State.PLANNED}:
        return None
    if receipt.state is None:
        if state is State.ACCEPTED:
            return None
        return Step(State.ACCEPTED, next_at=now + FIRST_POLL)  # the report that ends it may be lost
    return Step(receipt.state, receipt.reason, opt_out=receipt.opt_out)
