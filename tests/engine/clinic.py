"""A clinic for stories: the real engine, store and sandbox phone, on a clock moved by hand."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from reminders.config import Config, example
from reminders.engine import approval, desk, importing, showing
from reminders.engine.dispatch import Dispatcher, Report
from reminders.engine.items import Item
from reminders.engine.planning import check_rules, plan_pending
from reminders.engine.runtime import Runtime
from reminders.simulation import loop
from reminders.simulation.clock import VirtualClock
from reminders.wiring import MakeProvider, build, close
from tests.engine.fresh import make_database

SECOND = timedelta(seconds=1)
ZONE = ZoneInfo("Europe/Stockholm")
HEAD = "boknings-id;starttid;besökstyp;mobil;e-post;roll;födelsedatum;status\n"


def at(text: str) -> datetime:
    """Return the instant of a Stockholm wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def row(
    ref: str = "B1",
    start: str = "2026-12-02 10:00",
    *,
    kind: str = "Videobesök",
    phone: str = "070-174 06 05",
    email: str = "",
    role: str = "vårdnadshavare",
    born: str = "2016-05-01",
    status: str = "bokad",
) -> str:
    """Return one line of a clinic's file."""
    return f"{ref};{start};{kind};{phone};{email};{role};{born};{status}\n"


@dataclass(frozen=True)
class Text:
    """A message as the pretended phone kept it."""

    channel: str
    at: str
    to: str
    body: str


class Clinic:
    """One clinic's database and its people's phones."""

    def __init__(
        self,
        folder: Path,
        url: str,
        start: datetime,
        *,
        make_provider: MakeProvider | None = None,
        **changes: Any,
    ) -> None:
        self.folder = folder
        self.clock = VirtualClock(start)
        self.config = self._config(url, changes)
        self.make_provider = make_provider
        self.starts = 0
        make_database(self.config)
        self.runtime: Runtime = self._build()
        self.runtime.in_transaction(approval.approve, self.runtime, "test", start)
        self.runtime.in_transaction(check_rules, self.runtime, start)
        self.dispatcher = Dispatcher(self.runtime, "worker")

    def _config(self, url: str, changes: dict[str, Any]) -> Config:
        """Return the example configuration with changes: scalars by path, sections whole."""
        data = example().model_dump(by_alias=True)
        data["database"]["url"] = url
        data["providers"] = {"sandbox": {"show": "none"}}
        for path, value in changes.items():
            *sections, name = path.lower().split("__")
            place = data
            for section in sections:
                place = place.setdefault(section, {})
            place[name] = value
        return Config.model_validate({**data, "folder": self.folder})

    def _build(self) -> Runtime:
        self.starts += 1
        return build(
            self.config, clock=self.clock, make_provider=self.make_provider, seed=self.starts
        )

    def restart(self, **changes: Any) -> None:
        """Let the process end, and start it again with another configuration."""
        asyncio.run(close(self.runtime))
        url = self.config.database.url
        self.config = self._config(url, changes)
        self.runtime = self._build()
        self.runtime.in_transaction(check_rules, self.runtime, self.clock.now())
        self.dispatcher = Dispatcher(self.runtime, "worker")

    def read(
        self,
        *rows: str,
        clinic: str = "internet",
        head: str = HEAD,
        confirmations: bool | None = None,
        apply: bool = True,
        exported_at: datetime | None = None,
        **options: Any,
    ) -> importing.Difference:
        """Import a file with these lines; exported now unless said otherwise."""
        path = self.folder / "bokningar.csv"
        path.write_text(head + "".join(rows), encoding="utf-8")
        chosen = importing.Options(
            exported_at=exported_at or self.clock.now(), confirmations=confirmations, **options
        )
        staged = importing.stage(self.runtime, clinic, path, chosen, self.clock.now())
        if not apply:
            shown = importing.look(self.runtime, staged, chosen, self.clock.now())
            importing.forget(self.runtime, staged)
            return shown
        return importing.apply(self.runtime, staged, chosen, self.clock.now())

    def plan(self) -> None:
        """Let the planner do all that waits for it."""
        while self.runtime.in_transaction(plan_pending, self.runtime, self.clock.now())[0]:
            pass

    def until(self, when: str) -> Report:
        """Let the engine work from one event to the next until a Stockholm wall-clock time."""
        return loop.run(self.clock, self._until(at(when)))

    async def _until(self, end: datetime) -> Report:
        total = Report()
        while True:
            report = await self.dispatcher.run_once()
            for name, value in report.counts().items():
                setattr(total, name, getattr(total, name) + value)
            total.down = report.down
            if self.dispatcher.unfinished:
                continue
            wake = report.next_at
            if wake is None or wake > end:
                self.clock.set(end)
                return total
            self.clock.set(wake if wake > self.clock.now() else self.clock.now() + SECOND)

    def texts(self) -> list[Text]:
        """Return all that the pretended phones and mailboxes got, oldest first."""
        kept = sorted(self.folder.glob("sandbox/*/*.txt"), key=lambda path: path.name)
        found = []
        for path in kept:
            head, _, body = path.read_text("utf-8").partition("\n\n")
            said = dict(re.findall(r"^(\w+): (.*)$", head, re.MULTILINE))
            found.append(Text(path.parent.name, said["Time"], said["To"], body))
        return found

    def show(self, ref: str) -> showing.Shown:
        """Return what staff see of a booking."""
        with self.runtime.database.reading() as conn:
            return showing.show(conn, self.runtime, "internet", ref, self.clock.now())

    def states(self, ref: str) -> list[tuple[str, str, str, str | None]]:
        """Return (rule, channel, state, reason) of a booking's messages, in the order made."""
        lines = sorted(self.show(ref).lines, key=lambda line: line.message.id)
        return [
            (
                line.message.key.rule,
                line.message.key.channel.value,
                line.message.state.value,
                line.message.reason.value if line.message.reason else None,
            )
            for line in lines
        ]

    def worklist(self) -> Sequence[Item]:
        """Return what staff have to do."""
        with self.runtime.database.reading() as conn:
            return desk.worklist(conn, self.runtime, "internet", self.clock.now())

    def end(self) -> None:
        """Close what is open."""
        asyncio.run(close(self.runtime))
