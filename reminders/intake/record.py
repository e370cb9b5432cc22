"""One record under its header: its cells by column, and the problems found in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reminders.intake.columns import Column
from reminders.intake.problems import Fault, Problem
from reminders.intake.words import clean

LONGEST_KEY = 200
"""Characters that a reference, or a patient's number, may have."""


@dataclass(slots=True)
class Notes:
    """A record being read. `ref` is set once it is known; each problem is kept once, in order.

    `unread`: something of its people cannot be read, where that is no problem to tell of.
    """

    line: int
    cells: Sequence[str]
    ref: str | None = None
    problems: list[Problem] = field(default_factory=list)
    unread: bool = False

    def cell(self, column: Column | None) -> str:
        """Return a cell without spaces around it; empty where there is no such column or cell."""
        if column is None or column.index >= len(self.cells):
            return ""
        return clean(self.cells[column.index])

    def note(self, fault: Fault, column: Column | None = None) -> None:
        """Keep what is wrong with a cell, or with the whole record."""
        header = column.header if column else None
        problem = Problem(self.line, header, fault.code, fault.message, self.ref)
        if problem not in self.problems:
            self.problems.append(problem)

    def aside(self) -> "Notes":
        """Return the same record for a reading whose problems nobody needs to hear of."""
        return Notes(self.line, self.cells, self.ref)
