"""The texts: checking them, seeing them, approving them."""

import difflib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import typer

from reminders.cli.screen import Line, ask, indented, plural, print_json, printable, say, table
from reminders.cli.session import (
    AsJson,
    Clinic,
    Yes,
    config_of,
    examples,
    family,
    one_clinic,
    opened,
)
from reminders.clock import SystemClock
from reminders.config import Config
from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.engine import approval
from reminders.engine.approval import Waiting
from reminders.errors import NotFoundError
from reminders.message.lint import Report, lint
from reminders.message.render import Library
from reminders.message.samples import samples
from reminders.message.sms import measure
from reminders.message.sources import read_sources

NOT_DONE = 1
FINDING = 1

commands = family()


@commands.command(
    epilog=examples("reminders templates approve", "reminders templates approve --language ar")
)
def approve(
    ctx: typer.Context,
    changes_meaning: Annotated[
        bool,
        typer.Option(
            "--changes-meaning",
            help="They say something else than what people have consented to: those who have"
            " stand on the worklist until they are told.",
        ),
    ] = False,
    language: Annotated[
        list[str] | None,
        typer.Option(help="Only these languages, like ar; so a draft is approved."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show how each edited text differs from the approved one, ask, and approve them.

    Until then the last approved text is sent. A draft in another language is approved only by name.
    Ends with 1 if nobody said yes.
    """
    languages = frozenset(language) if language else None
    with opened(config_of(ctx)) as runtime:
        now = runtime.clock.now()
        with runtime.database.reading() as conn:
            found = approval.choose(conn, runtime, languages)
        if not as_json:
            say("\n\n".join(_difference(item) for item in found) or "Every text is approved.")
        agreed = bool(found) and ask(f"Approve {plural(len(found), 'text')}?", yes=yes)
        done: list[Source] = []
        if agreed:
            agree = partial(approval.approve, languages=languages, changes_meaning=changes_meaning)
            done = runtime.in_transaction(agree, runtime, runtime.actor, now)
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


@commands.command(epilog=examples("reminders templates check", "reminders templates check --json"))
def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check the texts as they are written: what they cost, and whether they say too much.

    Ends with 1 if there is a finding.
    """
    config = config_of(ctx)
    sources = list(read_sources(*approval.template_folders(config)).values())
    now = SystemClock().now()
    reports = {key: lint(sources, key, clinic, now) for key, clinic in config.clinics.items()}
    findings = [(key, found) for key, report in reports.items() for found in report.findings]
    if as_json:
        print_json(_check_json(config, reports))
    else:
        for key, report in reports.items():
            say(_costs(config, key, report))
        for key, found in findings:
            where = f"{found.file}, line {found.line} ({key})"
            say(indented(f"{where}: {found.message} [{found.code.value}]", 0, 4))
        say(f"\n{plural(len(findings), 'finding')}.")
    if findings:
        raise typer.Exit(FINDING)


def _costs(config: Config, key: str, report: Report) -> str:
    price = config.cost
    lines = [
        Line(
            (
                cost.file,
                cost.measure.charset.value,
                str(cost.measure.units),
                str(cost.measure.segments),
                f"{cost.measure.segments * price.sms_segment:.2f} {price.currency}",
            ),
        )
        for cost in report.costs
    ]
    title = f"Clinic {key}: the longest sample of each text message"
    return f"{title}\n" + table(("Text", "Charset", "Units", "Parts", "Cost"), lines) + "\n"


def _check_json(config: Config, reports: Mapping[str, Report]) -> dict[str, Any]:
    return {
        "ok": not any(report.findings for report in reports.values()),
        "findings": [
            {
                "clinic": key,
                "file": found.file,
                "line": found.line,
                "code": found.code.value,
                "message": found.message,
            }
            for key, report in reports.items()
            for found in report.findings
        ],
        "messages": [
            {
                "clinic": key,
                "file": cost.file,
                "sample": cost.sample,
                "charset": cost.measure.charset.value,
                "units": cost.measure.units,
                "segments": cost.measure.segments,
                "cost": round(cost.measure.segments * config.cost.sms_segment, 2),
            }
            for key, report in reports.items()
            for cost in report.costs
        ],
    }


@commands.command(
    epilog=examples(
        "reminders templates preview",
        "reminders templates preview --language sv --name day_before --channel sms",
    )
)
def preview(
    ctx: typer.Context,
    language: Annotated[str | None, typer.Option(help="Only this language, like sv.")] = None,
    name: Annotated[str | None, typer.Option(help="Only this text, like day_before.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="Only sms, or only email.")] = None,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Show the texts as they are written, filled in for sample people."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    sources = read_sources(*approval.template_folders(config))
    chosen = [
        source
        for (of, called, by), source in sorted(sources.items())
        if language in {None, of} and name in {None, called} and channel in {None, by}
    ]
    if not chosen:
        raise NotFoundError("There is no such text. 'reminders templates preview' shows them all.")
    shown = list(_previews(config, key, chosen))
    if as_json:
        print_json(shown)
        return
    for one in shown:
        say(f"== {one['language']}/{one['name']} {one['channel']}: {one['sample']}{one['size']}")
        if one["subject"]:
            say(f"{one['subject']}\n")
        say(f"{one['body'].strip()}\n")


def _previews(config: Config, key: str, chosen: list[Source]) -> Iterator[dict[str, Any]]:
    """Yield each different text once, for the first sample that gets it."""
    library = Library(chosen)
    for source in chosen:
        seen: set[str] = set()
        for sample in samples(config.clinics[key], SystemClock().now()):
            rendered = library.render(source, sample.facts, config.clinics[key])
            if rendered.body in seen:
                continue
            seen.add(rendered.body)
            size = measure(rendered.body)
            parts = f", {size.charset.value}, {plural(size.segments, 'part')}"
            yield {
                **_name(source),
                "sample": sample.name,
                "subject": rendered.subject,
                "body": rendered.body,
                "segments": size.segments if source.channel is Channel.SMS else None,
                "size": parts if source.channel is Channel.SMS else "",
            }
