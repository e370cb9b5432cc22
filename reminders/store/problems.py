"""Rows of files that could not be taken: until when staff see them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, and_, case, desc, false, func, or_, select, union, update

from reminders.store.schema import appointment
from reminders.store.schema_intake import import_run, problem, staged_visit

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


def nameless_span(conn: Connection, run_id: int) -> tuple[datetime, datetime] | None:
    """Return the first and the last start of a file's rows without a reference, if it has any."""
    start = problem.c.starts_at
    ends = (func.min(start, type_=start.type), func.max(start, type_=start.type))
    nameless = (problem.c.import_run_id == run_id, problem.c.ref.is_(None))
    first, last = conn.execute(select(*ends).where(*nameless)).one()
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
    spoken_of = select(staged_visit.c.ref).where(staged_visit.c.import_run_id == run_id)
    repeated = select(problem.c.ref).where(
        problem.c.import_run_id == run_id, problem.c.ref.is_not(None)
    )
    same_row = select(problem.c.row_key).where(
        problem.c.import_run_id == run_id, problem.c.row_key.is_not(None)
    )
    applied = select(import_run.c.id).where(
        import_run.c.clinic_id == clinic_id, import_run.c.applied_at.is_not(None)
    )
    earlier = and_(
        problem.c.clinic_id == clinic_id,
        problem.c.import_run_id != run_id,
        problem.c.import_run_id.in_(applied),
    )
    named = problem.c.ref.in_(spoken_of) | problem.c.ref.in_(repeated)
    start = problem.c.starts_at
    of_its_days = or_(start.is_(None), start.between(*days) if days else false())
    of_days = problem.c.ref.is_(None) | (problem.c.code == PAST_TIME)
    conn.execute(
        update(problem)
        .where(
            earlier,
            problem.c.solved_at.is_(None),
            named
            | (of_days & of_its_days)
            | (problem.c.ref.is_(None) & problem.c.row_key.in_(same_row)),
        )
        .values(solved_at=now)
    )
    # What the file says of a booking now is all that holds: a row that changes is a problem again.
    conn.execute(
        update(problem)
        .where(earlier, problem.c.put_right.is_not(None), named)
        .values(put_right=None)
    )


def _forgive_the_past(conn: Connection, clinic_id: int, run_id: int, now: datetime) -> None:
    """Forget the times of a file's past visits that are over, and so leave those that are mistakes.

    A mistake is a day far from all others of the file, and a time in the past for a known visit
    that is still to come.
    """
    past = and_(
        problem.c.import_run_id == run_id,
        problem.c.code == PAST_TIME,
        problem.c.starts_at.is_not(None),
    )
    found = select(problem.c.starts_at.label("at")).where(past)
    if conn.execute(found.limit(1)).first() is None:
        return
    rows = select(staged_visit.c.starts_at.label("at")).where(
        staged_visit.c.import_run_id == run_id, staged_visit.c.starts_at < now
    )
    reach = now
    for at in conn.execute(union(found, rows).order_by(desc("at"))).scalars():
        if reach - at > APART:
            break
        reach = at
    to_come = select(appointment.c.ref).where(
        appointment.c.clinic_id == clinic_id, appointment.c.starts_at > now
    )
    over = and_(past, problem.c.starts_at >= reach, problem.c.ref.not_in(to_come))
    conn.execute(update(problem).where(over).values(starts_at=None))


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
