"""What people have written to us."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from reminders.cli.screen import indented, iso, local, plural, print_json, say
from reminders.cli.session import (
    AsJson,
    Clinic,
    any_clinic,
    config_of,
    examples,
    family,
    opened,
    zone_of,
)
from reminders.cli.visits import then_yes, told
from reminders.config import Config
from reminders.domain.contact import Channel
from reminders.domain.reasons import Reason
from reminders.engine import attention, inbound
from reminders.engine.attention import Written
from reminders.errors import UsageError
from reminders.intake.addresses import mobile_number
from reminders.intake.problems import Fault
from reminders.providers.base import CallsBack, Inbound
from reminders.store import inbound as store
from reminders.store.views import masked

BY_HAND = "command line"
SET_WHERE = (
    "Set it at Twilio as the number's webhook for incoming messages, at 46elks as its sms_url."
    " Reports of what became of a text need no setting: each text names its own address."
)

commands = family()


@commands.command(
    "list", epilog=examples("reminders inbound list", "reminders inbound list --days 7")
)
def list_all(
    ctx: typer.Context,
    days: Annotated[
        int | None, typer.Option(min=1, max=366, help="All of so many days, the done ones too.")
    ] = None,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """List what people have written that a person has to read. The words stand here alone."""
    config = config_of(ctx)
    key = any_clinic(config, clinic)
    with opened(config) as runtime:
        since = runtime.clock.now() - timedelta(days=days) if days else None
        with runtime.database.reading() as conn:
            found = store.answers(conn, key, since=since)
        read = attention.read_all(runtime, found)
    if as_json:
        listed = [_json(config, one) for one in read]
        print_json({"count": len(listed), "answers": listed})
        return
    say("\n".join([*(_text(config, one) for one in read), f"{plural(len(read), 'answer')}."]))


def _json(config: Config, one: Written) -> dict[str, Any]:
    answer = one.answer
    zone = zone_of(config, answer.clinic)
    return {
        "id": answer.id,
        "clinic": answer.clinic,
        "received_at": iso(answer.received_at, zone),
        "keyword": answer.keyword,
        "contact": masked(answer.role, answer.phone) if answer.role else None,
        "from": one.number or None,
        "ref": answer.ref,
        "starts_at": iso(answer.starts_at, zone),
        "visits": [{"ref": v.ref, "starts_at": iso(v.starts_at, zone)} for v in answer.visits],
        "text": one.words or None,
        "reply": answer.reply,
        "reason": answer.reason,
        "yes_at": iso(answer.yes_at, zone),
        "handled_at": iso(answer.handled_at, zone),
        "handled_by": answer.handled_by,
    }


def _text(config: Config, one: Written) -> str:
    answer = one.answer
    zone = zone_of(config, answer.clinic)
    who = masked(answer.role, answer.phone) if answer.role else one.number or "unknown number"
    parts = [str(answer.id), local(answer.received_at, zone), answer.keyword.upper(), who]
    lines = [indented("  ".join([*parts, *([answer.ref] if answer.ref else [])]), 0)]
    if one.words:
        lines.append(indented(one.words, 4))
    lines += [indented(f"{v.ref}, {local(v.starts_at, zone)}?", 4) for v in answer.visits]
    if answer.reason and answer.handled_at is None:
        why = told(Reason(answer.reason)) + then_yes(answer.yes_at, zone)
        lines.append(indented(why, 4))
    return "\n".join(lines)


@commands.command(
    epilog=examples(
        "reminders inbound add --from +46701740605 --text-file answer.txt",
        "echo 'Stopp!' | reminders inbound add --from +46701740605 --text-file -",
    )
)
def add(
    ctx: typer.Context,
    sender: Annotated[
        str, typer.Option("--from", metavar="NUMBER", help="Who wrote, like +46701740605.")
    ],
    text_file: Annotated[str, typer.Option(metavar="FILE", help="The words; - is standard input.")],
    to: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Our number. Not needed where there is one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in a text by hand, as if the provider had brought it. Ends with 1 if it is not kept."""
    config = config_of(ctx)
    ours = to or _only_number(config)
    words = _words(text_file)
    with opened(config) as runtime:
        text = Inbound(BY_HAND, runtime.token(), _whole(config, sender), ours, words)
        now = runtime.clock.now()
        taken = runtime.in_transaction(inbound.receive, runtime, text, now)
    if as_json:
        print_json({"outcome": taken.value})
    else:
        say(_OUTCOMES[taken])
    if taken is not inbound.Taken.TAKEN:
        raise typer.Exit(1)


_OUTCOMES = {
    inbound.Taken.TAKEN: "Taken in.",
    inbound.Taken.REPEATED: "It was taken in before.",
    inbound.Taken.NOT_OURS: "No clinic with sms.two_way = true has this number as its sender.",
    inbound.Taken.OWN_NUMBER: "It comes from a number of ours, so it is left alone.",
    inbound.Taken.TOO_MANY: "The number has written so much today that no more is kept.",
}


def _only_number(config: Config) -> str:
    numbers = {clinic.sms.sender for clinic in config.clinics.values() if clinic.can_reply}
    if len(numbers) != 1:
        raise UsageError("Say with --to which of our numbers it came to; sms.two_way must be on.")
    return numbers.pop()


def _whole(config: Config, sender: str) -> str:
    """Return a number as providers write it: what staff type may lack the country."""
    region = next(iter(config.clinics.values())).imports.region
    number = mobile_number(sender, region)
    if isinstance(number, Fault):
        raise UsageError(f"--from: {number.message}")
    return number


def _words(text_file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if text_file == "-" else Path(text_file).read_bytes()
    except OSError as error:
        raise UsageError(f"{text_file}: cannot be read ({error.strerror}).") from None
    return data.decode("utf-8", "replace").removesuffix("\n")


@commands.command(epilog=examples("reminders inbound done 12"))
def done(
    ctx: typer.Context,
    answers: Annotated[
        list[int], typer.Argument(metavar="ANSWER...", help="The numbers that the lists show.")
    ],
    as_json: AsJson = False,
) -> None:
    """Tick answers off: they leave the worklist, and the words are deleted.

    Ends with 4 if one of them does not wait; then none is ticked off.
    """
    with opened(config_of(ctx)) as runtime:
        now = runtime.clock.now()
        with runtime.database.transaction() as conn:
            for answer in answers:
                attention.finish(conn, runtime, None, answer, now)
    if as_json:
        print_json({"done": answers})
    else:
        say(f"Ticked off {plural(len(answers), 'answer')}.")


@commands.command(epilog=examples("reminders inbound address"))
def address(ctx: typer.Context, clinic: Clinic = None, as_json: AsJson = False) -> None:
    """Tell the address to set at each provider, where what people write is to be sent.

    With some providers it ends with a secret: show it to nobody else.
    """
    config = config_of(ctx)
    key = any_clinic(config, clinic)
    with opened(config) as runtime:
        found = [
            {"clinic": of, "provider": provider.name, "address": provider.inbound_address()}
            for (of, channel), provider in runtime.providers.items()
            if channel is Channel.SMS and key in {None, of} and isinstance(provider, CallsBack)
        ]
    if as_json:
        print_json({"addresses": found})
        return
    if not found:
        say("No clinic has a provider that brings what people write.")
    elif not config.web.public_url:
        say("Set [web] public_url first: how the outside reaches this installation.")
    else:
        lines = (f"{one['clinic']}  {one['provider']}\n    {one['address']}" for one in found)
        say("\n".join([*lines, SET_WHERE]))
