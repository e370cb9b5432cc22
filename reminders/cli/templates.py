"""The texts: checking them, seeing them, approving them."""

import difflib
from typing import Any

import typer

from reminders.cli.screen import ask, plural, print_json, printable, say
from reminders.cli.session import AsJson, Yes, config_of, examples, family, opened
from reminders.domain.template import Source
from reminders.engine import approval
from reminders.engine.approval import Waiting

NOT_DONE = 1

commands = family()


@commands.command(
    epilog=examples("reminders templates approve", "reminders templates approve --yes")
)
def approve(ctx: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Show how each edited text differs from the approved one, ask, and approve them.

    Until then the last approved text is sent. Ends with 1 if nobody said yes.
    """
    with opened(config_of(ctx)) as runtime:
        now = runtime.clock.now()
        with runtime.database.reading() as conn:
            found = approval.waiting(conn, runtime)
        if not as_json:
            say("\n\n".join(_difference(item) for item in found) or "Every text is approved.")
        agreed = bool(found) and ask(f"Approve {plural(len(found), 'text')}?", yes=yes)
        done: list[Source] = []
        if agreed:
            done = runtime.in_transaction(approval.approve, runtime, runtime.actor, now)
    left = [] if agreed else [item.source for item in found]
    if as_json:
        print_json({"approved": [_name(s) for s in done], "waiting": [_name(s) for s in left]})
    elif done:
        say(f"Approved {plural(len(done), 'text')}.")
    if left:
        raise typer.Exit(NOT_DONE)


def _difference(item: Waiting) -> str:
    source = item.source
    before = item.approved.text.splitlines() if item.approved else []
    title = f"{source.language}/{source.name}, {source.channel.value}"
    lines = difflib.unified_diff(
        before, source.text.splitlines(), f"{title}: approved", f"{title}: now", lineterm=""
    )
    return "\n".join(map(printable, lines))


def _name(source: Source) -> dict[str, Any]:
    return {
        "language": source.language,
        "name": source.name,
        "channel": source.channel.value,
        "version": source.version,
    }
