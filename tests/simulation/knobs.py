"""What one seed is: which faults it has, how often, and how its clinic works."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

OF_SEVERAL = frozenset({"begin_parts", "apply_some", "clear_some"})
"""Transactions of a file that is applied in parts: none of them by itself is the whole of it."""

IMPORTING = OF_SEVERAL | {"_begin", "add_rows", "_attributed", "apply_whole"}


class Fault(StrEnum):
    """What can go wrong. The name is how the runner counts it."""

    # the provider says no
    ADDRESS = "refused_address"
    OPT_OUT = "refused_opt_out"
    BLOCKED = "refused_blocked"
    CONTENT = "refused_content"
    CONFIGURATION = "refused_configuration"
    THROTTLED = "throttled"
    # the answer is lost
    TIMEOUT_BEFORE = "timeout_before_accepting"
    TIMEOUT_AFTER = "timeout_after_accepting"
    ERROR_BEFORE = "5xx_not_accepted"
    ERROR_AFTER = "5xx_accepted"
    RAISES = "provider_raises"
    SLOW = "slow_answer"
    # what can be asked afterwards
    LISTS_LATE = "lists_late"
    HIDES = "lists_beyond_the_horizon"
    FIND_FAILS = "listing_fails"
    STATUS_FAILS = "status_fails"
    # reports
    UNDELIVERED = "undelivered"
    CALLBACK_LOST = "callback_lost"
    CALLBACK_TWICE = "callback_twice"
    CALLBACK_DISORDER = "callback_out_of_order"
    CALLBACK_FIRST = "callback_before_the_answer"
    # the machine
    CRASH = "crash"
    STOP = "stop"
    PAUSE = "pause"
    PAUSE_LONG = "pause_beyond_the_lease"
    DATABASE_AWAY = "database_away"
    PROVIDER_AWAY = "provider_away"
    CLOCK_FORWARD = "clock_jumps_forward"
    CLOCK_BACK = "clock_jumps_back"


CLINIC = "klinik"
ZONES = ("Europe/Stockholm", "Europe/Stockholm", "Europe/Helsinki", "America/New_York")
STARTS = (
    datetime(2026, 3, 28, 7, 0),
    datetime(2026, 10, 24, 7, 0),
    datetime(2026, 10, 31, 7, 0),
    datetime(2026, 11, 30, 7, 0),
    datetime(2027, 1, 11, 12, 0),
)
DEAF = 0.4
DENSE = ((8, 60), (3, 240), (1, 1500), (1, 3000), *[(1, 6000)] * 4)
"""Of a dense seed: for how many days there are how many visits a day."""

DENSE_IN_FLIGHT = (20, 200, 200)
LEAN = 0.5
"""So many of the dense clinics write less: without a confirmation, or without a day before."""

NIGHTS = ("21:00-08:00", "21:00-08:00", "22:30-06:15", "")
_DAY_BEFORE: tuple[dict[str, Any], ...] = (
    {"before": "24h", "not_after": "-1h", "quiet_hours": "earlier"},
    {"before": "24h", "not_after": "-1h", "quiet_hours": "later"},
    {"days_before": 1, "at": "18:00", "not_after": "-2h"},
    {"before": "1d", "not_after": "-1h", "quiet_hours": "earlier", "late": "skip"},
    {"before": "30h", "not_after": "-3h", "late": "short", "deliver": "each"},
)
_SOON_BEFORE: tuple[dict[str, Any], ...] = (
    {"before": "15m", "not_after": "-1m", "quiet_hours": "ignore", "deliver": "each"},
    {"before": "30m", "not_after": "-5m", "quiet_hours": "later", "late": "skip"},
    {"before": "45m", "not_after": "+0m", "channels": ["email", "sms"], "quiet_hours": "ignore"},
)


@dataclass(frozen=True)
class Knobs:
    """All that a seed draws before it begins."""

    seed: int
    days: int
    visits: int
    workers: int
    in_line: bool
    zone: str
    start: datetime
    rates: Mapping[Fault, float]
    config: Mapping[str, Any]
    small_jump: int = 90
    dense: bool = False

    @property
    def deed_every(self) -> float:
        """Return how many seconds pass between two deeds of the admins, on the average."""
        return 1_500.0 if self.dense else 12_000.0

    def most_deaths(self, what: str) -> int:
        """Return how often a process dies at one crash point of some work, at most.

        After each it may lie dead for half an hour: of too many, nobody would be written to. And a
        file is read anew after each.
        """
        return 24 if self.dense and what not in IMPORTING else 3

    @property
    def new_rules(self) -> float:
        """Return how often rules are changed, beside ten bookings: each plans all visits anew."""
        return 0.3 if self.dense else 1

    def has(self, fault: Fault) -> bool:
        """Tell whether this seed has a fault at all."""
        return fault in self.rates


def rules(chance: random.Random, *, dense: bool = False) -> dict[str, Any]:
    """Return a clinic's rules: each seed has another choice of them."""
    day_before = dict(chance.choice(_DAY_BEFORE))
    if chance.random() < 0.2:
        day_before["channels"] = ["email", "sms"]
    chosen = {
        "booked": {"on": "booked", "template": "confirmation", "not_after": "-30m"},
        "moved": {"on": "moved"},
        "cancelled": {"on": "cancelled"},
        "day_before": day_before,
        "soon": {**chance.choice(_SOON_BEFORE), "template": "fifteen_minutes"},
        "help": {"on": "request", "not_after": "+45m", "quiet_hours": "ignore"},
    }
    if dense and chance.random() < LEAN:
        del chosen[chance.choice(("booked", "day_before"))]
    return chosen


def draw(seed: int, *, calm: bool = False, dense: bool = False) -> Knobs:
    """Return the seed's knobs; a `calm` one has no faults.

    A `dense` one is a clinic with a whole day's visits each day, for days: its `visits` are a day's.
    """
    chance = random.Random(f"{seed} {'dense' if dense else 'knobs'}")
    zone = chance.choice(ZONES)
    start = chance.choice(STARTS) + timedelta(minutes=chance.randrange(600))
    share = chance.choice((0.0, 0.2, 0.4, 0.4, 0.7, 0.7))
    rates = {
        fault: 10 ** (chance.uniform(-3.0, -1.0) if dense else chance.uniform(-2.3, -0.5))
        for fault in Fault
        if chance.random() < share and not calm
    }
    # Sending twice is the documented exception where accepted texts are hidden: keep it apart.
    if chance.random() < 0.8:
        rates.pop(Fault.HIDES, None)
    # Listing late does nothing by itself: it has to meet an answer that was lost.
    if Fault.LISTS_LATE in rates:
        rates[Fault.LISTS_LATE] = chance.uniform(0.3, 0.9)
    # Some hear nothing at all: their providers have no address to call.
    if Fault.CALLBACK_LOST in rates and chance.random() < DEAF:
        rates[Fault.CALLBACK_LOST] = 1.0
    guarded = chance.random() < (0.02 if dense else 0.1)
    config = {
        "environment": "test" if guarded else "production",
        "quiet_hours": chance.choice(NIGHTS),
        "rules": rules(chance, dense=dense),
        "lease": chance.choice(("2m", "2m", "45s")),
        "horizon": chance.choice(("2m", "2m", "5m")),
        "in_flight": chance.choice((20, 20, 3, 1)),
    }
    days, visits = chance.choice((1, 1, 1, 1, 1, 2)), chance.choice((2, 2, 4))
    if dense:
        days, visits = chance.choice(DENSE)
        config["in_flight"] = chance.choice(DENSE_IN_FLIGHT)
    return Knobs(
        seed=seed,
        days=days,
        visits=visits,
        workers=chance.choice((1, 1, 2)),
        in_line=chance.random() < 0.4,
        zone=zone,
        start=start.replace(tzinfo=ZoneInfo(zone)),
        rates=rates,
        config=config,
        small_jump=chance.choice((20, 20, 90)),
        dense=dense,
    )
