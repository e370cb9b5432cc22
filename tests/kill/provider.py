"""The judge: a provider in a process of its own, whose log outlives every worker that is killed."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from aiohttp import web

from tests.fakes.elks46_server import FakeElks46, Kept

SLOWEST = 0.03


class Slow(FakeElks46):
    """Takes a moment before and after it accepts a text, so that kills fall on every side of it."""

    async def _create(self, request: web.Request) -> web.Response:
        await asyncio.sleep(random.uniform(0, SLOWEST))
        answer = await super()._create(request)
        await asyncio.sleep(random.uniform(0, SLOWEST))
        return answer


async def serve(folder: Path) -> None:
    """Serve until killed; each text accepted is in the log before its answer leaves."""
    log = os.open(folder / "accepted.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def took(kept: Kept) -> None:
        os.write(log, (json.dumps([kept.to, kept.message]) + "\n").encode())

    fake = Slow(took=took)
    await fake.open(0)
    (folder / "base_url.part").write_text(fake.base_url, "ascii")
    (folder / "base_url.part").rename(folder / "base_url")
    await asyncio.Event().wait()


def start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the provider; return its process and address."""
    process = subprocess.Popen([sys.executable, "-m", "tests.kill.provider", str(folder)])
    address = folder / "base_url"
    for _ in range(600):
        if address.exists():
            return process, address.read_text("ascii")
        time.sleep(0.05)
    process.kill()
    raise RuntimeError("the provider did not start")


def accepted(folder: Path) -> Counter[tuple[str, str]]:
    """Return how often each text was accepted: the judge's word."""
    lines = (folder / "accepted.log").read_text("utf-8").splitlines()
    return Counter((to, message) for to, message in map(json.loads, lines))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
