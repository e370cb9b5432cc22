"""What the few words of a column say, remembered from the readers that know every oddity."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from reminders.intake.columns import Column
from reminders.intake.record import Notes

T = TypeVar("T")

MOST_REMEMBERED = 50_000
"""Texts of a column that are remembered: more than so many are not few words."""


class Memory(Generic[T]):
    """What cells say together; None where there is something to note of them."""

    def __init__(self, read: Callable[[Notes], T | None], columns: Sequence[Column | None]) -> None:
        self._read = read
        self._places = [column.index for column in columns if column is not None]
        self._known: dict[object, T | None] = {}

    def find(self, cells: Sequence[str]) -> T | None:
        """Return what these cells of a whole record say."""
        places = self._places
        key = cells[places[0]] if len(places) == 1 else tuple([cells[place] for place in places])
        try:
            return self._known[key]
        except KeyError:
            return self._learn(key, cells)

    def _learn(self, key: object, cells: Sequence[str]) -> T | None:
        notes = Notes(0, cells)
        said = self._read(notes)
        if notes.problems:
            said = None
        if len(self._known) < MOST_REMEMBERED:
            self._known[key] = said
        return said
