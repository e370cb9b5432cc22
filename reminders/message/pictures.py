"""The pictures of the steps, which go with an email: nothing is loaded from outside."""

import functools

from reminders.domain.outcome import Attachment
from reminders.message.languages import right_to_left
from reminders.resources import templates

WIDTHS = {"steps": 560, "refresh": 120}
"""The pictures that a text can show, with their width on the page; files are twice as wide."""

_MIRRORED = frozenset({"steps"})
"""Those that read in one direction, and have a twin for languages from right to left."""


def file_of(name: str, language: str) -> str:
    """Return the file of a picture, for one language."""
    mirrored = name in _MIRRORED and right_to_left(language)
    return f"{name}-rtl.png" if mirrored else f"{name}.png"


@functools.cache
def picture(file: str) -> Attachment:
    """Return a picture as it goes with an email."""
    content = (templates() / "pictures" / file).read_bytes()
    return Attachment(file, "image/png", content, inline=True)
