"""The command line: the families of commands, and how errors are told."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, Exit, TyperException

from reminders.cli import (
    contact,
    database,
    desk,
    importing,
    inbound,
    installation,
    optout,
    simulate,
    status,
    templates,
    users,
    visits,
    work,
)
from reminders.cli.logs import configure
from reminders.cli.screen import say, tell
from reminders.cli.session import Session
from reminders.errors import RefusedFileError, RemindersError
from reminders.intake.problems import Problem
from reminders.interrupts import STATUS
from reminders.store.database import DatabaseFault

LISTED = 20
GLOBAL_FLAGS = frozenset({"--debug"})
GLOBAL_VALUES = frozenset({"--config"})


class Commands(TyperGroup):
    """The root of the commands: tells errors in plain words, and takes its options anywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options that are the same for every command, wherever they stand."""
        return super().parse_args(ctx, _globals_first(args))

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Read the command line."""
        try:
            return super().make_context(*given, **more)
        except KeyboardInterrupt as interrupt:
            raise _interrupted(interrupt) from None

    def invoke(self, ctx: Any) -> Any:
        """Run a command; turn what goes wrong into words and an exit status."""
        try:
            return super().invoke(ctx)
        except (Exit, Abort, TyperException, BrokenPipeError):
            raise
        except RemindersError as error:
            tell_error(error)
            raise Exit(error.status) from None
        except KeyboardInterrupt as interrupt:
            raise _interrupted(interrupt) from None
        except Exception as error:
            if ctx.obj is None or ctx.obj.debug:
                raise
            tell_unexpected(error)
            raise Exit(1) from None


def _interrupted(interrupt: KeyboardInterrupt) -> Exit:
    tell(str(interrupt) or "Interrupted.")
    return Exit(STATUS)


def _globals_first(args: list[str]) -> list[str]:
    """Return the arguments with the global options before the command."""
    first: list[str] = []
    rest: list[str] = []
    waiting = list(args)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        if word in GLOBAL_VALUES and waiting:
            first += [word, waiting.pop(0)]
        elif word in GLOBAL_FLAGS or word.partition("=")[0] in GLOBAL_VALUES:
            first.append(word)
        else:
            rest.append(word)
    return first + rest


def tell_error(error: RemindersError) -> None:
    """Print an error as it is, and the lines of the file that it is about."""
    text = str(error)
    tell(text)
    if not isinstance(error, RefusedFileError):
        return
    named = [p for p in error.problems if isinstance(p, Problem) and p.message not in text]
    for problem in named[:LISTED]:
        column = f", column {problem.column}" if problem.column else ""
        tell(f"  Line {problem.line}{column}: {problem.message}")
    if len(named) > LISTED:
        tell(f"  … and {len(named) - LISTED} more.")


def tell_unexpected(error: Exception) -> None:
    """Print that something went wrong in the program; never a value, which could be a patient's."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        tell(f"{place}{error.strerror} ({kind}).")
        return
    if isinstance(error, DatabaseFault) and (why := _why_not(error)):
        tell(f"{why} Nothing of what was begun is kept.")
        return
    tell(
        f"Something went wrong that the program did not expect ({kind}). What was begun is rolled"
        " back.\nRun the command again with --debug to see where, and tell the maintainers."
    )


FAULTS = {
    "database is locked": "Another process is writing to the database. Run the command again.",
    "readonly database": "The database's file may not be written. Whose is it, and its folder?",
    "disk is full": "There is no room left on the disk of the database.",
    "disk I/O error": "The disk of the database cannot be written. Is there room, and is it well?",
}


def _why_not(fault: DatabaseFault) -> str | None:
    """Return what a database's error means in plain words, where it is the machine's."""
    said = str(fault.orig)
    found = (why for words, why in FAULTS.items() if words in said)
    lost = "The database does not answer any more." if fault.connection_invalidated else None
    return next(found, lost)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"reminders {installed_version('reminders')}")
        raise Exit


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def start(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="PATH",
            help="The configuration. Else $REMINDERS_CONFIG, ./config.toml,"
            " /etc/reminders/config.toml, or the built-in example.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where the program failed. Also REMINDERS_DEBUG=1.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - the callback of the option does the work
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Text patients how to get into their video visits, at the right time, once."""
    debug = debug or os.environ.get("REMINDERS_DEBUG", "") not in {"", "0"}
    configure(debug=debug, verbose=ctx.invoked_subcommand == "run")
    ctx.obj = Session(config, debug)


app.add_typer(installation.commands)
app.add_typer(importing.commands)
app.add_typer(visits.commands)
app.add_typer(work.commands)
app.add_typer(simulate.commands)
app.add_typer(status.commands)
app.add_typer(desk.commands)
app.add_typer(contact.own_login_commands)
app.add_typer(contact.commands, name="contact", help="People of a visit: wishes and consent.")
app.add_typer(inbound.commands, name="inbound", help="What people have written to us.")
app.add_typer(optout.commands, name="optout", help="Addresses that want no more messages.")
app.add_typer(templates.commands, name="templates", help="The texts: check, preview, approve.")
app.add_typer(users.commands, name="users", help="Who may use the pages and the JSON API.")
app.add_typer(database.commands, name="db", help="The database: upgrade, check, backup, restore.")


def main() -> None:
    """Run the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal of an old encoding gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    app(prog_name="reminders")
