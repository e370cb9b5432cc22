"""Imports against what is known: loading it, writing the difference, keeping the history."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)

from reminders.domain.appointment import OwnLogin, Truth, VisitStatus
from reminders.domain.brought import (
    Category,
    ContactChange,
    KnownContact,
    KnownPatient,
    KnownVisit,
    PatientChange,
    VisitChange,
)
from reminders.domain.contact import Channel, Consent, Role
from reminders.store.bulk import insert_rows, reserve, update_rows
from reminders.store.consents import FROM_FILE, FROM_STAFF, Editions
from reminders.store.rows import choice, chosen
from reminders.store.schema import appointment, consent, contact, ledger, patient
from reminders.store.schema_intake import import_run
from reminders.store.wishes import WISHES, wish_values, wishes_of

WRITTEN = frozenset({Category.NEW, Category.MOVED, Category.CANCELLED, Category.UPDATED})

_FACTS = ("birth_date", "protected", "own_login")
_DETAILS = ("role", "phone", "email", "language", "removed_at", "added_by_hand", *WISHES)
_VISIT = ("patient_id", "kind", "status", "needs_plan", "changed_at", "clinician")


def known_patients(
    conn: Connection, clinic_id: int, keys: Sequence[str], exported_at: datetime
) -> dict[str, KnownPatient]:
    """Return what is known of these patients against a file of that time, by their key."""
    rows = conn.execute(_PATIENTS, {"clinic": clinic_id, "keys": keys}).all()
    return dict(_known(conn, rows, exported_at))


def known_by_id(
    conn: Connection, ids: Collection[int], exported_at: datetime
) -> dict[int, tuple[str, KnownPatient]]:
    """Return key and what is known of these patients, by their id."""
    rows = conn.execute(_patients(conn.dialect.name), choice(conn, ids)).all()
    return {known.id: (key, known) for key, known in _known(conn, rows, exported_at)}


_PATIENTS = select(patient).where(
    patient.c.clinic_id == bindparam("clinic"),
    patient.c.external_key.in_(bindparam("keys", expanding=True)),
)


@cache
def _patients(dialect: str) -> Select[Any]:
    return select(patient).where(chosen(dialect, patient.c.id))


@cache
def _consents(dialect: str) -> Select[Any]:
    of_theirs = contact.c.id == consent.c.contact_id
    return select(consent).join(contact, of_theirs).where(chosen(dialect, contact.c.patient_id))


@cache
def _people(dialect: str) -> Select[Any]:
    present = contact.c.removed_at.is_(None)
    theirs = chosen(dialect, contact.c.patient_id)
    return select(contact).where(theirs, present).order_by(contact.c.id)


def _known(
    conn: Connection, rows: Sequence[Row[Any]], exported_at: datetime
) -> Iterator[tuple[str, KnownPatient]]:
    theirs, dialect = choice(conn, [row.id for row in rows]), conn.dialect.name
    wishes: dict[int, dict[Channel, Consent]] = defaultdict(dict)
    refused: dict[int, set[Channel]] = defaultdict(set)
    for row in conn.execute(_consents(dialect), theirs).all():
        wishes[row.contact_id][Channel(row.channel)] = Consent(row.status)
        if row.status == Consent.REFUSED.value and row.source == FROM_STAFF:
            refused[row.contact_id].add(Channel(row.channel))
    people: dict[int, list[KnownContact]] = defaultdict(list)
    for row in conn.execute(_people(dialect), theirs).all():
        people[row.patient_id].append(
            KnownContact(
                row.id,
                Role(row.role),
                row.phone,
                row.email,
                row.language,
                wishes[row.id],
                wishes_of(row),
                frozenset(refused[row.id]),
                row.added_by_hand,
                row.corrected_at is not None and row.corrected_at > exported_at,
            )
        )
    for row in rows:
        login, contacts = OwnLogin(row.own_login), tuple(people[row.id])
        known = KnownPatient(row.id, row.birth_date, row.protected, login, contacts)
        yield row.external_key, known


_BY_HAND = (
    select(ledger.c.id)
    .where(
        ledger.c.appointment_id == appointment.c.id,
        ledger.c.event.in_(["moved_by_hand", "cancelled_by_hand"]),
        ledger.c.at > bindparam("since"),
    )
    .exists()
)
_VISITS = select(appointment, _BY_HAND.label("by_hand")).where(
    appointment.c.clinic_id == bindparam("clinic"),
    appointment.c.ref.in_(bindparam("refs", expanding=True)),
)


def known_visits(
    conn: Connection, clinic_id: int, refs: Sequence[str], exported_at: datetime
) -> dict[str, KnownVisit]:
    """Return what is known of these bookings, by reference, against a file of that time."""
    rows = conn.execute(_VISITS, {"clinic": clinic_id, "refs": refs, "since": exported_at})
    return {
        row.ref: KnownVisit(
            row.id,
            row.patient_id,
            row.kind,
            Truth(row.starts_at, VisitStatus(row.status)),
            row.clinician,
            row.by_hand,
        )
        for row in rows
    }


_EXPORTED_AT = select(import_run.c.exported_at).where(import_run.c.id == bindparam("run"))


def exported_at(conn: Connection, run_id: int) -> datetime:
    """Return when the file of an import was exported."""
    at: datetime = conn.execute(_EXPORTED_AT, {"run": run_id}).scalar_one()
    return at


def write_patients(
    conn: Connection,
    clinic_id: int,
    changes: Sequence[PatientChange],
    editions: Editions,
    now: datetime,
    *,
    confirm: bool,
) -> list[tuple[int, Category]]:
    """Write what an import changes for these patients, and mark the visits for planning.

    Return (appointment id, what became of it) for each visit written.
    """
    written = [change for change in changes if change.id is not None or visits_to_write(change)]
    patients = _write_facts(conn, clinic_id, written)
    _write_contacts(conn, list(zip(patients, written, strict=True)), editions, now)
    visits = [
        (patient_id, visit)
        for patient_id, change in zip(patients, written, strict=True)
        for visit in visits_to_write(change)
    ]
    ids = _write_visits(conn, clinic_id, visits, now, confirm=confirm)
    _plan_again(conn, [c.id for c in written if c.id is not None and c.differs], now)
    return [(made, visit.category) for made, (_, visit) in zip(ids, visits, strict=True)]


def visits_to_write(change: PatientChange) -> list[VisitChange]:
    """Return the visits of which an import writes something."""
    return [visit for visit in change.visits if visit.category in WRITTEN]


def _write_facts(conn: Connection, clinic_id: int, changes: Sequence[PatientChange]) -> list[int]:
    """Write the patients themselves; return their ids."""
    unknown = [change for change in changes if change.id is None]
    ids = iter(reserve(conn, patient, len(unknown)) if unknown else ())
    found = [change.id if change.id is not None else next(ids) for change in changes]
    new, changed = list[tuple[object, ...]](), list[tuple[object, ...]]()
    for patient_id, change in zip(found, changes, strict=True):
        facts = (change.birth_date, change.protected, change.own_login.value)
        if change.id is None:
            new.append((patient_id, clinic_id, change.key, *facts))
        elif change.differs:
            changed.append((*facts, patient_id))
    insert_rows(conn, patient, ("id", "clinic_id", "external_key", *_FACTS), new)
    update_rows(conn, patient, _FACTS, changed)
    return found


def _write_contacts(
    conn: Connection,
    changes: Sequence[tuple[int, PatientChange]],
    editions: Editions,
    now: datetime,
) -> None:
    differing = [
        (patient_id, contact_change)
        for patient_id, change in changes
        for contact_change in change.contacts
        if contact_change.differs
    ]
    unknown = sum(change.id is None for _, change in differing)
    ids = iter(reserve(conn, contact, unknown) if unknown else ())
    new, changed = list[tuple[object, ...]](), list[tuple[object, ...]]()
    wishes: list[tuple[int, ContactChange]] = []
    for patient_id, contact_change in differing:
        person = contact_change.person
        details = (
            *(person.role.value, person.phone, person.email, person.language, None),
            contact_change.added,
            *wish_values(person.wishes).values(),
        )
        contact_id = contact_change.id
        if contact_id is None:
            contact_id = next(ids)
            new.append((contact_id, patient_id, *details))
        else:
            changed.append((*details, contact_id))
        wishes.append((contact_id, contact_change))
    insert_rows(conn, contact, ("id", "patient_id", *_DETAILS), new)
    update_rows(conn, contact, _DETAILS, changed)
    gone = [contact_id for _, change in changes for contact_id in change.removed]
    update_rows(conn, contact, ("removed_at",), [(now, contact_id) for contact_id in gone])
    known = [change.id for _, change in differing if change.id]
    _write_consents(conn, wishes, known, editions, now)


def _write_consents(
    conn: Connection,
    wishes: Sequence[tuple[int, ContactChange]],
    known: Sequence[int],
    editions: Editions,
    now: datetime,
) -> None:
    """Record the wishes that are not recorded so already. `known` contacts may have some."""
    before: dict[tuple[int, str], str] = {}
    if known:
        rows = conn.execute(select(consent).where(consent.c.contact_id.in_(known)))
        before = {(row.contact_id, row.channel): row.status for row in rows}
    new: list[tuple[object, ...]] = []
    for contact_id, change in wishes:
        for channel, wish in change.person.consents.items():
            place = (contact_id, channel.value)
            if place in before:
                if before[place] == wish.value:
                    continue
                this = (consent.c.contact_id == contact_id) & (consent.c.channel == channel.value)
                conn.execute(delete(consent).where(this))
            edition = editions.of(change.person.language, channel)
            source = FROM_STAFF if channel in change.refused else FROM_FILE
            new.append((*place, wish.value, source, edition, now))
    columns = ("contact_id", "channel", "status", "source", "template_version", "recorded_at")
    insert_rows(conn, consent, columns, new)


def _write_visits(
    conn: Connection,
    clinic_id: int,
    visits: Sequence[tuple[int, VisitChange]],
    now: datetime,
    *,
    confirm: bool,
) -> list[int]:
    """Write visits, each with its patient; return their ids."""
    unknown = sum(change.known is None for _, change in visits)
    made = iter(reserve(conn, appointment, unknown) if unknown else ())
    ids = [change.known.id if change.known else next(made) for _, change in visits]
    new, timed, untimed = (list[tuple[object, ...]]() for _ in range(3))
    for visit_id, (patient_id, change) in zip(ids, visits, strict=True):
        visit = change.visit
        starts_at, status = visit.truth.starts_at, visit.truth.status.value
        clinician = visit.clinician or (change.known.clinician if change.known else None)
        values = (patient_id, visit.kind, status, True, now, clinician)
        if change.known is None:
            new.append((visit_id, clinic_id, visit.ref, confirm, starts_at, *values))
        elif change.category is Category.CANCELLED:
            # The time that the patient was told of is what the cancellation is about.
            untimed.append((*values, visit_id))
        else:
            timed.append((*values, starts_at, visit_id))
    first = ("id", "clinic_id", "ref", "confirm", "starts_at")
    insert_rows(conn, appointment, (*first, *_VISIT), new)
    update_rows(conn, appointment, (*_VISIT, "starts_at"), timed)
    update_rows(conn, appointment, _VISIT, untimed)
    # Who was told of a booking that is somebody else's now has to hear that.
    passed = [(c.known.patient_id, c.known.id) for _, c in visits if c.known and c.passed]
    update_rows(conn, appointment, ("former_patient_id",), passed)
    before = {c.known.patient_id for of, c in visits if c.known and c.known.patient_id != of}
    _plan_again(conn, sorted(before), now)  # another booking of theirs may have been silent by it
    return ids


def _plan_again(conn: Connection, patient_ids: Sequence[int], now: datetime) -> None:
    if patient_ids:
        conn.execute(
            update(appointment)
            .where(appointment.c.patient_id.in_(patient_ids), appointment.c.starts_at >= now)
            .values(needs_plan=True)
        )


def last_export(conn: Connection, clinic_id: int) -> datetime | None:
    """Return when the newest file applied so far was exported; at the latest when it was applied.

    Earlier versions believed a time to come, and would refuse every file until then.
    """
    exported, done = import_run.c.exported_at, import_run.c.applied_at
    at = case((exported > done, done), else_=exported)
    return conn.execute(
        select(func.max(at, type_=exported.type)).where(
            import_run.c.clinic_id == clinic_id, done.is_not(None)
        )
    ).scalar()


def begun(conn: Connection, clinic_id: int, refs: Sequence[str], now: datetime) -> set[str]:
    """Return which of these bookings are known and have begun."""
    query = select(appointment.c.ref).where(
        appointment.c.clinic_id == clinic_id,
        appointment.c.ref.in_(refs),
        appointment.c.starts_at <= now,
    )
    return set(conn.execute(query).scalars())


_VISIT_OF = select(appointment.c.id).where(appointment.c.clinic_id == bindparam("clinic")).limit(1)


def has_visits(conn: Connection, clinic_id: int) -> bool:
    """Tell whether the clinic has any bookings."""
    return conn.execute(_VISIT_OF, {"clinic": clinic_id}).first() is not None


def counts_of(conn: Connection, run_id: int) -> Mapping[str, object] | None:
    """Return what an applied import changed."""
    return conn.execute(select(import_run.c.counts).where(import_run.c.id == run_id)).scalar()
