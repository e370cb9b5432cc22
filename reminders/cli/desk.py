"""The desk: cancelling, moving, sending again, sending help."""

from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from reminders.cli.screen import Line as Row
from reminders.cli.screen import ask, iso, local, plural, print_json, say, table, tell
from reminders.cli.session import (
    AsJson,
    Clinic,
    Ref,
    Yes,
    config_of,
    examples,
    family,
    instant,
    one_clinic,
    opened,
    zone_of,
)
from reminders.cli.visits import message_json, messages_text
from reminders.domain.state import State
from reminders.engine import desk, prospect, several
from reminders.engine.items import Item
from reminders.engine.prospect import Prospect
from reminders.engine.runtime import Runtime
from reminders.errors import UsageError
from reminders.store import views
from reminders.store.views import Line, Visit

NOT_DONE = 1

commands = family()


@commands.command(
    epilog=examples(
        "reminders cancel B-2041",
        "reminders cancel B-2041 B-2042",
        "reminders cancel --day 2026-12-01     a whole day: shows, asks, cancels",
        "reminders cancel --day 2026-12-01 --clinician 'A. Berg'",
    )
)
def cancel(
    ctx: typer.Context,
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="REF...", help="The bookings.", show_default=False)
    ] = None,
    day: Annotated[
        str | None, typer.Option(metavar="DATE", help="Every visit of a day, like 2026-12-01.")
    ] = None,
    clinician: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this clinician's; without --day, all to come."),
    ] = None,
    clinic: Clinic = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel visits. Those who were told of them are told; the others hear nothing."""
    many = bool(day or clinician)
    if bool(refs) == many:
        raise UsageError("Give the references of the bookings, or --day DATE, or --clinician NAME.")
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    with opened(config) as runtime:
        if many:
            found = _chosen(runtime, key, day, clinician, zone)
        else:
            found = _named(runtime, key, refs or [])
        if many and not _agreed(runtime, key, found, zone, yes=yes, as_json=as_json):
            raise typer.Exit(NOT_DONE)
        names = [visit.ref for visit in found]
        already = [visit for visit in found if visit.status != "booked"]
        now = runtime.clock.now()
        lines = runtime.in_transaction(desk.cancel, runtime, key, names, now)
        phone = runtime.in_transaction(desk.calls_after, runtime, key, names, now)
    if as_json:
        counts = {"to_phone": len(phone), "cancelled_already": len(already)}
        _print_done(names, lines, zone, applied=True, **counts)
        return
    if not found:
        return
    for visit in already:
        say(f"{visit.ref} was cancelled already.")
    if len(already) < len(found):
        say(f"Cancelled {plural(len(found) - len(already), 'visit')}.")
    _say_planned(lines, phone, zone)


def _named(runtime: Runtime, clinic: str, refs: list[str]) -> list[Visit]:
    with runtime.database.reading() as conn:
        return [desk.require(conn, clinic, ref) for ref in dict.fromkeys(refs)]


def _chosen(
    runtime: Runtime, clinic: str, day: str | None, clinician: str | None, zone: ZoneInfo
) -> list[Visit]:
    """Return the booked visits to come, of a day, of a clinician, or of both."""
    since, until = runtime.clock.now(), None
    if day is not None:
        begins, until = _day(day, zone)
        since = max(since, begins)
    with runtime.database.reading() as conn:
        names = None
        if clinician is not None:
            names = several.named(clinician, several.clinicians(conn, clinic, since, until))
        found = views.visits(conn, clinic, since=since, until=until, clinicians=names)
    return [visit for visit in found if visit.status == "booked"]


def _day(day: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    try:
        chosen = date.fromisoformat(day)
    except ValueError:
        raise UsageError(f"{day!r} is not a date. Write it like 2026-12-01.") from None
    begins, ends = (
        datetime.combine(chosen + timedelta(days=extra), time(), zone).astimezone(UTC)
        for extra in (0, 1)
    )
    return begins, ends


def _agreed(
    runtime: Runtime,
    clinic: str,
    found: list[Visit],
    zone: ZoneInfo,
    *,
    yes: bool,
    as_json: bool,
) -> bool:
    """Show which visits are meant and what cancelling them would send; tell if it is to be done."""
    with runtime.database.reading() as conn:
        seen = prospect.before(conn, runtime, clinic, found, None, runtime.clock.now())
    if not found:
        tell("There is no such visit to come: nothing to cancel.")
        agreed = yes
    else:
        if not as_json:
            _show(found, seen, zone)
        question = f"Cancel {plural(len(found), 'visit')}, and tell those who know of them?"
        agreed = ask(question, yes=yes)
    if as_json and not agreed:
        sends = {"sms": seen.texts, "emails": seen.emails, "untold": seen.untold}
        _print_done([visit.ref for visit in found], [], zone, applied=False, **sends)
    return agreed


def _show(found: list[Visit], seen: Prospect, zone: ZoneInfo) -> None:
    rows = [
        Row((local(visit.starts_at, zone), visit.ref, visit.kind, visit.clinician or ""))
        for visit in found
    ]
    say(table(["Time", "Visit", "Kind", "Clinician"], rows) + "\n")
    sends = [f"{seen.texts} SMS"] if seen.texts else []
    sends += [plural(seen.emails, "email")] if seen.emails else []
    untold = f" Of {plural(seen.untold, 'visit')} nobody is told." if seen.untold else ""
    say(f"Would send {', '.join(sends) or 'nothing'}.{untold}\n")


@commands.command(
    epilog=examples(
        "reminders move B-2041 --to '2026-12-03 09:30'",
        "reminders move B-2041 --to 2026-12-03T09:30+01:00",
    )
)
def move(
    ctx: typer.Context,
    ref: Ref,
    to: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The new time, in the clinic's time zone.")
    ],
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Give a visit a new time. Those who know of the old one are told."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    at = instant(to, zone)
    with opened(config) as runtime:
        now = runtime.clock.now()
        lines = runtime.in_transaction(desk.move, runtime, key, ref, at, now)
        phone = runtime.in_transaction(desk.calls_after, runtime, key, [ref], now)
    if as_json:
        print_json(
            {
                "ref": ref,
                "starts_at": iso(at, zone),
                "messages": [message_json(line, zone) for line in lines],
                "to_phone": len(phone),
            }
        )
        return
    say(f"{ref} is now at {local(at, zone)}.")
    _say_planned(lines, phone, zone)


@commands.command(epilog=examples("reminders resend B-2041 fifteen_minutes"))
def resend(
    ctx: typer.Context,
    ref: Ref,
    rule: Annotated[
        str, typer.Argument(metavar="RULE", help="The rule, by its name in the configuration.")
    ],
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Send a rule's message again, now, also at night. Ends with 1 if nobody can get it."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    with opened(config) as runtime:
        now = runtime.clock.now()
        lines = runtime.in_transaction(desk.resend, runtime, key, ref, rule, now)
    _tell_asked(ref, lines, zone_of(config, key), as_json=as_json)


@commands.command(
    "help", epilog=examples("reminders help B-2041", "reminders help B-2041 --not-come")
)
def send_help(
    ctx: typer.Context,
    ref: Ref,
    not_come: Annotated[
        bool, typer.Option("--not-come", help="You wait for the patient, who has not come.")
    ] = False,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Send the help with connecting: the patient cannot get in. For --help, add two dashes.

    Ends with 1 if nobody can get it.
    """
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    with opened(config) as runtime:
        now = runtime.clock.now()
        send = partial(desk.send_help, not_come=not_come)
        lines = runtime.in_transaction(send, runtime, key, ref, now)
    _tell_asked(ref, lines, zone_of(config, key), as_json=as_json)


def _tell_asked(ref: str, lines: list[Line], zone: ZoneInfo, *, as_json: bool) -> None:
    going = [line for line in lines if line.message.state is State.PLANNED]
    if as_json:
        _print_done([ref], lines, zone)
    else:
        say(messages_text(lines, zone))
        if going:
            say("\nIt goes out at once if 'reminders run' is at work, else with the next 'tick'.")
    if not going:
        tell("Nothing will be sent. Phone instead.")
        raise typer.Exit(NOT_DONE)


def _print_done(refs: list[str], lines: list[Line], zone: ZoneInfo, **more: int) -> None:
    print_json(
        {
            "refs": refs,
            "count": len(refs),
            "messages": [message_json(line, zone) for line in lines],
            **more,
        }
    )


def _say_planned(lines: list[Line], phone: list[Item], zone: ZoneInfo) -> None:
    if lines:
        say("\n" + messages_text(lines, zone, with_ref=True))
    elif not phone:
        say("Nobody needs a message of it: nobody was told, or what they were told still holds.")
    if phone:
        people = plural(len(phone), "person", "people")
        tell(f"No text can tell {people} in time: phone. 'reminders worklist' shows whom and why.")
