"""A file that waits for a yes on the page: what can still be put right in it, row by row."""

from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.contact import Role
from reminders.engine.contacts import Addresses
from reminders.engine.importing import Staged
from reminders.errors import NotFoundError, UsageError
from reminders.intake.problems import OF_AN_ADDRESS
from reminders.store import clinics, import_pages, problems, staging
from reminders.store.database import Connection
from reminders.store.import_pages import ProblemLine

MOST_PROBLEMS = 200
ADDRESS_CODES = frozenset(code.value for code in OF_AN_ADDRESS)
"""Problems that a right address solves, if the visit itself could be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """A problem row. `solvable`: a right phone number or email address puts it right here."""

    problem: ProblemLine
    solvable: bool
    known: bool


def problem_rows(conn: Connection, clinic_id: int, run_id: int) -> list[Row]:
    """Return the problem rows of an import, with what can be done about each."""
    found = import_pages.problems_of(conn, run_id, MOST_PROBLEMS)
    refs = [problem.ref for problem in found if problem.ref]
    staged = staging.refs_of(conn, run_id, refs)
    known = import_pages.known_refs(conn, clinic_id, refs)
    return [
        Row(problem, problem.code in ADDRESS_CODES and problem.ref in staged, problem.ref in known)
        for problem in found
    ]


def solve(
    conn: Connection,
    staged: Staged,
    problem_id: int,
    role: Role,
    addresses: Addresses,
    now: datetime,
) -> Staged:
    """Put a row right before the file is applied: its visit gets this person to tell."""
    clinic_id = clinics.find_clinic_id(conn, staged.clinic) or 0
    problem = import_pages.find_problem(conn, clinic_id, problem_id)
    if problem is None or problem.run_id != staged.run_id:
        raise NotFoundError("That row is no longer there. Look at the file's difference again.")
    if problem.ref is None or problem.code not in ADDRESS_CODES:
        raise UsageError("That row cannot be put right here. Correct the file, and read it again.")
    staging.put_person(
        conn,
        staged.run_id,
        problem.line,
        problem.ref,
        role.value,
        addresses.phone,
        addresses.email,
    )
    problems.solve_in_file(conn, staged.run_id, problem.line, ADDRESS_CODES, now)
    return replace(
        staged,
        problems=tuple(
            p
            for p in staged.problems
            if p.line != problem.line or p.code.value not in ADDRESS_CODES
        ),
    )


def settle(conn: Connection, clinic: str, problem_id: int, now: datetime) -> None:
    """Close a problem that somebody has seen to elsewhere."""
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    import_pages.close_problem(conn, clinic_id, problem_id, now)
