"""Many visits wait for the planner, after a change of the rules or an import: what goes first."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, insert, update

from reminders.engine.approval import Shelf
from reminders.engine.claiming import claim
from reminders.engine.looking import look
from reminders.engine.planning import check_rules, plan_pending
from reminders.store import anew, cases, clinics, outbox, pulse, schema, views
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]
TWO_DAYS = {"rules__two_days__before": "48h", "rules__two_days__template": "day_before"}
LESS = {"rules__fifteen_minutes__before": "14m"}
LATER = {"rules__day_before__before": "20h"}
MANY, CHUNK = 3000, 50
FIRST = 1000
HOUR = timedelta(hours=1)


def fill(clinic: Clinic, starts: Sequence[datetime], *, marked: bool = False) -> list[int]:
    """Write visits that nobody is told of, planned already or marked; return their ids."""
    ids = list(range(FIRST, FIRST + len(starts)))
    now = clinic.clock.now()
    with clinic.runtime.database.transaction() as conn:
        clinic_id = clinics.clinic_id(conn, "internet")
        conn.execute(
            insert(schema.patient),
            [{"id": n, "clinic_id": clinic_id, "external_key": f"patient:{n}"} for n in ids],
        )
        conn.execute(
            insert(schema.appointment),
            [
                {
                    "id": n, "clinic_id": clinic_id, "ref": f"V{n}", "patient_id": n,
                    "kind": "Videobesök", "starts_at": start, "confirm": False, "version": 1,
                    "planned_starts_at": start, "planned_status": "booked", "known_at": now,
                    "planned_at": now, "needs_plan": marked,
                }
                for n, start in zip(ids, starts, strict=True)
            ],
        )  # fmt: skip
    return ids


def around(now: datetime, count: int) -> list[datetime]:
    """Return starts, half of which are past, many at one instant."""
    return [now + HOUR * (n // 20 - count // 40) for n in range(count)]


def plan_chunk(clinic: Clinic) -> int:
    """Plan one chunk; return of how many visits."""
    now = clinic.clock.now()
    return clinic.runtime.in_transaction(plan_pending, clinic.runtime, now, CHUNK)[0]


def claimed(clinic: Clinic) -> int:
    """Claim what is due; return how many texts."""
    now = clinic.clock.now()
    return len(clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), now, 10).claimed)


@contextmanager
def writes(clinic: Clinic) -> Iterator[list[int]]:
    """Give how many visits each transaction writes."""
    each = [0]
    engine = clinic.runtime.database.engine

    def count(conn, cursor, statement, parameters, context, executemany) -> None:
        if statement.lstrip().startswith("UPDATE appointment"):
            each[-1] += cursor.rowcount

    def end(conn) -> None:
        each.append(0)

    event.listen(engine, "after_cursor_execute", count)
    event.listen(engine, "commit", end)
    try:
        yield each
    finally:
        event.remove(engine, "after_cursor_execute", count)
        event.remove(engine, "commit", end)


def test_other_rules_are_brought_in_by_short_transactions(clinic: Clinic) -> None:
    """No transaction writes more visits than a chunk, and each visit is planned anew once."""
    fill(clinic, around(clinic.clock.now(), 220))
    clinic.plan()
    clinic.config = clinic._config(clinic.config.database.url, TWO_DAYS)
    clinic.runtime = clinic._build()
    with writes(clinic) as each:
        clinic.runtime.in_transaction(check_rules, clinic.runtime, clinic.clock.now())
        planned = [plan_chunk(clinic) for _ in range(6)]
    assert planned == [50, 50, 50, 50, 20, 0]
    assert max(each) == CHUNK


def test_a_process_that_ends_leaves_the_rest_to_its_next_start(clinic: Clinic) -> None:
    """What was planned anew before is not planned again, and what was not is, by whoever comes."""
    fill(clinic, around(clinic.clock.now(), 220))
    clinic.plan()
    clinic.restart(**TWO_DAYS)
    assert plan_chunk(clinic) == CHUNK
    clinic.restart(**TWO_DAYS)
    assert [plan_chunk(clinic) for _ in range(5)] == [50, 50, 50, 20, 0]


def test_other_rules_again_begin_from_the_start(clinic: Clinic) -> None:
    """Rules that are changed in the middle are brought to all visits, not to the rest alone."""
    fill(clinic, around(clinic.clock.now(), 220))
    clinic.plan()
    clinic.restart(**TWO_DAYS)
    assert plan_chunk(clinic) == CHUNK
    clinic.restart(**LATER)
    assert sum(plan_chunk(clinic) for _ in range(6)) == 220


def test_who_has_other_rules_does_not_plan_anew(clinic: Clinic) -> None:
    """A process of before leaves the rest to one that has read the new configuration."""
    fill(clinic, around(clinic.clock.now(), 100))
    clinic.plan()
    old = clinic.runtime
    clinic.restart(**TWO_DAYS)
    assert old.in_transaction(plan_pending, old, clinic.clock.now(), CHUNK) == (0, 0)
    assert [plan_chunk(clinic) for _ in range(3)] == [50, 50, 0]


def test_the_soonest_is_planned_anew_first_and_the_past_last(clinic: Clinic) -> None:
    """After all that is to come, what has begun: not what is over for long."""
    now = clinic.clock.now()
    apart = [-40 * 24, -48, -1, 2, 1, 72, 1]
    past, gone, begun, second, first, last, also = fill(clinic, [now + HOUR * n for n in apart])
    clinic.plan()
    clinic.restart(**TWO_DAYS)
    found: list[list[int]] = []
    with clinic.runtime.database.transaction() as conn:
        digest = clinics.practice_digest(conn, 1) or ""
        assert pulse.pulse(conn, now).pending == 6
        assert [v.needs_plan for v in views.visits(conn, ids=[first, last])] == [True, True]
        while found[-1:] != [[]]:
            found.append(anew.take(conn, ["internet"], [digest], now, 2))
        assert pulse.pulse(conn, now).pending == 0
        assert not outbox.agenda(conn).pending
    assert found == [[first, also], [second, last], [gone, begun], []]
    assert all(past not in ids for ids in found)


def test_what_is_to_come_is_planned_before_what_has_begun(clinic: Clinic) -> None:
    """Of visits that wait for the planner the soonest go first, and the past comes last."""
    now = clinic.clock.now()
    gone, begun, second, first = fill(
        clinic, [now + HOUR * n for n in (-48, -1, 2, 0)], marked=True
    )
    with clinic.runtime.database.transaction() as conn:
        assert cases.pending(conn, 9, ["internet"], now) == [first, second, begun, gone]
        assert cases.pending(conn, 3, ["internet"], now) == [first, second, begun]


def test_a_change_of_the_rules_holds_no_text_up(clinic: Clinic) -> None:
    """A text that is due, and that the new rules want too, goes before anything is planned anew."""
    clinic.read(row())
    clinic.plan()
    fill(clinic, around(clinic.clock.now(), MANY))
    clinic.clock.set(at("2026-12-01 10:00"))
    clinic.restart(**LESS)
    plan_chunk(clinic)
    assert claimed(clinic) == 1


def test_a_due_text_goes_by_the_new_rules(clinic: Clinic) -> None:
    """A text that the new rules want later does not go: its visit is planned before all others."""
    clinic.read(row())
    clinic.plan()
    fill(clinic, around(clinic.clock.now(), MANY))
    clinic.clock.set(at("2026-12-01 10:00"))
    clinic.restart(**LATER)
    assert claimed(clinic) == 0
    plan_chunk(clinic)
    assert claimed(clinic) == 0
    clinic.clock.set(at("2026-12-01 14:00"))
    assert claimed(clinic) == 1


def test_a_text_of_a_new_rule_stands_for_one_that_is_due(clinic: Clinic) -> None:
    """Where a new rule has a text for the same person by now, one goes, though none was planned."""
    clinic.read(row())
    clinic.plan()
    fill(clinic, around(clinic.clock.now(), MANY))
    clinic.clock.set(at("2026-12-01 10:00"))
    clinic.restart(**TWO_DAYS)
    assert claimed(clinic) == 0
    plan_chunk(clinic)
    assert claimed(clinic) == 1
    ends = {rule: (state, reason) for rule, _, state, reason in clinic.states("B1")}
    assert {ends["two_days"], ends["day_before"]} == {
        ("sending", None),
        ("suppressed", "covered_by"),
    }


@pytest.mark.parametrize("passes", [False, True])
def test_what_waits_with_a_due_text_is_planned_first(clinic: Clinic, passes: bool) -> None:
    """However many visits wait for the planner, a text that is due waits for one chunk of them."""
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    now = clinic.clock.now()
    past = [now - HOUR * n for n in range(1, MANY // 2)]
    fill(clinic, past + [now + HOUR for _ in range(MANY // 2)], marked=True)
    visit = schema.appointment
    with clinic.runtime.database.transaction() as conn:
        conn.execute(update(visit).where(visit.c.ref == "B1").values(needs_plan=passes))
    if passes:
        assert claimed(clinic) == 0
        clinic.runtime.in_transaction(look, clinic.runtime, now, CHUNK)
    assert claimed(clinic) == 1
