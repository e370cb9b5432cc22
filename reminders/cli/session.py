"""What the commands share: the configuration, an open installation, the clinic, their options."""

import asyncio
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from reminders import wiring
from reminders.config import Config, load_config
from reminders.engine import importing, planning
from reminders.engine.runtime import Runtime
from reminders.errors import UsageError
from reminders.store.database import Database

OWN_VARIABLES = frozenset({"REMINDERS_DEBUG", "REMINDERS_LOG"})
"""Set for the command line alone; they are no keys of the configuration."""

PLAN_SECONDS = 5.0
"""So long a command plans what waits, the soonest visits first; workers plan the rest."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Clinic = Annotated[
    str | None,
    typer.Option(
        "--clinic",
        metavar="KEY",
        help="The clinic, by its key in the configuration. Not needed if there is one.",
        show_default=False,
    ),
]
Ref = Annotated[str, typer.Argument(metavar="REF", help="The booking's reference.")]


@dataclass(frozen=True, slots=True)
class Session:
    """The options that stand before the command."""

    config_path: Path | None = None
    debug: bool = False

    def config(self) -> Config:
        """Read the configuration. Raise ConfigError."""
        environ = {k: v for k, v in os.environ.items() if k not in OWN_VARIABLES}
        return load_config(self.config_path, environ)


def family() -> typer.Typer:
    """Return an empty family of commands, with help in plain text."""
    return typer.Typer(rich_markup_mode=None, no_args_is_help=True)


def examples(*lines: str) -> str:
    """Return the end of a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def config_of(ctx: typer.Context) -> Config:
    """Return the configuration that the command was called with."""
    session: Session = ctx.obj
    return session.config()


def login() -> str:
    """Return who is at the keyboard, for the ledger."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "command line"


@contextmanager
def opened(config: Config, actor: str | None = None) -> Iterator[Runtime]:
    """Yield the whole installation, opened; close it afterwards."""
    runtime = wiring.build(config, actor=actor or login())
    try:
        yield runtime
    finally:
        asyncio.run(wiring.close(runtime))


@contextmanager
def opened_store(config: Config, *, create: bool = False) -> Iterator[Database]:
    """Yield the database alone, whatever its version; close it afterwards."""
    database = wiring.open_store(config, create=create)
    try:
        yield database
    finally:
        database.close()


def one_clinic(config: Config, given: str | None) -> str:
    """Return the clinic that is meant. Raise UsageError naming those there are."""
    known = ", ".join(config.clinics)
    if given is None:
        if len(config.clinics) > 1:
            raise UsageError(f"Say which clinic with --clinic KEY. There are: {known}.")
        return next(iter(config.clinics))
    if given not in config.clinics:
        raise UsageError(f"There is no clinic {given!r} in the configuration. There are: {known}.")
    return given


def any_clinic(config: Config, given: str | None) -> str | None:
    """Return the clinic that is meant; None for all of them."""
    return None if given is None else one_clinic(config, given)


def zone_of(config: Config, clinic: str | None = None) -> ZoneInfo:
    """Return the clinic's time zone; without a clinic, the first one's."""
    if clinic is None:
        return next(iter(config.clinics.values())).zone
    known = config.clinics.get(clinic)
    return known.zone if known else ZoneInfo("UTC")


def catch_up(runtime: Runtime, now: datetime) -> None:
    """Plan what waits for it, so that what is shown is what will be sent."""
    runtime.in_transaction(planning.check_rules, runtime, now)
    importing.resume(runtime, now)
    until = runtime.clock.elapsed() + PLAN_SECONDS
    while runtime.clock.elapsed() < until:
        visits, _ = runtime.in_step(planning.plan_pending, runtime, now)
        if not visits:
            return


def instant(text: str, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) that 'YYYY-MM-DD HH:MM', or ISO 8601 with an offset, means.

    Raise UsageError, with what to write instead, for a local time that no clock shows or that
    comes twice.
    """
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time. Write it like '2026-12-01 09:30', or with an offset like"
            " '2026-12-01T09:30+01:00'."
        ) from None
    if read.tzinfo is not None:
        return read.astimezone(UTC)
    first, second = (read.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != read:
        raise UsageError(
            f"{text!r} does not exist: the clocks are put forward past it. The next time that"
            f" does is {first.astimezone(UTC).astimezone(zone):%Y-%m-%d %H:%M}."
        )
    raise UsageError(
        f"{text!r} comes twice that night, as the clocks are put back. Write"
        f" {first.isoformat(timespec='minutes')} for the first,"
        f" {second.isoformat(timespec='minutes')} for the second."
    )
