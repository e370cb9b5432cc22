"""A file that waits for a yes on the page: what can still be put right in it, row by row."""

from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.contact import Role
from reminders.engine.contacts import Addresses
from reminders.engine.importing import Staged, format_for
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, UsageError
from reminders.intake.columns import Field, whose
from reminders.intake.problems import OF_AN_ADDRESS
from reminders.store import clinics, doubts, import_pages, problems, staging
from reminders.store.database import Connection
from reminders.store.import_pages import ProblemLine

MOST_PROBLEMS = 200
BOTH = ("phone", "email")
ADDRESS_CODES = frozenset(code.value for code in OF_AN_ADDRESS)
"""Problems that a right address solves, if the visit itself could be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """A problem row. `solvable`: a right phone number or email address puts it right here.

    `wants` are the addresses to ask for, and `role` is whose they most likely are.
    """

    problem: ProblemLine
    solvable: bool
    known: bool
    wants: tuple[str, ...] = BOTH
    role: Role = Role.GUARDIAN


def problem_rows(conn: Connection, clinic_id: int, run_id: int) -> list[Row]:
    """Return the problem rows of an import that is applied: nothing is put right in it."""
    found = import_pages.problems_of(conn, run_id, MOST_PROBLEMS)
    known = import_pages.known_refs(conn, clinic_id, [p.ref for p in found if p.ref])
    return [Row(problem, solvable=False, known=problem.ref in known) for problem in found]


def waiting_rows(conn: Connection, runtime: Runtime, staged: Staged) -> list[Row]:
    """Return the problem rows of a file that waits for a yes, with what can be done about each."""
    clinic_id = clinics.find_clinic_id(conn, staged.clinic) or 0
    rows = problem_rows(conn, clinic_id, staged.run_id)
    visits = staging.visits_of(conn, staged.run_id, [row.problem.ref or "" for row in rows])
    roles = staging.roles_of(conn, staged.run_id, [row.problem.line for row in rows])
    form = format_for(runtime, staged.clinic)
    for place, row in enumerate(rows):
        problem = row.problem
        visit = visits.get(problem.ref or "")
        if visit is None or problem.code not in ADDRESS_CODES:
            continue
        about = _about(staged, problem)
        said = about.role or roles.get((problem.line, about.place))
        role = Role(said) if said else form.role_by_age(visit.birth_date, visit.starts_at)
        rows[place] = replace(row, solvable=True, wants=about.wants, role=role)
    return rows


@dataclass(frozen=True, slots=True)
class _About:
    """Which addresses a problem wants, and whose: of the row's people, and in what role."""

    wants: tuple[str, ...] = BOTH
    place: int | None = None
    role: Role | None = None


def _about(staged: Staged, problem: ProblemLine) -> _About:
    """Return what a problem is about. Without a column it is that the row has nobody at all."""
    found = whose(staged.people, problem.column)
    if found is None:
        return _About()
    person, field = found
    wants = ("email",) if field is Field.EMAIL else ("phone",)
    return _About(wants, person.place, person.role)


def solve(
    conn: Connection,
    staged: Staged,
    problem_id: int,
    role: Role,
    addresses: Addresses,
    now: datetime,
) -> Staged:
    """Put a row right before the file is applied: the person it is about gets these addresses.

    Nobody else's address changes, and no other problem of the row is closed.
    """
    clinic_id = clinics.find_clinic_id(conn, staged.clinic) or 0
    problem = import_pages.find_problem(conn, clinic_id, problem_id)
    if problem is None or problem.run_id != staged.run_id:
        raise NotFoundError("That row is no longer there. Look at the file's difference again.")
    if problem.ref is None or problem.code not in ADDRESS_CODES:
        raise UsageError("That row cannot be put right here. Correct the file, and read it again.")
    about = _about(staged, problem)
    given = {"phone": addresses.phone, "email": addresses.email}
    right = {name: address for name in about.wants if (address := given[name])}
    if not right:
        raise UsageError("Write a mobile number or an email address.")
    staging.put_person(
        conn, staged.run_id, problem.line, problem.ref, role.value, about.place, right
    )
    problems.solve_in_file(conn, problem.id, now)
    doubts.put_right(conn, staged.run_id, problem.line, about.place)
    solved = (problem.line, problem.column, problem.code)
    left = (p for p in staged.problems if (p.line, p.column, p.code.value) != solved)
    return replace(staged, problems=tuple(left))


def settle(conn: Connection, clinic: str, problem_id: int, now: datetime) -> None:
    """Close a problem that somebody has seen to elsewhere."""
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    import_pages.close_problem(conn, clinic_id, problem_id, now)
