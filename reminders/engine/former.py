"""Whose the bookings of a file's patients have been, where that is another record."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from reminders.domain.brought import NAMELESS, Former, IncomingPatient, KnownPatient, KnownVisit
from reminders.domain.known_again import is_named, is_same_patient
from reminders.store import imports, staging
from reminders.store.database import Connection

CHUNK = 500


def find(
    conn: Connection,
    run_id: int,
    brought: Sequence[IncomingPatient],
    known: Mapping[str, KnownPatient],
    visits: Mapping[str, KnownVisit],
    exported_at: datetime,
) -> Mapping[str, Former]:
    """Return whose the known `visits` of these patients have been, by the patient's key now."""
    others: dict[str, list[int]] = {}
    for patient in brought:
        theirs = {visits[visit.ref].patient_id for visit in patient.visits if visit.ref in visits}
        own = {known[patient.key].id} if patient.key in known else set[int]()
        if theirs - own:
            others[patient.key] = sorted(theirs - own)
    ids = sorted({patient_id for of in others.values() for patient_id in of})
    found: dict[int, tuple[str, KnownPatient]] = {}
    for start in range(0, len(ids), CHUNK):
        found |= imports.known_by_id(conn, ids[start : start + CHUNK], exported_at)
    return {
        patient.key: _former(conn, run_id, patient, [found[i] for i in others[patient.key]])
        for patient in brought
        if patient.key in others
    }


def _former(
    conn: Connection,
    run_id: int,
    patient: IncomingPatient,
    records: Sequence[tuple[str, KnownPatient]],
) -> Former:
    def is_same(key: str, record: KnownPatient) -> bool:
        nameless = key.startswith(NAMELESS) or patient.key.startswith(NAMELESS)
        return nameless or is_same_patient(
            patient, key, record, lambda: staging.has_patient(conn, run_id, key)
        )

    same = [(key, record) for key, record in records if is_same(key, record)]
    ids = {record.id for _, record in same}
    named = {one.id for key, one in records if is_named(key) and is_named(patient.key)}
    return Former(
        same=tuple(record for _, record in same),
        renumbered=frozenset(named & ids),
        others=frozenset(named - ids),
        protected=any(record.protected for _, record in records),
    )
