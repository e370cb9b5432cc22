"""The users of the pages, and the tokens of programs that use the JSON API."""

import getpass
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from reminders.cli.screen import Line, iso, local, plural, print_json, say, table, tell
from reminders.cli.session import (
    AsJson,
    Clinic,
    config_of,
    examples,
    family,
    one_clinic,
    opened,
    zone_of,
)
from reminders.domain.access import ALL_CLINICS, Role, Scope
from reminders.engine import accounts
from reminders.errors import NotFoundError, UsageError
from reminders.store import tokens, users

LONGEST_FILE = 4096

commands = family()
token_commands = family()
commands.add_typer(token_commands, name="token", help="Tokens of programs: add, list, revoke.")

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="What the user logs in as.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Read the password from a file's first line; '-' is standard input. Else it is asked"
        " for.",
        show_default=False,
    ),
]


@commands.command(
    epilog=examples(
        "reminders users add anna",
        "reminders users add bo --role viewer --clinic internet",
        "reminders users add anna --password-file -    (from a pipe)",
    )
)
def add(
    ctx: typer.Context,
    login: Login,
    role: Annotated[Role, typer.Option(help="viewer looks; admin also acts.")] = Role.ADMIN,
    clinic: Annotated[
        list[str] | None,
        typer.Option(help="At which clinic; may be given again. Else: at all of them."),
    ] = None,
    language: Annotated[str, typer.Option(help="sv or en.")] = "sv",
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody use the pages. The password is never given on the command line."""
    config = config_of(ctx)
    roles: Mapping[str, Role] = dict.fromkeys(clinic or [ALL_CLINICS], role)
    with opened(config) as runtime:
        accounts.add_user(runtime, login, language, roles, _password(password_file))
    if as_json:
        print_json({"login": login.casefold(), "roles": dict(roles)})
    else:
        say(f"{login.casefold()} may log in.")


@commands.command("list", epilog=examples("reminders users list"))
def list_all(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the users, and what each may do."""
    config = config_of(ctx)
    zone = zone_of(config)
    with opened(config) as runtime, runtime.database.reading() as conn:
        found = users.accounts(conn)
    if as_json:
        listed = [
            {
                "login": user.login,
                "roles": dict(user.roles),
                "language": user.language,
                "created_at": iso(user.created_at, zone),
                "disabled_at": iso(user.disabled_at, zone),
            }
            for user in found
        ]
        print_json({"count": len(listed), "users": listed})
        return
    if found:
        rows = [
            Line(
                (
                    user.login,
                    ", ".join(f"{role.value} of {_place(key)}" for key, role in user.roles.items()),
                    user.language,
                    local(user.disabled_at, zone),
                )
            )
            for user in found
        ]
        say(table(["Login", "May", "Language", "Disabled"], rows) + "\n")
    say(f"{plural(len(found), 'user')}.")


def _place(key: str) -> str:
    return "all clinics" if key == ALL_CLINICS else key


@commands.command(epilog=examples("reminders users disable bo"))
def disable(ctx: typer.Context, login: Login) -> None:
    """Let a user in no more. Their sessions end at once."""
    with opened(config_of(ctx)) as runtime:
        accounts.set_disabled(runtime, login, disabled=True)
    say(f"{login.casefold()} may no longer log in.")


@commands.command(epilog=examples("reminders users enable bo"))
def enable(ctx: typer.Context, login: Login) -> None:
    """Let a disabled user in again, with the password they had."""
    with opened(config_of(ctx)) as runtime:
        accounts.set_disabled(runtime, login, disabled=False)
    say(f"{login.casefold()} may log in.")


@commands.command(epilog=examples("reminders users password anna"))
def password(ctx: typer.Context, login: Login, password_file: PasswordFile = None) -> None:
    """Give a user a new password. Their sessions end at once."""
    with opened(config_of(ctx)) as runtime:
        with runtime.database.reading() as conn:
            accounts.require_user(conn, login)
        accounts.change_password(runtime, login, _password(password_file))
    say(f"{login.casefold()} has a new password.")


def _password(file: Path | None) -> str:
    """Return a password from a file, a pipe or the person at the terminal."""
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask for the password on: use --password-file.")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise UsageError("The two are not the same. Nothing was changed.")
    return first


def _first_line(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.readline(LONGEST_FILE).rstrip("\r\n")
    try:
        with file.open(encoding="utf-8") as text:
            return text.readline(LONGEST_FILE).rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file}: the password cannot be read from there.") from None


TokenName = Annotated[str, typer.Argument(metavar="NAME", help="The program, in your own words.")]


@token_commands.command(
    "add",
    epilog=examples(
        "reminders users token add booking-system --scope read --scope write",
        "reminders users token add dashboard --days 90",
    ),
)
def add_token(
    ctx: typer.Context,
    name: TokenName,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="read, write; may be given again. Else: read.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="So long it holds. Else: until revoked.")
    ] = None,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Print a new token for a program. It is shown this once; only a hash of it is kept."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    name = name.strip()
    if not name or len(name) > accounts.LONGEST_LOGIN or not name.isprintable():
        raise UsageError("The name of a token is one line of at most 100 characters.")
    scopes = sorted(set(scope or [Scope.READ]))
    with opened(config) as runtime:
        until = runtime.clock.now() + timedelta(days=days) if days else None
        secret = accounts.add_token(runtime, key, name, scopes, until)
    if as_json:
        print_json({"name": name, "clinic": key, "scopes": scopes, "token": secret})
    else:
        say(secret)
        tell("Keep it where the program finds it: it is not shown again.")


@token_commands.command("list", epilog=examples("reminders users token list"))
def list_tokens(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the tokens, never the secrets themselves."""
    config = config_of(ctx)
    zone = zone_of(config)
    with opened(config) as runtime, runtime.database.reading() as conn:
        found = tokens.all_tokens(conn)
    if as_json:
        listed = [
            {
                "name": token.name,
                "clinic": token.clinic,
                "scopes": sorted(token.scopes),
                "expires_at": iso(token.expires_at, zone),
                "used_at": iso(token.used_at, zone),
                "revoked_at": iso(token.revoked_at, zone),
            }
            for token in found
        ]
        print_json({"count": len(listed), "tokens": listed})
        return
    if found:
        rows = [
            Line(
                (
                    token.name,
                    token.clinic,
                    " ".join(sorted(token.scopes)),
                    local(token.expires_at, zone),
                    local(token.used_at, zone),
                    local(token.revoked_at, zone),
                )
            )
            for token in found
        ]
        headers = ["Name", "Clinic", "Scopes", "Until", "Last used", "Revoked"]
        say(table(headers, rows) + "\n")
    say(f"{plural(len(found), 'token')}.")


@token_commands.command("revoke", epilog=examples("reminders users token revoke dashboard"))
def revoke(ctx: typer.Context, name: TokenName, clinic: Clinic = None) -> None:
    """Let a program in no more. Ends with 4 if there is no such token in force."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    with opened(config) as runtime:
        done = runtime.in_transaction(tokens.revoke, key, name, runtime.clock.now())
    if not done:
        raise NotFoundError(f"Clinic {key} has no token {name} in force.")
    say(f"The token {name} is no longer good for anything.")
