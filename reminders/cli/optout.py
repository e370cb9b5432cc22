"""Addresses that want no more messages."""

from typing import Annotated

import typer

from reminders.cli.screen import Line, iso, local, plural, print_json, say, table
from reminders.cli.session import (
    AsJson,
    Clinic,
    catch_up,
    config_of,
    examples,
    family,
    one_clinic,
    opened,
    zone_of,
)
from reminders.config import Config
from reminders.engine import contacts
from reminders.errors import NotFoundError, UsageError
from reminders.intake.addresses import email_address, mobile_number
from reminders.intake.problems import Fault
from reminders.store import clinics

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="A phone number or an email address.")
]

commands = family()


@commands.command(
    epilog=examples(
        "reminders optout add '070-174 06 05'", "reminders optout add someone@example.org"
    )
)
def add(
    ctx: typer.Context, address: Address, clinic: Clinic = None, as_json: AsJson = False
) -> None:
    """Send nothing more to an address. What is planned to it is taken back."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    plain = normal(address, config, key)
    with opened(config) as runtime:
        now = runtime.clock.now()
        new = runtime.in_transaction(contacts.stop_address, runtime, key, plain, now)
        catch_up(runtime, now)
    if as_json:
        print_json({"address": plain, "added": new})
    else:
        say("Nothing more is sent there." if new else "It was on the list already.")


@commands.command(epilog=examples("reminders optout remove '070-174 06 05'"))
def remove(
    ctx: typer.Context, address: Address, clinic: Clinic = None, as_json: AsJson = False
) -> None:
    """Let messages go to an address again. Ends with 4 if it is not on the list."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    plain = normal(address, config, key)
    with opened(config) as runtime:
        now = runtime.clock.now()
        gone = runtime.in_transaction(contacts.start_address, runtime, key, plain, now)
        catch_up(runtime, now)
    if not gone:
        raise NotFoundError("The address is not on the list of those that want no messages.")
    if as_json:
        print_json({"address": plain, "removed": True})
    else:
        say("Messages may be sent there again.")


@commands.command("list", epilog=examples("reminders optout list"))
def list_all(ctx: typer.Context, clinic: Clinic = None, as_json: AsJson = False) -> None:
    """List the addresses that want no more messages."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    with opened(config) as runtime, runtime.database.reading() as conn:
        clinic_id = clinics.find_clinic_id(conn, key)
        found = clinics.opt_outs(conn, clinic_id) if clinic_id is not None else []
    if as_json:
        listed = [
            {"address": address, "source": source, "recorded_at": iso(at, zone)}
            for address, source, at in found
        ]
        print_json({"count": len(listed), "addresses": listed})
        return
    if found:
        rows = [Line((address, local(at, zone), source)) for address, source, at in found]
        say(table(["Address", "Since", "Said by"], rows) + "\n")
    say(f"{plural(len(found), 'address', 'addresses')}.")


def normal(address: str, config: Config, clinic: str) -> str:
    """Return an address as an import would have written it. Raise UsageError, not repeating it."""
    text = address.strip()
    region = config.clinics[clinic].imports.region
    found = email_address(text) if "@" in text else mobile_number(text, region)
    if isinstance(found, Fault):
        raise UsageError(found.message)
    return found
