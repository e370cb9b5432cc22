"""What was ordered, and when: the oracle's own memory of the commands given."""

from dataclasses import dataclass, field
from datetime import datetime

BOOKED = "booked"
CANCELLED = "cancelled"


@dataclass(frozen=True)
class Truth:
    """When a visit is (aware), and whether it is."""

    starts_at: datetime
    status: str


@dataclass(frozen=True)
class Reach:
    """A person's addresses and wishes."""

    phone: str | None
    email: str | None
    sms_ok: bool = True
    email_ok: bool = True


@dataclass
class Past:
    """A value over time: what was written, and at which elapsed second it was committed."""

    values: list[tuple[float, object]] = field(default_factory=list)

    def put(self, at: float, value: object) -> None:
        """Write a value down, unless it is the present one."""
        if not self.values or self.values[-1][1] != value:
            self.values.append((at, value))

    def during(self, since: float, until: float) -> list[object]:
        """Return each value that held at some moment in [since, until]."""
        held = []
        for number, (at, value) in enumerate(self.values):
            end = self.values[number + 1][0] if number + 1 < len(self.values) else float("inf")
            if at <= until and end >= since:
                held.append(value)
        return held

    def steady(self, since: float, until: float) -> bool:
        """Tell whether one value held all the time."""
        return len(self.during(since, until)) == 1

    @property
    def now(self) -> object:
        """Return the present value."""
        return self.values[-1][1]


@dataclass
class Person:
    """One contact of a patient."""

    role: str
    reach: Past

    @property
    def present(self) -> Reach:
        """Return the addresses as they are now."""
        value = self.reach.now
        assert isinstance(value, Reach)
        return value

    def addresses(self) -> set[str]:
        """Return every address this person ever had."""
        found = set()
        for _, reach in self.reach.values:
            assert isinstance(reach, Reach)
            found |= {a for a in (reach.phone, reach.email) if a}
        return found


@dataclass
class Patient:
    """A patient and the people who are told."""

    key: str
    people: list[Person]

    def addresses(self) -> set[str]:
        """Return every address that any of them ever had."""
        return {address for person in self.people for address in person.addresses()}


@dataclass
class Booking:
    """One visit through time. `confirm` is whether its import sent confirmations.

    `by_hand` is the wall time at which staff changed it last: an older file does not undo that.
    """

    ref: str
    patient: Patient
    truth: Past
    confirm: bool = True
    requests: list[tuple[float, datetime, str]] = field(default_factory=list)
    by_hand: datetime | None = None

    @property
    def present(self) -> Truth:
        """Return the visit as it is now."""
        value = self.truth.now
        assert isinstance(value, Truth)
        return value

    def truths(self) -> list[tuple[float, Truth]]:
        """Return each truth with the second it was committed at."""
        return [(at, value) for at, value in self.truth.values if isinstance(value, Truth)]


@dataclass
class Book:
    """All commands that took effect."""

    bookings: dict[str, Booking] = field(default_factory=dict)
    opted_out: dict[str, Past] = field(default_factory=dict)

    def opt(self, address: str, at: float, *, out: bool) -> None:
        """Write down that an address wants nothing, or wants messages again."""
        self.opted_out.setdefault(address, Past([(-1.0, False)])).put(at, out)

    def out(self, address: str, since: float, until: float) -> list[object]:
        """Return whether the address was opted out, for each state within a span."""
        return self.opted_out.get(address, Past([(-1.0, False)])).during(since, until)
