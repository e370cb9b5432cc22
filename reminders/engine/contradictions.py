"""What the rows of a file contradict one another in, once it is known whose each of them is."""

from collections.abc import Callable

from reminders.intake.bookings import Columns, Problem, ProblemCode
from reminders.intake.columns import Field
from reminders.store import births
from reminders.store.births import OtherBirth
from reminders.store.database import Connection

MESSAGE = (
    "The patient has another birth date here than on line {line}, so neither is believed. Leave "
    "the patient's own birth date alone, also on the rows of guardians, and export again."
)


def birth_dates(
    conn: Connection, run_id: int, columns: Columns, seal: Callable[[str], str]
) -> list[Problem]:
    """Return a problem for each birth date that contradicts the first of its patient.

    `seal` makes what it is known by, if a later file has the same contradiction.
    """
    told_by = (Field.BIRTH_DATE, Field.IDENTITY, Field.PATIENT)
    headers = [columns.visit[field].header for field in told_by if field in columns.visit]
    return [
        Problem(
            one.line,
            headers[0],
            ProblemCode.OTHER_BIRTH_DATE,
            MESSAGE.format(line=one.before),
            one.ref,
            seal(_both(one)),
        )
        for one in births.others(conn, run_id)
    ]


def _both(one: OtherBirth) -> str:
    return " ".join((one.patient_key, *map(str, one.dates)))
