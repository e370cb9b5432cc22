"""Rules as they are written, and what is said of those that cannot be read."""

from datetime import time, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from reminders.config_rules import (
    RuleConfig,
    parse_clock,
    parse_duration,
    parse_length,
    parse_quiet,
)
from reminders.domain.contact import Channel, Role
from reminders.domain.quiet import QuietHours
from reminders.domain.rules import (
    After,
    Audience,
    Before,
    DaysBefore,
    Event,
    Late,
    QuietPolicy,
    When,
)
from tests.domain.world import EXAMPLE, rules

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("written", "when"),
    [
        ({"before": "24h"}, Before(24 * HOUR)),
        ({"before": "90m"}, Before(1.5 * HOUR)),
        ({"before": "45 s"}, Before(timedelta(seconds=45))),
        ({"before": "1d"}, DaysBefore(1)),
        ({"before": " 2w "}, DaysBefore(14)),
        ({"days_before": 1, "at": "18:00"}, DaysBefore(1, time(18))),
        ({"days_before": 3}, DaysBefore(3)),
        ({"days_before": 0, "at": "7:30"}, DaysBefore(0, time(7, 30))),
        ({"after": "2h"}, After(2 * HOUR)),
        ({"after": "1d"}, After(24 * HOUR)),
        *[({"on": event.value}, event) for event in Event if event is not Event.REPLY],
    ],
)
def test_every_form_of_when(written: dict[str, Any], when: When):
    """Each way to write a time is the one that the domain means by it."""
    assert rules(rule=written)[0].when == when


@pytest.mark.parametrize(
    ("written", "not_after"),
    [
        ({"before": "24h"}, timedelta(0)),
        ({"before": "24h", "not_after": "-1h"}, -HOUR),
        ({"on": "request", "not_after": "+45m"}, 0.75 * HOUR),
        ({"after": "2h"}, 26 * HOUR),
        ({"after": "2h", "not_after": "4h"}, 4 * HOUR),
    ],
)
def test_until_when_a_text_helps(written: dict[str, Any], not_after: timedelta):
    """A text helps until the visit starts, one after it for a day more, unless it says otherwise."""
    assert rules(rule=written)[0].not_after == not_after


def test_the_rest_of_a_rule():
    """Audience, channels, policies and template are taken over; the template's default is the key."""
    first, second = rules(
        one={
            "on": "booked",
            "template": "confirmation",
            "audience": {"roles": ["guardian"], "max_age": 12},
            "channels": ["email"],
            "quiet_hours": "earlier",
            "late": "skip",
        },
        two={"on": "moved"},
    )
    assert first.template == "confirmation"
    assert first.audience == Audience(frozenset({Role.GUARDIAN}), None, 12)
    assert first.channels == (Channel.EMAIL,)
    assert (first.quiet, first.late) == (QuietPolicy.EARLIER, Late.SKIP)
    assert (second.key, second.template) == ("two", "two")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({}, "exactly one of"),
        ({"before": "24h", "on": "booked"}, "exactly one of"),
        ({"before": "24h", "at": "18:00"}, "'at' goes with 'days_before'"),
        ({"before": "a day"}, "'a day' is not a length of time; write one like"),
        ({"before": "-24h"}, "'-24h' has a sign"),
        ({"after": "+2h"}, "'\\+2h' has a sign"),
        ({"days_before": 1, "at": "25:00"}, "'25:00' is not a time of day"),
        ({"days_before": -1}, "greater than or equal to 0"),
        ({"on": "reschedule"}, "'booked', 'moved', 'cancelled' or 'request'"),
        ({"on": "booked", "not_after": "soon"}, "'soon' is not a length of time"),
        ({"on": "booked", "channels": []}, "at least 1 item"),
        ({"on": "booked", "audience": {"roles": []}}, "at least 1 item"),
        ({"on": "booked", "audience": {"min_age": 13, "max_age": 12}}, "for nobody"),
        ({"on": "booked", "quiet": "later"}, "Extra inputs are not permitted"),
    ],
)
def test_a_rule_that_cannot_be_read(written: dict[str, Any], words: str):
    """A rule that cannot be read is refused, and the words say what would be right."""
    with pytest.raises(ValidationError, match=words):
        RuleConfig.model_validate(written)


def test_lengths_clocks_and_nights():
    """Lengths of time may have a sign, nights may pass midnight, and nothing means no night."""
    assert parse_duration("-15m") == timedelta(minutes=-15)
    assert parse_length("15m") == timedelta(minutes=15)
    assert parse_clock("7:05") == time(7, 5)
    assert parse_quiet("21:00-08:00") == QuietHours(time(21), time(8))
    assert parse_quiet(" ") is None


@pytest.mark.parametrize("text", ["21-08", "21:00", "24:00-08:00", "21:00-08:60"])
def test_a_night_that_cannot_be_read(text: str):
    """A span of hours that cannot be read is refused."""
    with pytest.raises(ValueError, match="is not a"):
        parse_quiet(text)


@pytest.mark.parametrize(
    ("audience", "role", "age", "meant"),
    [
        (Audience(), Role.PATIENT, 5, True),
        (Audience(frozenset({Role.GUARDIAN})), Role.PATIENT, 5, False),
        (Audience(min_age=13), Role.PATIENT, 12, False),
        (Audience(min_age=13), Role.PATIENT, 13, True),
        (Audience(max_age=12), Role.PATIENT, 12, True),
        (Audience(max_age=12), Role.PATIENT, 13, False),
        (Audience(min_age=13, max_age=17), Role.PATIENT, None, True),
        (Audience(min_age=0, max_age=0), Role.PATIENT, 0, True),
    ],
)
def test_an_audience(audience: Audience, role: Role, age: int | None, *, meant: bool):
    """An audience has its ages included at both ends, and an unknown age is meant by any."""
    assert audience.includes(role, age) is meant


def test_the_example_is_what_it_says():
    """The example's rules stand in the order that they are written in."""
    keys = [rule.key for rule in EXAMPLE.rules]
    asked_for = ["help", "not_come"]
    assert keys == ["booked", "moved", "cancelled", "day_before", "fifteen_minutes", *asked_for]
    assert EXAMPLE.rule["fifteen_minutes"].quiet is QuietPolicy.IGNORE
    assert EXAMPLE.quiet == QuietHours(time(21), time(8))
