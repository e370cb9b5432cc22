"""A provider that does not answer: told once, and what waits for it is late from when it was due."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from reminders.domain.outcome import Ambiguous, Outcome, OutgoingMessage, Refusal, Rejected
from reminders.providers.sandbox import Sandbox
from reminders.store import clinics, pulse, views
from tests.engine.clinic import Clinic, at, row

Make = Callable[..., Clinic]
NOT_CONNECTED = Rejected("not_connected", Refusal.THROTTLED)


class Line:
    """The way to the provider: while `says` is set, every text gets that answer."""

    def __init__(self, says: Outcome | None = NOT_CONNECTED) -> None:
        self.says = says
        self.asked = 0

    def __call__(self, _name: str, setup) -> Sandbox:
        line = self

        class Away(Sandbox):
            async def send(self, message: OutgoingMessage) -> Outcome:
                line.asked += 1
                return line.says or await super().send(message)

        return Away(setup)


def health(clinic: Clinic) -> views.Health:
    with clinic.runtime.database.reading() as conn:
        now = clinic.clock.now()
        found, beat = views.health(conn, now), pulse.pulse(conn, now)
    assert (beat.due, beat.overdue) == (found.due, found.overdue)
    assert beat.oldest_due_seconds == found.oldest_due_seconds
    return found


def families(count: int) -> list[str]:
    return [row(f"B{n}", phone=f"070-174 06 {n:02}") for n in range(5, 5 + count)]


def test_a_provider_out_of_reach_is_told_within_minutes(
    open_clinic: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that waits is due, and late after five minutes; the channel is down until one goes."""
    line = Line()
    clinic = open_clinic(make_provider=line)
    clinic.read(*families(12))
    clinic.until("2026-12-01 10:02")
    assert (health(clinic).due, health(clinic).overdue) == (12, 0)
    clinic.until("2026-12-01 10:10")
    found = health(clinic)
    assert (found.due, found.overdue, found.oldest_due_seconds) == (12, 12, 600)
    report = clinic.until("2026-12-01 12:00")
    assert report.down == ["internet/sms"]
    assert (health(clinic).due, health(clinic).overdue) == (12, 12)
    assert "channel" in [item.kind for item in clinic.worklist()]
    with clinic.runtime.database.reading() as conn:
        [closed] = clinics.closed_channels(conn)
    assert closed.down_since == at("2026-12-01 10:00")
    asked, line.says = line.asked, None
    assert asked < 12 * 6 + 120  # a try at least each two minutes, and no more once it is known
    report = clinic.until("2026-12-01 12:10")
    assert (len(clinic.texts()), report.down, health(clinic).due) == (12, [], 0)
    said = "".join(capsys.readouterr())
    assert (said.count("channel_down"), said.count("channel_up")) == (1, 1)


@pytest.mark.parametrize(
    "says",
    [
        Rejected("429", Refusal.THROTTLED),
        Rejected("429", Refusal.THROTTLED, timedelta(seconds=40)),
        Rejected("429", Refusal.THROTTLED, timedelta(minutes=20)),
        Ambiguous("timeout"),
    ],
)
def test_a_provider_that_takes_nothing_is_told(open_clinic: Make, says: Outcome) -> None:
    """So is one that answers 'too many' for minutes, asks for a long rest, or never answers."""
    clinic = open_clinic(make_provider=Line(says))
    clinic.read(*families(6))
    clinic.until("2026-12-01 10:02")
    clinic.read(row("N1", "2026-12-02 10:04", phone="070-174 06 77"))
    clinic.read(row("N2", "2026-12-02 10:05", phone="070-174 06 78"))
    assert clinic.until("2026-12-01 10:08").down == ["internet/sms"]


def test_a_hiccup_stops_nothing(open_clinic: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """A provider that is away for a moment, now and then, is not down."""
    line = Line()
    clinic = open_clinic(make_provider=line)
    clinic.read(row("B1", "2026-12-02 10:00"), row("B2", "2026-12-02 14:00", phone="0701740611"))
    clinic.until("2026-12-01 10:00:05")
    line.says = None
    clinic.until("2026-12-01 13:59")
    line.says = Ambiguous("timeout")
    clinic.until("2026-12-01 14:00:05")
    line.says = None
    assert clinic.until("2026-12-01 14:05").down == []
    assert "channel_down" not in "".join(capsys.readouterr())


def test_what_was_tried_before_the_night_is_not_late_in_it(open_clinic: Make) -> None:
    """A text that waits for the morning is not late until then."""
    line = Line()
    clinic = open_clinic(make_provider=line, clinics__internet__quiet_hours="10:01-12:00")
    clinic.read(row())
    clinic.until("2026-12-01 10:30")
    assert health(clinic).due == 0
    line.says = None
    clinic.until("2026-12-01 12:00:10")
    assert len(clinic.texts()) == 1


FULL = Rejected("452 4.2.2", Refusal.DEFERRED)


@pytest.mark.parametrize("says", [FULL, Ambiguous("timeout")])
def test_trouble_with_one_recipient_is_not_the_channels(
    open_clinic: Make, capsys: pytest.CaptureFixture[str], says: Outcome
) -> None:
    """One mailbox that is full for long stops nobody else's mail, and raises no alarm."""

    class OneMailbox(Sandbox):
        async def send(self, message: OutgoingMessage) -> Outcome:
            return says if message.to.startswith("full") else await super().send(message)

    def mail(ref: str, start: str, to: str) -> str:
        return row(ref, f"2026-12-02 {start}", phone="", email=f"{to}@example.org")

    clinic = open_clinic(make_provider=lambda _name, setup: OneMailbox(setup))
    others = [mail(f"C{n}", f"{10 + n // 6}:{n % 6}0", f"c{n}") for n in range(1, 8)]
    clinic.read(mail("B1", "10:00", "full"), *others)
    for minutes in range(0, 80, 2):
        moment = f"2026-12-01 {10 + minutes // 60}:{minutes % 60:02}:30"
        assert clinic.until(moment).down == []
    assert len(clinic.texts()) == 7
    assert "channel_down" not in "".join(capsys.readouterr())
