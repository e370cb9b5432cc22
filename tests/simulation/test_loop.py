"""Virtual time: it jumps, it keeps order, and it notices when nothing can happen any more."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from reminders.simulation.clock import VirtualClock
from reminders.simulation.loop import StuckError, run

START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def test_a_year_passes_at_once() -> None:
    """Waiting takes no time, and the clock shows what was waited for."""
    clock = VirtualClock(START)
    run(clock, asyncio.sleep(365 * 86_400))
    assert clock.now() == START + timedelta(days=365)


def test_timers_fire_in_order() -> None:
    """Of two that wait, the shorter wait ends first, each at its own time."""
    clock = VirtualClock(START)
    seen: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, clock.elapsed()))

    async def both() -> None:
        await asyncio.gather(wait("late", 60), wait("soon", 0.5))

    run(clock, both())
    assert seen == [("soon", 0.5), ("late", 60.0)]


def test_a_wrong_wall_clock_lets_no_time_pass() -> None:
    """Setting the wall clock moves nothing that waits."""
    clock = VirtualClock(START)

    async def scene() -> float:
        waiting = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(1)
        clock.jump(timedelta(hours=-5))
        await waiting
        return clock.elapsed()

    assert run(clock, scene()) == 10.0
    assert clock.now() == START + timedelta(seconds=10, hours=-5)


def test_waiting_for_nothing_is_an_error() -> None:
    """A world in which nothing can happen any more says so, and does not hang."""
    with pytest.raises(StuckError, match="nothing is left"):
        run(VirtualClock(START), asyncio.Event().wait())


def test_a_circle_is_an_error() -> None:
    """A program that runs in a circle while time stands still is stopped."""

    async def circle() -> None:
        while True:  # noqa: ASYNC110 - the circle is what is tested
            await asyncio.sleep(0)

    with pytest.raises(StuckError, match="circle"):
        run(VirtualClock(START), circle())


def test_database_work_needs_no_thread() -> None:
    """What is given to an executor is done in line, and its error comes back."""

    async def scene() -> int:
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        return await loop.run_in_executor(None, int, "7")

    assert run(VirtualClock(START), scene()) == 7
