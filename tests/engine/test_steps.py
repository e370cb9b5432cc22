"""Long work is done in steps that what falls due can wait for."""

from reminders.engine.dispatch import FEWEST, MOST_PLANNED, STEP, Dispatcher
from tests.engine.clinic import Clinic


def test_planning_goes_in_steps_that_fit_the_machine(clinic: Clinic) -> None:
    """Where a chunk takes long the next is smaller, where it is quick larger, within bounds."""
    dispatcher = Dispatcher(clinic.runtime, "one")
    for _ in range(20):
        dispatcher._fit(dispatcher._chunk, STEP / 10)
    assert dispatcher._chunk == MOST_PLANNED
    dispatcher._fit(MOST_PLANNED, STEP * 4)
    assert dispatcher._chunk == MOST_PLANNED // 4
    dispatcher._fit(1, STEP * 100)
    assert dispatcher._chunk == MOST_PLANNED // 4, "a chunk that is not full tells nothing"
    for _ in range(20):
        dispatcher._fit(dispatcher._chunk, STEP * 100)
    assert dispatcher._chunk == FEWEST
