"""Looking: one visit with all its messages, what goes out when, and whom to phone."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from reminders.cli import screen
from reminders.cli.contact import people_text, person_json
from reminders.cli.screen import indented, iso, local, plural, print_json, say, table
from reminders.cli.session import (
    AsJson,
    Clinic,
    Ref,
    any_clinic,
    catch_up,
    config_of,
    examples,
    family,
    one_clinic,
    opened,
    zone_of,
)
from reminders.config import Config
from reminders.domain.message import Message
from reminders.domain.reasons import AS_EXPECTED, Reason, sentence
from reminders.domain.rules import Event
from reminders.engine import desk, showing
from reminders.engine.items import Item
from reminders.engine.showing import Shown
from reminders.store import views
from reminders.store.ledger import Entry
from reminders.store.views import Line

commands = family()

KINDS = {
    "channel": "Nothing goes out on these channels",
    "call": "To phone: no text has told them, or will in time",
    "unknown": "Not known whether it arrived: phone if it is urgent",
    "answer": "Have written to us: 'inbound list' shows the words, 'inbound done' ticks them off",
    "login": "No login of their own that is known to work: 'own-login' records the answer",
    "inform": "Agreed to texts that say something else now: 'contact set --informed' records it",
    "problem": "Rows of files to correct",
    "file": "Files of the watched folder that wait or are refused: see the page Import",
    "folder": "The watched folder is away: no export is read",
}

COMMANDS = {
    Reason.GUARDIAN_NOT_CHOSEN: "contact set",
    Reason.RENDER_FAILED: "templates check",
}
"""What to do about a reason is done with this command."""

NEWS = {
    Event.MOVED: "The visit was moved, and they know of the time before.",
    Event.CANCELLED: "The visit is cancelled, and they do not know it.",
}


@commands.command(epilog=examples("reminders show B-2041", "reminders show B-2041 --json"))
def show(ctx: typer.Context, ref: Ref, clinic: Clinic = None, as_json: AsJson = False) -> None:
    """Show a visit: its messages with the reason for each, and all that has happened to it.

    Ends with 4 if there is no such booking.
    """
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    with opened(config) as runtime:
        now = runtime.clock.now()
        catch_up(runtime, now)
        with runtime.database.reading() as conn:
            shown = showing.show(conn, runtime, key, ref, now)
    if as_json:
        print_json(_visit_json(shown, zone))
    else:
        say(_visit_text(shown, zone))


def _visit_json(shown: Shown, zone: ZoneInfo) -> dict[str, Any]:
    visit = shown.visit
    return {
        "clinic": visit.clinic,
        "ref": visit.ref,
        "kind": visit.kind,
        "starts_at": iso(visit.starts_at, zone),
        "status": visit.status,
        "version": visit.version,
        "known_at": iso(visit.known_at, zone),
        "protected": visit.protected,
        "own_login": shown.patient.own_login.value,
        "confirmed_at": iso(shown.patient.confirmed_at, zone),
        "confirmed_by": shown.patient.confirmed_by,
        "people": [person_json(person, zone) for person in shown.patient.people],
        "messages": [message_json(line, zone) for line in shown.lines],
        "not_planned": [
            {"rule": e.rule, "reason": e.reason.value, "sentence": told(e.reason)}
            for e in shown.explanations
        ],
        "ledger": [
            {
                "at": iso(entry.at, zone),
                "actor": entry.actor,
                "event": entry.event,
                "message": entry.message_id,
                "detail": dict(entry.detail),
            }
            for entry in shown.entries
        ],
    }


def message_json(line: Line, zone: ZoneInfo) -> dict[str, Any]:
    """Return a message for scripts."""
    message = line.message
    return {
        "id": message.id,
        "clinic": line.visit.clinic,
        "ref": line.visit.ref,
        "rule": message.key.rule,
        "contact": line.contact,
        "channel": message.key.channel.value,
        "state": message.state.value,
        "due_at": iso(message.due_at, zone),
        "not_after": iso(message.not_after, zone),
        "sent_at": iso(line.sent_at, zone),
        "reason": message.reason.value if message.reason else None,
        "covered_by": line.covered_by,
        "version": message.key.version,
        "occasion": message.key.occasion,
        "attempts": message.attempts,
    }


def told(reason: Reason) -> str:
    """Return a reason as a sentence, in the language of whoever sits at the terminal."""
    command = f" ('reminders {COMMANDS[reason]}')" if reason in COMMANDS else ""
    return sentence(reason, screen.language()) + command


def _visit_text(shown: Shown, zone: ZoneInfo) -> str:
    visit = shown.visit
    parts = [
        indented(
            f"{visit.ref} at {visit.clinic}: {visit.kind}, {local(visit.starts_at, zone)},"
            f" {visit.status}",
            0,
        ),
        *_confirmed(shown, zone),
        messages_text(list(shown.lines), zone) if shown.lines else _why_nothing(shown),
        *_explained(shown),
        *people_text(shown.patient, zone),
    ]
    if shown.entries:
        parts.append("\n".join(["What has happened", *(_entry(e, zone) for e in shown.entries)]))
    return "\n\n".join(parts)


def _confirmed(shown: Shown, zone: ZoneInfo) -> list[str]:
    """Return who has answered that they come; nothing where nobody has."""
    patient = shown.patient
    if patient.confirmed_at is None:
        return []
    person = next((p for p in patient.people if p.id == patient.confirmed_by), None)
    who = views.masked(person.role, person.phone) if person else "a contact who is gone"
    return [indented(f"Confirmed by {who}, {local(patient.confirmed_at, zone)}.", 0)]


def _why_nothing(shown: Shown) -> str:
    visit = shown.visit
    if visit.needs_plan:
        return indented("The messages are being planned. Ask again in a moment.", 0)
    if not visit.protected and any(one.phone or one.email for one in shown.patient.people):
        return indented("There are no messages: see below why.", 0)
    reason = Reason.PROTECTED_IDENTITY if visit.protected else Reason.NO_ADDRESS
    return indented(f"There are no messages. {told(reason)}", 0)


def _explained(shown: Shown) -> list[str]:
    """Return why other rules have no message; that nothing has happened yet goes without saying."""
    said = dict.fromkeys(
        (e.rule, e.reason) for e in shown.explanations if e.reason not in AS_EXPECTED
    )
    lines = [indented(f"{rule}: {told(reason)}", 2, 4) for rule, reason in said]
    return ["\n".join(["No message for", *lines])] if lines else []


def _entry(entry: Entry, zone: ZoneInfo) -> str:
    detail = " ".join(f"{key}={value}" for key, value in entry.detail.items())
    text = f"{local(entry.at, zone)}  {entry.event}  {detail}  ({entry.actor})"
    return indented(" ".join(text.split()), 2, 6)


def messages_text(lines: list[Line], zone: ZoneInfo, *, with_ref: bool = False) -> str:
    """Return messages as a table, the reason of each below it."""
    if not lines:
        return "There are no messages."
    headers = ["Due", "Rule", "To", "By", "State"]
    return table(
        ["Due", "Visit", *headers[1:]] if with_ref else headers,
        [
            screen.Line(
                (
                    local(line.message.due_at, zone),
                    *((line.visit.ref,) if with_ref else ()),
                    line.message.key.rule,
                    line.contact,
                    line.message.key.channel.value,
                    line.message.state.value,
                ),
                _note(line.message, line.covered_by),
            )
            for line in lines
        ],
    )


def _note(message: Message, covered_by: str | None) -> str:
    if message.reason is None:
        return ""
    return told(message.reason) + (f" ({covered_by})" if covered_by else "")


@commands.command(epilog=examples("reminders timeline", "reminders timeline --hours 72"))
def timeline(
    ctx: typer.Context,
    hours: Annotated[int, typer.Option(min=1, max=24 * 366, help="How far to look ahead.")] = 24,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Show what goes out when."""
    config = config_of(ctx)
    key = any_clinic(config, clinic)
    zone = zone_of(config, key)
    with opened(config) as runtime:
        now = runtime.clock.now()
        catch_up(runtime, now)
        with runtime.database.reading() as conn:
            found = views.timeline(conn, key, now, now + timedelta(hours=hours))
    found.sort(key=lambda line: (line.message.due_at, line.visit.ref))
    if as_json:
        messages = [message_json(line, zone_of(config, line.visit.clinic)) for line in found]
        print_json({"hours": hours, "count": len(messages), "messages": messages})
        return
    if found:
        say(messages_text(found, zone, with_ref=True) + "\n")
    say(f"{plural(len(found), 'message')} in the next {plural(hours, 'hour')}.")


@commands.command(epilog=examples("reminders worklist", "reminders worklist | lp"))
def worklist(ctx: typer.Context, clinic: Clinic = None, as_json: AsJson = False) -> None:
    """List whom to phone and why, what is unclear, and which rows of files need a look.

    The soonest visit comes first. Phone numbers are not shown: look them up in the records.
    """
    config = config_of(ctx)
    key = any_clinic(config, clinic)
    with opened(config) as runtime:
        now = runtime.clock.now()
        catch_up(runtime, now)
        with runtime.database.reading() as conn:
            items = desk.worklist(conn, runtime, key, now)
    if as_json:
        listed = [_item_json(config, item) for item in items]
        print_json({"count": len(listed), "items": listed})
    elif not items:
        say("Nothing to do: nobody has to be phoned, and no row of a file corrected.")
    else:
        say("\n\n".join(_items_text(config, kind, items) for kind in _kinds(items)))


def _kinds(items: list[Item]) -> list[str]:
    found = {item.kind for item in items}
    return [kind for kind in KINDS if kind in found]


def _item_json(config: Config, item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "clinic": item.clinic,
        "ref": item.ref,
        "starts_at": iso(item.starts_at, zone_of(config, item.clinic)),
        "contact": item.contact,
        "reason": item.reason,
        "news": item.news.value if item.news else None,
        "counts_on": iso(item.counts_on, zone_of(config, item.clinic)),
        "yes_at": iso(item.yes_at, zone_of(config, item.clinic)),
        "sentence": _item_sentence(config, item),
        "id": item.id,
    }


def _item_sentence(config: Config, item: Item) -> str:
    if item.kind in {"problem", "file", "folder"}:
        return item.detail
    why = told(Reason(item.reason)) + then_yes(item.yes_at, zone_of(config, item.clinic))
    if item.news is not None:
        return f"{NEWS[item.news]} {_expecting(config, item)}{why}"
    return f"{item.detail}. {why}" if item.detail else why


def then_yes(at: datetime | None, zone: ZoneInfo) -> str:
    """Return that a NO was followed by a YES, as a further sentence; nothing where it was not."""
    if at is None:
        return ""
    return f" YES has been answered since, {local(at, zone)}: ask what is right."


def _expecting(config: Config, item: Item) -> str:
    """Return the time that they count on, as a sentence; nothing where it has passed."""
    if item.counts_on is None:
        return ""
    return f"They count on {local(item.counts_on, zone_of(config, item.clinic))}. "


def _items_text(config: Config, kind: str, items: list[Item]) -> str:
    chosen = [item for item in items if item.kind == kind]
    lines = [indented(f"{KINDS[kind]} ({len(chosen)})", 0)]
    for item in chosen:
        when = local(item.starts_at, zone_of(config, item.clinic)) if item.starts_at else ""
        clinic = item.clinic if len(config.clinics) > 1 or not item.ref else ""
        head = "  ".join(part for part in (when, item.ref, item.contact, clinic) if part)
        lines += [indented(head, 2), indented(_item_sentence(config, item), 6)]
    return "\n".join(lines)
