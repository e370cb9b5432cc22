"""A page with texts as they look: an SMS on a phone, an email in a mailbox. It loads nothing."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined

from reminders.message.languages import right_to_left
from reminders.message.render import Rendered
from reminders.resources import templates

_LAYOUT = "preview.html"


@dataclass(frozen=True, slots=True)
class Shown:
    """One text with the line above it, and who it says it comes from."""

    title: str
    note: str
    sender: str
    rendered: Rendered

    @property
    def right_to_left(self) -> bool:
        """Tell whether it is written from right to left."""
        return right_to_left(self.rendered.language)

    @property
    def html(self) -> str | None:
        """Return an email's HTML part, with its pictures in it."""
        html = self.rendered.html
        for file in self.rendered.attachments if html else ():
            content = base64.b64encode(file.content).decode()
            html = (html or "").replace(f"cid:{file.name}", f"data:{file.kind};base64,{content}")
        return html

    @property
    def files(self) -> list[str]:
        """Return the files that come with an email, beside its pictures."""
        return [file.name for file in self.rendered.attachments if not file.inline]


def page(shown: Sequence[Shown]) -> str:
    """Return the whole page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    layout = environment.from_string((templates() / _LAYOUT).read_text("utf-8"))
    return layout.render(shown=shown)
