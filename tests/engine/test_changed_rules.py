"""Rules that change while a process still goes by the old ones."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from reminders.engine.planning import plan_pending
from tests.engine.clinic import Clinic, row

Make = Callable[..., Clinic]
TWO_DAYS = {"rules__two_days__before": "48h", "rules__two_days__template": "day_before"}
BEFORE = "2026-12-04 10:00"


def rules_of(clinic: Clinic, ref: str) -> set[str]:
    """Return the rules that have a message for a booking."""
    return {state[0] for state in clinic.states(ref)}


def plan(clinic: Clinic, runtime) -> None:
    """Plan what waits, as a process does that has the rules of `runtime`."""
    while runtime.in_transaction(plan_pending, runtime, clinic.clock.now())[0]:
        pass


def test_what_was_planned_by_old_rules_is_planned_anew(open_clinic: Make) -> None:
    """A daemon that was not started again plans a booking; its next start brings the new rule."""
    clinic = open_clinic()
    old = clinic.runtime
    clinic.restart(**TWO_DAYS)  # somebody who runs a command reads the new configuration
    clinic.read(row(start=BEFORE))
    with capture_logs() as logs:
        plan(clinic, old)
    assert [entry["event"] for entry in logs] == ["rules_have_changed"]
    assert "two_days" not in rules_of(clinic, "B1")
    clinic.restart(**TWO_DAYS)
    clinic.plan()
    assert "two_days" in rules_of(clinic, "B1")


@pytest.mark.parametrize("changes", [{}, TWO_DAYS])
def test_the_same_rules_leave_what_is_planned(open_clinic: Make, changes: dict[str, str]) -> None:
    """Who plans by the clinic's rules says nothing, and the next start plans nothing anew."""
    clinic = open_clinic(**changes)
    clinic.read(row(start=BEFORE))
    with capture_logs() as logs:
        clinic.plan()
    assert logs == []
    clinic.restart(**changes)
    assert clinic.runtime.in_transaction(plan_pending, clinic.runtime, clinic.clock.now()) == (0, 0)
