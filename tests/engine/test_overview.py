"""The first page: what went and what is to go, by the hour."""

from datetime import timedelta

from reminders.engine import overview
from tests.engine.clinic import Clinic, at, row


def test_each_message_is_counted_in_its_hour(clinic: Clinic) -> None:
    """What went stands in the hour in which it went, and what is to go in the hour it is due."""
    clinic.read(row("B1", "2026-12-02 10:30"))
    clinic.plan()
    clinic.until("2026-12-01 10:45")
    seen = clinic.runtime.in_transaction(
        overview.today, clinic.runtime, "internet", clinic.clock.now()
    )
    assert [(hour.at, hour.reached) for hour in seen.hours if hour.reached] == [
        (at("2026-12-01 10:00"), 1)
    ]
    assert (seen.reached, seen.planned, seen.missed) == (1, 0, 0)
    clinic.until("2026-12-02 09:50")
    seen = clinic.runtime.in_transaction(
        overview.today, clinic.runtime, "internet", clinic.clock.now()
    )
    assert [(hour.at, hour.planned) for hour in seen.hours if hour.planned] == [
        (at("2026-12-02 10:00"), 1)
    ]
    assert seen.hours[0].at == at("2026-12-02 01:00")
    assert seen.hours[1].at - seen.hours[0].at == timedelta(hours=1)
