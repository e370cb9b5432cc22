"""Whether a row with cells too many protects: where the cell for it stands, its neighbours tell."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from reminders.intake import words
from reminders.intake.addresses import email_address, plain_mobile
from reminders.intake.columns import Columns, Field
from reminders.intake.times import read_date

_LENGTH_OF_A_DATE = 10


def _is_date(text: str) -> bool:
    return isinstance(read_date(text[:_LENGTH_OF_A_DATE]), date)


def _is_mobile(text: str) -> bool:
    return plain_mobile(text, "SE") is not None


_FITS: Mapping[Field, Callable[[str], bool]] = {
    Field.DATE: _is_date,
    Field.STARTS_AT: _is_date,
    Field.BIRTH_DATE: _is_date,
    Field.MOBILE: _is_mobile,
    Field.PHONE: _is_mobile,
    Field.EMAIL: lambda text: "@" in text and isinstance(email_address(text), str),
    Field.ROLE: lambda text: words.role_of(text) is not None,
    Field.STATUS: lambda text: words.status_of(text, {}) is not None or words.is_over(text),
}
"""How cells look that look like no others."""


def shifted_protection(cells: Sequence[str], columns: Columns, over: int) -> bool | None:
    """Return whether a row with so many cells too many says that its patient is protected.

    From some place on its cells stand too far to the right. A cell after the one in question that
    stands right shows that this one does; a cell before it that does not, that this one does not
    either. Where nothing shows it, a yes in either place counts. None where there is none: what
    cannot be told lifts no protection.
    """
    column = columns.visit.get(Field.PROTECTED)
    if column is None:
        return False
    own, shifted = column.index, column.index + over
    places = {own, shifted}
    for index, fits in _telling(columns):
        here, there = (bool(_at(cells, n)) and fits(_at(cells, n)) for n in (index, index + over))
        if index > own and here and not there:
            places = {own}
            break
        if index < own and there and not here:
            places = {shifted}
    return True if any(words.is_protected(_at(cells, place)) for place in places) else None


def _telling(columns: Columns) -> list[tuple[int, Callable[[str], bool]]]:
    found = [*columns.visit.items(), *(one for who in columns.people for one in who.fields.items())]
    return [(column.index, _FITS[field]) for field, column in found if field in _FITS]


def _at(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""
