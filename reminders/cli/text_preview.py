"""How `templates preview` shows the texts: on a terminal, as a page, for scripts."""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from reminders.cli.screen import folded, plural, printable
from reminders.config import Config
from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.engine import gallery
from reminders.engine.gallery import Reading
from reminders.errors import UsageError
from reminders.message.preview import Shown, page
from reminders.message.render import Library
from reminders.message.samples import samples

PHONE_WIDTH = 38
"""About so many letters stand in a line on a phone."""

Seen = tuple[Source, Reading]


def preview_of(config: Config, clinic: str, chosen: Sequence[Source], now: datetime) -> list[Seen]:
    """Return each different text once. Raise TemplateError for one that nobody can be given."""
    settings = config.clinics[clinic]
    found: list[Seen] = []
    for source in chosen:
        for_readers = gallery.readings(source, settings, config.cost.sms_segment, now)
        if not for_readers:
            first = next(samples(settings, now))
            Library([source]).render(source, first.facts, settings)
        found += [(source, reading) for reading in for_readers]
    return found


def preview_text(config: Config, clinic: str, one: Seen) -> str:
    """Return one text for the terminal: an SMS as a phone breaks it, an email with its head.

    A line of an email that is longer than the page goes on below, indented.
    """
    source, reading = one
    rendered = reading.rendered
    head = folded(f"== {_title(source)}: {_note(config, reading)}", "   ")
    sender = _sender(config, clinic, source)
    if reading.size is None:
        files = ", ".join(file.name for file in rendered.attachments)
        said = [f"From: {sender}", f"Subject: {rendered.subject}"]
        said += [f"Files: {files}"] if files else []
        said += ["", *rendered.body.strip().split("\n")]
        return "\n".join([head, *(folded(printable(line), "  ") for line in said)])
    lines = [
        line
        for row in rendered.body.split("\n")
        for line in textwrap.wrap(row, PHONE_WIDTH, break_long_words=False) or [""]
    ]
    bubble = [f"  | {printable(line)}".rstrip() for line in lines]
    return "\n".join([head, f"  {sender}", *bubble])


def preview_json(one: Seen) -> dict[str, Any]:
    """Return one text for scripts."""
    source, reading = one
    size = reading.size
    return {
        "language": source.language,
        "name": source.name,
        "channel": source.channel.value,
        "version": source.version,
        "sample": reading.readers[0],
        "readers": list(reading.readers),
        "subject": reading.rendered.subject,
        "body": reading.rendered.body,
        "segments": size.segments if size else None,
        "size": f", {size.charset.value}, {plural(size.segments, 'part')}" if size else "",
    }


def preview_html(config: Config, clinic: str, shown: Sequence[Seen]) -> str:
    """Return a page for the browser."""
    return page(
        [
            Shown(
                _title(source),
                _note(config, reading),
                _sender(config, clinic, source),
                reading.rendered,
            )
            for source, reading in shown
        ]
    )


def write_page(path: Path, text: str) -> None:
    """Write the page. Raise UsageError where it cannot be written."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from None


def _title(source: Source) -> str:
    return f"{source.language}/{source.name} {source.channel.value}"


def _note(config: Config, reading: Reading) -> str:
    others = f" and {len(reading.readers) - 1} more" if len(reading.readers) > 1 else ""
    size = reading.size
    if size is None:
        return f"{reading.readers[0]}{others}"
    cost = f"{reading.cost:.2f} {config.cost.currency}"
    parts = plural(size.segments, "part")
    return f"{reading.readers[0]}{others}, {size.charset.value}, {parts}, {cost}"


def _sender(config: Config, clinic: str, source: Source) -> str:
    settings = config.clinics[clinic]
    if source.channel is Channel.SMS:
        return settings.sms.sender
    return f"{settings.names.get(Channel.EMAIL, '')} <{settings.email.sender}>".strip()
