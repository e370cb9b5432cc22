"""Imports and problem rows as the pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

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
    """A problem row as the pages show it."""

    id: int
    run_id: int
    line: int
    column: str | None
    code: str
    message: str
    ref: str | None
    solved_at: datetime | None


def problems_of(
    conn: Connection, run_id: int, limit: int, first: int = 0, *, unsolved: bool = False
) -> list[ProblemLine]:
    """Return problems of one import, in the order of its lines, from the one named `first`."""
    query = select(problem).where(problem.c.import_run_id == run_id, problem.c.id >= first)
    if unsolved:
        query = query.where(problem.c.solved_at.is_(None))
    rows = conn.execute(query.order_by(problem.c.id).limit(limit))
    return [_problem(row) for row in rows]


def open_problems(conn: Connection, clinic_id: int, limit: int) -> list[ProblemLine]:
    """Return the problems of applied imports that nobody has solved, the newest file first."""
    newest = (problem.c.import_run_id.desc(), problem.c.line)
    rows = conn.execute(_open(select(problem), clinic_id).order_by(*newest).limit(limit))
    return [_problem(row) for row in rows]


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An applied import with problem rows that nobody has solved, and how many."""

    id: int
    file_name: str
    rows: int


def open_files(conn: Connection, clinic_id: int) -> list[OpenFile]:
    """Return the imports with problems that nobody has solved, the newest first."""
    query = _open(select(import_run.c.id, import_run.c.file_name, func.count()), clinic_id)
    grouped = query.group_by(import_run.c.id, import_run.c.file_name)
    return [OpenFile(*row) for row in conn.execute(grouped.order_by(import_run.c.id.desc()))]


def _open(query: Select[Any], clinic_id: int) -> Select[Any]:
    of_an_import = import_run.c.id == problem.c.import_run_id
    return (
        query.select_from(problem)
        .join(import_run, of_an_import)
        .where(
            problem.c.solved_at.is_(None),
            problem.c.clinic_id == clinic_id,
            import_run.c.applied_at.is_not(None),
        )
    )


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
    )


def known_refs(conn: Connection, clinic_id: int, refs: Sequence[str]) -> set[str]:
    """Return which of these bookings are known."""
    rows = conn.execute(
        select(appointment.c.ref).where(
            appointment.c.clinic_id == clinic_id, appointment.c.ref.in_(list(refs))
        )
    )
    return set(rows.scalars())


def close_problem(conn: Connection, clinic_id: int, problem_id: int, now: datetime) -> None:
    """Mark one problem as solved."""
    conn.execute(
        update(problem)
        .where(
            problem.c.id == problem_id,
            problem.c.clinic_id == clinic_id,
            problem.c.solved_at.is_(None),
        )
        .values(solved_at=now, put_right=PutRight.BY_HAND.value)
    )


def find_import(conn: Connection, clinic_id: int, run_id: int) -> ImportLine | None:
    """Return one applied import, or None."""
    found = imports_before(conn, clinic_id, run_id + 1, 1)
    return found[0] if found and found[0].id == run_id else None
