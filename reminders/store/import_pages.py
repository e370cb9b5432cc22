"""Imports and problem rows as the pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, and_, func, select, update

from reminders.store.problems import PutRight
from reminders.store.schema import appointment
from reminders.store.schema_intake import import_run, problem


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One import as the history lists it."""

    id: int
    file_name: str
    exported_at: datetime
    applied_at: datetime
    actor: str
    counts: Mapping[str, int]


def imports_before(
    conn: Connection, clinic_id: int, before: int | None, limit: int, but_by: str | None = None
) -> list[ImportLine]:
    """Return applied imports, the newest first, from before the one named.

    `but_by`: those of this actor are left out.
    """
    query = (
        select(import_run)
        .where(import_run.c.clinic_id == clinic_id, import_run.c.applied_at.is_not(None))
        .order_by(import_run.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(import_run.c.id < before)
    if but_by is not None:
        query = query.where(import_run.c.actor != but_by)
    return [
        ImportLine(r.id, r.file_name, r.exported_at, r.applied_at, r.actor, r.counts or {})
        for r in conn.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """A problem row as the pages show it. `put_right`: by a person; else it is only closed."""

    id: int
    run_id: int
    line: int
    column: str | None
    code: str
    message: str
    ref: str | None
    solved_at: datetime | None
    put_right: bool = False


def problems_of(
    conn: Connection, run_id: int, limit: int, first: int = 0, *, unsolved: bool = False
) -> list[ProblemLine]:
    """Return problems of one import, in the order they were found, from the one named `first`."""
    query = select(problem).where(problem.c.import_run_id == run_id, problem.c.id >= first)
    if unsolved:
        query = query.where(problem.c.solved_at.is_(None))
    rows = conn.execute(query.order_by(problem.c.id).limit(limit))
    return [_problem(row) for row in rows]


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A problem of an applied import that nobody has solved. `known`: its booking is.

    So many such problems the file has, and all files together.
    """

    problem: ProblemLine
    file_name: str
    known: bool
    in_file: int
    in_all: int


def open_problems(conn: Connection, clinic_id: int, limit: int) -> list[OpenProblem]:
    """Return the first of the problems that nobody has solved, the newest file first."""
    known = and_(appointment.c.clinic_id == clinic_id, appointment.c.ref == problem.c.ref)
    query = (
        select(
            problem,
            import_run.c.file_name,
            appointment.c.id.label("visit_id"),
            func.count().over(partition_by=problem.c.import_run_id).label("in_file"),
            func.count().over().label("in_all"),
        )
        .join(import_run, import_run.c.id == problem.c.import_run_id)
        .outerjoin(appointment, known)
        .where(
            problem.c.solved_at.is_(None),
            problem.c.clinic_id == clinic_id,
            import_run.c.applied_at.is_not(None),
        )
        .order_by(problem.c.import_run_id.desc(), problem.c.line)
        .limit(limit)
    )
    return [
        OpenProblem(_problem(r), r.file_name, r.visit_id is not None, r.in_file, r.in_all)
        for r in conn.execute(query)
    ]


def find_problem(conn: Connection, clinic_id: int, problem_id: int) -> ProblemLine | None:
    """Return one problem, or None."""
    row = conn.execute(
        select(problem).where(problem.c.id == problem_id, problem.c.clinic_id == clinic_id)
    ).first()
    return _problem(row) if row else None


def _problem(row: Row[tuple[object, ...]]) -> ProblemLine:
    return ProblemLine(
        row.id,
        row.import_run_id,
        row.line,
        row.column,
        row.code,
        row.message,
        row.ref,
        row.solved_at,
        row.put_right is not None,
    )


def known_refs(conn: Connection, clinic_id: int, refs: Sequence[str]) -> set[str]:
    """Return which of these bookings are known."""
    rows = conn.execute(
        select(appointment.c.ref).where(
            appointment.c.clinic_id == clinic_id, appointment.c.ref.in_(list(refs))
        )
    )
    return set(rows.scalars())


def close_problem(conn: Connection, clinic_id: int, problem_id: int, now: datetime) -> bool:
    """Mark one problem as solved; tell whether it was open."""
    closed = conn.execute(
        update(problem)
        .where(
            problem.c.id == problem_id,
            problem.c.clinic_id == clinic_id,
            problem.c.solved_at.is_(None),
        )
        .values(solved_at=now, put_right=PutRight.BY_HAND.value)
    )
    return closed.rowcount == 1


def find_import(conn: Connection, clinic_id: int, run_id: int) -> ImportLine | None:
    """Return one applied import, or None."""
    found = imports_before(conn, clinic_id, run_id + 1, 1)
    return found[0] if found and found[0].id == run_id else None
