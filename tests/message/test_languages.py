"""Days in words: each clinic's own, whatever was said to another one before."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from reminders.message.languages import language_of


def test_one_instant_on_two_days() -> None:
    """Two clinics in different zones have different days at one instant, and are told their own."""
    swedish = language_of("sv")
    instant = datetime(2027, 1, 11, 22, 10, tzinfo=UTC)
    in_helsinki = instant.astimezone(ZoneInfo("Europe/Helsinki"))
    in_stockholm = instant.astimezone(ZoneInfo("Europe/Stockholm"))
    assert swedish.day(in_helsinki).endswith("12 januari")
    assert swedish.day(in_stockholm).endswith("11 januari")
    assert swedish.short_day(in_helsinki) != swedish.short_day(in_stockholm)
