"""`simulate`: what a file, or the plan, would send, and what an outage would do to it."""

import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from reminders.cli.screen import Line as Row
from reminders.cli.screen import indented, iso, local, plural, print_json, say, table
from reminders.cli.session import (
    AsJson,
    Clinic,
    config_of,
    examples,
    family,
    instant,
    one_clinic,
    opened,
    zone_of,
)
from reminders.cli.visits import message_json, told
from reminders.clock import SystemClock
from reminders.config_rules import parse_clock, parse_length
from reminders.domain.reasons import Reason
from reminders.errors import UsageError
from reminders.simulation.rehearsal import Outage, Rehearsal, rehearse, rehearse_plan
from reminders.store.views import Line

LISTED = 200
AHEAD = 3
_HELP = "Let the server be down: '01:00/8h', or '2026-12-01 01:00/8h'."

commands = family()


@commands.command(
    epilog=examples(
        "reminders simulate                 the plan as it is",
        "reminders simulate bookings.csv",
        "reminders simulate bookings.csv --outage 01:00/8h",
        "reminders simulate bookings.csv --outage '2026-12-01 01:00/8h'",
    )
)
def simulate(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="The bookings, as CSV. Without a file: the plan as it is.",
            show_default=False,
        ),
    ] = None,
    outage: Annotated[
        str | None, typer.Option(metavar="FROM/DURATION", help=_HELP, show_default=False)
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When the file is imported. Else: now."),
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=31, help="How far to look ahead, without a file.")
    ] = AHEAD,
    confirmations: Annotated[
        bool | None,
        typer.Option(
            "--confirmations/--no-confirmations",
            help="Whether bookings are confirmed. Else: no, as in a clinic's first import.",
            show_default=False,
        ),
    ] = None,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Show what a file would send, and when; with --outage also what would be late or lost.

    Without a file it is what is planned. The real planner and engine run on a clock that jumps
    ahead, in a database of their own. Nothing is sent to anybody, and nothing is changed.
    """
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    if file is None and (at or confirmations is not None):
        raise UsageError("--at and --confirmations are of a file. Name the file too.")
    start = instant(at, zone) if at else SystemClock().now()
    down = read_outage(outage, start, zone) if outage else None
    if file is not None:
        found = rehearse(config, key, file, start, down, confirmations=confirmations)
    else:
        with opened(config) as runtime:
            found = rehearse_plan(runtime, key, timedelta(days=days), down)
    if as_json:
        print_json(_as_json(found, down, start if file else None, zone))
    else:
        say("\n\n".join(_as_text(found, down, zone)))


def read_outage(text: str, start: datetime, zone: ZoneInfo) -> Outage:
    """Return the outage (UTC) that '01:00/8h' or '2026-12-01 01:00/8h' means. Raise UsageError."""
    begins, _, length = text.partition("/")
    try:
        lasts = parse_length(length)
        at = parse_clock(begins) if re.fullmatch(r"\d{1,2}:\d{2}", begins.strip()) else None
    except ValueError:
        raise UsageError(
            f"{text!r} is not an outage. Write when it begins and how long it lasts, like"
            " '01:00/8h' or '2026-12-01 01:00/8h'."
        ) from None
    if at is None:
        moment = instant(begins, zone)
    else:
        day = start.astimezone(zone)
        if day.time() > at:
            day += timedelta(days=1)
        moment = instant(f"{day:%Y-%m-%d} {at:%H:%M}", zone)
    if moment < start:
        raise UsageError("The outage begins before anything else does. Give a later time.")
    return Outage(moment, moment + lasts)


def _as_json(
    found: Rehearsal, outage: Outage | None, start: datetime | None, zone: ZoneInfo
) -> dict[str, Any]:
    by_rule = Counter(line.message.key.rule for line in found.sent)
    down = {"from": iso(outage.begins, zone), "until": iso(outage.ends, zone)} if outage else None
    return {
        "imported_at": iso(start, zone),
        "outage": down,
        "count": len(found.sent),
        "by_rule": dict(sorted(by_rule.items())),
        "late": len(found.late),
        "expired": len(found.expired),
        "problems": _problems(found),
        "messages": [message_json(line, zone) for line in found.sent],
        "expired_messages": [message_json(line, zone) for line in found.expired],
        "phone": [
            {
                "ref": item.ref,
                "starts_at": iso(item.starts_at, zone),
                "contact": item.contact,
                "reason": item.reason,
                "sentence": told(Reason(item.reason)),
            }
            for item in found.phone
        ],
    }


def _as_text(found: Rehearsal, outage: Outage | None, zone: ZoneInfo) -> list[str]:
    parts = []
    if found.sent:
        late = {line.message.id for line in found.late}
        parts.append(_timeline(found.sent[:LISTED], late, zone))
        if len(found.sent) > LISTED:
            parts.append(f"… and {len(found.sent) - LISTED} more. --json lists them all.")
    parts.append(_sum(found, outage, zone))
    if found.expired:
        lines = [f"  {_named(line, zone)}" for line in found.expired[:LISTED]]
        parts.append("\n".join(["Not sent, as it would no longer have helped:", *lines]))
    if found.phone:
        parts.append("\n".join(["To be phoned, as nothing reaches them:", *_calls(found, zone)]))
    parts.append("Nothing was sent to anybody, and nothing was changed.")
    return parts


def _timeline(lines: list[Line] | Any, late: set[int], zone: ZoneInfo) -> str:
    rows = [
        Row(
            (
                local(line.sent_at, zone),
                line.visit.ref,
                line.message.key.rule,
                line.contact,
                line.message.key.channel.value,
            ),
            f"late: it was due {local(line.message.due_at, zone)}"
            if line.message.id in late
            else "",
        )
        for line in lines
    ]
    return table(["Goes", "Visit", "Rule", "To", "By"], rows)


def _sum(found: Rehearsal, outage: Outage | None, zone: ZoneInfo) -> str:
    said = [f"{plural(len(found.sent), 'message')} would go out."]
    if _problems(found):
        said.append(
            f"{plural(_problems(found), 'row')} of the file could not be used; see"
            " 'reminders import FILE --dry-run'."
        )
    if outage is not None:
        said.append(
            f"With the server down from {local(outage.begins, zone)} to"
            f" {local(outage.ends, zone)}: {len(found.late)} of them late, and"
            f" {len(found.expired)} not sent because they would no longer have helped."
        )
    return "\n".join(indented(line, 0) for line in said)


def _problems(found: Rehearsal) -> int:
    return len(found.difference.problems) if found.difference else 0


def _named(line: Line, zone: ZoneInfo) -> str:
    message = line.message
    return "  ".join(
        (
            local(message.due_at, zone),
            line.visit.ref,
            message.key.rule,
            line.contact,
            message.key.channel.value,
        )
    )


def _calls(found: Rehearsal, zone: ZoneInfo) -> list[str]:
    said = []
    for item in found.phone:
        when = local(item.starts_at, zone) if item.starts_at else ""
        said.append("  " + "  ".join(part for part in (when, item.ref, item.contact) if part))
        said.append(indented(told(Reason(item.reason)), 6))
    return said
