"""Planning: bringing the outbox to what the rules and the present truth ask for.

The shortest path: pending ids → cases → `plan` → `difference` → rows. Nothing else makes messages.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import structlog

from reminders.domain.alike import Planner
from reminders.domain.decision import Suppress
from reminders.domain.plan import Case, plan
from reminders.domain.reasons import UNRECORDED, Reason
from reminders.domain.replies import REPLY_KEYS
from reminders.domain.rules import Practice
from reminders.domain.state import State
from reminders.engine.runtime import Runtime
from reminders.store import anew, cases, clinics, plans, queue, turns
from reminders.store.database import Connection

log = structlog.get_logger()

PLANNER = "planner"
CHUNK = 400
"""Visits planned in one transaction: so few that what falls due meanwhile need not wait."""


def plan_pending(
    conn: Connection, runtime: Runtime, now: datetime, most: int = CHUNK
) -> tuple[int, int]:
    """Plan one chunk of the visits that wait for it; return (visits, messages planned).

    Where there are more than one chunk, those with a text that is due go first: it waits for them.
    What other rules had planned is planned anew where there is room, and is not marked before.
    """
    keys = list(runtime.practices)
    ids = cases.pending(conn, most, keys, now)
    if len(ids) == most:
        urgent = cases.pending_among(conn, queue.unplanned(conn, now, most), keys)
        ids = list(dict.fromkeys(urgent + ids))[:most]
    else:
        digests = [_digest(practice) for practice in runtime.practices.values()]
        others = anew.take(conn, keys, digests, now, most - len(ids))
        ids = list(dict.fromkeys(ids + others))
    return len(ids), plan_visits(conn, runtime, ids, now)


def plan_visits(conn: Connection, runtime: Runtime, ids: Sequence[int], now: datetime) -> int:
    """Plan these visits now; return how many messages were planned."""
    planners = {key: Planner(practice, now) for key, practice in runtime.practices.items()}
    outcomes = [
        planners[case.appointment.clinic].outcome(case)
        for case in cases.load_cases(conn, ids, runtime.digest)
    ]
    plans.write_plans(conn, outcomes, now, PLANNER)
    _own_up(conn, runtime, {outcome.visit.clinic for outcome in outcomes})
    return sum(change.state is State.PLANNED for outcome in outcomes for change in outcome.changes)


def _own_up(conn: Connection, runtime: Runtime, keys: set[str]) -> None:
    """Say where others plan by other rules by now: who comes with theirs plans all visits anew.

    The configuration was changed since this process has read it. What it has planned is not what
    the clinic wants now, and must not be taken for it once the process is started again.
    """
    for key in sorted(keys):
        if clinics.doubt_practice(conn, key, _digest(runtime.practices[key])):
            log.warning(
                "rules_have_changed",
                clinic=key,
                advice="start this process again: the configuration has changed since it began",
            )


def check_rules(conn: Connection, runtime: Runtime, now: datetime) -> int:
    """Have visits planned anew where a clinic's rules have changed; return how many clinics.

    The planner does it chunk by chunk, beside sending, and a process that ends leaves the rest to
    the others, or to its next start.
    """
    turns.wait_turn(conn, "rules")
    changed = 0
    for key, practice in runtime.practices.items():
        clinic_id = clinics.clinic_id(conn, key)
        digest = _digest(practice)
        if clinics.practice_digest(conn, clinic_id) != digest:
            anew.begin(conn, clinic_id, digest, now)
            changed += 1
    return changed


@lru_cache(maxsize=64)
def _digest(practice: Practice) -> str:
    return hashlib.sha256(repr(_stable(practice)).encode()).hexdigest()


def _stable(value: object) -> object:
    """Return something whose `repr` is the same in every process: sets are put in order."""
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        told = [name for name, field in fields.items() if field.compare]
        return [(name, _stable(getattr(value, name))) for name in told]
    if isinstance(value, tuple):
        return [_stable(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision that leaves no row: which rule, for whom, and why there is no message."""

    rule: str
    contact: int
    reason: Reason


def explain(runtime: Runtime, case: Case, now: datetime) -> list[Explanation]:
    """Return the decisions about a visit that need no row, for those who ask why."""
    practice = runtime.practices[case.appointment.clinic]
    return [
        Explanation(decision.key.rule, decision.key.contact, decision.reason)
        for decision in plan(case, practice, now).decisions
        if isinstance(decision, Suppress)
        and decision.reason in UNRECORDED
        and decision.key.rule not in REPLY_KEYS
    ]
