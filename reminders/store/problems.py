"""Rows of files that could not be taken: until when staff see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import (
    Connection,
    Update,
    and_,
    bindparam,
    case,
    desc,
    false,
    func,
    or_,
    select,
    union,
    update,
)

from reminders.store.schema import appointment, clinic
from reminders.store.schema_intake import import_run, problem, staged_visit
from reminders.store.views import NUL

PAST_TIME = "past_time"

APART = timedelta(days=14)
"""A time in the past with no other row of the file nearer than this is a mistake, no history."""

Mark = tuple[str, str, str, str]
"""What a problem is known by: the booking's reference, column, code, the row's keyed digest."""


class PutRight(StrEnum):
    """How a problem was put right, so that the same row is none in the next file."""

    HERE = "here"  # with a right address, in the file itself, before it was applied
    BY_HAND = "hand"  # at the visit, or seen to elsewhere
    BEFORE = "before"  # the same row was put right in an earlier file


def put_right(conn: Connection, clinic_id: int, marks: Collection[Mark]) -> set[Mark]:
    """Return which of these problems have been put right in an earlier file, in the same row."""
    refs = {ref for ref, _, _, row_key in marks if ref and row_key}
    if not refs:
        return set()
    rows = conn.execute(
        select(problem.c.ref, problem.c.column, problem.c.code, problem.c.row_key)
        .join(import_run, import_run.c.id == problem.c.import_run_id)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.put_right.is_not(None),
            problem.c.ref.in_(refs),
            import_run.c.applied_at.is_not(None),
        )
    )
    return {(row.ref, row.column or "", row.code, row.row_key) for row in rows} & set(marks)


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A row of a file that could not be taken, and has not been put right."""

    clinic: str
    file_name: str
    line: int
    column: str | None
    code: str
    message: str
    ref: str | None
    created_at: datetime


def open_problems(
    conn: Connection, clinic_key: str | None, ref: str | None = None
) -> list[OpenProblem]:
    """Return the problems of applied imports that nobody has solved yet; of a booking, if named."""
    query = (
        select(problem, clinic.c.key, import_run.c.file_name)
        .join(clinic, clinic.c.id == problem.c.clinic_id)
        .join(import_run, import_run.c.id == problem.c.import_run_id)
        .where(problem.c.solved_at.is_(None), import_run.c.applied_at.is_not(None))
        .order_by(problem.c.import_run_id, problem.c.line, problem.c.id)
    )
    if clinic_key is not None:
        query = query.where(clinic.c.key == clinic_key)
    if ref is not None:
        query = query.where(problem.c.ref == ref if NUL not in ref else false())
    return [
        OpenProblem(r.key, r.file_name, r.line, r.column, r.code, r.message, r.ref, r.created_at)
        for r in conn.execute(query)
    ]


_OURS = problem.c.import_run_id == bindparam("run")

_NAMELESS_SPAN = select(
    func.min(problem.c.starts_at, type_=problem.c.starts_at.type),
    func.max(problem.c.starts_at, type_=problem.c.starts_at.type),
).where(_OURS, problem.c.ref.is_(None))


def nameless_span(conn: Connection, run_id: int) -> tuple[datetime, datetime] | None:
    """Return the first and the last start of a file's rows without a reference, if it has any."""
    first, last = conn.execute(_NAMELESS_SPAN, {"run": run_id}).one()
    return (first, last) if first is not None and last is not None else None


def settle(
    conn: Connection,
    clinic_id: int,
    run_id: int,
    days: tuple[datetime, datetime] | None,
    now: datetime,
) -> None:
    """Close problems of files applied earlier: those this one solves, and those it repeats.

    A row without a reference is put right by a file of its days, which begin and end at `days`, or
    without a time by any. So is a time in the past: where it stands among the file's own days the
    visit is over, and any later file closes it.
    """
    _forgive_the_past(conn, clinic_id, run_id, now)
    first, last = days or (None, None)
    given = {"clinic": clinic_id, "run": run_id, "first": first, "last": last, "now": now}
    for statement in _SETTLE:
        conn.execute(statement, given)


def _settle() -> tuple[Update, Update]:
    """Return what closes problems of earlier files, and what has them no longer put right."""
    spoken_of = select(staged_visit.c.ref).where(staged_visit.c.import_run_id == bindparam("run"))
    repeated = select(problem.c.ref).where(_OURS, problem.c.ref.is_not(None))
    same_row = select(problem.c.row_key).where(_OURS, problem.c.row_key.is_not(None))
    applied = select(import_run.c.id).where(
        import_run.c.clinic_id == bindparam("clinic"), import_run.c.applied_at.is_not(None)
    )
    earlier = and_(
        problem.c.clinic_id == bindparam("clinic"),
        problem.c.import_run_id != bindparam("run"),
        problem.c.import_run_id.in_(applied),
    )
    named = problem.c.ref.in_(spoken_of) | problem.c.ref.in_(repeated)
    start = problem.c.starts_at
    of_its_days = or_(start.is_(None), start.between(bindparam("first"), bindparam("last")))
    of_days = problem.c.ref.is_(None) | (problem.c.code == PAST_TIME)
    open_ones = update(problem).where(
        earlier,
        problem.c.solved_at.is_(None),
        named
        | (of_days & of_its_days)
        | (problem.c.ref.is_(None) & problem.c.row_key.in_(same_row)),
    )
    # What the file says of a booking now is all that holds: a row that changes is a problem again.
    right = update(problem).where(earlier, problem.c.put_right.is_not(None), named)
    return open_ones.values(solved_at=bindparam("now")), right.values(put_right=None)


_SETTLE = _settle()


_IS_PAST = and_(_OURS, problem.c.code == PAST_TIME, problem.c.starts_at.is_not(None))
_PAST = select(problem.c.starts_at.label("at")).where(_IS_PAST)
_ANY_PAST = _PAST.limit(1)


def _forgive_the_past(conn: Connection, clinic_id: int, run_id: int, now: datetime) -> None:
    """Forget the times of a file's past visits that are over, and so leave those that are mistakes.

    A mistake is a day far from all others of the file, and a time in the past for a known visit
    that is still to come.
    """
    if conn.execute(_ANY_PAST, {"run": run_id}).first() is None:
        return
    rows = select(staged_visit.c.starts_at.label("at")).where(
        staged_visit.c.import_run_id == run_id, staged_visit.c.starts_at < now
    )
    reach = now
    times = union(_PAST, rows).order_by(desc("at"))
    for at in conn.execute(times, {"run": run_id}).scalars():
        if reach - at > APART:
            break
        reach = at
    to_come = select(appointment.c.ref).where(
        appointment.c.clinic_id == clinic_id, appointment.c.starts_at > now
    )
    over = and_(_IS_PAST, problem.c.starts_at >= reach, problem.c.ref.not_in(to_come))
    conn.execute(update(problem).where(over).values(starts_at=None), {"run": run_id})


def settle_past(conn: Connection, clinic_id: int, before: datetime, now: datetime) -> int:
    """Close the problems of visits that are over, and have stood since before `before`.

    Of a row without a reference, it is the visit that was before then. A mistaken date stays, until
    then of a known visit.
    """
    known = select(appointment.c.id).where(
        appointment.c.clinic_id == clinic_id,
        appointment.c.ref == problem.c.ref,
        appointment.c.starts_at < before,
    )
    over = (problem.c.code == PAST_TIME) & (problem.c.starts_at.is_(None) | known.exists())
    return conn.execute(
        update(problem)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.solved_at.is_(None),
            (over & (problem.c.created_at < before))
            | (problem.c.ref.is_(None) & (problem.c.starts_at < before)),
        )
        .values(solved_at=now)
    ).rowcount


def solve(
    conn: Connection,
    clinic_id: int,
    refs: Sequence[str],
    now: datetime,
    codes: Collection[str] | None = None,
) -> None:
    """Close the problems of bookings that have been put right by hand, or by a program.

    Those with one of `codes` (None: all) are none in the next file either, if the row is the same.
    """
    right = PutRight.BY_HAND.value
    held = right if codes is None else case((problem.c.code.in_(codes), right), else_=None)
    conn.execute(
        update(problem)
        .where(
            problem.c.clinic_id == clinic_id,
            problem.c.solved_at.is_(None),
            problem.c.ref.in_(refs),
        )
        .values(solved_at=now, put_right=held)
    )


def solve_in_file(conn: Connection, problem_id: int, now: datetime) -> None:
    """Close one problem that has been put right before its file is applied."""
    conn.execute(
        update(problem)
        .where(problem.c.id == problem_id)
        .values(solved_at=now, put_right=PutRight.HERE.value)
    )
