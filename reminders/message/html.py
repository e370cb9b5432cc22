"""The HTML part of an email: the same Markdown, in one layout that loads nothing from outside."""

import functools
from html import escape

from markdown_it import MarkdownIt

from reminders.resources import templates

_LAYOUT = "email.html"
RIGHT_TO_LEFT = frozenset({"ar", "fa", "prs"})


def to_html(markdown: str, title: str, language: str) -> str:
    """Return a whole HTML page for an email's text. Markup in the text itself is escaped."""
    page = _layout()
    for name, value in (
        ("{{language}}", escape(language)),
        ("{{direction}}", "rtl" if language in RIGHT_TO_LEFT else "ltr"),
        ("{{title}}", escape(title)),
        ("{{body}}", _parser().render(markdown)),
    ):
        page = page.replace(name, value)
    return page


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False})


@functools.cache
def _layout() -> str:
    return (templates() / _LAYOUT).read_text("utf-8")
