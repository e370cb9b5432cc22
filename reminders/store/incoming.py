"""What a staged file says of its patients, all its rows together."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, Row, Select, Table, bindparam, select

from reminders.domain.appointment import OwnLogin, Truth, VisitStatus
from reminders.domain.brought import IncomingPatient, IncomingPerson, IncomingVisit
from reminders.domain.contact import Channel, Consent, Role, is_one_address
from reminders.store import doubts
from reminders.store.doubts import Heard
from reminders.store.schema_intake import staged_contact, staged_visit
from reminders.store.wishes import wishes_of


def _theirs(table: Table) -> Select[tuple[object, ...]]:
    ours = table.c.import_run_id == bindparam("run")
    theirs = table.c.patient_key.in_(bindparam("keys", expanding=True))
    return select(table).where(ours, theirs).order_by(table.c.line)


_VISITS = _theirs(staged_visit)
_PEOPLE = _theirs(staged_contact).order_by(staged_contact.c.id)


def load(conn: Connection, run_id: int, keys: Sequence[str]) -> list[IncomingPatient]:
    """Return all that the file says of these patients, in the order of `keys`."""
    given = {"run": run_id, "keys": keys}
    visits: dict[str, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in conn.execute(_VISITS, given).all():
        visits[row.patient_key].append(row)
    people: dict[str, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in conn.execute(_PEOPLE, given).all():
        people[row.patient_key].append(row)
    heard: dict[str, list[Heard]] = defaultdict(list)
    for one in doubts.of(conn, run_id, keys):
        heard[str(one.patient_key)].append(one)
    anybodys = doubts.any_is_anybodys(conn, run_id)
    return [_patient(key, visits[key], people[key], heard[key], anybodys=anybodys) for key in keys]


def _patient(
    key: str,
    rows: Sequence[Row[tuple[object, ...]]],
    people: Sequence[Row[tuple[object, ...]]],
    heard: Sequence[Heard],
    *,
    anybodys: bool,
) -> IncomingPatient:
    """Return what all rows of a patient say together: each contact's row may tell something.

    A yes to a protected identity counts wherever it is heard, and a no only if every row is read.
    """
    said = [row.protected for row in rows if row.protected is not None]
    said += [True for one in heard if one.protected]
    may_be_protected = anybodys or any(one.protected is None for one in heard)
    protected = any(said) if said else None
    in_doubt = {(one.line, one.place): one for one in heard if _says_anything(one)}
    logins = [OwnLogin(row.own_login) for row in rows]
    visits: dict[str, Row[tuple[object, ...]]] = {}
    for row in rows:
        visits.setdefault(row.ref, row)
    return IncomingPatient(
        key=key,
        birth_dates=frozenset(row.birth_date for row in rows if row.birth_date),
        protected=None if protected is False and may_be_protected else protected,
        own_login=next((x for x in logins if x is not OwnLogin.UNKNOWN), OwnLogin.UNKNOWN),
        visits=tuple(map(_visit, visits.values())),
        people=_people(people),
        doubtful=anybodys or any(one.unread for one in heard),
        unsure=tuple(map(_person, in_doubt.values())),
        heard_on=min((one.line for one in heard), default=None),
    )


def _visit(row: Row[tuple[object, ...]]) -> IncomingVisit:
    truth = Truth(row.starts_at, VisitStatus(row.status))
    return IncomingVisit(row.ref, row.line, row.kind, row.video, truth, row.clinician)


def _says_anything(one: Heard) -> bool:
    """Tell whether a person in doubt can be known by an address, or refuses anything."""
    refuses = Consent.REFUSED.value in {one.consent_sms, one.consent_email}
    return one.role is not None and bool(refuses or one.phone or one.email)


def _people(rows: Sequence[Row[tuple[object, ...]]]) -> tuple[IncomingPerson, ...]:
    """Return each person once; a consent refused on any line is refused."""
    found: list[IncomingPerson] = []
    for row in rows:
        one = _person(row)
        place = next((n for n, other in enumerate(found) if _is_same(one, other)), None)
        if place is None:
            found.append(one)
        else:
            found[place] = _together(found[place], one)
    return tuple(found)


def _person(row: Row[tuple[object, ...]]) -> IncomingPerson:
    consents = {
        channel: Consent(value)
        for channel, value in (
            (Channel.SMS, row.consent_sms),
            (Channel.EMAIL, row.consent_email),
        )
        if value
    }
    role = Role(row.role)
    return IncomingPerson(role, row.phone, row.email, row.language, consents, wishes_of(row))


def _is_same(one: IncomingPerson, other: IncomingPerson) -> bool:
    """Tell whether two rows tell of one person: no address differs, as far as each tells it."""
    pairs = ((one.phone, other.phone), (one.email, other.email))
    return (
        one.role is other.role
        and all(a == b or None in {a, b} or is_one_address(a, b) for a, b in pairs)
        and any(is_one_address(a, b) for a, b in pairs)
    )


def _together(before: IncomingPerson, now: IncomingPerson) -> IncomingPerson:
    refused = {
        channel: Consent.REFUSED
        for said in (before.consents, now.consents)
        for channel, consent in said.items()
        if consent is Consent.REFUSED
    }
    return IncomingPerson(
        now.role,
        _told(before.phone, now.phone),
        _told(before.email, now.email),
        now.language or before.language,
        {**before.consents, **now.consents, **refused},
        now.wishes.over(before.wishes),
    )


def _told(before: str | None, now: str | None) -> str | None:
    """Return an address of two rows: that there is none holds only where both say so."""
    return now or before or (None if None in {before, now} else "")
