"""The texts: checking them, seeing them, approving them."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from reminders.cli.screen import ask, folded, plural, print_json, printable, say, tell
from reminders.cli.session import (
    AsJson,
    Clinic,
    Yes,
    any_clinic,
    catch_up,
    config_of,
    examples,
    family,
    one_clinic,
    opened,
)
from reminders.cli.text_check import Checked, check_json, check_text
from reminders.cli.text_preview import (
    preview_html,
    preview_json,
    preview_of,
    preview_text,
    write_page,
)
from reminders.clock import SystemClock
from reminders.config import Config
from reminders.domain.contact import Channel
from reminders.domain.template import Source, sent_by
from reminders.engine import approval
from reminders.engine.approval import Waiting
from reminders.engine.proof import prove
from reminders.engine.vetting import Vetted, vet
from reminders.engine.written import Written, in_its_folder, looked_into, template_folders
from reminders.errors import NotFoundError
from reminders.message.lint import Code, Finding, broken, lint
from reminders.message.places import placed
from reminders.message.sources import read_sources
from reminders.store import templates as approved_templates
from reminders.wiring import is_set_up

NOT_DONE = 1
FINDING = 1

CHECK_FIRST = (
    "'reminders templates check' fills in every upcoming message, and tells what they cost."
)

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
    clinic: Annotated[
        str | None,
        typer.Option("--clinic", metavar="KEY", help="Only the own texts of this clinic."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show how each edited text differs from the approved one, ask, and approve them.

    Until then the last approved text is sent. A draft in another language is approved only by name.
    A text that says too much or cannot be filled in is not approved, nor is a file that cannot be
    read; the others are. What else a check finds in one is said. Ends with 1 if any text waits.
    """
    languages = frozenset(language) if language else None
    config = config_of(ctx)
    owner = any_clinic(config, clinic)
    with opened(config) as runtime:
        now = runtime.clock.now()
        with runtime.database.reading() as conn:
            before = approved_templates.approved(conn)
        found = approval.pending(runtime, before, languages, owner)
        if owner is not None:
            found = replace(found, waiting=tuple(o for o in found.waiting if o.source.clinic))
        vetted = vet(runtime, found.waiting, before, now)
        good = [one.waiting for one in vetted if one.may_go]
        if not as_json:
            shown = "\n\n".join(_difference(item) for item in found.waiting)
            say(shown or ("" if found.broken else "Every text is approved."))
            _tell_findings(vetted, found.broken)
        agreed = bool(good) and ask(f"Approve {plural(len(good), 'text')}?", yes=yes)
        if agreed:
            # What was shown, whatever has been written to the disk meanwhile.
            chosen = approval.approvals(good, changes_meaning=changes_meaning)
            runtime.in_transaction(approval.approve_these, chosen, runtime.actor, now)
    done = [item.source for item in good] if agreed else []
    left = [item.source for item in found.waiting if item.source not in done]
    if as_json:
        told = [*found.broken, *(finding for one in vetted for finding in one.findings)]
        print_json(
            {
                "approved": [_name(s) for s in done],
                "waiting": [_name(s) for s in left],
                "refused": [_name(one.waiting.source) for one in vetted if not one.may_go],
                "findings": [_finding(finding) for finding in told],
            }
        )
    elif done:
        say(f"Approved {plural(len(done), 'text')}.")
    if left or found.broken:
        raise typer.Exit(NOT_DONE)


def _tell_findings(vetted: Sequence[Vetted], unread: Sequence[Finding]) -> None:
    """Tell what a check finds in them, and which are not approved for it."""
    for finding in (*unread, *(finding for one in vetted for finding in one.findings)):
        tell(printable(finding.told))
    refused = [one.waiting.source for one in vetted if not one.may_go]
    names = [f"{_called(s)} ({s.channel.value})" for s in refused]
    names += dict.fromkeys(finding.file for finding in unread)
    if names:
        tell(f"Not to be approved as it is: {', '.join(names)}.")
        tell("Put right what is said above, and try again.")
    if vetted:
        tell("\n" + CHECK_FIRST)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.file,
        "line": finding.line,
        "code": finding.code.value,
        "message": finding.message,
    }


def _difference(item: Waiting) -> str:
    source = item.source
    before = item.approved.text.splitlines() if item.approved else []
    title = f"{_called(source)}, {source.channel.value}"
    new = "every clinic's again" if item.back else "now"
    lines = difflib.unified_diff(
        before, source.text.splitlines(), f"{title}: approved", f"{title}: {new}", lineterm=""
    )
    same = f"{title}: {new}. It says what goes out already."
    # What a long line goes on with has its mark too: it is no line of the other side.
    return "\n".join(folded(printable(line), f"{line[:1]}    ") for line in lines) or same


def _called(source: Source) -> str:
    """Return what a text is called: a clinic's own, with the clinic before it."""
    whose = f"{source.clinic}: " if source.clinic else ""
    return f"{whose}{source.language}/{source.name}"


def _name(source: Source) -> dict[str, Any]:
    return {
        "language": source.language,
        "name": source.name,
        "channel": source.channel.value,
        "version": source.version,
        **({"clinic": source.clinic} if source.clinic else {}),
    }


@commands.command(epilog=examples("reminders templates check", "reminders templates check --json"))
def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check the texts as they are written: what they cost, and whether they say too much.

    Where there is a database, every upcoming message is filled in too, and edited texts are shown
    against the approved ones, as sample people would read them. Ends with 1 if there is a finding.
    """
    config = config_of(ctx)
    written = looked_into(config)
    now = SystemClock().now()
    before = _before(config)
    reports = {
        key: lint(
            _texts_of(written, key),
            key,
            clinic,
            now,
            sent_by(before, key),
            config.practice(key).rules,
        )
        for key, clinic in config.clinics.items()
    }
    findings = [
        (key, broken(file, str(fault)))
        for key, texts in written.items()
        for file, fault in texts.faults.items()
    ]
    there = {one.file for _, one in findings}  # what cannot be read is not missing besides
    findings += [
        (key, one)
        for key, report in reports.items()
        for one in placed(report.findings, config)
        if not (one.code is Code.MISSING and one.file in there)
    ]
    checked = Checked(config, reports, findings)
    _against_the_database(checked, written, now)
    checked.findings = [(key, in_its_folder(config, key, one)) for key, one in checked.findings]
    if as_json:
        print_json(check_json(checked))
    else:
        say(check_text(checked))
    if checked.findings:
        raise typer.Exit(FINDING)


def _texts_of(written: Written, clinic: str) -> Iterable[Source]:
    """Return what a clinic would send: its own folder counts, where it is there."""
    texts = written.get(clinic)
    return (texts.found if texts and texts.found else written[""].found).values()


def _before(config: Config) -> list[Source]:
    """Return the texts that are approved; where there is no database, the shipped ones."""
    if not is_set_up(config):
        return list(read_sources(template_folders(config)[0]).values())
    with opened(config) as runtime, runtime.database.reading() as conn:
        return approved_templates.approved(conn)


def _against_the_database(checked: Checked, written: Written, now: datetime) -> None:
    """Add what the database tells, if there is one: upcoming messages, and what is approved."""
    if not is_set_up(checked.config):
        return
    with opened(checked.config) as runtime:
        catch_up(runtime, now)
        with runtime.database.reading() as conn:
            proof = prove(conn, runtime, written, now)
    checked.upcoming = proof.messages
    checked.findings += proof.findings()
    checked.edits += proof.edits


@commands.command(
    epilog=examples(
        "reminders templates preview --language sv --name day_before --channel sms",
        "reminders templates preview --html texts.html",
    )
)
def preview(
    ctx: typer.Context,
    language: Annotated[
        str | None, typer.Option(help="Only this language, like ar. Else those of the clinic.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only this text, like day_before.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="Only sms, or only email.")] = None,
    html: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write a page for the browser, with phones and mailboxes; - is standard output.",
        ),
    ] = None,
    clinic: Clinic = None,
    as_json: AsJson = False,
) -> None:
    """Show the texts as they are written, filled in for sample people."""
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    sources = read_sources(*template_folders(config, key))
    languages = config.clinics[key].languages if language is None else [language]
    chosen = [
        source
        for (of, called, by), source in sorted(sources.items())
        if of in languages and name in {None, called} and channel in {None, by}
    ]
    if not chosen:
        raise NotFoundError("There is no such text. 'reminders templates preview' shows them all.")
    shown = preview_of(config, key, chosen, SystemClock().now())
    if html == "-":
        say(preview_html(config, key, shown))
    elif html is not None:
        write_page(Path(html), preview_html(config, key, shown))
        say(f"Wrote {html}: {plural(len(shown), 'text')}.")
    elif as_json:
        print_json([preview_json(one) for one in shown])
    else:
        say("\n\n".join(preview_text(config, key, one) for one in shown))
