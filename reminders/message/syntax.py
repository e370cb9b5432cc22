"""The language of templates: the sandbox they run in, and where in which file a line stands.

A template carries its partial files between two marks, so that a fault can be traced to the file
that a person wrote, also when the text comes out of the database.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

from jinja2 import (
    StrictUndefined,
    TemplateSyntaxError,
    Undefined,
    UndefinedError,
    meta,
    nodes,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.errors import TemplateError

_BEGIN = re.compile(r"\{#> (\S+) #\}")
_END = re.compile(r"\{#< (\S+) #\}")
_NOTE = re.compile(r"(?<=\S)[ \t]*\{#(?:(?!#\}).)*#\}[ \t]*$", re.MULTILINE)
_MOST_VERDICTS = 1024
_ENDING = {Channel.SMS: "sms.txt", Channel.EMAIL: "email.md"}


def begin_part(file: str) -> str:
    """Return the mark before the text of a partial file."""
    return f"{{#> {file} #}}"


def end_part(file: str) -> str:
    """Return the mark after the text of a partial file."""
    return f"{{#< {file} #}}"


def file_name(source: Source) -> str:
    """Return a template's file, with its language's folder."""
    return f"{source.language}/{source.name}.{_ENDING[source.channel]}"


def locate(source: Source, line: int) -> tuple[str, int]:
    """Return the file that a line (from 1) of the template's text was written in, and its line."""
    part: str | None = None
    own = inner = 0
    for text in source.text.split("\n")[:line]:
        if begin := _BEGIN.fullmatch(text):
            part, inner, own = begin[1], 0, own + 1
        elif _END.fullmatch(text):
            part = None
        elif part is None:
            own += 1
        else:
            inner += 1
    return (file_name(source), own) if part is None else (f"{source.language}/{part}", inner)


def place(source: Source, line: int) -> str:
    """Return file and line as they are shown to a person."""
    file, at = locate(source, line)
    return f"{file}, line {at}"


def without_notes(text: str) -> str:
    """Return the text without the notes at the ends of its lines; the lines stay where they are."""
    return _NOTE.sub("", text)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, which judges a name once for each type that it is asked of.

    Its verdict depends on nothing else, and each text asks for the same names.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._verdicts: dict[tuple[type, str], bool] = {}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may read this attribute."""
        key = (type(obj), attr)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = super().is_safe_attribute(obj, attr, value)
            if len(self._verdicts) < _MOST_VERDICTS:  # a template can make up names
                self._verdicts[key] = verdict
        return verdict


def environment(show: Callable[[Any], Any]) -> Sandbox:
    """Return the sandbox that templates run in; `show` is applied to each value put into a text.

    An unknown name, None and a yes-or-no are errors where a text should stand.
    """

    @pass_context  # nothing is shown while a text is compiled: its code then serves any `show`
    def shown(_: Context, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            raise UndefinedError("there is nothing to show here; ask with {% if %} first")
        return value if isinstance(value, Undefined) else show(value)

    return Sandbox(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )


_PLAIN = environment(lambda value: value)


@functools.lru_cache(maxsize=512)
def parse(text: str) -> nodes.Template:
    """Return a template's syntax tree, to look at alone. Raise jinja2.TemplateSyntaxError."""
    return _PLAIN.parse(without_notes(text))


@functools.lru_cache(maxsize=512)
def uses(text: str, name: str) -> bool:
    """Tell whether a template's text depends on a value; one that cannot be read may."""
    if not re.search(rf"\b{re.escape(name)}\b", text):
        return False
    try:
        return name in meta.find_undeclared_variables(parse(text))
    except TemplateSyntaxError:
        return True


@functools.lru_cache(maxsize=4096)
def check_syntax(source: Source) -> None:
    """Raise TemplateError, with file and line, on what is not a template.

    A text that has been found good is not read again: all languages are some hundred texts.
    """
    try:
        tree = parse(source.text)
    except TemplateSyntaxError as error:
        raise TemplateError(f"{place(source, error.lineno)}: {error.message}") from None
    loading = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
    for node in tree.find_all(loading):
        raise TemplateError(
            f"{place(source, node.lineno)}: other files are put in with "
            '{% include "_name.j2" %} only.'
        )
