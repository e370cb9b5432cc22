"""Receipts: what became of accepted messages, by callback or by asking."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from reminders.domain.contact import canonical
from reminders.domain.lifecycle import NOT_REACHED, after_receipt
from reminders.domain.outcome import Receipt
from reminders.domain.state import State
from reminders.engine.runtime import Runtime, asked, bounded
from reminders.store import attempts, cases, clinics
from reminders.store.attempts import Open
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write

BATCH = 100
POLL_FOR = timedelta(hours=48)
SHORTEST_POLL = timedelta(seconds=30)
TOGETHER = timedelta(seconds=15)
"""Whose turn comes so soon is asked about too: what went together is asked about together."""


async def poll(runtime: Runtime, now: datetime) -> int:
    """Ask about accepted messages whose turn it is; return how many were asked about."""
    soon = now + TOGETHER
    waiting = await runtime.work(attempts.take_waiting, State.ACCEPTED, soon, BATCH)

    async def one(found: Open) -> tuple[Open, Receipt | None]:
        provider = runtime.providers.get((found.clinic, found.channel))
        if provider is None or not found.provider_ref:
            return found, None
        return found, await asked(provider, provider.status(found.provider_ref))

    answers = await bounded(runtime, one, waiting)
    await runtime.work(_apply_polled, runtime, answers, now)
    return len(waiting)


def _apply_polled(
    conn: Connection,
    runtime: Runtime,
    answers: Sequence[tuple[Open, Receipt | None]],
    now: datetime,
) -> None:
    for found, receipt in answers:
        if receipt is not None and apply(conn, runtime, found, receipt, "poll", now):
            continue
        attempts.poll_again(conn, [found.message_id], next_poll(found.sent_at, now))


def next_poll(sent_at: datetime, now: datetime) -> datetime | None:
    """Return when to ask again: after as long as has passed already; never after two days."""
    age = now - sent_at
    return None if age > POLL_FOR else now + max(age, SHORTEST_POLL)


def apply(
    conn: Connection, runtime: Runtime, found: Open, receipt: Receipt, source: str, now: datetime
) -> bool:
    """Take a report on a message in; tell whether it is now in a final state.

    A message that did not arrive is planned again: another channel, or one more try. Of an attempt
    that another one has followed, only that it went is to be heeded: then nothing more may go.
    """
    step = after_receipt(found.state, receipt, now)
    if step is None:
        return False
    attempts.note_receipt(conn, found.message_id, now, source, step.state, receipt.code)
    if not found.is_last and step.state in NOT_REACHED:
        return False
    if not attempts.settle(
        conn, found.message_id, found.lease_token, step, now, receipt.ref or None
    ):
        return False
    detail: dict[str, object] = {"source": source}
    if step.reason:
        detail["reason"] = step.reason.value
    if receipt.code:
        detail["code"] = receipt.code
    fact = Fact(step.state.value, found.appointment_id, found.message_id, detail)
    write(conn, now, runtime.actor, [fact])
    if step.opt_out and runtime.digest(canonical(found.to)) == found.address_key:
        clinics.add_opt_out(conn, found.clinic_id, found.to, "provider", now)
    if step.state in {State.UNDELIVERED, State.FAILED}:
        cases.mark_for_planning(conn, [found.appointment_id])
    return step.state is not State.ACCEPTED


def by_callback(
    conn: Connection, runtime: Runtime, token: str, receipt: Receipt, now: datetime
) -> bool:
    """Take a callback in; tell whether its token is known. Repeats are harmless."""
    found = attempts.by_token(conn, token)
    if found is None:
        return False
    apply(conn, runtime, found, receipt, "callback", now)
    return True
