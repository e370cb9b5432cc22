"""Delivery: hand claimed messages over, and write down what came of it.

No transaction is open while a provider is called: the claim is committed before, the result after.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import structlog

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
from reminders.engine.claiming import Claimed
from reminders.engine.runtime import Runtime, bounded
from reminders.store import attempts, cases, clinics
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write

log = structlog.get_logger()

LEASE_LOST = Rejected("lease_lost", Refusal.THROTTLED)


@dataclass(frozen=True, slots=True)
class Sent:
    """A claimed message with the answer to it."""

    claimed: Claimed
    outcome: Outcome


async def send_all(runtime: Runtime, batch: Sequence[Claimed]) -> list[Sent]:
    """Hand a batch over, a bounded number at a time; each message gets an outcome."""

    async def one(claimed: Claimed) -> Sent:
        return Sent(claimed, await hand_over(runtime, claimed))

    return await bounded(runtime, [one(claimed) for claimed in batch])


async def hand_over(runtime: Runtime, claimed: Claimed) -> Outcome:
    """Send one claimed message. This is the one place where messages leave the program."""
    provider = runtime.providers[claimed.clinic, claimed.channel]
    if not runtime.may_write_to(provider, claimed.to):
        return Rejected("environment", Refusal.ENVIRONMENT)

    async def before_write() -> None:
        if runtime.clock.elapsed() >= claimed.lease_ends:
            raise LeaseLostError
        if provider.stamps:
            now = runtime.clock.now()
            holds = await runtime.work(attempts.stamp, claimed.attempt_id, claimed.lease_token, now)
            if not holds:
                raise LeaseLostError

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
        before_write=before_write,
        subject=rendered.subject,
        html=rendered.html,
    )
    try:
        return await provider.send(message)
    except LeaseLostError:
        return LEASE_LOST
    except Exception as error:  # noqa: BLE001 - a provider of the clinic's own may fail in any way
        # What it got done before it failed is not known; its text may hold an address.
        log.error("provider_failed", provider=provider.name, error=type(error).__name__)  # noqa: TRY400 - no traceback: it may hold the text
        return Ambiguous(type(error).__name__)


def record(
    conn: Connection, runtime: Runtime, results: Sequence[Sent], now: datetime
) -> dict[State, int]:
    """Write down what came of a batch; return how many messages are now in each state.

    A result whose lease has gone to another worker changes nothing but the attempt.
    """
    counts: dict[State, int] = {}
    facts: list[Fact] = []
    replan: set[int] = set()
    for sent in results:
        claimed, outcome = sent.claimed, sent.outcome
        step = after_outcome(
            outcome,
            now=now,
            not_after=claimed.not_after,
            attempt=claimed.number,
            jitter=runtime.random(),
        )
        kind, code, ref, segments = _words(outcome)
        attempts.finish(conn, claimed.attempt_id, now, kind, code, ref, segments)
        if not attempts.settle(conn, claimed.message_id, claimed.lease_token, step, now, ref):
            facts.append(_fact("late_answer", claimed, step, code))
            continue
        counts[step.state] = counts.get(step.state, 0) + 1
        facts.append(_fact(step.state.value, claimed, step, code))
        if claimed.on_request or step.state not in {State.ACCEPTED, State.UNKNOWN}:
            replan.add(claimed.appointment_id)
        _side_effects(conn, claimed, outcome, step, code, now)
    cases.mark_for_planning(conn, sorted(replan))
    write(conn, now, runtime.actor, facts)
    return counts


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


def _side_effects(
    conn: Connection,
    claimed: Claimed,
    outcome: Outcome,
    step: Step,
    code: str | None,
    now: datetime,
) -> None:
    """Keep what an answer says about more than its own message: the channel, the recipient."""
    if step.opt_out:
        clinics.add_opt_out(conn, claimed.clinic_id, claimed.to, "provider", now)
    if step.channel_down:
        first = clinics.close_channel(conn, claimed.clinic_id, claimed.channel, code or "", now)
        if first:
            log.error(
                "channel_down",
                clinic=claimed.clinic,
                channel=claimed.channel.value,
                code=code,
                advice="check the provider's settings and account; messages wait meanwhile",
            )
    elif isinstance(outcome, Accepted) and clinics.open_channel(
        conn, claimed.clinic_id, claimed.channel
    ):
        log.info("channel_up", clinic=claimed.clinic, channel=claimed.channel.value)
