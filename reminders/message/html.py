"""The HTML part of an email: the same Markdown, in one layout that loads nothing from outside."""

import functools
import re
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markdown_it import MarkdownIt
from markupsafe import Markup

from reminders.message.context import right_to_left
from reminders.resources import templates

_LAYOUT = "email.html"
_ADDRESS = re.compile(r"https?://[^\s<>]+")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def escape_value(value: Any) -> str:
    """Return a value as Markdown that shows it as it is; a web address becomes a link."""
    text = re.sub(r"\s+", " ", str(value))
    if _ADDRESS.fullmatch(text):
        return f"<{text}>"
    return _PUNCTUATION.sub(r"\\\g<0>", text)


def to_html(markdown: str, title: str, language: str) -> str:
    """Return a whole HTML page for an email's text. Markup in the text itself is escaped."""
    return _layout().render(
        language=language,
        direction="rtl" if right_to_left(language) else "ltr",
        title=title,
        body=Markup(_parser().render(markdown)),  # noqa: S704 - the parser escapes all HTML
    )


@functools.cache
def _parser() -> MarkdownIt:
    # Lines break as they do in the plain text; a picture would be fetched from outside.
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).disable("image")


@functools.cache
def _layout() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string((templates() / _LAYOUT).read_text("utf-8"))
