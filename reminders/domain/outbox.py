"""The difference between a plan and the outbox: the rows to write so that they agree."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from reminders.domain.appointment import Appointment, Truth, VisitStatus
from reminders.domain.decision import Decision, Kept, Send, Suppress
from reminders.domain.lifecycle import check
from reminders.domain.message import Key, Message, is_open, latest_per_rule
from reminders.domain.plan import Case, Plan
from reminders.domain.reasons import UNRECORDED, Reason
from reminders.domain.rules import Event, Practice
from reminders.domain.state import State
from reminders.domain.timing import NEWS
from reminders.domain.told import counts_on

NOT_BY_TEXT = frozenset(
    {Reason.PROTECTED_IDENTITY, Reason.GUARDIAN_NOT_CHOSEN, Reason.GUARDIAN_DECLINED}
)
"""Why somebody gets no text at all, who may know of the visit from the clinic itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row to insert (`id` None) or to update, with all that the plan decides of it."""

    id: int | None
    key: Key
    state: State
    truth: Truth
    due_at: datetime
    not_after: datetime
    reason: Reason | None = None
    covered_by: str | None = None
    address_key: str = ""
    short: bool = False
    urgent: bool = False
    request_id: int | None = None
    counts_on: datetime | None = None


def difference(case: Case, plan: Plan, practice: Practice) -> list[Change]:
    """Return the changes that make the outbox say what the plan says; none if it does already."""
    rows = {message.key: message for message in case.history}
    truth = plan.appointment.truth
    changes: list[Change] = []
    mentioned: set[Key] = set()
    for decided in plan.decisions:
        key = _key(decided)
        mentioned.add(key)
        decision = _recorded(decided, rows.get(key), plan.appointment, practice)
        change = _change(decision, rows.get(key), truth, _counts_on(key, case, plan, practice))
        if change is not None:
            changes.append(change)
    for message in case.history:
        if message.state is State.PLANNED and message.key not in mentioned:
            reason = _why_gone(message, case, plan, practice)
            changes.append(_with_state(message, State.CANCELLED, reason))
    return changes


def written(history: Iterable[Message], changes: Iterable[Change]) -> list[Message]:
    """Return the rows as they would be with these changes; new ones have ids after all others."""
    rows = {message.id: message for message in history}
    fresh = itertools.count(max(rows, default=0) + 1)
    for change in changes:
        before = rows.get(change.id) if change.id is not None else None
        row = Message(
            before.id if before else next(fresh),
            change.key,
            change.state,
            change.truth,
            change.due_at,
            change.not_after,
            change.address_key,
            change.short,
            before.attempts if before else 0,
            change.reason,
            sent_at=before.sent_at if before else None,
            request_id=change.request_id,
            counts_on=change.counts_on,
        )
        rows[row.id] = row
    return sorted(rows.values(), key=lambda message: message.id)


def _key(decision: Decision) -> Key:
    return decision.message.key if isinstance(decision, Kept) else decision.key


def _recorded(
    decision: Decision, row: Message | None, visit: Appointment, practice: Practice
) -> Decision:
    """Return a decision with the reason that its row is to say.

    Of a booking that came with no confirmations to be sent, people know already (see domain/told).
    The row of its confirmation says so, and keeps it, whatever else speaks against texts to them:
    a change is news to them all the same.
    """
    if visit.confirm or not isinstance(decision, Suppress) or decision.request_id is not None:
        return decision
    rule = practice.rule.get(decision.key.rule)
    if rule is None or rule.when is not Event.BOOKED or decision.reason in UNRECORDED:
        return decision
    expected = visit.truth.status is VisitStatus.BOOKED and visit.kind in practice.video_kinds
    known = row is not None and row.reason is Reason.NO_CONFIRMATIONS
    if known or (expected and decision.reason in NOT_BY_TEXT):
        return replace(decision, reason=Reason.NO_CONFIRMATIONS)
    return decision


def _counts_on(key: Key, case: Case, plan: Plan, practice: Practice) -> datetime | None:
    """Return the start that the reader of a text of a change still expects."""
    rule = practice.rule.get(key.rule)
    if rule is None or rule.when not in NEWS or not case.history:
        return None
    contact = next((one for one in case.contacts if one.id == key.contact), None)
    visit = plan.appointment
    if contact is None or visit.known_at is None:
        return None
    return counts_on(case.history, contact, visit.truth, visit.known_at)


def _change(
    decision: Decision, row: Message | None, truth: Truth, expected: datetime | None
) -> Change | None:
    match decision:
        case Kept():
            return None
        case Send():
            return _planned(decision, row, truth, expected)
        case Suppress():
            return _suppressed(decision, row, truth, expected)
        case _:
            assert_never(decision)


def _planned(
    send: Send, row: Message | None, truth: Truth, expected: datetime | None
) -> Change | None:
    if row is not None:
        check(row.state, State.PLANNED)
        same = (row.due_at, row.not_after, row.address_key, row.short, row.truth) == (
            send.due_at,
            send.not_after,
            send.address_key,
            send.short,
            truth,
        )
        if same and row.state is State.PLANNED and row.counts_on == expected:
            return None
    return Change(
        row.id if row else None,
        send.key,
        State.PLANNED,
        truth,
        send.due_at,
        send.not_after,
        address_key=send.address_key,
        short=send.short,
        urgent=send.urgent,
        request_id=send.request_id,
        counts_on=expected,
    )


def _suppressed(
    suppress: Suppress, row: Message | None, truth: Truth, expected: datetime | None
) -> Change | None:
    recorded = suppress.reason not in UNRECORDED
    if row is None:
        if not recorded:
            return None
        start = truth.starts_at
        return Change(
            None,
            suppress.key,
            State.SUPPRESSED,
            truth,
            start,
            start,
            suppress.reason,
            suppress.covered_by,
            request_id=suppress.request_id,
            counts_on=expected,
        )
    if not is_open(row) or (row.state is not State.PLANNED and row.reason is suppress.reason):
        return None
    if row.state is State.PLANNED and suppress.reason is Reason.TOO_LATE:
        return _with_state(row, State.EXPIRED, Reason.DEADLINE_PASSED)
    state = State.SUPPRESSED if recorded else State.CANCELLED
    return _with_state(row, state, suppress.reason, suppress.covered_by)


def _with_state(
    row: Message, state: State, reason: Reason, covered_by: str | None = None
) -> Change:
    return Change(
        row.id,
        row.key,
        check(row.state, state),
        row.truth,
        row.due_at,
        row.not_after,
        reason,
        covered_by,
        row.address_key,
        row.short,
        request_id=row.request_id,
        counts_on=row.counts_on,
    )


def _why_gone(message: Message, case: Case, plan: Plan, practice: Practice) -> Reason:
    if plan.appointment.truth.status is VisitStatus.CANCELLED:
        return Reason.VISIT_CANCELLED
    if message.key.version != plan.appointment.version:
        return Reason.VISIT_CHANGED
    if message.key.rule not in practice.rule:
        return Reason.RULE_OFF
    if message.key.contact not in {contact.id for contact in case.contacts}:
        return Reason.CONTACT_REMOVED
    slot = message.key[1:4]
    if any(isinstance(d, Kept) and d.message.key[1:4] == slot for d in plan.decisions):
        return Reason.ALREADY_SENT
    if _was_asked_again(message, case):
        return Reason.ASKED_AGAIN
    return Reason.OTHER_CHANNEL


def _was_asked_again(message: Message, case: Case) -> bool:
    """Tell whether a later request is answered in the place of the one that led to a message."""
    asked = {request.id for request in case.requests}
    return message.request_id in asked - {request.id for request in latest_per_rule(case.requests)}
