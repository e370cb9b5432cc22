"""`import`: shows what a file would change and send, asks, and applies it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from reminders.cli.screen import (
    ask,
    indented,
    iso,
    local,
    plural,
    print_json,
    printable,
    say,
    tell,
)
from reminders.cli.session import (
    AsJson,
    Clinic,
    Yes,
    catch_up,
    config_of,
    examples,
    family,
    instant,
    one_clinic,
    opened,
    zone_of,
)
from reminders.domain.brought import Category
from reminders.engine import importing
from reminders.engine.exported import spelled
from reminders.engine.importing import Difference, HowFar, Options, Staged
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.columns import Field
from reminders.intake.problems import Problem
from reminders.interrupts import held, noted

NOT_APPLIED = 1
APPLIED_WITH_PROBLEMS = 3
LISTED = 20
INTERRUPTED: Mapping[HowFar | None, str] = {
    None: "Interrupted.",
    HowFar.NOT_BEGUN: "Interrupted. Nothing was changed.",
    HowFar.BEGUN: (
        "Interrupted while the file is being applied. 'reminders run' or 'tick', or the next"
        "\nimport, goes on with it to the end."
    ),
    HowFar.APPLIED: "Interrupted, just after the file was applied.",
}

commands = family()


@commands.command(
    "import",
    epilog=examples(
        "reminders import bookings.csv                    shows, asks, applies",
        "reminders import bookings.csv --dry-run          shows only",
        "reminders import bookings.csv --yes --json       for a script",
        "reminders import week.csv --full --cancel-missing",
    ),
)
def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bookings, as CSV.")],
    clinic: Clinic = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")
    ] = False,
    yes: Yes = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="The file has every booking of its days: list missing ones."),
    ] = False,
    cancel_missing: Annotated[
        bool, typer.Option("--cancel-missing", help="Cancel the missing bookings (with --full).")
    ] = False,
    exported_at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When the file was exported, if not at its own time on the disk."
        ),
    ] = None,
    older_ok: Annotated[
        bool, typer.Option("--older-ok", help="Take a file older than the last one imported.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse the whole file for any problem row.")
    ] = False,
    confirmations: Annotated[
        bool | None,
        typer.Option(
            "--confirmations/--no-confirmations",
            help="Whether new bookings are confirmed. Else: yes, but not while the clinic has no"
            " bookings here yet.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read bookings from a file: show what changes and what will be sent, ask, apply.

    Ends with 0; 1 if it was only shown; 2 if the file is refused; 3 if it was applied and has
    problem rows, which then stand on the worklist.
    """
    config = config_of(ctx)
    key = one_clinic(config, clinic)
    zone = zone_of(config, key)
    options = Options(
        full=full or cancel_missing,
        cancel_missing=cancel_missing,
        exported_at=instant(exported_at, zone) if exported_at else None,
        older_ok=older_ok,
        strict=strict,
        confirmations=confirmations,
    )
    with opened(config) as runtime:
        try:
            difference = _import(runtime, key, file, options, not dry_run, yes=yes, quiet=as_json)
        except RefusedFileError as error:
            if as_json:
                print_json(_as_json(None, error.problems, zone) | {"error": str(error)})
            raise
    if as_json:
        print_json(_as_json(difference, difference.problems, zone))
    if not difference.applied and not dry_run:
        raise typer.Exit(NOT_APPLIED)
    if difference.applied and difference.problems:
        raise typer.Exit(APPLIED_WITH_PROBLEMS)


def _import(
    runtime: Runtime,
    clinic: str,
    file: Path,
    options: Options,
    may_apply: bool,
    *,
    yes: bool,
    quiet: bool,
) -> Difference:
    now = runtime.clock.now()
    try:
        with noted(), _progress(f"Reading {spelled(file.name)}") as progress:
            staged = importing.stage(runtime, clinic, file, options, now, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(INTERRUPTED[HowFar.NOT_BEGUN]) from None
    with _thrown_away_unless_applied(runtime, staged):
        with noted():
            shown = importing.look(runtime, staged, options, now)
        if not quiet:
            say(describe(shown, runtime.clinic(clinic).zone))
        if not may_apply or not ask("Apply?", yes=yes):
            return shown
        done = importing.apply(runtime, staged, options, now)
        if not quiet:
            tell("Applied.")
        catch_up(runtime, now)
    return replace(done, sends=shown.sends)


@contextmanager
def _thrown_away_unless_applied(runtime: Runtime, staged: Staged) -> Iterator[None]:
    """Leave nothing behind, however it ends; if it was interrupted, say how far it had come."""
    reached: HowFar | None = None
    try:
        try:
            yield
        finally:
            with held():
                reached = importing.how_far(runtime, staged)
                if reached is HowFar.NOT_BEGUN:
                    importing.forget(runtime, staged)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(INTERRUPTED[reached]) from None


@contextmanager
def _progress(title: str) -> Iterator[Callable[[float], None] | None]:
    """Yield what shows how far the reading has come; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(title), total=1.0)
        yield lambda done: bar.update(task, completed=done)


def describe(difference: Difference, zone: ZoneInfo) -> str:
    """Return what a file changes and what will be sent for it, in words."""
    return "\n".join(
        [
            *_changes(difference, zone),
            *_columns(difference),
            *_file_time(difference, zone),
            "",
            *_sends(difference, zone),
            *_problems(difference),
        ]
    )


_ASSUMED = {
    Field.KIND: "No column tells the kind of visit: every row is taken for a video visit.",
    Field.STATUS: "No column tells whether a visit is cancelled: every row is taken as booked.",
}


def _columns(difference: Difference) -> list[str]:
    """Return what of the file is not read, and what is assumed as the file does not tell it."""
    lines = [_ASSUMED[field] for field in difference.assumed]
    if difference.unread:
        names = ", ".join(map(printable, difference.unread))
        lines.append(f"Columns that are not read: {names}")
    if lines:
        lines.append("If this is wrong, name the column in the clinic's setting 'columns'.")
    return ["", *(indented(line, 0, 2) for line in lines)] if lines else []


def _file_time(difference: Difference, zone: ZoneInfo) -> list[str]:
    if difference.file_time is None:
        return []
    said = (
        f"The file's own time on the disk, {local(difference.file_time, zone)}, is yet to come: it"
        "\nis taken as exported now. (--exported-at TIME tells when it was.)"
    )
    return ["", said]


def _changes(difference: Difference, zone: ZoneInfo) -> list[str]:
    counts = difference.counts
    lines = [
        f"{counts[Category.NEW]:>6} new",
        f"{counts[Category.MOVED]:>6} moved to another time",
        *_listed(
            [f"{m.ref}  {local(m.before, zone)} → {local(m.after, zone)}" for m in difference.moves]
        ),
        f"{counts[Category.CANCELLED]:>6} cancelled",
        *_listed(difference.cancellations),
        f"{counts[Category.UPDATED]:>6} with corrected details",
        f"{counts[Category.UNCHANGED]:>6} unchanged",
        f"{counts[Category.IGNORED]:>6} ignored: no video visits, or cancelled and not known here",
    ]
    if counts[Category.HELD_BACK]:
        lines.append(f"{counts[Category.HELD_BACK]:>6} held back: nobody can be told (see below)")
    if difference.kept:
        lines.append(f"{counts[Category.KEPT]:>6} changed by staff since this export: they stay so")
        lines += _listed(difference.kept_refs)
    if difference.missing:
        fate = "will be cancelled" if difference.cancels_missing else "stay as they are"
        lines.append(f"{len(difference.missing):>6} missing from the file: they {fate}")
        lines += _listed([f"{m.ref}  {local(m.starts_at, zone)}" for m in difference.missing])
    return [*lines, *_whose(difference)]


_KNOWN_AGAIN = "known here with other leading zeros, and read as the one that is known."
_RENUMBERED = "the same patient's under another number. What is recorded goes along."
_PASSED = (
    "now another patient's. Who was told before stands on the call list; a protected identity goes"
    " along until the file says no."
)
_TWIN = "the patient has another at that time. Is it one booking with two references?"


def _whose(difference: Difference) -> list[str]:
    """Return what is said of bookings and patients that are known again, or change places."""
    again = difference.known_again
    said = (
        (again.refs, "booking reference", _KNOWN_AGAIN),
        (again.patients, "patient number", _KNOWN_AGAIN),
        (difference.renumbered, "booking", _RENUMBERED),
        (difference.passed, "booking", _PASSED),
        (difference.twins, "new booking", _TWIN),
    )
    lines = [f"{plural(count, what)}: {sentence}" for count, what, sentence in said if count]
    return ["", *(indented(line, 0, 2) for line in lines)] if lines else []


def _listed(items: list[str]) -> list[str]:
    lines = [indented(item, 9) for item in items[:LISTED]]
    more = len(items) - LISTED
    return [*lines, f"         … and {more} more"] if more > 0 else lines


_NO_TEXT = "An approved text is missing, or\ncannot be filled in: 'reminders doctor' tells which."


def _sends(difference: Difference, zone: ZoneInfo) -> list[str]:
    sends = difference.sends
    lines = ["Nothing will be sent for this."]
    if sends.messages:
        messages, parts = plural(sends.messages, "message"), plural(sends.segments, "SMS part")
        lines = [
            f"Will be sent: {messages}, {parts}, about {sends.cost:.2f} {sends.currency}",
            f"  first {local(sends.first_at, zone)}, last {local(sends.last_at, zone)}",
            *(f"  {count:>6} {rule}" for rule, count in sends.by_rule.items()),
        ]
    if sends.withdrawn:
        lines.append(f"No longer sent: {plural(sends.withdrawn, 'planned message')}.")
    if sends.unwritten:
        lines.append(f"Cannot be sent: {plural(sends.unwritten, 'message')}. {_NO_TEXT}")
    if sends.kept_back:
        lines.append(
            f"Kept back: {plural(sends.kept_back, 'message')}. This installation is not in"
            " production, and the\naddresses are not among allowed_recipients."
        )
    if difference.confirmations:
        lines.append("New bookings are confirmed. (--no-confirmations: they are not.)")
    elif difference.first_import:
        lines.append(
            "The clinic has no bookings here yet: new ones are not confirmed, as patients"
            "\nhave known them for long. (--confirmations: they are.)"
        )
    else:
        lines.append("New bookings are not confirmed.")
    return lines


def _problems(difference: Difference) -> list[str]:
    found = difference.problems
    if not found:
        return []
    lines = ["", f"{plural(len(found), 'problem')} in the file:"]
    for problem in found[:LISTED]:
        column = f", column {problem.column}" if problem.column else ""
        lines.append(indented(f"Line {problem.line}{column}: {problem.message}", 2, 6))
    if len(found) > LISTED:
        lines.append(f"  … and {len(found) - LISTED} more")
    return [*lines, *_of_anybody(difference)]


def _of_anybody(difference: Difference) -> list[str]:
    found = difference.of_anybody
    if not found:
        return []
    lines = ", ".join(map(str, found[:LISTED]))
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    said = (
        f"Of these lines it cannot be told whom they are about: {lines}{more}. So the file takes no"
        " contact away, puts no number in another's place and lifts no protection."
    )
    return ["", indented(said, 0, 2)]


def _as_json(
    difference: Difference | None, problems: tuple[object, ...] | list[Problem], zone: ZoneInfo
) -> dict[str, Any]:
    shown = difference or Difference(0, "", confirmations=False, first_import=False)
    sends = shown.sends
    return {
        **{category.value: count for category, count in shown.counts.items()},
        "missing": len(shown.missing),
        "other_number": shown.renumbered,
        "other_patient": shown.passed,
        "same_time": shown.twins,
        "refs_known_again": shown.known_again.refs,
        "patients_known_again": shown.known_again.patients,
        "problems": [
            {"line": p.line, "column": p.column, "code": p.code.value, "message": p.message}
            for p in problems
            if isinstance(p, Problem)
        ],
        "messages": sends.messages,
        "segments": sends.segments,
        "cost": sends.cost,
        "currency": sends.currency,
        "first_at": iso(sends.first_at, zone),
        "last_at": iso(sends.last_at, zone),
        "by_rule": dict(sends.by_rule),
        "kept_back": sends.kept_back,
        "withdrawn": sends.withdrawn,
        "unwritten": sends.unwritten,
        "moves": [
            {"ref": m.ref, "from": iso(m.before, zone), "to": iso(m.after, zone)}
            for m in shown.moves
        ],
        "cancellations": shown.cancellations,
        "kept_refs": shown.kept_refs,
        "missing_refs": [m.ref for m in shown.missing],
        "cancels_missing": shown.cancels_missing,
        "confirmations": shown.confirmations,
        "first_import": shown.first_import,
        "file_time_ahead": iso(shown.file_time, zone),
        "unread_columns": list(shown.unread),
        "lines_of_anybody": list(shown.of_anybody),
        "assumed": [field.value for field in shown.assumed],
        "applied": shown.applied,
    }
