"""What every seed begins with: a folder, texts that the oracle can read, a database, a clock."""

import functools
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reminders.config import Config, example
from reminders.engine import approval
from reminders.simulation.clock import VirtualClock
from reminders.simulation.world import new_database
from reminders.store.database import Database, MemoryDatabase, image_of, open_in_memory
from reminders.wiring import build
from tests.simulation import knobs as drawn
from tests.simulation.knobs import CLINIC, Knobs

TEXTS = {
    name: f"{name}|{{{{ visit.date }}}}|{{{{ visit.time }}}}|{{% if short %}}short{{% endif %}}"
    for name in ("confirmation", "moved", "cancelled", "day_before", "fifteen_minutes", "help")
}


_within: list[str] = []


def live_in(folder: str) -> None:
    """Have this process's folder made within `folder`, which somebody else removes."""
    _within[:] = [folder]


@functools.cache
def home() -> Path:
    """Return this process's folder, with a key and the templates whose texts the oracle reads."""
    place = _within[0] if _within else fast_place()
    folder = Path(tempfile.mkdtemp(prefix="reminders-simulation-", dir=place))
    (folder / "reminders.key").write_text("5e" * 32 + "\n", "ascii")
    (folder / "texts" / "sv").mkdir(parents=True)
    for name, text in TEXTS.items():
        (folder / "texts" / "sv" / f"{name}.sms.txt").write_text(text, "utf-8")
        (folder / "texts" / "sv" / f"{name}.email.md").write_text(f"Subject: besked\n\n{text}\n")
    return folder


def fast_place() -> str | None:
    """Return a folder in memory, if this machine has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def tidy() -> None:
    """Remove this process's folder."""
    shutil.rmtree(home(), ignore_errors=True)
    home.cache_clear()


@functools.cache
def _example() -> dict[str, Any]:
    return example().model_dump(by_alias=True)


def configuration(knobs: Knobs, rules: Any) -> Config:
    """Return the seed's configuration: the example's, with its own rules and hours."""
    data = dict(_example())
    clinic = dict(next(iter(data["clinics"].values())))
    clinic |= {"time_zone": knobs.zone, "quiet_hours": knobs.config["quiet_hours"], "rules": None}
    clinic["languages"] = ("sv",)
    data["clinics"] = {CLINIC: clinic}
    data["rules"] = rules
    data["environment"] = knobs.config["environment"]
    data["allowed_recipients"] = [f"+467017{n:02}" for n in range(0)]
    data["templates_folder"] = str(home() / "texts")
    data["delivery"] = data["delivery"] | {
        key: knobs.config[key] for key in ("lease", "horizon", "in_flight")
    }
    return Config.model_validate({**data, "folder": home()})


@functools.cache
def image() -> bytes:
    """Return a database with its tables and approved templates, to begin each seed with."""
    knobs = drawn.draw(0, calm=True)
    database = new_database()
    config = configuration(knobs, dict(knobs.config["rules"]))
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    runtime = build(config, clock=clock, database=database, seed=0)
    with database.transaction() as connection:
        approval.approve(connection, runtime, "test", clock.now())
    return image_of(database)


@functools.cache
def _database() -> MemoryDatabase:
    return open_in_memory()


def fresh_database() -> Database:
    """Return this process's database, as each seed begins with it; what it held is gone.

    It is one for all seeds, so that statements are compiled once.
    """
    database = _database()
    database.begin_again(image())
    return database


class WallClock(VirtualClock):
    """A virtual clock that remembers when it was set wrong, and by how much."""

    def __init__(self, begin: datetime) -> None:
        super().__init__(begin)
        self.set_at: list[tuple[float, datetime]] = [(0.0, begin)]

    def jump(self, by: timedelta) -> None:
        """Set the wall clock, and remember it."""
        super().jump(by)
        self.set_at.append((self.elapsed(), self.now()))

    def showed(self, at: float) -> datetime:
        """Return what the wall clock showed at an elapsed second."""
        since, showed = max(one for one in self.set_at if one[0] <= max(at, 0.0))
        return showed + timedelta(seconds=at - since)

    def wrong_by(self, at: float) -> timedelta:
        """Return how far the wall clock was ahead of the truth at an elapsed second."""
        return self.showed(at) - self.set_at[0][1] - timedelta(seconds=at)

    def errors(self, since: float, until: float) -> list[timedelta]:
        """Return how far it was ahead at each moment of a span."""
        changes = [at for at, _ in self.set_at if since <= at <= until]
        return [self.wrong_by(at) for at in (since, *changes)]

    def seconds_at(self, wall: datetime) -> list[float]:
        """Return the elapsed seconds at which the wall clock showed `wall`."""
        found = []
        for number, (at, showed) in enumerate(self.set_at):
            end = self.set_at[number + 1][0] if number + 1 < len(self.set_at) else float("inf")
            seconds = at + (wall - showed).total_seconds()
            if at - 1e-6 <= seconds <= end + 1e-6:
                found.append(seconds)
        return found
