"""After an outage of hours: what still helps goes, urgent first and at its pace; the rest is told."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from reminders.domain.outcome import Accepted, Outcome, OutgoingMessage, Receipt
from reminders.domain.state import State
from reminders.providers.sandbox import Sandbox
from reminders.store import views
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]

RATE = 20
UP_AT = "2026-12-01 14:00"
URGENT = 30
"""So many of the texts are about a visit in a few minutes."""


class Network(Sandbox):
    """A provider that takes everything, and keeps when it took what."""

    taken: list[tuple[datetime, str, str]]

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Take a text."""
        message.before_write()
        self.taken.append((self._setup.clock.now(), message.to, message.body))
        return Accepted(message.token)

    async def status(self, ref: str) -> Receipt | None:
        """Tell that it arrived."""
        return Receipt(ref, State.DELIVERED)


def visits(count: int) -> list[str]:
    """Return bookings whose texts fall due while the server is down: patients' and guardians'.

    A patient's text is about a visit in a few minutes; a guardian's helps for four hours.
    """

    def some(mark: str, role: str, number: int, first: str, minutes: int) -> list[str]:
        begins = datetime.fromisoformat(first)
        return [
            row(
                f"{mark}{n}",
                f"{begins + timedelta(minutes=n % minutes):%Y-%m-%d %H:%M}",
                phone=f"+46701740{605 + n % 95}",
                role=role,
            )
            for n in range(number)
        ]

    lost = (count - URGENT) // 2
    return [
        *some("LOST", "vårdnadshavare", lost, "2026-12-02 08:00", 120),
        # A prime, so that among ten thousand no two are of one phone at one time.
        *some("HELPED", "vårdnadshavare", count - URGENT - lost, "2026-12-02 10:30", 181),
        *some("NOW", "patient", URGENT, "2026-12-01 14:06", 9),
    ]


def recover(open_clinic: Make, count: int) -> None:
    """Live through an outage in which `count` texts fall due, and look at what came of them."""
    Network.taken = []
    clinic = open_clinic(
        "2026-11-30 12:00",
        make_provider=lambda _name, setup: Network(setup),
        clinics__internet__rules=["day_before", "fifteen_minutes"],
        rules__day_before__not_after="-20h",
        rules__day_before__audience={"roles": ["guardian"]},
        rules__fifteen_minutes__audience={"roles": ["patient"]},
        clinics__internet__sms__messages_per_second=RATE,
    )
    clinic.read(*visits(count), confirmations=False)
    clinic.plan()
    assert Network.taken == []
    clinic.clock.set(at(UP_AT))
    clinic.until("2026-12-01 16:30")
    lost = (count - URGENT) // 2
    assert ends(clinic) == {
        ("NOW", "delivered", None): URGENT,
        ("HELPED", "delivered", None): count - URGENT - lost,
        ("LOST", "expired", "deadline_passed"): lost,
    }
    listed = Counter(item.ref for item in clinic.worklist() if item.kind == "call")
    assert listed == {f"LOST{n}": 1 for n in range(lost)}
    check_log(count - lost)


def ends(clinic: Clinic) -> Counter[tuple[str, str, str | None]]:
    """Count how the messages ended, by the kind of visit."""
    with clinic.runtime.database.reading() as conn:
        found = views.lines(conn, views.visits(conn, "internet"))
    return Counter(
        (line.visit.ref.rstrip("0123456789"), line.message.state.value, line.message.reason)
        for line in found
        if line.message.state is not State.SUPPRESSED
    )


def check_log(count: int) -> None:
    """Look at the provider's log: urgent first, nobody twice, and no faster than allowed."""
    times = [when for when, _, _ in Network.taken]
    assert len(times) == count
    assert times == sorted(times)
    assert max(Counter((to, body) for _, to, body in Network.taken).values()) == 1
    first = [body for _, _, body in Network.taken[:URGENT]]
    assert all("14:" in body for body in first)
    for number, when in enumerate(times[2 * RATE :]):
        assert when - times[number] >= timedelta(seconds=1)


def test_an_outage_recovered_well(open_clinic: Make) -> None:
    """What helps goes once, urgent first, at its pace; the rest expires and stands on one list."""
    recover(open_clinic, 210)


@pytest.mark.long
def test_ten_thousand_due_after_six_hours(open_clinic: Make) -> None:
    """The same holds for ten thousand texts."""
    recover(open_clinic, 10_000)
