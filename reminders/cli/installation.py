"""Setting up and looking over an installation: init, doctor, demo."""

import asyncio
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reminders import wiring
from reminders.cli import zones
from reminders.cli.database import bring_up
from reminders.cli.demo import play as play_demo
from reminders.cli.screen import indented, plural, print_json, say, tell
from reminders.cli.session import AsJson, Session, config_of, examples, family, login
from reminders.cli.status import WHY_HELD
from reminders.clock import SystemClock
from reminders.config import Config
from reminders.domain.contact import Channel
from reminders.domain.template import sent_by
from reminders.engine import approval, folders
from reminders.engine.runtime import Runtime
from reminders.errors import RemindersError
from reminders.message.lint import textless
from reminders.providers.base import CallsBack
from reminders.resources import example_config
from reminders.store import clinics, keeping, workers
from reminders.store import templates as approved_templates
from reminders.store.clinics import ClosedChannel
from reminders.store.database import Connection, journal
from reminders.store.server_time import clock_offset

FINDING = 1
CLOCK_SLACK = timedelta(minutes=1)
MOST_SKEW = 2.0
"""So many seconds may this machine's clock differ from the database server's."""

SHIPPED_LANGUAGES = {"sv", "en"}
READING_PACE = 0.5

commands = family()


@commands.command(
    epilog=examples("reminders init", "reminders --config /etc/reminders/config.toml init")
)
def init(ctx: typer.Context) -> None:
    """Set up: write config.toml, make the key and the database, approve the shipped texts.

    What is there already stays as it is, so it can be run again.
    """
    session: Session = ctx.obj
    path = session.config_path or Path(os.environ.get("REMINDERS_CONFIG", "config.toml"))
    written = _write_config(path)
    say(f"Wrote {path}." if written else f"{path} is there already and stays as it is.")
    config = Session(path, session.debug).config()
    database, key_made = bring_up(config)
    database.close()
    if key_made:
        say(f"Made the key {config.path(config.key_file)}. Keep a copy of it in another place:")
        say("without it, neither the database nor a backup of it can be read.")
    say(f"The database is ready: {database.engine.url.render_as_string(hide_password=True)}")
    _approve_shipped(config)
    say("\nNext:")
    say(f"  1. Look through {path}: the clinic's phone, its words, who sends.")
    say("  2. reminders doctor               is all in order?")
    say("  3. reminders import FILE          shows what it would do, then asks")
    say("  4. reminders run                  sends what falls due")


def _write_config(path: Path) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(example_config())
    except FileExistsError:
        return False
    return True


def _approve_shipped(config: Config) -> None:
    """Approve the shipped texts of a new database; in an older one, a person decides."""
    runtime = wiring.build(config, actor=login())
    try:
        now = runtime.clock.now()
        with runtime.database.transaction() as conn:
            if approved_templates.approved_versions(conn):
                return
            done = approval.approve_first(conn, runtime, runtime.actor, now, SHIPPED_LANGUAGES)
    finally:
        asyncio.run(wiring.close(runtime))
    say(f"Approved {plural(len(done.waiting), 'text')}, Swedish and English.")
    if done.broken:
        tell("These cannot be used; the shipped texts go out instead. Put them right, and then")
        tell("'reminders templates approve':")
        for finding in done.broken:
            tell(indented(finding.told, 2))


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    message: str


@commands.command(epilog=examples("reminders doctor", "reminders doctor --json"))
def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look the installation over: files, database, texts, providers, clock.

    Sends nothing. Ends with 1 if something is wrong.
    """
    config = config_of(ctx)
    checks = [_check_key(config), _check_environment(config), _check_zones(config)]
    try:
        runtime = wiring.build(config, actor=login())
    except RemindersError as error:
        checks.append(Check("database and providers", ok=False, message=str(error)))
    else:
        checks += asyncio.run(_check_runtime(runtime))
    ok = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": ok, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            mark = "ok   " if check.ok else "WRONG"
            said, *more = check.message.splitlines()
            say(indented(f"{mark}  {check.name}: {said}", 0, 7, cut=False))
            for line in more:
                say(indented(line.strip(), 9, cut=False))
    if not ok:
        tell("\nPut right what is marked WRONG, then run 'reminders doctor' again.")
        raise typer.Exit(FINDING)


def _check_key(config: Config) -> Check:
    path = config.path(config.key_file)
    name = "key file"
    try:
        wiring.read_secret(config)
        mode = stat.S_IMODE(path.stat().st_mode)
    except RemindersError as error:
        return Check(name, ok=False, message=str(error))
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check(
            name, ok=False, message=f"others may read {path}; put it right with: chmod 600 {path}"
        )
    return Check(name, ok=True, message=f"{path}, for its owner alone")


def _check_environment(config: Config) -> Check:
    if config.environment == "production":
        return Check("environment", ok=True, message="production: patients are texted")
    count = len(config.allowed_recipients)
    who = f"only {plural(count, 'allowed address', 'allowed addresses')}" if count else "nobody"
    return Check("environment", ok=True, message=f"test: {who} can be texted; all else is held")


def _check_zones(config: Config) -> Check:
    names = [clinic.time_zone for clinic in config.clinics.values()]
    ok, message = zones.look(names, SystemClock().now())
    return Check("time zones", ok=ok, message=message)


async def _check_runtime(runtime: Runtime) -> list[Check]:
    try:
        with runtime.database.reading() as conn:
            checks = [
                _check_database(conn, runtime),
                _check_held(conn),
                _check_templates(conn, runtime),
                _check_clock(conn, runtime),
                *_check_folders(conn, runtime),
            ]
            closed = clinics.closed_channels(conn)
        answers = await _probe_providers(runtime)
        channels = _check_channels(runtime, closed, answers)
        return [*checks, *channels, *answers, *_check_inbound(runtime)]
    finally:
        await wiring.close(runtime)


def _check_database(conn: Connection, runtime: Runtime) -> Check:
    kind = runtime.database.engine.dialect.name
    how = "encrypted" if runtime.database.encrypted else "not encrypted by reminders"
    return Check("database", ok=True, message=f"{kind}, {how}, current{_journal(conn, runtime)}")


def _journal(conn: Connection, runtime: Runtime) -> str:
    """Say which journal an SQLite database has, and why; nothing of another."""
    if not runtime.database.is_sqlite:
        return ""
    mode, version = journal(conn)
    if mode == "WAL":
        return f"; journal WAL: SQLite {version} has the fix of the WAL-reset fault"
    return (
        f"; journal {mode}, which is safe and slower: SQLite {version} has the WAL-reset fault,"
        " which can damage a database in WAL mode"
    )


def _check_held(conn: Connection) -> Check:
    held = keeping.held_by(conn)
    if held is None:
        return Check("sending", ok=True, message="not held")
    text = f"{WHY_HELD[held]}: nothing is sent until 'reminders db release'"
    return Check("sending", ok=False, message=text)


def _check_templates(conn: Connection, runtime: Runtime) -> Check:
    name = "texts"
    approved = approved_templates.approved(conn)
    found = approval.pending(runtime, approved)
    wrong = [finding.told for finding in found.broken]
    if found.waiting:
        count = plural(len(found.waiting), "text")
        wrong.append(f"{count} not approved: 'reminders templates approve'")
    there = {finding.file for finding in found.broken}
    sources = [*approved, *(item.source for item in found.waiting)]
    for key, practice in runtime.practices.items():
        names = {source.key for source in sent_by(sources, key)}
        lacking = textless(names, runtime.clinic(key), practice.rules)
        wrong += [finding.told for finding in lacking if finding.file not in there]
    wrong = list(dict.fromkeys(wrong))
    return Check(name, ok=not wrong, message="; ".join(wrong) or "all approved")


def _check_clock(conn: Connection, runtime: Runtime) -> Check:
    now, last = runtime.clock.now(), workers.last_tick(conn)
    if last is not None and last > now + CLOCK_SLACK:
        text = f"this machine's clock has gone back: it has been {last:%Y-%m-%d %H:%M}Z already"
        return Check("clock", ok=False, message=text)
    skew = round(clock_offset(runtime.database, SystemClock().now) / timedelta(seconds=1), 1)
    if abs(skew) > MOST_SKEW:
        text = (
            f"this machine's clock differs from the database server's by {skew} seconds; sending"
            " goes by the server's. Set the clocks right (chrony or systemd-timesyncd)"
        )
        return Check("clock", ok=False, message=text)
    return Check("clock", ok=True, message=f"{now:%Y-%m-%d %H:%M}Z")


def _check_folders(conn: Connection, runtime: Runtime) -> Iterator[Check]:
    """Tell, for each clinic with a watched folder, whether it can be read from here, and is."""
    away = {one.clinic: one for one in folders.away(conn, runtime, None, runtime.clock.now())}
    for clinic, folder in folders.watched(runtime).items():
        wrong = folders.fault(folder)
        if wrong is None and (found := away.get(clinic)):
            since = f"{found.since.astimezone(runtime.clinic(clinic).zone):%Y-%m-%d %H:%M}"
            wrong = f"is there, but who watches has not reached it since {since}: as which user?"
        message = f"{folder} {wrong or 'can be read and written'}"
        yield Check(f"watched folder of {clinic}", ok=wrong is None, message=message)


def _check_channels(
    runtime: Runtime, closed: Sequence[ClosedChannel], answers: Sequence[Check]
) -> list[Check]:
    """Tell of stopped channels; of one whose provider answers, when it is tried again."""
    fine = {check.name for check in answers if check.ok}
    checks = []
    for channel in closed:
        name = f"{channel.clinic}/{channel.channel.value}"
        message = f"down, code {channel.code}"
        if name in fine and channel.clinic in runtime.practices:
            at = channel.retry_at.astimezone(runtime.clinic(channel.clinic).zone)
            message += f"; its provider answers, and the next message tries it, from {at:%H:%M:%S}"
        checks.append(Check(f"channel {name}", ok=False, message=message))
    return checks


def _check_inbound(runtime: Runtime) -> Iterator[Check]:
    """Tell, for each clinic that can be answered, the address that its provider has to call."""
    for (clinic, channel), provider in runtime.providers.items():
        if channel is not Channel.SMS or not runtime.clinic(clinic).can_reply:
            continue
        address = provider.inbound_address() if isinstance(provider, CallsBack) else None
        if address:
            said = f"{provider.name} has to call {address} for each text that comes in"
        elif provider.real:
            said = "texts invite answers, which cannot come in: set web.public_url"
        else:
            said = f"{provider.name} receives nothing: 'reminders inbound add' takes a text in"
        yield Check(f"answers to {clinic}", ok=bool(address) or not provider.real, message=said)


async def _probe_providers(runtime: Runtime) -> list[Check]:
    checks: list[Check] = []
    for (clinic, channel), provider in runtime.providers.items():
        wrong = await provider.probe()
        message = wrong or f"{provider.name} answers"
        checks.append(Check(f"{clinic}/{channel.value}", ok=wrong is None, message=message))
    return checks


@commands.command(epilog=examples("reminders demo", "reminders demo --pace 2"))
def demo(
    pace: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds to rest after each message. Else: 0.5 on a terminal, or none.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Play two days of a made-up clinic, with its texts on a pretended phone. Sends nothing."""
    console = Console()
    if pace is None:
        pace = READING_PACE if console.is_terminal else 0
    if not play_demo(console, pace=pace):
        raise typer.Exit(FINDING)
