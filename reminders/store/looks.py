"""Visits as the last look before sending finds them: as plain rows, most of them alike.

Making the planner's objects of all of them takes longer than the rest of a claim. So the rows are
compared as they come from the database, and objects are made of the first of each kind, out of the
very rows that were compared.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Dialect, Label, Select, Table, select, type_coerce
from sqlalchemy.types import NullType, TypeEngine

from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import canonical
from reminders.domain.plan import Case
from reminders.domain.twins import Twin
from reminders.store import cases
from reminders.store.cases import Digest
from reminders.store.rows import choice, chosen
from reminders.store.schema import appointment, clinic, contact, message, patient, request
from reminders.store.twins import Place

Values = tuple[Any, ...]

# What differs from visit to visit comes first; from the middle on, all has to be the same.
_VISIT = (
    "id", "patient_id", "ref", "birth_date", "changed_at", "planned_at",
    "starts_at", "status", "planned_starts_at", "planned_status", "clinic_key", "asked",
    "clinic_id", "kind", "version", "known_at", "confirm", "protected", "own_login",
)  # fmt: skip
_BORN, _START, _CLINIC, _ASKED = map(
    _VISIT.index, ("birth_date", "starts_at", "clinic_key", "asked")
)
_STATUS = _START + 1
_PLAN = _START + 2
_PERSON = (
    "id", "patient_id", "phone", "email",
    "role", "language", "prefers", "no_sms_from", "no_sms_until", "guardian_from_13",
    "consent_sms", "consent_email", "phone_out", "email_out",
)  # fmt: skip
_PERSON_LIKE = _PERSON.index("role")
_MESSAGE = (
    "id", "appointment_id", "contact_id", "address_key", "request_id",
    "version", "rule", "channel", "occasion", "state", "truth_starts_at", "truth_status",
    "due_at", "not_after", "short", "attempts", "reason", "sent_at", "calendar", "counts_on",
    "says_own_login",
)  # fmt: skip
_MESSAGE_LIKE = _MESSAGE.index("version")
_TOLD_START = _MESSAGE.index("truth_starts_at")


@dataclass(slots=True)  # not frozen: made by the thousand, in a third of the time
class Look:
    """One visit: its row, and its people's and its messages', each in the order of their ids.

    `twins` are the patient's other bookings at its time, or at one that was told of.
    """

    visit: Values
    people: list[Values]
    history: list[Values]
    twins: tuple[Twin, ...] = ()

    @property
    def clinic(self) -> str:
        """Return the key of the visit's clinic."""
        key: str = self.visit[_CLINIC]
        return key

    @property
    def asked(self) -> bool:
        """Tell whether somebody has asked for a text about this visit."""
        return bool(self.visit[_ASKED])

    def other_starts(self) -> set[Any]:
        """Return the starts, as read, that its messages tell of and that are not its own."""
        return {row[_TOLD_START] for row in self.history} - {self.visit[_START]}

    def likeness(self, message_id: int, digest: Digest) -> tuple[Hashable, int] | None:
        """Return all that judging a message looks at, and the place of its contact.

        Ids and addresses are numbered: nothing but whether two are the same, and which of two
        people comes first, matters of them. The age at the visit has to be added. None: of this
        visit more matters, so that it has to be judged for itself.
        """
        visit = self.visit
        changed = visit[_START:_PLAN] != visit[_PLAN : _PLAN + 2]
        if visit[_ASKED] or changed or self.twins:
            return None
        place_of: dict[int, int] = {}
        address_of: dict[str | None, int] = {None: -1, "": -1}
        likeness: list[Hashable] = [visit[_START:]]
        for person in self.people:
            place_of[person[0]] = len(place_of)
            likeness.append(person[_PERSON_LIKE:])
            for address in person[2:4]:
                name = digest(canonical(address)) if address else None
                likeness.append(address_of.setdefault(name, len(address_of)))
        place = which = None
        for number, row in enumerate(self.history):
            whose = place_of.get(row[2])
            if whose is None or row[4] is not None:
                return None  # somebody who has left, or a text that staff asked for
            likeness += (whose, address_of.setdefault(row[3], len(address_of)), row[_MESSAGE_LIKE:])
            if row[0] == message_id:
                place, which = whose, number
        likeness.append(which)
        return None if place is None else (tuple(likeness), place)


def read(conn: Connection, ids: Sequence[int]) -> dict[int, Look]:
    """Return these visits, with the people who are told of them now."""
    dialect, asked_for = conn.dialect.name, choice(conn, ids)
    visits = [tuple(row) for row in conn.execute(_visits(dialect), asked_for).all()]
    people: dict[int, list[Values]] = defaultdict(list)
    whose = choice(conn, {row[1] for row in visits})
    for row in conn.execute(_people(dialect), whose).all():
        people[row[1]].append(tuple(row))
    histories: dict[int, list[Values]] = defaultdict(list)
    for row in conn.execute(_messages(dialect), asked_for).all():
        histories[row[1]].append(tuple(row))
    found = {row[0]: Look(row, people[row[1]], histories[row[0]]) for row in visits}
    for visit_id, twins in cases.twins_of(conn, _places(conn, found.values())).items():
        found[visit_id].twins = twins
    return found


def _places(conn: Connection, found: Iterable[Look]) -> Iterator[Place]:
    typed = _makers(conn.dialect)[0]
    for look in found:
        over = look.visit[_STATUS] == VisitStatus.CANCELLED.value
        for start in {look.visit[_START], *look.other_starts()}:
            at = typed.value(_START, start)
            yield Place(look.visit[0], look.visit[1], at, over=over)


def _raw(name: str, column: Any) -> Label[Any]:
    """Return a column whose values are left as the driver gives them."""
    return type_coerce(column, NullType()).label(name)


@cache
def _visits(dialect: str) -> Select[Any]:
    asked = select(request.c.id).where(request.c.appointment_id == appointment.c.id).exists()
    elsewhere = {
        "clinic_key": clinic.c.key,
        "asked": asked,
        **{name: patient.c[name] for name in ("birth_date", "protected", "own_login")},
    }
    columns = (_raw(name, elsewhere.get(name, appointment.c.get(name))) for name in _VISIT)
    return (
        select(*columns)
        .join_from(appointment, clinic, clinic.c.id == appointment.c.clinic_id)
        .join(patient, patient.c.id == appointment.c.patient_id)
        .where(chosen(dialect, appointment.c.id))
    )


@cache
def _people(dialect: str) -> Select[Any]:
    found = cases.contacts_statement(dialect)
    columns = {column.key: column for column in found.inner_columns}
    return found.with_only_columns(*(_raw(name, columns[name]) for name in _PERSON))


@cache
def _messages(dialect: str) -> Select[Any]:
    return (
        select(*(_raw(name, message.c[name]) for name in _MESSAGE))
        .where(chosen(dialect, message.c.appointment_id))
        .order_by(message.c.id)
    )


class Reader:
    """Makes the planner's objects of rows."""

    def __init__(self, conn: Connection) -> None:
        self._visit, self._person, self._message = _makers(conn.dialect)

    def case(self, look: Look, digest: Digest) -> Case:
        """Return a visit as the planner sees it, requests aside."""
        return Case(
            cases.to_appointment(self._visit(look.visit)),
            tuple(cases.to_contact(self._person(row), digest) for row in look.people),
            tuple(cases.to_message(self._message(row)) for row in look.history),
            twins=look.twins,
        )

    def born_and_start(self, look: Look) -> tuple[date | None, datetime]:
        """Return the patient's birth date, and when the visit starts."""
        return self._visit.one(_BORN, look.visit), self._visit.one(_START, look.visit)

    def other_starts(self, look: Look) -> list[datetime]:
        """Return the other starts that messages of the visit tell of, the first one first."""
        return sorted(self._visit.value(_START, start) for start in look.other_starts())


class _Maker:
    """Gives rows of one table their types and names."""

    def __init__(self, names: Sequence[str], tables: Sequence[Table], dialect: Dialect) -> None:
        kinds = {column.name: column.type for table in tables for column in table.c}
        self._names = names
        self._types = [_reader(kinds.get(name), dialect) for name in names]

    def __call__(self, values: Values) -> Any:
        read = (self.one(place, values) for place in range(len(values)))
        return SimpleNamespace(**dict(zip(self._names, read, strict=True)))

    def one(self, place: int, values: Values) -> Any:
        """Return one value of a row with its type."""
        return self.value(place, values[place])

    def value(self, place: int, value: Any) -> Any:
        """Return a value with the type of the column at that place."""
        read = self._types[place]
        return value if read is None else read(value)


def _reader(kind: TypeEngine[Any] | None, dialect: Dialect) -> Callable[[Any], Any] | None:
    if kind is None:
        return None
    process = kind.dialect_impl(dialect).result_processor(dialect, None)
    return process if process is None else lru_cache(maxsize=1 << 14)(process)


@lru_cache(maxsize=8)
def _makers(dialect: Dialect) -> tuple[_Maker, _Maker, _Maker]:
    return (
        _Maker(_VISIT, (patient, appointment), dialect),
        _Maker(_PERSON, (contact,), dialect),
        _Maker(_MESSAGE, (message,), dialect),
    )
