"""Filling in a template: from what is true at a moment to the text of one message."""

import functools
import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import jinja2

from reminders.config import ClinicConfig
from reminders.domain.contact import Channel
from reminders.domain.outcome import Attachment
from reminders.domain.template import Name, Source, sent_by
from reminders.errors import TemplateError
from reminders.message.calendar import calendar_file
from reminders.message.context import Context, Facts, make_context
from reminders.message.html import escape_value, to_html, to_plain
from reminders.message.sms import repair
from reminders.message.sources import CALENDAR, HEAD, NOTE, SUBJECT
from reminders.message.syntax import Sandbox, environment, file_name, place, uses, without_notes

FAULTS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What filling in can raise, whatever a template says."""

REMEMBERED = 2**10
"""So many texts are remembered: of ten thousand visits at eight o'clock most say the same."""

_TEMPLATE_FILE = "<template>"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message's text. An email has a subject and an HTML part too, and files with it.

    `instead_of` is the reader's own language, where there is no approved text in it.
    """

    body: str
    subject: str | None
    html: str | None
    language: str
    version: str
    attachments: tuple[Attachment, ...] = ()
    instead_of: str | None = None

    @property
    def calendar(self) -> bool:
        """Tell whether an entry for the calendar comes with it."""
        return any(not file.inline for file in self.attachments)


_Entry = tuple[str, str]
"""The title and the note that an email puts into a calendar."""


class Library:
    """Templates, compiled when they are first used: one that is broken stops no other.

    It is every clinic's; `of` has those that one clinic sends.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self.all = tuple(sources)
        self._sources: Mapping[Name, Source] = {s.key: s for s in sent_by(self.all, "")}
        self._own: dict[str, Library | None] = {s.clinic: None for s in self.all if s.clinic}
        self._filled: dict[tuple[Source, Context], tuple[Rendered, _Entry | None]] = {}

    def of(self, clinic: str) -> "Library":
        """Return the templates that a clinic sends: its own, and these where it has none."""
        if clinic not in self._own:
            return self
        own = self._own[clinic]
        if own is None:
            sent = (replace(source, clinic="") for source in sent_by(self.all, clinic))
            own = self._own[clinic] = Library(sent)
        return own

    def pick(self, name: str, channel: Channel, languages: Sequence[str]) -> Source | None:
        """Return the template in the first of these languages that has it."""
        found = (self._sources.get((language, name, channel)) for language in languages)
        return next((source for source in found if source is not None), None)

    def mentions(self, name: str) -> bool:
        """Tell whether any template may use this value, so that it can change a text."""
        return any(uses(source.text, name) for source in self._sources.values())

    def language_for(self, name: str, channel: Channel, wished: str | None) -> str | None:
        """Return the wished language if this template is there in it, else the only one it has."""
        there = [of for of, called, by in self._sources if (called, by) == (name, channel)]
        return wished if wished in there or len(there) != 1 else there[0]

    def render(
        self, source: Source, facts: Facts, clinic: ClinicConfig, context: Context | None = None
    ) -> Rendered:
        """Fill a template in. Raise TemplateError naming template and line, never a value.

        `context`: the facts in words of its language, where they have been made before.
        """
        context = context or make_context(source.language, source.channel, facts, clinic)
        key = (source, context)
        if key not in self._filled:
            if len(self._filled) >= REMEMBERED:
                self._filled.clear()
            self._filled[key] = self._rendered(source, context)
        rendered, entry = self._filled[key]
        if entry is None:
            return rendered
        # Of each visit its own: two visits at one time have one text, but not one entry.
        file = calendar_file(*entry, facts, clinic)
        return replace(rendered, attachments=(*rendered.attachments, file))

    def _rendered(self, source: Source, context: Context) -> tuple[Rendered, _Entry | None]:
        text = self._fill(source, context, escaped=False)
        if source.channel is Channel.SMS:
            body = repair(_flow(text))
            _not_empty(source, body)
            return Rendered(body, None, None, source.language, source.version), None
        head, body = _split(source, text)
        _, markdown = _split(source, self._fill(source, context, escaped=True))
        try:
            html, files = to_html(markdown, head[SUBJECT], source.language)
        except ValueError as error:
            raise TemplateError(f"{file_name(source)}: {error}.") from None
        plain = _not_empty(source, to_plain(body)) + "\n"
        entry = (head[CALENDAR], head.get(NOTE, "")) if CALENDAR in head else None
        version = source.version
        return Rendered(plain, head[SUBJECT], html, source.language, version, files), entry

    def _fill(self, source: Source, context: Context, *, escaped: bool) -> str:
        try:
            plain, markdown = _compiled(source.text)
            return (markdown if escaped else plain).render(context.names())
        except FAULTS as error:
            raise TemplateError(_explain(source, error)) from None


@functools.lru_cache(maxsize=REMEMBERED)
def _compiled(text: str) -> tuple[jinja2.Template, jinja2.Template]:
    """Compile a text once in a process, as that costs far more than filling it in.

    The two templates differ in how they show a value: as it is, and in Markdown.
    """
    plain, markdown = _environments()
    code = plain.compile(without_notes(text))
    from_code = jinja2.Template.from_code
    return from_code(plain, code, plain.globals), from_code(markdown, code, markdown.globals)


@functools.cache
def _environments() -> tuple[Sandbox, Sandbox]:
    return environment(str), environment(escape_value)


def _flow(text: str) -> str:
    """Return text with each paragraph on one line: a line in the file is a sentence, not a row."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _split(source: Source, text: str) -> tuple[Mapping[str, str], str]:
    """Return an email's head, by the names at the beginnings of its lines, and its body."""
    first, _, rest = text.partition("\n\n")
    head = {
        name: line.removeprefix(name).strip()
        for line in first.split("\n")
        for name in HEAD
        if line.startswith(name)
    }
    if not head.get(SUBJECT):
        raise TemplateError(f"{file_name(source)}, line 1: an email begins with '{SUBJECT}'.")
    body = rest if len(head) == len(first.split("\n")) else text.partition("\n")[2]
    lines = "\n".join(line.rstrip() for line in body.split("\n"))
    return head, _not_empty(source, re.sub(r"\n{3,}", "\n\n", lines).strip())


def _not_empty(source: Source, body: str) -> str:
    if not body:
        raise TemplateError(f"{file_name(source)}: gives an empty text for this message.")
    return body


def _explain(source: Source, error: Exception) -> str:
    """Return what is wrong, and where. Only errors whose text quotes the template are quoted."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{place(source, error.lineno)}: {error.message}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == _TEMPLATE_FILE]
    where = place(source, lines[-1] or 1) if lines else file_name(source)
    if isinstance(error, jinja2.UndefinedError):
        return f"{where}: {error.message}"
    return f"{where}: cannot be filled in ({type(error).__name__})."


__all__ = ["Facts", "Library", "Rendered"]
