"""`status`: how the sending is doing, for people and for monitoring."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import typer

from reminders.cli.screen import indented, local, plural, print_json, say
from reminders.cli.session import AsJson, config_of, examples, family, opened, zone_of
from reminders.engine import approval, desk, folders
from reminders.engine.runtime import Runtime
from reminders.store import anew, cases, clinics, keeping, templates, views, workers
from reminders.store.database import Connection

NOT_OK = 1
RECENTLY = timedelta(minutes=5)
"""A worker or a cron pass must have been at work within this, if anything is due."""

MOST_PENDING = 100_000

commands = family()


@commands.command(epilog=examples("reminders status", "reminders status --json     for monitoring"))
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show how the sending is doing. Ends with 1 if it needs a person.

    All is well when nothing is overdue, no channel is down, no watched folder is away, the database
    is not held after a restore, and somebody is sending what is due. What stands on the worklist is
    said besides.
    """
    config = config_of(ctx)
    zone = zone_of(config)
    with opened(config) as runtime:
        now = runtime.clock.now()
        with runtime.database.reading() as conn:
            found = _look(conn, runtime, now)
            to_do = 0 if as_json else len(desk.worklist(conn, runtime, None, now))
    seen: datetime | None = found["last_tick"]
    if as_json:
        moment = seen.astimezone(zone).isoformat(timespec="seconds") if seen else None
        print_json(found | {"last_tick": moment})
    else:
        say(_as_text(found | {"last_tick": local(seen, zone) if seen else "never"}, to_do))
    if not found["ok"]:
        raise typer.Exit(NOT_OK)


def _look(conn: Connection, runtime: Runtime, now: datetime) -> dict[str, Any]:
    health = views.health(conn, now)
    down = [f"{c.clinic}/{c.channel.value}" for c in clinics.closed_channels(conn)]
    away = [one.clinic for one in folders.away(conn, runtime, None, now)]
    pending = len(cases.pending(conn, MOST_PENDING, list(runtime.practices), now))
    pending += anew.count_left(conn, now, MOST_PENDING)
    held = keeping.held_by(conn)
    last = workers.last_tick(conn)
    at_work = last is not None and last >= now - RECENTLY
    attended = at_work or not (health.due or pending)
    return {
        "ok": not (health.overdue or down or away) and held is None and attended,
        **asdict(health),
        "last_tick": last,
        "workers": workers.alive(conn, now),
        "channels_down": down,
        "folders_away": away,
        "pending": pending,
        "held": held is not None,
        "held_by": held,
        "attended": attended,
        "templates_waiting": _templates_waiting(conn, runtime),
        "guarded": any(practice.guarded for practice in runtime.practices.values()),
    }


def _templates_waiting(conn: Connection, runtime: Runtime) -> int:
    """Return how many edited templates nobody has approved. One that cannot be read waits too."""
    found = approval.pending(runtime, templates.approved(conn))
    return len(found.waiting) + len(found.broken)


def _as_text(found: dict[str, Any], to_do: int) -> str:
    """Return it for people. `to_do`: so much stands on the worklist."""
    lines = ["All is well." if found["ok"] else "Something needs a person:"]
    if found["ok"] and to_do:
        lines = ["Sending works, and there is something for a person to do:"]
    lines += [indented(text, 2, 4) for text in _complaints(found)]
    if to_do:
        lines.append(f"  {plural(to_do, 'line')} on the worklist: 'reminders worklist'.")
    lines += [
        "",
        f"{found['due']:>6} due now ({found['overdue']} overdue)",
        f"{found['pending']:>6} visits waiting to be planned",
        f"{found['sending']:>6} being sent",
        f"{found['unknown']:>6} not known whether they arrived",
        f"{found['failed_24h']:>6} failed in the last 24 hours",
        f"{found['delivered_24h']:>6} delivered in the last 24 hours",
        f"{found['workers']:>6} workers; last at work {found['last_tick']}",
    ]
    if found["guarded"]:
        lines.append(
            "\nNot in production: only allowed_recipients are written to. 'doctor' counts them."
        )
    if found["templates_waiting"]:
        count = plural(found["templates_waiting"], "template")
        lines.append(f"\n{count} edited and not approved: 'reminders templates approve'.")
    return "\n".join(lines)


WHY_HELD = {
    keeping.Cause.PERSON: "Somebody has stopped all sending",
    keeping.Cause.RESTORED: "The database was restored",
    keeping.Cause.CLOCK: "This machine's clock has jumped by half an hour or more",
}


def _complaints(found: dict[str, Any]) -> list[str]:
    said: list[str] = []
    if found["held"]:
        said.append(f"{WHY_HELD[found['held_by']]}: nothing is sent until 'reminders db release'.")
    if found["channels_down"]:
        said.append(
            f"Down: {', '.join(found['channels_down'])}. The next message tries it again;"
            " 'reminders doctor' asks its provider now."
        )
    if found["folders_away"]:
        said.append(
            f"The watched folder is away: {', '.join(found['folders_away'])}. No export is read;"
            " 'reminders doctor' says more."
        )
    if found["overdue"]:
        late = plural(round(found["oldest_due_seconds"] / 60), "minute")
        said.append(f"{plural(found['overdue'], 'message')} overdue, the oldest by {late}.")
    if not found["attended"]:
        said.append("Nobody is sending: start 'reminders run', or 'reminders tick' from cron.")
    return said
