"""The real daemon, really killed; `make kill-test` does it more often."""

import pytest

from tests.kill.campaign import campaign
from tests.kill.place import missing
from tests.kill.workers import send_first


def test_what_went_makes_up_for_nothing_that_is_lost() -> None:
    """A text that went and is shown as unknown hides no other, which nobody is told of."""
    booked = {("+1", "08:00"): "K1", ("+1", "08:01"): "K2", ("+2", "08:00"): "K3"}
    went = {("+1", "Videobesök 08:00 i appen")}
    assert missing(booked, went, {"K1"}) == {"K2", "K3"}
    assert missing(booked, went, {"K2", "K3"}) == set()
    with pytest.raises(LookupError):
        missing(booked, {("+2", "Videobesök 08:01 i appen")}, set())


@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 1), ("postgresql", 1), ("postgresql", 2)])
def test_each_text_goes_once_through_ten_kills(kind: str, workers: int) -> None:
    """Killed at ten random moments, the daemon has sent each text once, and the database is whole."""
    verdict = campaign(kind, workers=workers, kills=10 if workers == 1 else 5)
    assert (verdict.lost, verdict.twice, verdict.integrity) == (0, 0, "ok")
    assert verdict.texts >= 50


def test_a_worker_that_hangs_past_its_lease_sends_nothing_twice() -> None:
    """A worker stopped for longer than its lease, and woken, and a crashed database: each text once."""
    verdict = campaign("postgresql", workers=2, pauses=1, restarts=1)
    assert (verdict.lost, verdict.twice, verdict.integrity) == (0, 0, "ok")


def test_a_program_that_sends_first_and_marks_afterwards_fails() -> None:
    """The same kills catch the commonest design: what was sent and not yet marked goes again."""
    verdict = campaign("sqlite", kills=10, work=send_first)
    assert verdict.twice > 0
    assert not verdict.good


@pytest.mark.long
@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 1), ("postgresql", 1), ("postgresql", 2)])
def test_each_text_goes_once_through_a_thousand_kills(kind: str, workers: int) -> None:
    """Killed a thousand times on each database, the daemon loses nothing and repeats nothing."""
    kills = 1000 if kind == "sqlite" else 500
    verdict = campaign(kind, workers=workers, kills=kills, restarts=50 if workers > 1 else 0)
    assert (verdict.lost, verdict.twice, verdict.integrity) == (0, 0, "ok")


@pytest.mark.long
def test_five_hundred_pauses() -> None:
    """Stopped for longer than its lease five hundred times, no worker repeats a text."""
    verdict = campaign("postgresql", workers=4, pauses=500)
    assert (verdict.lost, verdict.twice, verdict.integrity) == (0, 0, "ok")
