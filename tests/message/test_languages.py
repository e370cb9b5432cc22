"""Days in words: each clinic's own, whatever was said to another one before."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from reminders.message.languages import language_of


def test_one_instant_on_two_days() -> None:
    """Two clinics in different zones have different days at one instant, and are told their own."""
    swedish = language_of("sv")
    instant = datetime(2027, 1, 11, 22, 10, tzinfo=UTC)
    today = instant.date()
    in_helsinki = instant.astimezone(ZoneInfo("Europe/Helsinki"))
    in_stockholm = instant.astimezone(ZoneInfo("Europe/Stockholm"))
    assert swedish.day(in_helsinki, today).endswith("12 januari")
    assert swedish.day(in_stockholm, today).endswith("11 januari")
    assert swedish.short_day(in_helsinki) != swedish.short_day(in_stockholm)


@pytest.mark.parametrize(
    ("today", "swedish", "english"),
    [
        (date(2026, 12, 30), "torsdag 14 januari 2027", "Thursday 14 January 2027"),
        (date(2027, 1, 2), "torsdag 14 januari", "Thursday 14 January"),
        (date(2026, 7, 20), "torsdag 14 januari 2027", "Thursday 14 January 2027"),
        (date(2027, 1, 15), "torsdag 14 januari", "Thursday 14 January"),
        (date(2028, 1, 1), "torsdag 14 januari 2027", "Thursday 14 January 2027"),
    ],
)
def test_a_date_of_another_year_is_said_with_it(today, swedish, english) -> None:
    """Who reads in December of a day in January is told of which year."""
    day = date(2027, 1, 14)
    assert language_of("sv").day(day, today) == swedish
    assert language_of("en").day(day, today) == english


@pytest.mark.parametrize(
    ("day", "said"),
    [(date(2027, 7, 7), "onsdag 7 juli"), (date(2027, 7, 8), "torsdag 8 juli 2027")],
)
def test_a_date_more_than_half_a_year_ahead_is_said_with_its_year(day, said) -> None:
    """Half a year is a long time: the year is said within it too."""
    assert language_of("sv").day(day, date(2027, 1, 5)) == said


@pytest.mark.parametrize(
    ("language", "days"),
    [
        ("sv", ["i dag", "i morgon ons", "tors 3 dec.", "i dag", "i morgon onsdag"]),
        ("en", ["today", "tomorrow Wed", "Thu 3 Dec", "today", "tomorrow Wednesday"]),
    ],
)
def test_tomorrow_is_said_with_its_weekday(language, days) -> None:
    """Who reads in the morning what was sent in the evening sees that the visit is today."""
    of, today = language_of(language), date(2026, 12, 1)
    week = [today, date(2026, 12, 2), date(2026, 12, 3)]
    short = [of.said(day, today, short=True) for day in week]
    assert [*short, *(of.said(day, today) for day in week[:2])] == days
