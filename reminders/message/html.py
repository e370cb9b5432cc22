"""The HTML part of an email: the same Markdown, in one layout that loads nothing from outside.

Pictures are our own and come with the email: `![what it shows](steps)`.
"""

import functools
import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from reminders.domain.outcome import Attachment
from reminders.message.languages import right_to_left
from reminders.message.pictures import WIDTHS, file_of, picture
from reminders.resources import templates

_LAYOUT = "email.html"
_ADDRESS = re.compile(r"https?://[^\s<>]+")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_PICTURE = re.compile(r"!\[[^\]\n]*\]\([^)\n]*\)[ \t]*")
_HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)


def escape_value(value: Any) -> str:
    """Return a value as Markdown that shows it as it is; a web address becomes a link."""
    text = re.sub(r"\s+", " ", str(value))
    if _ADDRESS.fullmatch(text):
        return f"<{text}>"
    return _PUNCTUATION.sub(r"\\\g<0>", text)


def to_plain(markdown: str) -> str:
    """Return the plain-text part: the same words, without pictures and signs of form."""
    text = _HEADING.sub("", _PICTURE.sub("", markdown)).replace("**", "")
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def to_html(markdown: str, title: str, language: str) -> tuple[str, tuple[Attachment, ...]]:
    """Return a whole HTML page for an email's text, and the pictures that it shows.

    Markup in the text itself is escaped. Raise ValueError for a picture that there is not.
    """
    shown: dict[str, Any] = {"language": language, "files": []}
    body = _parser().render(markdown, shown)
    page = _layout().render(
        language=language,
        direction="rtl" if right_to_left(language) else "ltr",
        align="right" if right_to_left(language) else "left",
        title=title,
        body=Markup(body),  # noqa: S704 - the parser escapes all HTML
    )
    return page, tuple(picture(file) for file in dict.fromkeys(shown["files"]))


def _image(
    renderer: RendererHTML,  # noqa: ARG001 - the interface's
    tokens: Sequence[Token],
    index: int,
    options: Any,  # noqa: ARG001 - the interface's
    env: MutableMapping[str, Any],
) -> str:
    token = tokens[index]
    name = str(token.attrs["src"])
    if name not in WIDTHS:
        raise ValueError(f"there is no picture {name!r}; there are: {', '.join(WIDTHS)}")
    file = file_of(name, env["language"])
    env["files"].append(file)
    width = WIDTHS[name]
    return (
        f'<img src="cid:{file}" alt="{escape(token.content)}" width="{width}"'
        f' style="display:block;width:100%;max-width:{width}px;height:auto;border:0">'
    )


@functools.cache
def _parser() -> MarkdownIt:
    # Lines break as they do in the plain text.
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    parser.add_render_rule("image", _image)
    return parser


@functools.cache
def _layout() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string((templates() / _LAYOUT).read_text("utf-8"))
