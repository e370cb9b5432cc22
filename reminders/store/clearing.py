"""Emptying the staging area: of what is applied, thrown away, or left by a process that ended."""

from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
    true,
    union,
)

from reminders.store.schema import appointment
from reminders.store.schema_intake import (
    import_run,
    problem,
    staged_contact,
    staged_doubt,
    staged_visit,
)

_RUN_TABLES = (staged_contact, staged_doubt, staged_visit)
CLEARED_AT_ONCE = 10_000

ABANDONED_AFTER = timedelta(days=1)


# Of a file that is applied, a booking that is not known waits as long as it has an open problem: it
# was held back, and can still be put right.
_HELD = (
    select(problem.c.ref)
    .join(import_run, import_run.c.id == problem.c.import_run_id)
    .where(
        problem.c.ref.is_not(None),
        problem.c.solved_at.is_(None),
        import_run.c.applied_at.is_not(None),
        ~exists().where(
            appointment.c.clinic_id == problem.c.clinic_id,
            appointment.c.ref == problem.c.ref,
        ),
    )
)


def _done_with(table: Table) -> ColumnElement[bool]:
    """Tell the rows of an import that nobody needs any more."""
    # What is held is read once, not for each row: a server knows little of what was just staged,
    # and may search the wrong way round.
    held = table.c.ref.in_(_HELD.where(problem.c.import_run_id == bindparam("run")))
    return and_(table.c.import_run_id == bindparam("run"), func.coalesce(~held, true()))


_CLEAR = [delete(table).where(_done_with(table)) for table in _RUN_TABLES]
_CLEAR_SOME = [
    delete(table).where(
        table.c.id.in_(select(table.c.id).where(_done_with(table)).limit(CLEARED_AT_ONCE))
    )
    for table in _RUN_TABLES
]


def clear(conn: Connection, run_id: int) -> None:
    """Empty the staging area of an import, but for what was held back if it has been applied."""
    for statement in _CLEAR:
        conn.execute(statement, {"run": run_id})


def clear_some(conn: Connection, run_id: int) -> int:
    """Empty a part of an import's staging area as `clear` does; return how many rows are gone."""
    return sum(conn.execute(some, {"run": run_id}).rowcount for some in _CLEAR_SOME)


def forget(conn: Connection, run_id: int) -> None:
    """Remove an import that was not applied, with all that it staged."""
    for table in _RUN_TABLES:
        conn.execute(delete(table).where(table.c.import_run_id == run_id))
    conn.execute(delete(problem).where(problem.c.import_run_id == run_id))
    conn.execute(delete(import_run).where(import_run.c.id == run_id))


_ABANDONED = select(import_run.c.id).where(
    import_run.c.applied_at.is_(None),
    import_run.c.applying.is_(None),
    import_run.c.started_at < bindparam("before"),
)


def abandoned(conn: Connection, now: datetime) -> list[int]:
    """Return imports begun long ago and never applied: nobody goes on with them."""
    return list(conn.execute(_ABANDONED, {"before": now - ABANDONED_AFTER}).scalars())


def spent(conn: Connection) -> list[int]:
    """Return imports that are applied and have rows staged that nobody needs any more.

    Their process ended then, or what was held back is put right, or over.
    """
    query = union(
        *(
            select(import_run.c.id)
            .join(table, table.c.import_run_id == import_run.c.id)
            .where(
                import_run.c.applied_at.is_not(None),
                ~_HELD.where(
                    problem.c.import_run_id == table.c.import_run_id, problem.c.ref == table.c.ref
                ).exists(),
            )
            for table in _RUN_TABLES
        )
    )
    return list(conn.execute(query).scalars())
