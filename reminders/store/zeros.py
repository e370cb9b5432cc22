"""Names that a spreadsheet has written without their zeros, or that have them again.

A reference or a patient's number that is not known, and is one known name but for leading zeros, is
that one where something else shows it too. The file's rows then get the known name, so that nothing
after this needs to know of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, exists, select, update

from reminders.domain.brought import NAMELESS, KnownPatient
from reminders.domain.contact import canonical
from reminders.domain.known_again import NAMED, bare, bare_key, by_zeros
from reminders.store import imports
from reminders.store.schema import appointment, patient
from reminders.store.schema_intake import problem, staged_contact, staged_doubt, staged_visit

CHUNK = 500

Pairs = Mapping[str, str]
"""Known names by those that the file has."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """How many references and patient numbers of a file are read as known ones."""

    refs: int = 0
    patients: int = 0


NONE_AGAIN = Recognised()


@dataclass(slots=True)
class _Told:
    """What is told of a name, by the file or here: of patients, birth dates, bookings, people."""

    keys: set[str] = field(default_factory=set)
    born: set[date] = field(default_factory=set)
    refs: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)

    def add_addresses(self, *addresses: str | None) -> None:
        self.addresses |= {canonical(one) for one in addresses if one}

    def add_people(self, record: KnownPatient) -> None:
        for one in record.contacts:
            self.add_addresses(one.phone, one.email)

    def is_same_booking(self, other: "_Told") -> bool:
        """Tell whether they are one patient's, or have an address in common."""
        numbers = [{bare_key(key) or key for key in one.keys} for one in (self, other)]
        return bool(numbers[0] & numbers[1] or self.addresses & other.addresses)

    def is_same_patient(self, other: "_Told") -> bool:
        """Tell whether they have a booking in common, or birth date or address and nothing else."""
        if self.refs & other.refs:
            return True
        if self.born and other.born:
            return bool(self.born & other.born)
        return bool(self.addresses & other.addresses)


Told = Mapping[str, _Told]


def recognise(conn: Connection, run_id: int, clinic_id: int) -> Recognised:
    """Give the rows of a staged file the known names of their bookings and patients."""
    refs = _bookings(conn, run_id, clinic_id)
    return Recognised(refs, _patients(conn, run_id, clinic_id))


def _bookings(conn: Connection, run_id: int, clinic_id: int) -> int:
    names = [table.c.ref for table in (staged_visit, staged_doubt, problem)]
    pairs = _pairs(conn, run_id, clinic_id, names, appointment.c.ref)
    if not pairs:
        return 0
    lines = _lines_in_doubt(conn, run_id, pairs)
    told = _told_of_bookings(conn, run_id, pairs)
    for row in lines:
        told[row.ref].keys |= {row.patient_key} - {None}
        told[row.ref].add_addresses(row.phone, row.email)
    here = _known_of_bookings(conn, run_id, clinic_id, pairs)
    same = {new: old for new, old in pairs.items() if told[new].is_same_booking(here[old])}
    in_doubt = [(row.ref, row.line) for row in lines]
    on_rows = [(new, key) for new in same for key in told[new].keys]
    _rename(conn, run_id, problem.c.ref, same)
    _rename(conn, run_id, staged_visit.c.ref, same)
    _rename(conn, run_id, staged_doubt.c.ref, same, staged_doubt.c.line, in_doubt)
    _rename(conn, run_id, staged_contact.c.ref, same, staged_contact.c.patient_key, on_rows)
    nameless = {f"{NAMELESS}{new}": f"{NAMELESS}{old}" for new, old in same.items()}
    named = {key for _, key in on_rows}
    _rename_patients(conn, run_id, {k: old for k, old in nameless.items() if k in named})
    return len(same)


def _patients(conn: Connection, run_id: int, clinic_id: int) -> int:
    names = [table.c.patient_key for table in (staged_visit, staged_doubt)]
    pairs = _pairs(conn, run_id, clinic_id, names, patient.c.external_key, NAMED)
    if not pairs:
        return 0
    told = _told_of_patients(conn, run_id, pairs)
    here = _known_of_patients(conn, run_id, clinic_id, pairs)
    same = {new: old for new, old in pairs.items() if told[new].is_same_patient(here[old])}
    _rename_patients(conn, run_id, same)
    return len(same)


def _pairs(
    conn: Connection,
    run_id: int,
    clinic_id: int,
    names: Sequence[Column[str]],
    known: Column[str],
    prefix: str = "",
) -> Pairs:
    """Return which names of the file, none of them `known`, may be which known ones not in it."""
    given = {"run": run_id, "clinic": clinic_id}
    new = {
        name
        for column in names
        for name in conn.execute(_unknown(column, known), given).scalars()
        if name.startswith(prefix) and bare(name.removeprefix(prefix))
    }
    if not new:
        return {}
    # By the index: names that begin with a zero, and then those that could have lost one.
    ours = known.table.c.clinic_id == clinic_id
    found = set(
        conn.execute(select(known).where(ours, known >= f"{prefix}0", known < f"{prefix}1"))
        .scalars()
        .all()
    )
    zeroed = [name for name in new if name.startswith(f"{prefix}0")]
    plain = [f"{prefix}{bare(name.removeprefix(prefix))}" for name in zeroed]
    for some in _chunks(plain):
        found |= set(conn.execute(select(known).where(ours, known.in_(some))).scalars())
    pairs = by_zeros(new, found, prefix)
    if not pairs:
        return {}
    # Asked once of all rows: a list of names would be looked for in the whole file again and again.
    there = {name for column in names for name in _names(conn, run_id, column)}
    return {name: old for name, old in pairs.items() if old not in there}


@cache
def _unknown(name: Column[str], known: Column[str]) -> Select[str]:
    """Return what reads the names of a file that are none of the clinic's known ones."""
    ours = known.table.c.clinic_id == bindparam("clinic")
    return (
        select(name)
        .distinct()
        .where(
            name.table.c.import_run_id == bindparam("run"),
            name.is_not(None),
            ~exists().where(ours, known == name),
        )
    )


def _names(conn: Connection, run_id: int, column: Column[str]) -> Iterable[str]:
    query = select(column).distinct().where(column.table.c.import_run_id == run_id)
    return conn.execute(query).scalars()


def _lines_in_doubt(conn: Connection, run_id: int, pairs: Pairs) -> list[Any]:
    doubt = staged_doubt.c
    query = select(doubt.ref, doubt.line, doubt.patient_key, doubt.phone, doubt.email)
    rows = conn.execute(query.where(doubt.import_run_id == run_id, doubt.ref.is_not(None)))
    return [row for row in rows if row.ref in pairs]


def _told_of_bookings(conn: Connection, run_id: int, pairs: Pairs) -> Told:
    told = defaultdict[str, _Told](_Told)
    visit = staged_visit.c
    for some in _chunks([*pairs]):
        query = select(visit.ref, visit.patient_key).where(
            visit.import_run_id == run_id, visit.ref.in_(some)
        )
        whose = defaultdict[str, set[str]](set)
        for ref, key in conn.execute(query):
            whose[key].add(ref)
            told[ref].keys.add(key)
        for key, phone, email in _people(conn, run_id, [*whose]):
            for ref in whose[key]:
                told[ref].add_addresses(phone, email)
    return told


def _told_of_patients(conn: Connection, run_id: int, pairs: Pairs) -> Told:
    told = defaultdict[str, _Told](_Told)
    visit, doubt = staged_visit.c, staged_doubt.c
    for some in _chunks([*pairs]):
        query = select(visit.patient_key, visit.ref, visit.birth_date).where(
            visit.import_run_id == run_id, visit.patient_key.in_(some)
        )
        for key, ref, born in conn.execute(query):
            told[key].refs.add(ref)
            told[key].born |= {born} - {None}
        heard = select(doubt.patient_key, doubt.ref, doubt.phone, doubt.email).where(
            doubt.import_run_id == run_id, doubt.patient_key.in_(some)
        )
        for key, ref, phone, email in conn.execute(heard):
            told[key].refs |= {ref} - {None}
            told[key].add_addresses(phone, email)
        for key, phone, email in _people(conn, run_id, some):
            told[key].add_addresses(phone, email)
    return told


def _people(conn: Connection, run_id: int, keys: Sequence[str]) -> Iterator[Any]:
    """Yield (key, phone, email) of these patients' people in the file."""
    who = staged_contact.c
    query = select(who.patient_key, who.phone, who.email).where(who.import_run_id == run_id)
    for some in _chunks(keys):
        yield from conn.execute(query.where(who.patient_key.in_(some)))


def _known_of_bookings(conn: Connection, run_id: int, clinic_id: int, pairs: Pairs) -> Told:
    here = defaultdict[str, _Told](_Told)
    at = imports.exported_at(conn, run_id)
    for some in _chunks([*pairs.values()]):
        visits = imports.known_visits(conn, clinic_id, some, at)
        records = imports.known_by_id(conn, {one.patient_id for one in visits.values()}, at)
        for ref, visit in visits.items():
            key, record = records[visit.patient_id]
            here[ref].keys.add(key)
            here[ref].add_people(record)
    return here


def _known_of_patients(conn: Connection, run_id: int, clinic_id: int, pairs: Pairs) -> Told:
    here = defaultdict[str, _Told](_Told)
    at = imports.exported_at(conn, run_id)
    for some in _chunks([*pairs.values()]):
        records = imports.known_patients(conn, clinic_id, some, at)
        keys = {record.id: key for key, record in records.items()}
        for key, record in records.items():
            here[key].born |= {record.birth_date} if record.birth_date else set()
            here[key].add_people(record)
        visits = select(appointment.c.patient_id, appointment.c.ref)
        for patient_id, ref in conn.execute(visits.where(appointment.c.patient_id.in_(keys))):
            here[keys[patient_id]].refs.add(ref)
    return here


def _rename_patients(conn: Connection, run_id: int, pairs: Pairs) -> None:
    for table in (staged_visit, staged_contact, staged_doubt):
        _rename(conn, run_id, table.c.patient_key, pairs)


def _rename(
    conn: Connection,
    run_id: int,
    name: Column[str],
    pairs: Pairs,
    found_by: Column[Any] | None = None,
    places: Collection[tuple[str, Any]] = (),
) -> None:
    """Give rows of the file the known name; `found_by` is a column with an index, if it has none.

    `places` are then the names with their values of that column.
    """
    query = update(name.table).where(
        name.table.c.import_run_id == run_id, name == bindparam("named")
    )
    values = [{"named": new, "known": old} for new, old in pairs.items()]
    if found_by is not None:
        query = query.where(found_by == bindparam("at"))
        values = [
            {"named": new, "known": pairs[new], "at": at} for new, at in places if new in pairs
        ]
    if values:
        conn.execute(query.values({name: bindparam("known")}), values)


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]
