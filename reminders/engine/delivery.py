"""Delivery: hand claimed messages over, and write down what came of it.

No transaction is open while a provider is called: the claim is committed before, the result after.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

import structlog

from reminders.domain.fair import Sender
from reminders.domain.lifecycle import Step, after_outcome
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    LeaseLostError,
    Outcome,
    OutgoingMessage,
    Refusal,
    Rejected,
)
from reminders.domain.state import State
from reminders.engine import channels
from reminders.engine.claiming import Claimed
from reminders.engine.runtime import Runtime, bounded
from reminders.store import attempts, cases, clinics, senders
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write
from reminders.store.results import Result, write_down

log = structlog.get_logger()

LEASE_LOST = Rejected("lease_lost", Refusal.THROTTLED)

SILENT_FOR = timedelta(minutes=3)
"""A channel is stopped whose provider has answered nothing for so long, or asks to rest so long."""

SHORT_REST = timedelta(seconds=1)
"""How long a sender rests whose provider is busy and does not say for how long."""


@dataclass(slots=True)  # not frozen: made by the thousand, in a third of the time
class Sent:
    """A claimed message with the answer to it."""

    claimed: Claimed
    outcome: Outcome


async def send_all(runtime: Runtime, batch: Sequence[Claimed]) -> list[Sent]:
    """Hand a batch over, a bounded number at a time; each message gets an outcome."""

    async def one(claimed: Claimed) -> Sent:
        return Sent(claimed, await hand_over(runtime, claimed))

    return await bounded(runtime, one, batch)


async def hand_over(runtime: Runtime, claimed: Claimed) -> Outcome:
    """Send one claimed message. This is the one place where messages leave the program."""
    provider = runtime.providers[claimed.clinic, claimed.channel]
    if not runtime.may_write_to(claimed.clinic, provider, claimed.to):
        return Rejected("environment", Refusal.ENVIRONMENT)

    rendered = claimed.rendered
    message = OutgoingMessage(
        channel=claimed.channel,
        to=claimed.to,
        body=rendered.body,
        token=claimed.callback_token,
        message_key=runtime.digest(f"message {claimed.message_id}"),
        started_at=claimed.started_at,
        valid_for=claimed.valid_until - claimed.started_at,
        language=rendered.language,
        before_write=partial(_before_write, runtime, claimed),
        stamp=partial(_stamp, runtime, claimed),
        subject=rendered.subject,
        html=rendered.html,
        attachments=rendered.attachments,
    )
    try:
        return await provider.send(message)
    except LeaseLostError:
        return LEASE_LOST
    except Exception as error:  # noqa: BLE001 - a provider of the clinic's own may fail in any way
        # What it got done before it failed is not known; its text may hold an address.
        log.error("provider_failed", provider=provider.name, error=type(error).__name__)  # noqa: TRY400 - no traceback: it may hold the text
        return Ambiguous(type(error).__name__)


async def _stamp(runtime: Runtime, claimed: Claimed) -> None:
    """Write down that this attempt may be written now; raise LeaseLostError if it may not."""
    if runtime.clock.elapsed() < min(claimed.lease_ends, claimed.stale_at):
        now = runtime.clock.now()
        holds = await runtime.work(attempts.stamp, claimed.attempt_id, claimed.lease_token, now)
        if not holds:
            raise LeaseLostError


def _before_write(runtime: Runtime, claimed: Claimed) -> None:
    """Look at the lease last of all: whatever went before may have taken its time.

    And at how long ago the message was judged: the visit may have been cancelled since.
    """
    if runtime.clock.elapsed() >= min(claimed.lease_ends, claimed.stale_at):
        raise LeaseLostError
    if not claimed.started_at <= runtime.clock.now() <= claimed.valid_until:
        # It lay waiting for too long: it would come in the night, or when it helps no more. Or the
        # clock was set back since: it was judged by a time that has not come yet.
        raise LeaseLostError


def record(
    conn: Connection, runtime: Runtime, results: Sequence[Sent], now: datetime
) -> dict[State, int]:
    """Write down what came of a batch; return how many messages are now in each state.

    A result whose lease has gone to another worker changes nothing but the attempt.
    """
    judged = [_judged(runtime, sent, now) for sent in results]
    moved = write_down(conn, judged, now)
    counts: Counter[State] = Counter()
    facts: list[Fact] = []
    replan: set[int] = set()
    for sent, result in zip(results, judged, strict=True):
        claimed, step = sent.claimed, result.step
        if claimed.message_id not in moved and not attempts.settle_late(
            conn, claimed.attempt_id, step, now, result.ref
        ):
            facts.append(_fact("late_answer", claimed, step, result.code))
            continue
        counts[step.state] += 1
        facts.append(_fact(step.state.value, claimed, step, result.code))
        if claimed.on_request or step.state not in {State.ACCEPTED, State.UNKNOWN}:
            replan.add(claimed.appointment_id)
        if step.opt_out:
            clinics.add_opt_out(conn, claimed.clinic_id, claimed.to, "provider", now)
    _heed(conn, [sent for sent in results if sent.claimed.message_id in moved], now)
    cases.mark_for_planning(conn, sorted(replan))
    write(conn, now, runtime.actor, facts)
    return counts


def _judged(runtime: Runtime, sent: Sent, now: datetime) -> Result:
    claimed, outcome = sent.claimed, sent.outcome
    step = after_outcome(
        outcome,
        now=now,
        not_after=claimed.not_after,
        attempt=claimed.number,
        jitter=0.0 if isinstance(outcome, Accepted) else runtime.random(),
    )
    if step.state is State.PLANNED and step.next_at is not None and step.next_at < claimed.due_at:
        step = replace(step, next_at=claimed.due_at)  # the clock was set back since
    kind, code, ref, segments = _words(outcome)
    return Result(
        claimed.message_id,
        claimed.lease_token,
        claimed.attempt_id,
        step,
        kind,
        code,
        ref,
        segments,
    )


def _words(outcome: Outcome) -> tuple[str, str | None, str | None, int | None]:
    match outcome:
        case Accepted(ref=ref, segments=segments):
            return "accepted", None, ref, segments
        case Rejected(code=code):
            return "rejected", code, None, None
        case Ambiguous(cause=cause):
            return "ambiguous", cause, None, None
        case _:
            assert_never(outcome)


def _fact(event: str, claimed: Claimed, step: Step, code: str | None) -> Fact:
    detail: dict[str, object] = {"attempt": claimed.number}
    if step.reason:
        detail["reason"] = step.reason.value
    if code:
        detail["code"] = code
    return Fact(event, claimed.appointment_id, claimed.message_id, detail)


@dataclass(slots=True)
class _Heard:
    """What a batch of answers says of senders: each with one message that it was said about."""

    up: dict[Sender, Claimed] = field(default_factory=dict)
    refused: dict[Sender, tuple[Claimed, str]] = field(default_factory=dict)
    silent: dict[Sender, tuple[Claimed, str]] = field(default_factory=dict)
    rests: dict[Sender, timedelta] = field(default_factory=dict)
    answered: set[Sender] = field(default_factory=set)

    def hear(self, claimed: Claimed, outcome: Outcome) -> None:
        """Take note of one answer, or of its lack."""
        sender = (claimed.clinic_id, claimed.channel)
        match outcome:
            case Accepted() | Rejected(kind=Refusal.DEFERRED):
                self.up.setdefault(sender, claimed)
                self.refused.pop(sender, None)  # what came last is so
                self.answered.add(sender)
            case Ambiguous(cause=cause):
                self.silent.setdefault(sender, (claimed, cause))
            case Rejected(kind=Refusal.THROTTLED, code=code):
                if outcome is LEASE_LOST:
                    return
                self.silent.setdefault(sender, (claimed, code))
                rest = outcome.retry_after or SHORT_REST
                self.rests[sender] = max(self.rests.get(sender, rest), rest)
            case Rejected(kind=Refusal.CONFIGURATION, code=code):
                self.refused.setdefault(sender, (claimed, code))
                self.up.pop(sender, None)
                self.answered.add(sender)
            case Rejected(kind=kind):
                if kind is not Refusal.ENVIRONMENT:
                    self.answered.add(sender)
            case _:
                assert_never(outcome)


def _heed(conn: Connection, results: Sequence[Sent], now: datetime) -> None:
    """Keep what answers say about more than their own messages.

    A sender has to rest, its settings are wrong, its provider does not answer, or all is well
    again.
    """
    heard = _Heard()
    for sent in results:
        heard.hear(sent.claimed, sent.outcome)
    for claimed, code in heard.refused.values():
        channels.closed(conn, claimed, code, now)
    for sender, rest in sorted(heard.rests.items()):
        senders.pause(conn, sender, now, now + rest)
    for claimed in heard.up.values():
        channels.opened(conn, claimed)
    for sender in sorted(heard.answered):
        senders.answered(conn, sender)
    for sender, (claimed, code) in sorted(heard.silent.items()):
        if sender not in heard.rests and _may_be_its_own(conn, sender, claimed, now):
            continue
        since = now if sender in heard.answered else senders.silent(conn, sender, now)
        if max(now - since, heard.rests.get(sender, timedelta())) >= SILENT_FOR:
            channels.closed(conn, claimed, code, now, since)


def _may_be_its_own(conn: Connection, sender: Sender, claimed: Claimed, now: datetime) -> bool:
    """Tell whether one message alone gets no answer, again and again: it stops no others."""
    return claimed.number > 1 and not senders.others_unknown(conn, sender, claimed.message_id, now)
