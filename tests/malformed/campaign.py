"""Reads malformed files, imports some of them, and counts crashes and partial imports."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, func, or_, select

from reminders.config import example
from reminders.domain.brought import Category
from reminders.engine import importing
from reminders.engine.runtime import Runtime
from reminders.errors import RefusedFileError
from reminders.intake.bookings import read
from reminders.store import schema, schema_intake
from reminders.store.database import Connection
from reminders.store.upgrade import upgrade
from reminders.wiring import build, make_key, open_store
from tests.intake.helpers import FORM, NOW
from tests.malformed.files import Maker

STAGED = (
    schema_intake.staged_visit,
    schema_intake.staged_contact,
    schema_intake.staged_doubt,
)


@dataclass
class Tally:
    """What came of the files. A crash and a partial import are told by the seed and number."""

    files: int = 0
    refused: int = 0
    rows: int = 0
    imports: int = 0
    crashes: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add another share."""
        self.files += other.files
        self.refused += other.refused
        self.rows += other.rows
        self.imports += other.imports
        self.crashes += other.crashes
        self.partial += other.partial


def campaign(seed: int, files: int, folder: Path, import_every: int = 500) -> Tally:
    """Read so many files; import every so-manieth into a real SQLite."""
    logging.disable(logging.CRITICAL)
    maker, tally = Maker(seed), Tally()
    runtime = _runtime(folder)
    for number in range(files):
        data = maker.make()
        tally.files += 1
        name = f"seed {seed}, file {number}"
        try:
            tally.rows += sum(1 for _ in read(data, FORM, NOW))
        except RefusedFileError:
            tally.refused += 1
        except Exception as error:  # noqa: BLE001 - a crash is what is looked for
            tally.crashes.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if number % import_every == 0:
            _import(runtime, folder, data, tally, name)
    runtime.database.close()
    return tally


def _runtime(folder: Path) -> Runtime:
    config = example().model_copy(update={"folder": folder})
    make_key(config)
    database = open_store(config, create=True)
    upgrade(database)
    database.close()
    return build(config)


def _import(runtime: Runtime, folder: Path, data: bytes, tally: Tally, name: str) -> None:
    """Import one file whole, and see that it came in whole or not at all."""
    path = folder / "bokningar.csv"
    path.write_bytes(data)
    runtime.in_transaction(_empty)
    now = datetime(2026, 11, 30, 11, tzinfo=UTC)
    options = importing.Options(exported_at=now, older_ok=True, confirmations=False)
    expected = 0
    tally.imports += 1
    try:
        staged = importing.stage(runtime, "internet", path, options, now)
        shown = importing.look(runtime, staged, options, now)
        done = importing.apply(runtime, staged, options, now)
        expected = done.counts[Category.NEW]
        if shown.counts != done.counts:
            tally.partial.append(f"{name}: shown {shown.counts}, done {done.counts}")
    except RefusedFileError:
        pass
    except Exception as error:  # noqa: BLE001 - a crash is what is looked for
        tally.crashes.append(f"{name}: import: {type(error).__name__}")
        return
    found, staged_rows = runtime.in_transaction(_count)
    if found != expected or staged_rows:
        tally.partial.append(f"{name}: {found} visits, {expected} expected, {staged_rows} staged")


def _empty(conn: Connection) -> None:
    for table in reversed(schema.metadata.sorted_tables):
        if table.name not in {"clinic", "keeping", "template_version"}:
            conn.execute(delete(table))


def _count(conn: Connection) -> tuple[int, int]:
    """Count the visits, and what was staged and is not of a row that can still be put right."""
    visits = conn.execute(select(func.count()).select_from(schema.appointment)).scalar_one()
    waiting = select(schema_intake.problem.c.ref).where(
        schema_intake.problem.c.import_run_id == schema_intake.import_run.c.id,
        schema_intake.import_run.c.applied_at.is_not(None),
        schema_intake.problem.c.ref.is_not(None),
    )
    staged = sum(
        conn.execute(
            select(func.count())
            .select_from(table)
            .where(or_(table.c.ref.is_(None), table.c.ref.not_in(waiting)))
        ).scalar_one()
        for table in STAGED
    )
    return visits, staged
