"""The wall clock jumps: nobody is written to by a time that may be wrong."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from reminders.domain.outcome import Outcome, OutgoingMessage
from reminders.engine import holding
from reminders.engine.dispatch import Dispatcher
from reminders.providers.sandbox import Sandbox
from reminders.store import keeping
from reminders.store.keeping import Cause
from tests.engine.clinic import Clinic, row

Make = Callable[..., Clinic]

HOURS = timedelta(hours=8)
DUE = "2026-12-01 10:00"


def held(clinic: Clinic) -> Cause | None:
    """Return why nothing is sent."""
    return clinic.runtime.in_transaction(keeping.held_by)


@pytest.fixture
def waiting(clinic: Clinic) -> Clinic:
    """Return a clinic with one text due on Tuesday at ten, and its worker at work since seven."""
    clinic.read(row(start="2026-12-02 10:00"), confirmations=False)
    for _ in range(2):
        clinic.until("2026-12-01 07:00")
    assert clinic.texts() == []
    return clinic


def test_a_clock_that_jumps_ahead_sends_nothing(waiting: Clinic) -> None:
    """A text that is due by a clock that has jumped is held, and goes when the clock is right."""
    waiting.clock.jump(HOURS)
    waiting.until("2026-12-01 15:10")
    assert waiting.texts() == []
    assert held(waiting) is Cause.CLOCK
    waiting.clock.jump(-HOURS)
    waiting.until("2026-12-01 11:00")
    assert [text.at for text in waiting.texts()] == [DUE]
    assert held(waiting) is None


def test_a_clock_that_jumps_back_loses_nothing(waiting: Clinic) -> None:
    """A clock set back by hours says so: nothing is late unseen; set right, the text goes."""
    waiting.clock.jump(-HOURS)
    waiting.until("2026-11-30 23:30")
    assert held(waiting) is Cause.CLOCK
    waiting.clock.jump(HOURS)
    waiting.until("2026-12-01 11:00")
    assert [text.at for text in waiting.texts()] == [DUE]


def test_what_a_person_holds_as_well_stays_held(waiting: Clinic) -> None:
    """Somebody stops all sending while the clock has: a clock that is right lets nothing go."""
    waiting.clock.jump(HOURS)
    waiting.until("2026-12-01 15:10")
    waiting.runtime.in_transaction(holding.hold, waiting.runtime, waiting.clock.now())
    waiting.clock.jump(-HOURS)
    waiting.until("2026-12-01 11:00")
    assert waiting.texts() == []
    assert held(waiting) is Cause.PERSON


def test_a_person_believes_the_clock(waiting: Clinic) -> None:
    """Who releases what the clock has stopped lets it go on by the clock as it is now."""
    waiting.clock.jump(HOURS)
    waiting.until("2026-12-01 15:10")
    waiting.runtime.in_transaction(holding.release, waiting.runtime, waiting.clock.now())
    waiting.until("2026-12-01 15:20")
    assert [text.at for text in waiting.texts()] == ["2026-12-01 15:10"]
    assert held(waiting) is None


def test_a_small_step_stops_nothing(waiting: Clinic) -> None:
    """A clock that is put right by minutes, again and again, stops nothing."""
    for time in ("08:00", "08:30", "09:00", "09:30"):
        waiting.clock.jump(timedelta(minutes=20))
        waiting.until(f"2026-12-01 {time}")
    waiting.until("2026-12-01 11:00")
    assert [text.at for text in waiting.texts()] == [DUE]
    assert held(waiting) is None


def test_what_was_claimed_before_the_clock_was_set_back_waits(open_clinic: Make) -> None:
    """A text on its way as the clock is put right was judged by a time that has not come: it waits."""

    class Phone(Sandbox):
        asked = 0

        async def send(self, message: OutgoingMessage) -> Outcome:
            Phone.asked += 1
            if Phone.asked == 1:
                clinic.clock.jump(-timedelta(minutes=20))
            return await super().send(message)

    clinic = open_clinic(make_provider=lambda _name, setup: Phone(setup))
    clinic.read(row(start="2026-12-02 10:00"), confirmations=False)
    clinic.until("2026-12-01 09:50")
    assert Phone.asked == 0
    clinic.clock.jump(timedelta(minutes=20))
    clinic.until("2026-12-01 09:55")
    assert Phone.asked == 1
    assert clinic.texts() == []
    clinic.until("2026-12-01 11:00")
    assert [text.at for text in clinic.texts()] == [DUE]


def test_a_start_before_the_last_work_is_noticed(waiting: Clinic) -> None:
    """A machine that starts with a clock hours behind its own last work holds until it is right."""
    waiting.clock.jump(-HOURS)
    waiting.dispatcher = Dispatcher(waiting.runtime, "the next")
    waiting.until("2026-11-30 23:30")
    assert held(waiting) is Cause.CLOCK
    waiting.clock.jump(HOURS + timedelta(minutes=50))
    waiting.until("2026-12-01 11:00")
    assert [text.at for text in waiting.texts()] == [DUE]


def test_what_a_person_stopped_no_clock_lets_go(waiting: Clinic) -> None:
    """A clock that is right again releases only what it has stopped itself."""
    waiting.runtime.in_transaction(holding.hold, waiting.runtime, waiting.clock.now())
    waiting.clock.jump(HOURS)
    waiting.until("2026-12-01 15:10")
    waiting.clock.jump(-HOURS)
    waiting.until("2026-12-01 11:00")
    assert held(waiting) is Cause.PERSON
    assert waiting.texts() == []
