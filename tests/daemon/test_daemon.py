"""The daemon as it is run: started, woken, stopped, killed."""

import asyncio
import json
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.daemon.process import Installation, listen, stop, wait_for
from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, FakeTwilio, Fault, Trouble

SOON = ('before = "15m"', 'before = "5s"'), ('not_after = "-1m"', 'not_after = "+1m"')
NO_DAY_BEFORE = ('not_after = "-20m"\nquiet_hours', 'not_after = "-20h"\nquiet_hours')


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an installation whose tips go out five seconds before a visit."""
    return Installation(tmp_path, *SOON, NO_DAY_BEFORE)


def test_text_goes_out_at_its_time_and_sigterm_ends_well(installation: Installation) -> None:
    """The daemon sends a text when it is due, and SIGTERM ends it with status 0."""
    installation.book("B1", timedelta(seconds=8))
    daemon = installation.start("run")
    try:
        wait_for(lambda: installation.phones() == 1, "the text")
    finally:
        _, err = stop(daemon)
    assert daemon.returncode == 0
    assert "stopped" in err
    assert "701740605" not in err
    assert "Mina ärenden" not in err


def test_row_of_another_system_is_found_by_the_backstop(installation: Installation) -> None:
    """A visit written by another system while the daemon runs is found without a restart."""
    daemon = installation.start("run")
    try:
        time.sleep(1.5)
        installation.book("B1", timedelta(seconds=6))
        wait_for(lambda: installation.phones() == 1, "the text")
    finally:
        stop(daemon)
    assert daemon.returncode == 0


def test_second_daemon_refuses_politely(installation: Installation, tmp_path: Path) -> None:
    """A second daemon on one SQLite file says why it stops, and the first goes on."""
    with listen(tmp_path) as channel:
        first = installation.start("run", NOTIFY_SOCKET=str(tmp_path / "notify"))
        try:
            assert b"READY=1" in channel.recv(200)
            second = installation.command("run")
            assert second.returncode == 1
            assert "Another reminders process" in second.stderr
            assert "Traceback" not in second.stderr
            tick = installation.command("tick", "--json")
            assert tick.returncode == 0
            assert json.loads(tick.stdout)["sent"] == 0
            assert first.poll() is None
        finally:
            stop(first)
        assert b"STOPPING=1" in channel.recv(200)


def test_watchdog_is_fed(installation: Installation, tmp_path: Path) -> None:
    """Systemd hears that the daemon is ready, and then that it is alive."""
    with listen(tmp_path) as channel:
        daemon = installation.start(
            "run", NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000"
        )
        try:
            assert b"READY=1" in channel.recv(200)
            assert channel.recv(200) == b"WATCHDOG=1"
        finally:
            stop(daemon, signal.SIGINT)
    assert daemon.returncode == 0


def test_killed_daemon_sends_nothing_twice(installation: Installation) -> None:
    """Killed in the middle of its work, and started again: each text goes once."""
    for number in range(30):
        installation.book(f"B{number}", timedelta(seconds=7), f"+467017406{number:02}")
    daemon = installation.start("run")
    wait_for(lambda: installation.phones() > 0, "the first text")
    stop(daemon, signal.SIGKILL)
    again = installation.start("run")
    try:
        wait_for(lambda: "planned" not in installation.states(), "all to be sent or sought")
    finally:
        stop(again)
    readers = installation.readers()
    assert len(readers) > 0
    assert len(readers) == len(set(readers))


def through_twilio(fake: FakeTwilio, auth_token: str = AUTH_TOKEN) -> list[tuple[str, str]]:
    """Return the changes that make the example clinic send its SMS through the fake."""
    section = f"""[providers.twilio]
account_sid = "{ACCOUNT_SID}"
auth_token = "{auth_token}"
base_url = "{fake.base_url}"
timeout = 2
"""
    return [
        *SOON,
        NO_DAY_BEFORE,
        ('provider = "sandbox"                 # or "twilio"', 'provider = "twilio"  # or'),
        ('environment = "test"', 'environment = "production"'),
        ("# [providers.twilio]", section),
    ]


def test_tick_for_cron_through_twilio(tmp_path: Path) -> None:
    """One pass of `tick` sends through Twilio's interface, and the next ones learn its fate."""

    async def story() -> None:
        async with FakeTwilio(advance_on_fetch=True) as fake:
            installation = await asyncio.to_thread(Installation, tmp_path, *through_twilio(fake))
            installation.book("B1", timedelta(seconds=3))
            installation.book("B2", timedelta(seconds=3), "+46701740606")
            fake.faults.append(Fault(Trouble.ERROR_AFTER))
            first = await asyncio.to_thread(installation.command, "tick", "--json")
            assert first.returncode == 0, first.stderr
            counts = json.loads(first.stdout)
            assert (counts["sent"], counts["unknown"]) == (1, 1)
            assert "+4670174" not in first.stderr
            assert sorted(installation.states()) == ["accepted", "unknown"]
            await asyncio.sleep(11)
            second = await asyncio.to_thread(installation.command, "tick", "--json")
            assert json.loads(second.stdout)["sent"] == 0
            assert sorted(installation.states()) == ["accepted", "accepted"]
            assert len(fake.texts()) == 2

    asyncio.run(story())


def test_wrong_credentials_end_tick_with_one(tmp_path: Path) -> None:
    """Wrong credentials give one clear alarm and exit status 1, and the message waits."""

    async def story() -> None:
        async with FakeTwilio() as fake:
            installation = await asyncio.to_thread(
                Installation, tmp_path, *through_twilio(fake, "wrong")
            )
            installation.book("B1", timedelta(seconds=3))
            tick = await asyncio.to_thread(installation.command, "tick")
            assert tick.returncode == 1
            assert tick.stderr.count("channel_down") == 1
            assert installation.states() == ["planned"]
            assert fake.texts() == []
            status = await asyncio.to_thread(installation.command, "status", "--json")
            assert status.returncode == 1
            assert json.loads(status.stdout)["ok"] is False

    asyncio.run(story())
