"""Calendar arithmetic over the changes of the clock, and the night in every zone of the world."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from reminders.domain.appointment import age_at
from reminders.domain.quiet import QuietHours
from reminders.domain.rules import After, Before, DaysBefore
from reminders.domain.when import (
    before_quiet,
    due_time,
    instant_of,
    is_quiet,
    next_quiet,
    quiet_end,
)
from tests.domain.world import STOCKHOLM, World, clinic, local

NIGHT = QuietHours(time(21), time(8))
DAY = timedelta(days=1)
When = Before | DaysBefore | After


@pytest.mark.parametrize(
    ("when", "starts", "due"),
    [
        # The clocks go forward on 29 March 2026 at 02:00, and back on 25 October at 03:00.
        (Before(timedelta(hours=24)), "2026-03-29 14:00", "2026-03-28 13:00"),
        (DaysBefore(1), "2026-03-29 14:00", "2026-03-28 14:00"),
        (Before(timedelta(hours=24)), "2026-10-25 14:00", "2026-10-24 15:00"),
        (DaysBefore(1), "2026-10-25 14:00", "2026-10-24 14:00"),
        (DaysBefore(7), "2026-03-31 09:00", "2026-03-24 09:00"),
        (DaysBefore(1, time(18)), "2026-03-29 00:30", "2026-03-28 18:00"),
        (DaysBefore(0, time(7)), "2026-05-12 14:00", "2026-05-12 07:00"),
        (DaysBefore(1), "2026-03-30 02:30", "2026-03-29 03:30"),  # 02:30 does not exist
        (DaysBefore(1), "2028-03-01 10:00", "2028-02-29 10:00"),
        (After(timedelta(hours=2)), "2026-03-29 01:30", "2026-03-29 04:30"),
        (Before(timedelta(minutes=15)), "2026-03-29 03:00", "2026-03-29 01:45"),
    ],
)
def test_due_time(when: When, starts: str, due: str):
    """Elapsed hours are elapsed hours; a day before is the same time of day, if it exists."""
    assert due_time(when, local(starts), STOCKHOLM) == local(due)


@pytest.mark.parametrize("visit", ["2026-10-26 02:30", "2026-10-27 02:30"])
def test_an_hour_that_comes_twice(visit: str):
    """Of a time of day that comes twice, the first is meant."""
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    days = (local(visit).date() - date(2026, 10, 25)).days
    assert due_time(DaysBefore(days), local(visit), STOCKHOLM) == first


def test_a_visit_in_the_second_of_two_hours():
    """A visit in the hour that comes again is reminded of at its time of day the day before."""
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert due_time(DaysBefore(1), second, STOCKHOLM) == local("2026-10-24 02:30")


@pytest.mark.parametrize(
    ("before", "sent"), [("24h", "03-28 13:00"), ("1d", "03-28 14:00"), ("1w", "03-22 14:00")]
)
def test_a_story_over_the_change_of_the_clock(before: str, sent: str):
    """A visit on the day that the clocks change is reminded of as its rule is written."""
    world = World(clinic(rule={"before": before}), now=local("2026-03-01 10:00"))
    world.book("2026-03-29 14:00").run(until="2026-03-29 15:00")
    assert world.sent == [f"{sent} rule patient sms"]


@pytest.mark.parametrize(
    ("quiet", "instant", "expected"),
    [
        (NIGHT, "2026-05-12 21:00", True),
        (NIGHT, "2026-05-12 20:59:59", False),
        (NIGHT, "2026-05-12 07:59:59", True),
        (NIGHT, "2026-05-12 08:00", False),
        (QuietHours(time(1), time(6)), "2026-05-12 00:59", False),
        (QuietHours(time(1), time(6)), "2026-05-12 01:00", True),
        (QuietHours(time(6), time(6)), "2026-05-12 06:00", False),
        (None, "2026-05-12 03:00", False),
    ],
)
def test_is_quiet(quiet: QuietHours | None, instant: str, *, expected: bool):
    """The night has its first minute in it and not its last, and may pass midnight or not."""
    assert is_quiet(local(instant), quiet, STOCKHOLM) is expected


def test_the_night_ends_and_begins():
    """The night's end, the evening before it and the next night are where the clock says."""
    at = local("2026-05-12 02:00")
    assert quiet_end(at, NIGHT, STOCKHOLM) == local("2026-05-12 08:00")
    assert before_quiet(at, NIGHT, STOCKHOLM) == local("2026-05-11 20:59")
    assert before_quiet(local("2026-05-12 23:00"), NIGHT, STOCKHOLM) == local("2026-05-12 20:59")
    waking = local("2026-05-12 10:00")
    assert quiet_end(waking, NIGHT, STOCKHOLM) == waking
    assert next_quiet(waking, NIGHT, STOCKHOLM) == local("2026-05-12 21:00")


def transitions(zone: ZoneInfo, first: date, last: date) -> Iterator[datetime]:
    """Yield the instants, to the minute, at which a zone's offset changes."""

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    day = datetime.combine(first, time(), UTC)
    while day.date() <= last:
        low, high = day, day + DAY
        if offset(low) != offset(high):
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                middle = middle.replace(second=0, microsecond=0)
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            yield high
        day += DAY


ZONES = sorted(available_timezones())
SPANS = (NIGHT, QuietHours(time(23, 30), time(2, 30)), QuietHours(time(1), time(6)))
AROUND = [timedelta(minutes=m) for m in (-721, -179, -61, -31, -1, 0, 1, 29, 61, 179, 721)]


@pytest.fixture(scope="module")
def moments() -> dict[str, list[datetime]]:
    """Return, for each zone, instants around each change of its clock in 2026 and 2027."""
    found: dict[str, list[datetime]] = {}
    for name in ZONES:
        zone = ZoneInfo(name)
        changes = list(transitions(zone, date(2026, 1, 1), date(2027, 12, 31)))
        centres = changes or [datetime(2026, 6, 1, tzinfo=UTC)]
        found[name] = [centre + around for centre in centres for around in AROUND]
    return found


def test_the_zones_have_changes(moments: dict[str, list[datetime]]):
    """The instants are what they are meant to be: Stockholm has four changes in two years."""
    assert len(moments["Europe/Stockholm"]) == 4 * len(AROUND)
    assert local("2026-03-29 03:00") in moments["Europe/Stockholm"]
    assert len(moments) > 400


@pytest.mark.parametrize("quiet", SPANS, ids=["night", "short", "small hours"])
def test_the_night_in_every_zone(quiet: QuietHours, moments: dict[str, list[datetime]]):
    """Leaving the night, either way, ends outside it, on the right side, within a day or so."""
    for name, instants in moments.items():
        zone = ZoneInfo(name)
        for instant in instants:
            after = quiet_end(instant, quiet, zone)
            before = before_quiet(instant, quiet, zone)
            assert not is_quiet(after, quiet, zone), (name, instant)
            assert not is_quiet(before, quiet, zone), (name, instant)
            assert instant <= after <= instant + DAY, (name, instant)
            assert instant - 2 * DAY <= before <= instant, (name, instant)
            if not is_quiet(instant, quiet, zone):
                assert after == instant, (name, instant)


def test_nothing_goes_at_night_in_any_zone(moments: dict[str, list[datetime]]):
    """No due time of a rule that minds the night falls in it, in any zone at any clock change."""
    for name, instants in moments.items():
        zone = ZoneInfo(name)
        for policy in ("earlier", "later"):
            practice = clinic(
                hours={"before": "7h", "quiet_hours": policy},
                day={"before": "1d", "quiet_hours": policy},
            )
            for instant in instants[::3]:
                world = World(replace(practice, zone=zone), now=instant - 3 * DAY)
                world.book(f"{(instant + timedelta(hours=7)).astimezone(zone):%Y-%m-%d %H:%M}")
                world.plan()
                for row in world.rows:
                    if row.state == "planned":
                        assert not is_quiet(row.due_at, practice.quiet, zone), (name, row)


def test_a_time_that_does_not_exist_moves_on():
    """A wall-clock time in the gap is as much later as the clocks jump."""
    assert instant_of(datetime(2026, 3, 29, 2, 30), STOCKHOLM) == local("2026-03-29 03:30")


@pytest.mark.parametrize(
    ("birth_date", "day", "age"),
    [
        (date(2013, 5, 12), "2026-05-12 00:00", 13),
        (date(2013, 5, 12), "2026-05-11 23:59", 12),
        (date(2012, 2, 29), "2026-02-28 12:00", 14),
        (date(2012, 2, 29), "2026-02-27 12:00", 13),
        (date(2012, 2, 29), "2028-02-28 12:00", 15),
        (date(2012, 2, 29), "2028-02-29 12:00", 16),
        (None, "2026-05-12 12:00", None),
    ],
)
def test_age(birth_date: date | None, day: str, age: int | None):
    """An age is in whole years on the clinic's date; who is born on a leap day turns on the 28th."""
    assert age_at(birth_date, local(day), STOCKHOLM) == age
