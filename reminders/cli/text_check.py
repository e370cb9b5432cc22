"""How `templates check` tells what it found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reminders.cli.screen import Line, indented, plural, table
from reminders.config import Config
from reminders.engine.gallery import Change, Edit
from reminders.message.lint import Finding, Report
from reminders.message.render import Rendered
from reminders.message.sms import measure

SHOWN_CHANGES = 3
"""So many differences of one text are shown in full; more are of the same kind."""


@dataclass(slots=True)
class Checked:
    """All that a check found. `upcoming` and `edits` come from the database, if there is one.

    Each finding and each edit is with the clinic it is for; a file that cannot be read is of none.
    """

    config: Config
    reports: Mapping[str, Report]
    findings: list[tuple[str, Finding]]
    upcoming: int | None = None
    edits: list[tuple[str, Edit]] = field(default_factory=list)


def check_text(checked: Checked) -> str:
    """Return it for a person. What drafts would cost, `--json` has too."""
    parts = [_costs(checked.config, key, report) for key, report in checked.reports.items()]
    parts += [text for key, edit in checked.edits for text in _edit(key, edit)]
    if checked.upcoming is not None:
        parts.append(f"Filled in {plural(checked.upcoming, 'upcoming message')}.")
    found = []
    for key, one in checked.findings:
        clinic = f" ({key})" if key else ""
        where = f"{one.file}, line {one.line}{clinic}"
        found.append(indented(f"{where}: {one.message} [{one.code.value}]", 0, 4))
    if found:
        parts.append("\n".join(found))
    parts.append(f"{plural(len(found), 'finding')}.")
    return "\n\n".join(parts)


def _edit(clinic: str, edit: Edit) -> Iterator[str]:
    """Yield how an edited text would be read, against the approved one."""
    source = edit.waiting.source
    title = f"{source.language}/{source.name}, {source.channel.value} ({clinic})"
    if edit.waiting.approved is None:
        yield indented(f"{title}: new, and waits for approval.", 0, 4)
        return
    done = "no longer the clinic's own" if edit.waiting.back else "edited"
    if not edit.changes:
        told = f"{title}: {done}, and waits for approval; nobody would read another text."
        yield indented(told, 0, 4)
        return
    told = f"{title}: {done}, and waits for approval. What would be read instead:"
    yield indented(told, 0, 4)
    for change in edit.changes[:SHOWN_CHANGES]:
        lines = [indented(f"{mark} {line}".rstrip(), 4, 6) for mark, line in change.lines()]
        yield "\n".join([indented(_readers(change), 2), *lines])
    more = len(edit.changes) - SHOWN_CHANGES
    if more > 0:
        yield f"  ... and {plural(more, 'more difference')}: 'templates check --json' has all."


def _readers(change: Change) -> str:
    others = f" and {len(change.readers) - 1} more" if len(change.readers) > 1 else ""
    sizes = [_parts(one) for one in (change.before, change.after) if one and one.html is None]
    size = f" ({' -> '.join(dict.fromkeys(sizes))})" if sizes else ""
    return f"{change.readers[0]}{others}{size}:"


def _parts(rendered: Rendered) -> str:
    return plural(measure(rendered.body).segments, "part")


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
        if cost.language in config.clinics[key].languages
    ]
    title = f"Clinic {key}: the longest sample of each text message in its languages"
    return f"{title}\n" + table(("Text", "Charset", "Units", "Parts", "Cost"), lines)


def check_json(checked: Checked) -> dict[str, Any]:
    """Return it for scripts."""
    price = checked.config.cost.sms_segment
    return {
        "ok": not checked.findings,
        "findings": [
            {
                "clinic": key or None,
                "file": found.file,
                "line": found.line,
                "code": found.code.value,
                "message": found.message,
            }
            for key, found in checked.findings
        ],
        "messages": [
            {
                "clinic": key,
                "file": cost.file,
                "sample": cost.sample,
                "charset": cost.measure.charset.value,
                "units": cost.measure.units,
                "segments": cost.measure.segments,
                "cost": round(cost.measure.segments * price, 2),
            }
            for key, report in checked.reports.items()
            for cost in report.costs
        ],
        "upcoming": checked.upcoming,
        "waiting": [_edit_json(key, edit) for key, edit in checked.edits],
    }


def _edit_json(clinic: str, edit: Edit) -> dict[str, Any]:
    source, approved = edit.waiting.source, edit.waiting.approved
    return {
        "clinic": clinic,
        "language": source.language,
        "name": source.name,
        "channel": source.channel.value,
        "version": source.version,
        "approved_version": approved.version if approved else None,
        "changes": [
            {
                "readers": list(change.readers),
                "approved": change.before.body if change.before else None,
                "now": change.after.body if change.after else None,
            }
            for change in edit.changes
        ],
    }
