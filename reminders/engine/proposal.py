"""The problem rows of a file: what can still be put right in it, before the yes and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.contact import Role
from reminders.engine.applying import take_held
from reminders.engine.contacts import Addresses
from reminders.engine.importing import Staged, format_for
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, UsageError
from reminders.intake.columns import Field, whose
from reminders.intake.problems import OF_AN_ADDRESS
from reminders.store import clinics, doubts, import_pages, imports, problems, staging
from reminders.store.database import Connection
from reminders.store.import_pages import ProblemLine
from reminders.store.staging import Visit

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


@dataclass(frozen=True, slots=True)
class Rows:
    """Some problem rows of a file. `more` is the problem that the next page begins with."""

    rows: tuple[Row, ...]
    more: int | None = None


def problem_rows(
    conn: Connection, runtime: Runtime, clinic: str, run_id: int, now: datetime, first: int = 0
) -> Rows:
    """Return problem rows of an import that is applied, from the one named `first`.

    Bookings to come that were held back can still be put right. Of one that is known, that is done
    at the visit.
    """
    found = import_pages.problems_of(conn, run_id, MOST_PROBLEMS + 1, first)
    visits = _staged_visits(conn, run_id, found, now)
    return _rows(conn, runtime, _applied(clinic, run_id), found, visits)


def waiting_rows(conn: Connection, runtime: Runtime, staged: Staged, first: int = 0) -> Rows:
    """Return unsolved problem rows of a file that waits for a yes, and what can be done about each.

    They begin with the problem named `first`.
    """
    found = import_pages.problems_of(conn, staged.run_id, MOST_PROBLEMS + 1, first, unsolved=True)
    return _rows(conn, runtime, staged, found, _staged_visits(conn, staged.run_id, found))


def _applied(clinic: str, run_id: int) -> Staged:
    """Return what is left of a file that is applied: of its columns nothing is known any more."""
    return Staged(run_id, clinic, (), confirmations=True, first_import=False)


def _staged_visits(
    conn: Connection, run_id: int, found: Sequence[ProblemLine], after: datetime | None = None
) -> Mapping[str, Visit]:
    visits = staging.visits_of(conn, run_id, [one.ref for one in found if one.ref])
    return {ref: one for ref, one in visits.items() if after is None or one.starts_at > after}


def _rows(
    conn: Connection,
    runtime: Runtime,
    staged: Staged,
    found: Sequence[ProblemLine],
    visits: Mapping[str, Visit],
) -> Rows:
    shown, rest = found[:MOST_PROBLEMS], found[MOST_PROBLEMS:]
    clinic_id = clinics.find_clinic_id(conn, staged.clinic) or 0
    known = import_pages.known_refs(conn, clinic_id, [one.ref for one in shown if one.ref])
    roles = staging.roles_of(conn, staged.run_id, [one.line for one in shown])
    form = format_for(runtime, staged.clinic)
    rows = []
    for one in shown:
        row = Row(one, solvable=False, known=one.ref in known)
        visit = visits.get(one.ref or "")
        if visit is not None and one.solved_at is None and one.code in ADDRESS_CODES:
            about = _about(staged, one)
            said = about.role or _said(roles, one.line, about.place)
            role = Role(said) if said else form.role_by_age(visit.birth_date, visit.starts_at)
            row = replace(row, solvable=True, wants=about.wants, role=role)
        rows.append(row)
    return Rows(tuple(rows), rest[0].id if rest else None)


def _said(roles: Mapping[tuple[int, int | None], str], line: int, place: int | None) -> str | None:
    """Return the role that a line gives the person of a place; of no place, its only person."""
    there = {role for (of, at), role in roles.items() if of == line and place in {at, None}}
    return there.pop() if len(there) == 1 else None


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
    problem = _open_problem(conn, staged, problem_id)
    _put_person(conn, staged, problem, role, addresses, now)
    solved = (problem.line, problem.column, problem.code)
    left = (p for p in staged.problems if (p.line, p.column, p.code.value) != solved)
    return replace(staged, problems=tuple(left))


def _open_problem(conn: Connection, staged: Staged, problem_id: int) -> ProblemLine:
    clinic_id = clinics.find_clinic_id(conn, staged.clinic) or 0
    problem = import_pages.find_problem(conn, clinic_id, problem_id)
    if problem is None or problem.run_id != staged.run_id or problem.solved_at is not None:
        raise NotFoundError("That row is no longer there. Look at the file's difference again.")
    if problem.ref is None or problem.code not in ADDRESS_CODES:
        raise UsageError("That row cannot be put right here. Correct the file, and read it again.")
    return problem


def _put_person(
    conn: Connection,
    staged: Staged,
    problem: ProblemLine,
    role: Role,
    addresses: Addresses,
    now: datetime,
) -> None:
    about = _about(staged, problem)
    given = {"phone": addresses.phone, "email": addresses.email}
    right = {name: address for name in about.wants if (address := given[name])}
    if not right:
        raise UsageError("Write a mobile number or an email address.")
    ref = problem.ref or ""
    staging.put_person(conn, staged.run_id, problem.line, ref, role.value, about.place, right)
    problems.solve_in_file(conn, problem.id, now)
    doubts.put_right(conn, staged.run_id, problem.line, about.place)


def solve_applied(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    run_id: int,
    problem_id: int,
    role: Role,
    addresses: Addresses,
    now: datetime,
) -> None:
    """Put a row right that was held back when its file was applied: its booking is taken now.

    Raise NotFoundError if it is no longer there, and UsageError if something newer is known of the
    visit or its patient: what an older file says is not put in its place.
    """
    staged = _applied(clinic, run_id)
    problem = _open_problem(conn, staged, problem_id)
    clinic_id = clinics.clinic_id(conn, clinic)
    visit = _staged_visits(conn, run_id, [problem], now).get(problem.ref or "")
    exported_at = imports.exported_at(conn, run_id)
    if (
        visit is None
        or import_pages.known_refs(conn, clinic_id, [visit.ref])
        or imports.known_patients(conn, clinic_id, [visit.patient_key], exported_at)
    ):
        raise UsageError("That row cannot be put right here. Correct the file, and read it again.")
    _put_person(conn, staged, problem, role, addresses, now)
    confirm = bool(import_pages.imports_before(conn, clinic_id, run_id, 1))
    take_held(conn, runtime, replace(staged, confirmations=confirm), visit.patient_key, now)


def settle(conn: Connection, clinic: str, problem_id: int, now: datetime) -> None:
    """Close a problem that somebody has seen to elsewhere. Raise NotFoundError if none waits."""
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    if not import_pages.close_problem(conn, clinic_id, problem_id, now):
        raise NotFoundError("There is no such row that waits. Nothing was changed.")
