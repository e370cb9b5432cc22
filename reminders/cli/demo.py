"""The demo: two days of an example clinic in a minute, with the real engine on a fast clock."""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from babel.dates import format_date
from rich.console import Console

from reminders.cli.importing import describe
from reminders.cli.screen import language, plural
from reminders.cli.visits import messages_text, told
from reminders.config import example
from reminders.domain.appointment import VisitStatus
from reminders.domain.lifecycle import TOLD
from reminders.engine import desk, importing
from reminders.engine.dispatch import Report
from reminders.engine.importing import Difference, Options
from reminders.engine.planning import plan_pending
from reminders.intake.bookings import Problem, Row, read
from reminders.resources import examples
from reminders.simulation.world import World, phones
from reminders.store import views
from reminders.store.views import Line, Visit

START = datetime(2026, 11, 30, 12, 0)  # noqa: DTZ001 - the clinic's wall clock
CHANGE = timedelta(hours=27)
END = timedelta(hours=60)
SHOWN_LINES = 12
MOVED_BY = timedelta(hours=2)


def play(console: Console, *, pace: float) -> bool:
    """Play the demo; tell whether every booking of the file is accounted for.

    `pace` is how many seconds to rest after each message.
    """
    with tempfile.TemporaryDirectory(prefix="reminders-demo-") as folder:
        return _Demo(console, Path(folder), pace).play()


class _Demo:
    def __init__(self, console: Console, folder: Path, pace: float) -> None:
        self._console = console
        self._pace = pace
        config = example()
        self._clinic, clinic = next(iter(config.clinics.items()))
        self._zone = clinic.zone
        start = START.replace(tzinfo=self._zone).astimezone(UTC)
        self._start = start
        self._world = World(config, folder, start, phones(console))
        self._runtime = self._world.runtime
        self._file = examples() / "bokningar.csv"
        self._day: date | None = None

    def play(self) -> bool:
        """Import, look ahead, send two days' messages, change something, and add it all up."""
        return self._world.run(self._play())

    async def _play(self) -> bool:
        try:
            difference = self._import()
            self._look_ahead()
            await self._go_on(CHANGE)
            self._change_something()
            await self._go_on(END)
            return self._add_up(difference)
        finally:
            await self._world.end()

    def _say(self, text: str = "") -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _title(self, text: str) -> None:
        self._say(f"\n== {text}")

    def _import(self) -> Difference:
        self._title(f"reminders import {self._file.name}     (it is {START:%Y-%m-%d %H:%M})")
        options = Options(exported_at=self._start)
        staged = importing.stage(self._runtime, self._clinic, self._file, options, self._start)
        shown = importing.look(self._runtime, staged, options, self._start)
        self._say(describe(shown, self._zone))
        return importing.apply(self._runtime, staged, options, self._start)

    def _look_ahead(self) -> None:
        while self._runtime.in_transaction(plan_pending, self._runtime, self._start)[0]:
            pass
        self._title("reminders timeline --hours 60")
        with self._runtime.database.reading() as conn:
            lines = views.timeline(conn, self._clinic, self._start, self._start + END)
        self._say(messages_text(lines[:SHOWN_LINES], self._zone, with_ref=True))
        if len(lines) > SHOWN_LINES:
            self._say(f"… and {len(lines) - SHOWN_LINES} more")
        self._title("reminders run      (the clock runs fast; each message as on its phone)")

    async def _go_on(self, until: timedelta) -> None:
        await self._world.go_on(self._start + until, self._before, self._after)

    def _before(self, now: datetime) -> None:
        today = now.astimezone(self._zone).date()
        if today != self._day:
            self._day = today
            self._say(f"\n-- {format_date(today, 'EEEE d MMMM', locale=language())}")

    def _after(self, report: Report) -> None:
        if report.sent and self._pace:
            time.sleep(self._pace * report.sent)

    def _change_something(self) -> None:
        """Move one visit and cancel another, both of people who have been reminded of theirs."""
        now = self._world.clock.now()
        with self._runtime.database.reading() as conn:
            coming = views.visits(conn, self._clinic, since=now)
            told_of = {line.visit.ref for line in views.lines(conn, coming) if _reached(line)}
        heard = [v for v in coming if v.ref in told_of and v.status == VisitStatus.BOOKED.value]
        moved, cancelled = heard[0], heard[-1]
        to = moved.starts_at + MOVED_BY
        local = to.astimezone(self._zone)
        self._title(f"reminders move {moved.ref} --to '{local:%Y-%m-%d %H:%M}'")
        self._runtime.in_transaction(desk.move, self._runtime, self._clinic, moved.ref, to, now)
        self._title(f"reminders cancel {cancelled.ref}")
        self._runtime.in_transaction(desk.cancel, self._runtime, self._clinic, [cancelled.ref], now)

    def _add_up(self, difference: Difference) -> bool:
        fates = _Fates(self._world, self._clinic, difference).of_all(self._file, self._start)
        self._title("Every booking of the file is accounted for")
        for fate, count in sorted(Counter(fates.values()).items(), key=lambda item: -item[1]):
            self._say(f"{count:>6} {fate}")
        with self._runtime.database.reading() as conn:
            lines = views.lines(conn, views.visits(conn, self._clinic))
        sent = sum(_reached(line) for line in lines)
        self._say(f"{len(fates):>6} bookings in all; {plural(sent, 'message')} went out.")
        self._say("\nNothing was sent to anybody, and nothing is left running.")
        return "" not in fates.values()


def _reached(line: Line) -> bool:
    return line.message.state in TOLD


@dataclass(frozen=True, slots=True)
class _Fates:
    """Finds out what became of each booking, and why."""

    world: World
    clinic: str
    difference: Difference

    def of_all(self, file: Path, now: datetime) -> dict[str, str]:
        """Return each booking's fate, by its reference (or line); "" where it is not known."""
        form = importing.format_for(self.world.runtime, self.clinic)
        items = list(read(file, form, now))
        rows = {item.ref: item for item in items if isinstance(item, Row)}
        problems = {
            item.ref or f"line {item.line}": item for item in items if isinstance(item, Problem)
        }
        with self.world.runtime.database.reading() as conn:
            known = {visit.ref: visit for visit in views.visits(conn, self.clinic)}
            lines = views.lines(conn, list(known.values()))
        by_ref: dict[str, list[Line]] = {ref: [] for ref in known}
        for line in lines:
            by_ref[line.visit.ref].append(line)
        return {
            ref: self._known(known[ref], by_ref[ref])
            if ref in known
            else self._unknown(rows.get(ref), problems.get(ref))
            for ref in [*rows, *(ref for ref in problems if ref not in rows)]
        }

    def _known(self, visit: Visit, lines: list[Line]) -> str:
        reached = [line for line in lines if _reached(line)]
        if reached:
            return "told in time" if visit.status == VisitStatus.BOOKED.value else "told it is off"
        reasons = [line.message.reason for line in lines if line.message.reason]
        if not lines:
            reasons = [desk.nobody_to_tell(visit)]
        return f"to be phoned: {told(reasons[-1])}" if reasons else ""

    def _unknown(self, row: Row | None, problem: Problem | None) -> str:
        if problem is not None:
            return f"on the worklist: the row has a problem ({problem.code.value})"
        if row is not None and not row.video:
            return "ignored: not a video visit"
        if row is not None and row.status is VisitStatus.CANCELLED:
            return "ignored: cancelled before it was known"
        return ""
