"""Writing what the planner has decided for many visits: outbox, ledger, and what it now knows."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Update, select, update

from reminders.domain.alike import Outcome
from reminders.domain.outbox import Change
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.store import ledger, twins
from reminders.store.bulk import insert_rows, reserve, update_rows
from reminders.store.ledger import Fact
from reminders.store.rows import choice, chosen
from reminders.store.schema import appointment, message
from reminders.store.twins import Place

_DECIDED = (
    "version",
    "rule",
    "contact_id",
    "channel",
    "occasion",
    "state",
    "urgency",
    "due_at",
    "next_at",
    "not_after",
    "truth_starts_at",
    "truth_status",
    "address_key",
    "short",
    "counts_on",
    "reason",
    "covered_by",
    "request_id",
    "changed_at",
)
"""What a plan decides of a message."""

_NEW = ("id", "appointment_id", "clinic_id", *_DECIDED)


def write_plans(conn: Connection, outcomes: Sequence[Outcome], now: datetime, actor: str) -> None:
    """Make the outbox, the ledger and the visits say what the plans say."""
    waits = _waits(conn, outcomes)
    made = sum(change.id is None for outcome in outcomes for change in outcome.changes)
    ids = iter(reserve(conn, message, made) if made else ())
    new: list[tuple[object, ...]] = []
    changed: list[tuple[object, ...]] = []
    facts: list[Fact] = []
    for outcome in outcomes:
        visit = outcome.visit
        if visit.version != outcome.version:
            facts.append(_version(outcome))
        for change in outcome.changes:
            if change.id is None:
                row_id = next(ids)
                new.append((row_id, visit.id, visit.clinic_id, *_values(change, now)))
            else:
                row_id = change.id
                changed.append((*_values(change, now, waits.get(row_id)), row_id))
            facts.append(_fact(visit.id, row_id, change))
    insert_rows(conn, message, _NEW, new)
    update_rows(conn, message, _DECIDED, changed)
    ledger.write(conn, now, actor, facts)
    twins.mark(conn, _news(outcomes))  # before: what has been planned here knows of it already
    _save_planned(conn, outcomes)


def _news(outcomes: Sequence[Outcome]) -> set[Place]:
    """Return where visits were, and are, of which anything has changed.

    There another booking of the patient may have more, or less, to tell than before.
    """
    return {
        Place(visit.id, visit.patient_id, truth.starts_at)
        for visit, outcome in ((outcome.visit, outcome) for outcome in outcomes)
        if outcome.changes or outcome.version != visit.version
        for truth in (visit.truth, visit.planned or visit.truth)
    }


def _waits(conn: Connection, outcomes: Sequence[Outcome]) -> dict[int, datetime]:
    """Return until when planned messages wait for a busy provider: a plan does not shorten it."""
    ids = [c.id for outcome in outcomes for c in outcome.changes if c.id is not None]
    if not ids:
        return {}
    found = conn.execute(_put_off(conn.dialect.name), choice(conn, ids))
    return {row.id: row.next_at for row in found}


@cache
def _put_off(dialect: str) -> Select[Any]:
    return select(message.c.id, message.c.next_at).where(
        chosen(dialect, message.c.id),
        message.c.state == State.PLANNED.value,
        message.c.reason.in_([Reason.PROVIDER_BUSY.value, Reason.OUT_OF_REACH.value]),
        message.c.next_at.is_not(None),
    )


def _version(outcome: Outcome) -> Fact:
    truth = outcome.visit.truth
    detail = {
        "version": outcome.version,
        "starts_at": truth.starts_at.isoformat(),
        "status": truth.status.value,
    }
    return Fact("version", outcome.visit.id, None, detail)


def _fact(visit_id: int, row_id: int, change: Change) -> Fact:
    detail = {"rule": change.key.rule, "channel": change.key.channel.value}
    if change.reason:
        detail["reason"] = change.reason.value
    if change.covered_by:
        detail["covered_by"] = change.covered_by
    return Fact(change.state.value, visit_id, row_id, detail)


def _values(
    change: Change, now: datetime, waits_until: datetime | None = None
) -> tuple[object, ...]:
    key = change.key
    planned = change.state is State.PLANNED
    waits = planned and waits_until is not None and waits_until > change.due_at
    reason = Reason.PROVIDER_BUSY if waits else change.reason
    next_at = waits_until if waits else change.due_at
    return (
        key.version,
        key.rule,
        key.contact,
        key.channel.value,
        key.occasion,
        change.state.value,
        0 if change.urgent else 1,
        change.due_at,
        next_at if planned else None,
        change.not_after,
        change.truth.starts_at,
        change.truth.status.value,
        change.address_key,
        change.short,
        change.counts_on,
        reason.value if reason else None,
        change.covered_by,
        change.request_id,
        now,
    )


def _save_planned(conn: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write what the planner now knows of visits.

    The snapshot is copied from the row itself, so that it equals the row in every notation that
    another system may have written it in.
    """
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for outcome in outcomes:
        alike[outcome.version, outcome.known_at, outcome.planned_at].append(outcome.visit.id)
    for (version, known_at, planned_at), ids in alike.items():
        known = {"version": version, "known_at": known_at, "planned_at": planned_at}
        conn.execute(_planned(conn.dialect.name), {**choice(conn, ids), **known})


@cache
def _planned(dialect: str) -> Update:
    """Return what sets of `:ids` the columns that are given too."""
    return (
        update(appointment)
        .where(chosen(dialect, appointment.c.id))
        .values(
            needs_plan=False,
            planned_starts_at=appointment.c.starts_at,
            planned_status=appointment.c.status,
        )
    )
