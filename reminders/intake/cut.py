"""Whether a file ends within its last cell: then it was still being written."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_ENOUGH_FILLED = 2
"""In so many rows a filled last cell is the rule."""

_MOST_FORMS = 100
_DIGITS = tuple("0123456789")
_MINUTES = (":30", ".30")


@dataclass(slots=True)
class LastColumn:
    """What the cells of the last column are like, by which a cut one shows.

    Only times, dates and numbers with signs in them have a form: a shorter word or number may be
    whole. An empty one is cut where all others are filled, and wherever the column is `vital`: it
    may forbid a text. `meaning` is a date's or a time's: of these one may be the beginning of
    another, as 13 is of 13:30 and 133 of 1330.
    """

    vital: bool = False
    meaning: Callable[[str], object | None] | None = None
    shape: str | None = None
    filled: int = 0
    empty: bool = False
    forms: set[str] = field(default_factory=set)

    def cut(self, cell: str) -> bool:
        """Tell whether the last cell of an unended file is the beginning of one, or nothing yet."""
        text = cell.strip()
        if not text:
            return self.vital or (self.filled >= _ENOUGH_FILLED and not self.empty)
        if self.meaning is not None:
            return self._may_go_on(text, self.meaning)
        form, shape = self.shape or "", _shape(text)
        has_signs = "0" in form and form.strip("0") != ""
        return has_signs and bool(shape) and form != shape and form.startswith(shape)

    def _may_go_on(self, text: str, meaning: Callable[[str], object | None]) -> bool:
        """Tell whether a longer one would mean something else, of a form that the file has.

        Where it has none like this one, minutes may follow the hour.
        """
        form = _form(text)
        if any(other != form and other.startswith(form) for other in self.forms):
            return True
        here = meaning(text)
        if form in self.forms:
            longer = [text + end for end in _DIGITS if _form(text + end) in self.forms]
        else:
            longer = [text + end for end in (*_DIGITS, *_MINUTES)]
        others = map(meaning, longer)
        return any(other is not None and other != here for other in others)

    def add(self, cell: str) -> None:
        """Take note of a whole cell."""
        text = cell.strip()
        if text:
            self.filled += 1
        else:
            self.empty = True
        if self.meaning is not None:
            if text and len(self.forms) < _MOST_FORMS:
                self.forms.add(_form(text))
        elif self.shape != "":
            shape = _shape(text)
            self.shape = shape if self.shape in {None, shape} else ""


def _shape(text: str) -> str:
    """Return a cell with every digit as 0: numbers of one form become one text."""
    return re.sub(r"\d", "0", text)


def _form(text: str) -> str:
    """Return a date's or a time's form: 'tis 1 dec 9:30' and 'ons 12 maj 10:30' have one.

    Numbers of more than two digits are another form: 930 is not as 9.
    """
    digits = re.sub(r"\d+", lambda run: "0" if len(run[0]) <= 2 else "00", text)  # noqa: PLR2004
    return re.sub(r"[^\W\d_]+", "a", " ".join(digits.split()))
