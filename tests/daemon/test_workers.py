"""Several workers on one PostgreSQL: one killed, one frozen, one cut off from the database."""

import asyncio
import signal
import subprocess
from collections import Counter
from datetime import timedelta
from pathlib import Path

import psycopg

from tests.daemon.process import CLOCK, Installation
from tests.daemon.test_daemon import through_twilio
from tests.fakes.twilio_server import FakeTwilio, Fault, Trouble

COUNT = 120
SLOW = 0.15
LEASE = 20
PATIENCE = 240.0
OPEN = {"planned", "sending", "unknown"}


def on_postgresql(url: str, fake: FakeTwilio) -> list[tuple[str, str]]:
    """Return the changes for workers that share a PostgreSQL and notice a death soon."""
    return [
        *through_twilio(fake),
        ('url = "sqlite:///reminders.db"', f'url = "{url}"'),
        ('lease = "2m"', f'lease = "{LEASE}s"'),
        ("in_flight = 20", "in_flight = 5"),
        ('horizon = "2m"', 'horizon = "8s"'),
        ('not_after = "+1m"', 'not_after = "+30m"'),
    ]


def start(installation: Installation, name: str) -> "subprocess.Popen[str]":
    return installation.start("run", PGAPPNAME=name)


async def until(condition, what: str) -> None:
    """Wait until something is so, and let the pretended provider work meanwhile."""
    ends = CLOCK.elapsed() + PATIENCE
    while not condition():
        assert CLOCK.elapsed() < ends, f"never came: {what}"
        await asyncio.sleep(0.02)


async def ready(installation: Installation, count: int) -> None:
    """Wait until so many workers are at work."""
    for _ in range(2000):
        if await asyncio.to_thread(installation.workers) >= count:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the workers never came")


async def cut_off(url: str, name: str, seconds: float) -> None:
    """Break every connection of one worker to the database, again and again for a while."""
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    async with await psycopg.AsyncConnection.connect(plain, autocommit=True) as conn:
        ends = CLOCK.elapsed() + seconds
        while CLOCK.elapsed() < ends:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                [name],
            )
            await asyncio.sleep(0.05)


def settled(installation: Installation) -> bool:
    states = installation.states()
    return len(states) == COUNT and not OPEN & set(states)


def test_four_workers_of_which_three_have_bad_luck(tmp_path: Path, postgres_url: str) -> None:
    """One worker is killed, one frozen past its lease, one cut off: each text goes exactly once."""

    async def story() -> None:
        async with FakeTwilio(advance_on_fetch=True) as fake:
            installation = await asyncio.to_thread(
                Installation, tmp_path, *on_postgresql(postgres_url, fake)
            )
            workers = [start(installation, f"worker-{n}") for n in range(4)]
            try:
                await ready(installation, 4)
                await bad_luck(installation, fake, workers)
            finally:
                for worker in workers:
                    worker.send_signal(signal.SIGCONT)
                    worker.terminate()
                for worker in workers:
                    _, err = await asyncio.to_thread(worker.communicate)
                    assert "+4670174" not in err
            assert [worker.returncode for worker in workers] == [-signal.SIGKILL, 0, 0, 0]
            counts = Counter(one.to for one in fake.account.accepted)
            assert len(counts) == COUNT
            assert set(counts.values()) == {1}

    async def bad_luck(installation, fake, workers) -> None:
        fake.faults.extend(Fault(Trouble.SLOW, seconds=SLOW) for _ in range(COUNT))
        await asyncio.to_thread(installation.book_many, COUNT, timedelta(seconds=8))
        await until(lambda: len(fake.account.accepted) > COUNT // 10, "the first texts")
        workers[0].kill()
        workers[1].send_signal(signal.SIGSTOP)
        await cut_off(postgres_url, "worker-2", 4)
        await asyncio.sleep(LEASE)
        workers[1].send_signal(signal.SIGCONT)
        for _ in range(600):
            if await asyncio.to_thread(settled, installation):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(Counter(installation.states()))

    asyncio.run(story())


def test_a_worker_is_replaced_without_a_pause(tmp_path: Path, postgres_url: str) -> None:
    """While workers are stopped and started one by one, texts go out, each once."""

    async def story() -> None:
        async with FakeTwilio(advance_on_fetch=True) as fake:
            installation = await asyncio.to_thread(
                Installation, tmp_path, *on_postgresql(postgres_url, fake)
            )
            fake.faults.extend(Fault(Trouble.SLOW, seconds=SLOW) for _ in range(COUNT))
            old = start(installation, "old")
            new = start(installation, "new")
            try:
                await ready(installation, 2)
                await asyncio.to_thread(installation.book_many, COUNT, timedelta(seconds=8))
                await until(lambda: len(fake.account.accepted) > COUNT // 10, "the first texts")
                old.terminate()
                assert await asyncio.to_thread(old.wait, 20) == 0
                # What it had claimed and not begun is not held until its lease runs out.
                await until(lambda: len(fake.account.accepted) == COUNT, "all texts, at once")
            finally:
                for worker in (old, new):
                    worker.terminate()
                    await asyncio.to_thread(worker.communicate)
            counts = Counter(one.to for one in fake.account.accepted)
            assert set(counts.values()) == {1}
            assert "unknown" not in installation.states()

    asyncio.run(story())
