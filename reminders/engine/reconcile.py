"""Finding out: attempts whose worker went away, and messages whose answer was lost.

Nothing is sent again before the provider has been asked; what it cannot tell stays `unknown`, and a
person sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.config_rules import parse_duration
from reminders.domain.lifecycle import FIRST_POLL, Step
from reminders.domain.outcome import Accepted, Outcome, Rejected, Sought
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.engine.runtime import Runtime, asked, bounded
from reminders.store import attempts, cases, presence
from reminders.store.attempts import Open
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write

BATCH = 100
SEARCH_AGAIN = timedelta(seconds=15)
SEARCH_SELDOM = timedelta(minutes=10)
SEARCH_FOR = timedelta(hours=24)
"""A provider that cannot be asked is tried again for so long."""


def take_back_lost(conn: Connection, runtime: Runtime, now: datetime) -> int:
    """Fence off workers whose lease ran out; return how many messages were theirs.

    While such a worker's database session lives it may only be slow: it is given as long again.
    """
    lost = attempts.waiting(conn, State.SENDING, now, BATCH)
    if not lost:
        return 0
    there = presence.alive(conn) - {runtime.session}
    grace = parse_duration(runtime.config.delivery.lease)
    gone = [
        found
        for found in lost
        if found.session not in there or now >= (found.lease_until or now) + grace
    ]
    return _take_back(conn, runtime, gone, "lease_ran_out", now)


def take_back_abandoned(conn: Connection, runtime: Runtime, now: datetime) -> int:
    """Take back what processes before this one were sending, whatever their lease.

    Only for whoever holds the right to be the sole sender: then they are certainly gone. What they
    were asking a provider about is asked again at once.
    """
    attempts.ask_now(conn, now)
    taken = 0
    while found := attempts.of_other_sessions(conn, runtime.session, BATCH):
        taken += _take_back(conn, runtime, found, "sender_gone", now)
    return taken


def _take_back(
    conn: Connection, runtime: Runtime, lost: Sequence[Open], cause: str, now: datetime
) -> int:
    """Return what cannot have reached the provider to planned at once; the rest is unknown."""
    taken = 0
    for found in lost:
        if not attempts.take_over(conn, found, now):
            continue
        taken += 1
        attempts.finish(conn, found.attempt_id, now, attempts.LOST)
        provider = runtime.providers.get((found.clinic, found.channel))
        never_written = provider is not None and provider.stamps and not found.stamped
        step = Step(State.UNKNOWN, Reason.NO_ANSWER, next_at=now)
        if never_written:
            step = _back_in_time(found, now)
        attempts.settle(conn, found.message_id, found.lease_token + 1, step, now)
        _tell(conn, runtime, found, step, cause, now)
    return taken


def _back_in_time(found: Open, now: datetime) -> Step:
    if now > found.not_after:
        return Step(State.EXPIRED, Reason.DEADLINE_PASSED)
    return Step(State.PLANNED, Reason.PROVIDER_BUSY, next_at=now)  # it is late from when it was due


async def search(runtime: Runtime, now: datetime) -> int:
    """Look for messages whose answer was lost; return how many were asked about."""
    wanted = await runtime.work(_wanted, now)
    answers = await bounded(runtime, lambda one: _look_for(runtime, *one), wanted)
    await runtime.work(_settle_searches, runtime, answers, now)
    return len(wanted)


def _wanted(conn: Connection, now: datetime) -> list[tuple[Open, frozenset[str]]]:
    """Return what is to be looked for, and by what names other texts to the number are known."""
    found = attempts.take_waiting(conn, State.UNKNOWN, now, BATCH)
    return [(one, attempts.other_refs(conn, one)) for one in found]


@dataclass(frozen=True, slots=True)
class _Answer:
    found: Open
    outcome: Outcome | None
    can_tell: bool


async def _look_for(runtime: Runtime, found: Open, others: frozenset[str]) -> _Answer:
    provider = runtime.providers.get((found.clinic, found.channel))
    if provider is None or provider.stamps:
        return _Answer(found, None, can_tell=False)
    sought = Sought(
        to=found.to,
        token=found.callback_token,
        body_digest=found.body_digest,
        started_at=found.started_at,
        digest=runtime.digest,
        others=others,
        any_words=found.outcome == attempts.DOUBTED,
    )
    return _Answer(found, await asked(provider, provider.find(sought)), can_tell=True)


def _settle_searches(
    conn: Connection, runtime: Runtime, answers: Sequence[_Answer], now: datetime
) -> None:
    there = presence.alive(conn) - {runtime.session} if answers else frozenset()
    for answer in answers:
        _settle_search(conn, runtime, answer, there, now)


def _settle_search(
    conn: Connection, runtime: Runtime, answer: _Answer, there: frozenset[int], now: datetime
) -> None:
    found, outcome = answer.found, answer.outcome
    horizon = _horizon(runtime, found)
    ref = None
    if found.outcome == attempts.LOST and found.session in there:
        # Its worker hangs, and may write the moment it wakes: absence proves nothing yet.
        attempts.still_open(conn, found.attempt_id, now)
        horizon = now + parse_duration(runtime.config.delivery.horizon)
    if isinstance(outcome, Accepted) and not attempts.ref_is_anothers(
        conn, outcome.ref, found.message_id
    ):
        step, ref = Step(State.ACCEPTED, next_at=now + FIRST_POLL), outcome.ref
    elif isinstance(outcome, Rejected) and now >= horizon:
        step = _back_in_time(found, now)
    else:
        reason = Reason.RESTORED if found.outcome == attempts.DOUBTED else Reason.NO_ANSWER
        step = Step(State.UNKNOWN, reason, next_at=_next_search(answer, horizon, now))
    held = (found.message_id, found.lease_token)
    if not attempts.settle(conn, *held, step, now, ref, leaving=(State.UNKNOWN,)):
        return
    if step.state is not State.UNKNOWN:
        _tell(conn, runtime, found, step, "searched", now)


def _horizon(runtime: Runtime, found: Open) -> datetime:
    """Return from when on an absent text counts as never sent: a provider may list it late.

    It is counted from the last moment at which something may have been written. What this very
    process lost sight of, it may have written until the lease ended. What may have gone before a
    backup was restored, ended then.
    """
    delivery = runtime.config.delivery
    last = found.ended_at or found.sent_at
    if found.outcome == attempts.LOST and found.session == runtime.session:
        last = found.sent_at + parse_duration(delivery.lease)
    return last + parse_duration(delivery.horizon)


def _next_search(answer: _Answer, horizon: datetime, now: datetime) -> datetime | None:
    """Return when to look again: often until the horizon, then after as long as has passed."""
    age = now - answer.found.sent_at
    if not answer.can_tell or age > SEARCH_FOR:
        return None
    again = now + min(max(age, SEARCH_AGAIN), SEARCH_SELDOM)
    return min(again, horizon) if now < horizon else again


def _tell(
    conn: Connection, runtime: Runtime, found: Open, step: Step, cause: str, now: datetime
) -> None:
    fact = Fact(step.state.value, found.appointment_id, found.message_id, {"cause": cause})
    write(conn, now, runtime.actor, [fact])
    if step.state not in {State.ACCEPTED, State.UNKNOWN}:
        cases.mark_for_planning(conn, [found.appointment_id])
