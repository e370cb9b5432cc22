"""The real daemon, really killed; `make kill-test` does it more often."""

import pytest

from tests.kill.campaign import campaign
from tests.kill.workers import send_first


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
