"""Applying a staged file: whole in one transaction, or, a large one, part by part to the end.

A part is some patients with all their bookings, so nobody is ever half changed. How far it has come
stands with the import itself: whoever goes on, this process or another, goes on from there.
"""

from collections.abc import Iterable
from datetime import datetime

from reminders.domain.brought import Category, PatientChange
from reminders.engine.difference import (
    MOST_LISTED,
    Difference,
    Options,
    Staged,
    changes_for,
    changes_of,
    find_missing,
    whole_days,
)
from reminders.engine.fingerprint import DifferenceChangedError, Fingerprint
from reminders.engine.runtime import Runtime
from reminders.store import (
    aside,
    clearing,
    clinics,
    consents,
    desk,
    import_changes,
    imports,
    problems,
    staging,
    statistics,
    turns,
)
from reminders.store.database import Connection
from reminders.store.import_changes import Change
from reminders.store.ledger import Fact, write

AT_ONCE = 4000
"""Bookings that are applied in one transaction: the write lock is held for well under a second."""

PART = 500
"""Patients of a larger file that are applied in one transaction."""


def has_many(conn: Connection, run_id: int) -> bool:
    """Tell whether a staged file is applied in many transactions, and not in one."""
    return staging.size(conn, run_id) > AT_ONCE


def apply_whole(
    conn: Connection,
    runtime: Runtime,
    staged: Staged,
    options: Options,
    now: datetime,
    expected: str | None = None,
) -> Difference:
    """Write what a staged file changes, all of it.

    Raise DifferenceChangedError if the mark of its changes is not what was `expected`.
    """
    clinic_id = clinics.clinic_id(conn, staged.clinic)
    difference = Difference.empty(staged)
    changes = list(changes_of(conn, runtime, staged, clinic_id, now))
    if expected is not None:
        find_missing(conn, runtime, difference, clinic_id, options, now)
        if difference.mark(Fingerprint.of(conn, clinic_id, changes)) != expected:
            raise DifferenceChangedError
    begun = staging.no_progress(len(staged.problems))
    staging.said_yes(conn, staged.run_id, runtime.actor)
    _write(conn, runtime, staged, clinic_id, changes, difference, now)
    _keep_changes(conn, difference, begun)
    _finish(conn, runtime, clinic_id, difference, options, now)
    _close(conn, difference, begun, now)
    clearing.clear(conn, staged.run_id)
    return difference


def begin_parts(
    conn: Connection, runtime: Runtime, staged: Staged, options: Options, now: datetime
) -> None:
    """Settle that a file will be applied, part by part. Raise RefusedFileError if it may not."""
    clinic_id = clinics.clinic_id(conn, staged.clinic)
    find_missing(conn, runtime, Difference.empty(staged), clinic_id, options, now)
    begun = staging.no_progress(len(staged.problems))
    begun |= {
        "confirmations": staged.confirmations,
        "full": options.full,
        "cancel_missing": options.cancel_missing,
        "cancel_only": None if options.cancel_only is None else sorted(options.cancel_only),
    }
    staging.said_yes(conn, staged.run_id, runtime.actor)
    staging.save_progress(conn, staged.run_id, begun)


def apply_some(conn: Connection, runtime: Runtime, run_id: int, now: datetime) -> Difference:
    """Apply the next part of a file; what is returned is `applied` when there is no more."""
    turns.wait_turn(conn, f"import {run_id}")
    found = staging.progress(conn, run_id)
    if found is None:
        return Difference(run_id, "", confirmations=False, first_import=False, applied=True)
    clinic, progress = found
    staged = Staged(run_id, clinic, (), bool(progress["confirmations"]), first_import=False)
    clinic_id = clinics.clinic_id(conn, clinic)
    difference = Difference.empty(staged)
    keys = staging.keys_after(conn, run_id, str(progress["after"]), PART)
    if keys:
        changes = list(changes_for(conn, runtime, staged, clinic_id, keys, now))
        _write(conn, runtime, staged, clinic_id, changes, difference, now)
        _keep_changes(conn, difference, progress)
        parts = int(str(progress.get("parts", 0))) + 1
        done = {**_sums(progress, difference), "after": keys[-1], "parts": parts}
        staging.save_progress(conn, run_id, done)
        if parts > 1 and parts & (parts - 1) == 0:  # of a large file, each time that it has doubled
            statistics.renew(conn, statistics.APPLIED)
        return difference
    only = progress.get("cancel_only")
    options = Options(
        full=bool(progress["full"]),
        cancel_missing=bool(progress["cancel_missing"]),
        cancel_only=None if only is None else frozenset(only),
    )
    _finish(conn, runtime, clinic_id, difference, options, now)
    _close(conn, difference, progress, now)
    return difference


def take_held(
    conn: Connection, runtime: Runtime, staged: Staged, patient_key: str, now: datetime
) -> None:
    """Write the bookings of a patient that were held back when the file was applied."""
    clinic_id = clinics.clinic_id(conn, staged.clinic)
    changes = list(changes_for(conn, runtime, staged, clinic_id, [patient_key], now))
    _write(conn, runtime, staged, clinic_id, changes, Difference.empty(staged), now)
    turns.hint(conn)


def _write(
    conn: Connection,
    runtime: Runtime,
    staged: Staged,
    clinic_id: int,
    changes: list[PatientChange],
    difference: Difference,
    now: datetime,
) -> None:
    for change in changes:
        difference.count(change)
    editions = consents.editions(conn, staged.clinic, runtime.clinic(staged.clinic).languages)
    written = imports.write_patients(
        conn, clinic_id, changes, editions, now, confirm=staged.confirmations
    )
    details = {c: {"import": staged.run_id, "as": c.value} for c in Category}
    facts = (Fact("imported", visit_id, None, details[category]) for visit_id, category in written)
    write(conn, now, runtime.actor, facts)


def _keep_changes(conn: Connection, part: Difference, progress: staging.Progress) -> None:
    """Keep what a part has changed for the import's page, as far as there is still room for it."""
    rooms = {c: max(MOST_LISTED - int(progress.get(c.value, 0)), 0) for c in part.first}
    found = ((category, changes[: rooms[category]]) for category, changes in part.first.items())
    import_changes.add(conn, part.run_id, found)


def _finish(
    conn: Connection,
    runtime: Runtime,
    clinic_id: int,
    difference: Difference,
    options: Options,
    now: datetime,
) -> None:
    """Do what concerns the file as a whole: missing bookings, and problems that it solves."""
    run_id = difference.run_id
    find_missing(conn, runtime, difference, clinic_id, options, now)
    if difference.cancels_missing:
        ids = [visit.id for visit in difference.cancelling]
        desk.cancel_visits(conn, ids, now)
        facts = [Fact("missing_cancelled", i, None, {"import": run_id}) for i in ids]
        write(conn, now, runtime.actor, facts)
        gone = [Change(v.ref, v.starts_at) for v in difference.cancelling[:MOST_LISTED]]
        import_changes.add(conn, run_id, [(Category.CANCELLED, gone)])
    spans = [staging.span(conn, run_id), problems.nameless_span(conn, run_id)]
    ends = [end for span in spans if span for end in span]
    zone = runtime.clinic(difference.clinic).zone
    days = whole_days(min(ends), max(ends), zone) if ends else None
    problems.settle(conn, clinic_id, run_id, days, now)
    if ends:  # a file that speaks of no visit says nothing of what another would change
        aside.supersede(conn, clinic_id, run_id, runtime.actor, now)


def _close(
    conn: Connection, difference: Difference, progress: staging.Progress, now: datetime
) -> None:
    sums = _sums(progress, difference)
    counts = {name: sums[name] for name in (*_names(Category), "problems")}
    counts["missing"] = len(difference.missing)
    counts[Category.CANCELLED.value] += len(difference.cancelling)
    staging.applied(conn, difference.run_id, counts, now)
    turns.hint(conn)
    difference.applied = True


def _sums(progress: staging.Progress, part: Difference) -> staging.Progress:
    added = {c.value: int(progress.get(c.value, 0)) + n for c, n in part.counts.items()}
    return {**progress, **added}


def _names(categories: Iterable[Category]) -> list[str]:
    return [category.value for category in categories]
