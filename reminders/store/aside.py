"""Files of the watched folder that wait for a person or are refused."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from reminders.store.schema import clinic
from reminders.store.schema_desk import set_aside
from reminders.store.schema_intake import import_run

OPEN = set_aside.c.closed_at.is_(None)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of such a file that cannot be used."""

    line: int
    column: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NewAside:
    """A file that is set aside now. `why` is a code, with its `numbers`; `said`, in English.

    `kept_as` is its name in the folder of its `ending`.
    """

    file_name: str
    kept_as: str
    written_at: datetime
    ending: str
    why: str
    numbers: Mapping[str, int]
    said: str
    problems: Sequence[BadLine]


@dataclass(frozen=True, slots=True)
class Aside:
    """A file that has been set aside, and that nobody has seen to yet."""

    id: int
    clinic: str
    at: datetime
    file: NewAside


def keep(conn: Connection, clinic_id: int, file: NewAside, now: datetime) -> None:
    """Record a file that is set aside; once only, if a process died before it was moved away."""
    same = and_(
        set_aside.c.clinic_id == clinic_id,
        set_aside.c.file_name == file.file_name,
        set_aside.c.written_at == file.written_at,
    )
    conn.execute(delete(set_aside).where(same, OPEN))
    conn.execute(insert(set_aside).values(clinic_id=clinic_id, at=now, **asdict(file)))


def open_files(conn: Connection, clinic_key: str | None) -> list[Aside]:
    """Return the files that nobody has seen to, the newest first."""
    query = _files().where(OPEN).order_by(set_aside.c.at.desc(), set_aside.c.id.desc())
    if clinic_key is not None:
        query = query.where(clinic.c.key == clinic_key)
    return [_aside(row) for row in conn.execute(query)]


def find(conn: Connection, clinic_key: str, aside_id: int) -> Aside | None:
    """Return a clinic's file that nobody has seen to, or None."""
    this = and_(clinic.c.key == clinic_key, set_aside.c.id == aside_id)
    row = conn.execute(_files().where(OPEN, this)).first()
    return _aside(row) if row else None


def close(conn: Connection, aside_id: int, actor: str, now: datetime) -> None:
    """Record that somebody has seen to a file."""
    this = update(set_aside).where(set_aside.c.id == aside_id, OPEN)
    conn.execute(this.values(closed_at=now, closed_by=actor))


_RUN = select(import_run.c.exported_at, import_run.c.file_name).where(
    import_run.c.id == bindparam("run")
)
_SUPERSEDE = update(set_aside).where(
    set_aside.c.clinic_id == bindparam("clinic"),
    set_aside.c.written_at <= bindparam("until"),
    or_(
        set_aside.c.ending != "waiting",
        set_aside.c.file_name == bindparam("name"),
        set_aside.c.kept_as == bindparam("name"),
    ),
    OPEN,
)


def supersede(conn: Connection, clinic_id: int, run_id: int, actor: str, now: datetime) -> None:
    """Close what an import takes the place of: that file, and older ones.

    A refused one says nothing that could be used. One that waits may speak of other visits: it
    stays for a person, unless the imported file has its name, as the next export of its kind.
    """
    run = conn.execute(_RUN, {"run": run_id}).one()
    given = {"clinic": clinic_id, "until": run.exported_at, "name": run.file_name}
    conn.execute(_SUPERSEDE, {**given, "closed_at": now, "closed_by": actor})


def purge(conn: Connection, clinic_id: int, before: datetime) -> None:
    """Forget files that somebody saw to long ago."""
    conn.execute(
        delete(set_aside).where(set_aside.c.clinic_id == clinic_id, set_aside.c.closed_at < before)
    )


def _files() -> Select[tuple[object, ...]]:
    return select(set_aside, clinic.c.key).join(clinic, clinic.c.id == set_aside.c.clinic_id)


def _aside(row: Row[tuple[object, ...]]) -> Aside:
    file = NewAside(
        row.file_name,
        row.kept_as,
        row.written_at,
        row.ending,
        row.why,
        row.numbers,
        row.said,
        [BadLine(**line) for line in row.problems],
    )
    return Aside(row.id, row.key, row.at, file)
