"""Until when to call: what a text says of it is a time at which somebody answers."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.config import ClinicConfig
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Role
from reminders.message.context import Facts, VisitWords, likeness, make_context
from reminders.message.office import holidays
from reminders.message.render import Library
from tests.message.people import CLINIC, SOURCES

STOCKHOLM = ZoneInfo("Europe/Stockholm")
LIBRARY = Library(SOURCES.values())


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=STOCKHOLM).astimezone(UTC)


def words(sent: str, visit: str, clinic: ClinicConfig = CLINIC) -> VisitWords:
    facts = Facts(local(visit), local(sent), VisitStatus.BOOKED, 8, Role.GUARDIAN)
    return make_context("sv", Channel.SMS, facts, clinic).visit


@pytest.mark.parametrize(
    ("sent", "visit", "call_by"),
    [
        ("2026-12-01 10:00", "2026-12-10 14:00", "ons 9 dec. 14:00"),  # an ordinary day
        ("2026-12-01 10:00", "2026-12-10 19:00", "ons 9 dec. 16:00"),  # in the evening
        ("2026-12-01 10:00", "2026-12-10 08:00", "tis 8 dec. 16:00"),  # before it opens
        ("2026-12-01 10:00", "2026-12-14 10:00", "fre 11 dec. 16:00"),  # on a Sunday
        ("2026-12-10 10:00", "2026-12-14 10:00", "i morgon fre 16:00"),
        ("2026-12-15 10:00", "2026-12-28 10:00", "ons 23 dec. 16:00"),  # Christmas and its eve
        ("2027-03-15 10:00", "2027-03-30 10:00", "tors 25 mars 16:00"),  # Easter, four days
        ("2027-04-20 10:00", "2027-05-07 10:00", "ons 5 maj 16:00"),  # Ascension Day
        ("2027-06-15 10:00", "2027-06-26 10:00", "tors 24 juni 16:00"),  # Midsummer Eve
        ("2026-10-19 10:00", "2026-10-26 10:00", "fre 23 okt. 16:00"),  # the clocks change
    ],
)
def test_a_deadline_is_when_somebody_answers(sent: str, visit: str, call_by: str):
    """Nobody is told to call by a Sunday, a holiday, or an hour at which nobody answers."""
    said = words(sent, visit)
    assert said.can_cancel
    assert f"{said.cancel_day} {said.cancel_time}" == call_by


def test_days_on_which_the_clinic_is_closed():
    """A day that the clinic says is closed is passed over like a holiday."""
    bridge = CLINIC.model_copy(update={"closed_days": (date(2027, 5, 7),)})
    said = words("2027-04-20 10:00", "2027-05-08 10:00", bridge)
    assert f"{said.cancel_day} {said.cancel_time}" == "ons 5 maj 16:00"


@pytest.mark.parametrize(
    ("sent", "visit"),
    [
        ("2026-12-11 17:00", "2026-12-14 10:00"),  # after the last office hour of the Friday
        ("2026-12-24 10:00", "2026-12-28 12:00"),
        ("2026-12-11 14:30", "2026-12-14 10:00"),  # an hour and a half are left
        ("2026-12-10 10:00", "2026-12-10 14:00"),  # the deadline is past
    ],
)
def test_no_deadline_that_cannot_be_kept(sent: str, visit: str):
    """Where nobody answers before the deadline, or hardly, nothing is said of it."""
    assert not words(sent, visit).can_cancel


def test_holidays_of_a_year():
    """The days on which Swedish offices are closed, as the almanac has them."""
    assert sorted(day for day in holidays(2027) if day.weekday() < 5) == [
        date(2027, 1, 1),
        date(2027, 1, 6),
        date(2027, 3, 26),
        date(2027, 3, 29),
        date(2027, 5, 6),
        date(2027, 6, 25),
        date(2027, 12, 24),
        date(2027, 12, 31),
    ]


@given(st.integers(0, 60 * 24 * 9), st.integers(0, 60 * 24 * 9), st.integers(0, 60 * 24 * 4))
def test_texts_that_are_alike_are_as_long(first: int, second: int, since: int):
    """What an import counts once for many texts is as long in each of them."""
    at = local("2026-12-18 06:00") + timedelta(minutes=since)
    starts = [at + timedelta(minutes=ahead) for ahead in (first, second)]
    if likeness(starts[0], at, CLINIC) != likeness(starts[1], at, CLINIC):
        return
    for name in ("moved", "confirmation", "two_days", "day_before", "fifteen_minutes"):
        source = LIBRARY.pick(name, Channel.SMS, ["sv"])
        assert source is not None
        lengths = {
            len(
                LIBRARY.render(
                    source, Facts(start, at, VisitStatus.BOOKED, 8, Role.GUARDIAN), CLINIC
                ).body
            )
            for start in starts
        }
        assert len(lengths) == 1


@pytest.mark.parametrize("hours", [(23.9, 24.1), (7.9, 8.1)])
def test_a_near_visit_is_not_like_one_further_off(hours: tuple[float, float]):
    """A text about a visit within a day, or today, says more: it is counted by itself."""
    at = local("2026-12-01 00:30")
    near, far = (likeness(at + timedelta(hours=ahead), at, CLINIC) for ahead in hours)
    assert near != far
