"""The machine's clock: the one that leases are counted on runs on while the machine sleeps."""

import time

import pytest

from reminders.clock import SystemClock


def test_elapsed_time_is_the_time_since_the_machine_started() -> None:
    """Elapsed time is CLOCK_BOOTTIME: that counts the hours that a lid is closed, as no other does."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    shown = SystemClock().elapsed()
    assert before <= shown <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_elapsed_time_runs_on_through_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has never slept other clocks show the same: which one is asked is held."""
    shown = {time.CLOCK_BOOTTIME: 5000.0, time.CLOCK_MONOTONIC: 100.0}
    monkeypatch.setattr(time, "clock_gettime", shown.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert SystemClock().elapsed() == 5000.0
