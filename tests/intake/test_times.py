"""From every way that files write a time to an instant, or to a fault; never to a guess."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.intake.problems import Fault, ProblemCode
from reminders.intake.times import read_date, read_start
from tests.intake.helpers import STOCKHOLM

NINE = datetime(2026, 12, 1, 8, tzinfo=UTC)

NINE_O_CLOCK = [
    "2026-12-01 09:00",
    "2026-12-01 09.00",
    "2026-12-01  9:00:00",
    "2026-12-01 09:00:00.000",
    "2026-12-01 kl 9",
    "2026-12-01 kl. 9.00",
    "2026-12-01, klockan 9",
    "2026/12/01 09:00",
    "20261201 0900",
    "20261201 900",
    "1/12-2026 09:00",
    "1/12 2026 kl 9",
    "01.12.2026 09:00",
    "1. 12. 2026 9:00",
    "1 december 2026 09:00",
    "tisdag den 1 december 2026 kl 09.00",
    "Tis 1 dec. 2026 09:00",
    "Tuesday, December 1, 2026 9:00 AM",
    "1st Dec 2026 9 am",
    "2026-12-01 09:00–09:45",
    "2026-12-01 09:00 - 09:45",
    "2026-12-01T09:00",
    "2026-12-01T09:00:00+01:00",
    "2026-12-01T08:00Z",
    "20261201T0900",
    "2026-12-01 03:00:00-05:00",
    "2026-12-01T03:00-05:00",
    "2026-12-01 10:00+02",
    "2026-12-01 09:00+0100",
    "46357,375",
    "46357.375",
]

NINE_IN_TWO = [
    ("2026-12-01", "09:00"),
    ("2026-12-01", "9"),
    ("2026-12-01", "kl 9"),
    ("2026-12-01", "09:00-09:45"),
    ("2026-12-01", "9:00 a.m."),
    ("2026-12-01", "09:00+01:00"),
    ("2026-12-01", "0,375"),
    ("46357", "0.375"),
    ("46357.0", "09:00"),
    ("2026-12-01 00:00:00", "09:00:00"),
    ("2026-12-01T00:00:00", "1899-12-30T09:00:00"),
    ("2026-12-01", "1900-01-01 09:00"),
    ("1/12-2026", "2026-12-01 09:00"),
]

UNREADABLE = [
    "2026-12-01",
    "09:00",
    "2026-12-01 halv tio",
    "2026-12-01 24:00",
    "2026-12-01 9:5",
    "2026-12-01 25",
    "2026-12-01 13:00 PM",
    "2026-12-01 0:30 am",
    "2026-02-30 09:00",
    "2026-13-01 09:00",
    "26-12-01 09:00",
    "1/12 09:00",
    "1.12-2026 09:00",
    "1 foo 2026 09:00",
    "0026-12-01 09:00",
    "9999-12-31 23:59",
    "2026-12-01 09:45-09:00",
    "2026-12-01 09:00+25:00",
    "46357",
    "46357,0",
    "46357,38",  # 09:00 rounded off
    "46357,4",  # 09:36, or half past nine rounded off
    "46357,99999999",
    "12345,375",
    "2026-12-01 09:00 09:00",
    "2026-12-01T",
    "0701740605",
    "2026-12-01 09:00" + " " * 99 + "x" * 99,
    "9" * 5000,
]


@pytest.mark.parametrize("text", NINE_O_CLOCK)
def test_one_column(text: str) -> None:
    """Each way to write nine o'clock on the first of December is read as that."""
    assert read_start((text,), STOCKHOLM) == NINE


@pytest.mark.parametrize("texts", NINE_IN_TWO)
def test_two_columns(texts: tuple[str, str]) -> None:
    """A date and a time in columns of their own are put together."""
    assert read_start(texts, STOCKHOLM) == NINE


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable(text: str) -> None:
    """What is no date and time, or only nearly one, is not read."""
    assert code((text,)) is ProblemCode.BAD_TIME


@pytest.mark.parametrize(
    "texts",
    [
        ("", "09:00"),
        ("2026-12-01", ""),
        ("2026-12-01", "2026-12-02 09:00"),
        ("2026-12-01 10:00", "09:00"),
        ("2026-12-01", "0,38"),
    ],
)
def test_unreadable_in_two(texts: tuple[str, str]) -> None:
    """A date without a time, or one that contradicts its time, is not read."""
    assert code(texts) is ProblemCode.BAD_TIME


@pytest.mark.parametrize("text", ["01/12/2026 09:00", "1-12-2026 09:00", "2/1/2027 2:30 PM"])
def test_day_or_month_first(text: str) -> None:
    """A date that could have the day or the month first is not guessed at."""
    assert code((text,)) is ProblemCode.AMBIGUOUS_DATE


@pytest.mark.parametrize(
    ("text", "day"),
    [("13/12/2026", 13), ("12/13/2026", 13), ("12/12/2026", 12), ("13-12-2026", 13)],
)
def test_day_and_month_told_apart(text: str, day: int) -> None:
    """A date that can only be read in one way is read."""
    assert read_date(text) == date(2026, 12, day)


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("Europe/Stockholm", "2027-03-28 02:00", ProblemCode.IMPOSSIBLE_TIME),
        ("Europe/Stockholm", "2027-03-28 02:59", ProblemCode.IMPOSSIBLE_TIME),
        ("Europe/Stockholm", "2026-10-25 02:00", ProblemCode.DOUBLED_TIME),
        ("Europe/Stockholm", "2027-10-31 02:30", ProblemCode.DOUBLED_TIME),
        ("America/Santiago", "2026-09-06 00:30", ProblemCode.IMPOSSIBLE_TIME),
        ("America/Santiago", "2026-04-04 23:30", ProblemCode.DOUBLED_TIME),
    ],
)
def test_when_the_clocks_change(zone: str, text: str, expected: ProblemCode) -> None:
    """A time that the clocks pass over, or show twice, is a problem and not guessed at."""
    assert code((text,), ZoneInfo(zone)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-25 01:59", datetime(2026, 10, 24, 23, 59, tzinfo=UTC)),
        ("2026-10-25 02:30+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25 02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("2026-10-25 03:00", datetime(2026, 10, 25, 2, tzinfo=UTC)),
        ("2027-03-28 01:59", datetime(2027, 3, 28, 0, 59, tzinfo=UTC)),
        ("2027-03-28 03:00", datetime(2027, 3, 28, 1, tzinfo=UTC)),
        ("2026-07-01 09:00", datetime(2026, 7, 1, 7, tzinfo=UTC)),
    ],
)
def test_around_the_change(text: str, expected: datetime) -> None:
    """An offset settles a doubled time, and times beside the change are read as they stand."""
    assert read_start((text,), STOCKHOLM) == expected


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)))
def test_offsets_round_trip(wall: datetime) -> None:
    """Any instant written with its offset is read as itself."""
    instant = wall.replace(tzinfo=STOCKHOLM, microsecond=0).astimezone(UTC)
    assert read_start((instant.astimezone(STOCKHOLM).isoformat(),), STOCKHOLM) == instant


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text(first: str, second: str) -> None:
    """No text makes the reader fail."""
    assert isinstance(read_start((first,), STOCKHOLM), datetime | Fault)
    assert isinstance(read_start((first, second), STOCKHOLM), datetime | Fault)
    assert isinstance(read_date(first), date | Fault)


def code(texts: tuple[str, ...], zone: ZoneInfo = STOCKHOLM) -> ProblemCode | None:
    read = read_start(texts, zone)
    return read.code if isinstance(read, Fault) else None
