"""One booking that a program brings: the path of an import, for one booking, in one transaction.

It is staged, compared and written like a file of one row; nothing of the staging stays.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.brought import Category
from reminders.engine import importing, planning, showing
from reminders.engine.difference import Staged, changes_of
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.bookings import Doubt, Item, Problem, Row, read
from reminders.store import clearing, clinics, consents, imports, ledger, problems, staging
from reminders.store.database import Connection
from reminders.store.ledger import Fact

SOURCE = "(program)"


class UnusableBookingError(Exception):
    """The booking cannot be used as it is. `problems` tell why; nothing was changed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__()
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a booking, and how it stands now; `shown` is None if it is not kept."""

    category: Category
    shown: showing.Shown | None


def read_booking(
    runtime: Runtime, clinic: str, lines: Sequence[Mapping[str, str]], now: datetime
) -> list[Item]:
    """Return a booking's rows, and what else is heard of them.

    `lines` has a line for each person, by our fields' names.

    Raise UnusableBookingError for whatever a file's row would have a problem for.
    """
    fields = list(dict.fromkeys([*(field for line in lines for field in line), "mobile"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, "", delimiter=";", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(lines)
    form = replace(importing.format_for(runtime, clinic), columns={})
    try:
        found = list(read(text.getvalue().encode("utf-8", "replace"), form, now))
    except RefusedFileError as error:
        raise UnusableBookingError([p for p in error.problems if isinstance(p, Problem)]) from None
    problems = [item for item in found if isinstance(item, Problem)]
    if problems:
        raise UnusableBookingError(problems)
    rows = [item for item in found if isinstance(item, Row)]
    told = [_as_told(row, line) for row, line in zip(rows, lines, strict=True)]
    return [*told, *(item for item in found if isinstance(item, Doubt))]


def _as_told(row: Row, line: Mapping[str, str]) -> Row:
    """Return a row in which an address is not told that its line leaves out: others have it."""
    people = tuple(
        replace(
            person,
            phone=person.phone if "mobile" in line else None,
            email=person.email if "email" in line else None,
        )
        for person in row.people
    )
    return replace(row, people=people)


def take(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    ref: str,
    items: Sequence[Item],
    now: datetime,
    *,
    confirm: bool,
) -> Taken:
    """Write what a booking changes, and plan it at once. Doing it again changes nothing."""
    clinic_id = clinics.clinic_id(conn, clinic)
    run_id = staging.begin(conn, clinic_id, SOURCE, "", now, now, runtime.actor)
    importing.add_rows(conn, run_id, clinic_id, items, now)
    staging.join_patients(conn, run_id)
    staged = Staged(run_id, clinic, (), confirm, first_import=False)
    changes = list(changes_of(conn, runtime, staged, clinic_id, now))
    editions = consents.editions(conn, clinic, runtime.clinic(clinic).languages)
    written = imports.write_patients(conn, clinic_id, changes, editions, now, confirm=confirm)
    clearing.forget(conn, run_id)
    facts = [
        Fact("imported", visit_id, None, {"as": category.value, "by": "program"})
        for visit_id, category in written
    ]
    ledger.write(conn, now, runtime.actor, facts)
    problems.solve(conn, clinic_id, [ref], now)
    planning.plan_visits(conn, runtime, [visit_id for visit_id, _ in written], now)
    visits = (visit for change in changes for visit in change.visits)
    taken = next(visit for visit in visits if visit.visit.ref == ref)
    stands_again = taken.category is Category.NEW and taken.known is not None
    category = Category.UPDATED if stands_again else taken.category
    known = imports.known_visits(conn, clinic_id, [ref], now)
    shown = showing.show(conn, runtime, clinic, ref, now) if ref in known else None
    return Taken(category, shown)
