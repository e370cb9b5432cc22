"""The database: bringing it up to date, checking it, backups, and what comes after a restore."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from reminders import wiring
from reminders.cli.screen import ask, plural, print_json, say, tell
from reminders.cli.session import (
    AsJson,
    Yes,
    config_of,
    examples,
    family,
    opened,
    opened_store,
)
from reminders.clock import SystemClock
from reminders.config import Config
from reminders.engine import holding
from reminders.errors import ConfigError, UsageError
from reminders.store import backup, keeping, upgrade, views
from reminders.store.database import Database

FINDING = 1
SQLITE = "sqlite:///"

commands = family()


def sqlite_file(config: Config) -> Path | None:
    """Return the file of the configured database; None if it is PostgreSQL."""
    url = config.database_url
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def bring_up(config: Config) -> tuple[Database, bool]:
    """Return the database, made and current, and whether a key was made for it.

    A database that is there without its key is left alone: a new key could not open it. Raise
    ConfigError then.
    """
    file = sqlite_file(config)
    key = config.path(config.key_file)
    if file is not None and file.exists() and not key.exists():
        raise ConfigError(
            f"The database {file} is there, but its key file {key} is not. Put the key back from"
            " your copy: without it the database cannot be read."
        )
    made = wiring.make_key(config)
    if file is not None and file.parent.is_dir():
        file.touch(backup.PRIVATE)
    database = wiring.open_store(config, create=True)
    try:
        wiring.bring_up_to_date(config, database)
    except BaseException:
        database.close()
        raise
    return database, made


@commands.command("upgrade", epilog=examples("reminders db upgrade"))
def bring_up_to_date(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database to this version of the program; make it if there is none.

    Take a backup first.
    """
    database, made = bring_up(config_of(ctx))
    revision = upgrade.revision(database)
    database.close()
    if as_json:
        print_json({"revision": revision, "key_made": made})
    else:
        say(f"The database is at revision {revision}.")


@commands.command(epilog=examples("reminders db check"))
def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check that the database is whole and of this version. Ends with 1 on a finding."""
    with opened_store(config_of(ctx)) as database:
        upgrade.require_current(database)
        found = [*backup.findings(database), *upgrade.differences(database)]
    if as_json:
        print_json({"ok": not found, "findings": found})
    else:
        say("\n".join(found) or "The database is whole, and of this version.")
    if found:
        raise typer.Exit(FINDING)


@commands.command("backup", epilog=examples("reminders db backup /backup/reminders-monday.db"))
def back_up(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")],
) -> None:
    """Write a copy of the database to a new file, while work goes on.

    It is encrypted with the same key: keep a copy of the key too, in another place.
    """
    config = config_of(ctx)
    with opened_store(config) as database:
        backup.back_up(database, file)
        encrypted = database.encrypted
    say(f"Wrote {file}.")
    if encrypted:
        tell(f"It needs the key {config.path(config.key_file)}: keep a copy of that elsewhere.")


@commands.command(epilog=examples("reminders db restore /backup/reminders-monday.db --replace"))
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the present database.")
    ] = False,
) -> None:
    """Put a backup back. Nothing is sent from it until 'reminders db release'.

    The present database is kept, with .before-restore after its name.
    """
    config = config_of(ctx)
    to = sqlite_file(config)
    if to is None:
        raise UsageError(
            "This database is PostgreSQL: put a backup back with its own pg_restore, while no"
            " reminders process is running. Then run 'reminders db hold --restored'."
        )
    with _nobody_sends(to):
        backup.restore(file, wiring.read_secret(config), to, SystemClock().now(), replace=replace)
    say(f"Restored {file}. It is held: nothing is sent.")
    tell(
        "Messages that went out after the backup are not known to it. Import a new file, look at"
        "\n'reminders timeline' and 'reminders worklist', then run 'reminders db release'."
        "\nEmails that are due then go, perhaps again: they cannot be looked for."
    )


@contextmanager
def _nobody_sends(file: Path) -> Iterator[None]:
    """Keep the daemon and cron passes away from a SQLite file. Raise UsageError if one is there."""
    with Path(f"{file}.lock").open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                "A reminders process is sending from this database. Stop it first, then restore."
            ) from None
        yield


@commands.command(epilog=examples("reminders db hold --restored"))
def hold(
    ctx: typer.Context,
    restored: Annotated[
        bool,
        typer.Option("--restored", help="It was put back from a backup with other tools."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send nothing until 'reminders db release'.

    After pg_restore, add --restored before anything else is started: what went out after the
    backup is then looked for before it could go again.
    """
    work = holding.hold_restored if restored else holding.hold
    with opened(config_of(ctx)) as runtime:
        runtime.in_transaction(work, runtime, runtime.clock.now())
        cause = runtime.in_transaction(keeping.held_by)
    if as_json:
        print_json({"held": True, "held_by": cause})
    else:
        say("The database is held: nothing is sent until 'reminders db release'.")


@commands.command(epilog=examples("reminders db release"))
def release(ctx: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Let a restored database send again. Ends with 1 if it is left held."""
    with opened(config_of(ctx)) as runtime:
        now = runtime.clock.now()
        holding.prepare(runtime, now)
        with runtime.database.reading() as conn:
            held = keeping.get(conn, keeping.HELD) is not None
            due = views.health(conn, now).due
        if held:
            tell(
                f"{plural(due, 'message')} would go out at once. After a restore, texts are first"
                "\nlooked for at their provider, as patients may have got them after the backup was"
                "\ntaken. Emails cannot be looked for: those that are due go, perhaps again."
            )
            if not ask("Release?", yes=yes):
                raise typer.Exit(FINDING)
            runtime.in_transaction(holding.release, runtime, now)
    if as_json:
        print_json({"released": held, "due": due})
    else:
        say("Released: messages are sent again." if held else "The database was not held.")
