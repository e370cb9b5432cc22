"""Contacts by hand: correcting an address, adding one, stopping and starting messages to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reminders.domain.contact import Channel, Consent, Role
from reminders.engine import planning
from reminders.engine.desk import require
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, UsageError
from reminders.intake.addresses import email_address, mobile_number
from reminders.intake.problems import OF_AN_ADDRESS, Fault
from reminders.store import clinics, consents, contacts, ledger, pages, problems
from reminders.store.database import Connection
from reminders.store.ledger import Fact
from reminders.store.views import Visit


@dataclass(frozen=True, slots=True)
class Addresses:
    """A person's addresses, in the form that they are kept. At least one is there."""

    phone: str | None
    email: str | None


def read_addresses(runtime: Runtime, clinic: str, phone: str, email: str) -> Addresses:
    """Return what somebody typed as addresses. Raise UsageError that does not repeat them."""
    number = mobile_number(phone.strip(), region_of(runtime, clinic)) if phone.strip() else None
    if isinstance(number, Fault):
        raise UsageError(number.message)
    address = email_address(email.strip()) if email.strip() else None
    if isinstance(address, Fault):
        raise UsageError(address.message)
    if number is None and address is None:
        raise UsageError("Write a mobile number or an email address.")
    return Addresses(number, address)


def region_of(runtime: Runtime, clinic: str) -> str:
    """Return the country of phone numbers that name none."""
    return runtime.clinic(clinic).imports.region


def correct(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    ref: str,
    contact_id: int,
    addresses: Addresses,
    now: datetime,
) -> None:
    """Give a contact of a visit's patient these addresses, and plan all that follows from it."""
    visit = require(conn, clinic, ref)
    person = next(
        (p for p in pages.people_of(conn, [visit.id])[visit.id] if p.id == contact_id), None
    )
    if person is None:
        raise NotFoundError("That contact is no longer there. Look at the visit again.")
    contacts.update_addresses(conn, contact_id, addresses.phone, addresses.email, now)
    asking = _Asking(runtime, clinic, person.language, person.consents)
    _consent_to_new(conn, contact_id, addresses, asking, now)
    changed = [
        channel.value
        for channel, before, after in (
            (Channel.SMS, person.phone, addresses.phone),
            (Channel.EMAIL, person.email, addresses.email),
        )
        if before != after
    ]
    _follow(
        conn,
        runtime,
        visit,
        Fact("contact_corrected", visit.id, None, {"channels": " ".join(changed)}),
        now,
    )


def add(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    ref: str,
    role: Role,
    addresses: Addresses,
    now: datetime,
) -> None:
    """Add a contact to a visit's patient, and plan all that follows from it.

    One of that role who is known without an address is given these: what they refuse holds.
    """
    visit = require(conn, clinic, ref)
    if visit.protected:
        raise UsageError("The patient's identity is protected: no contact is kept. Phone instead.")
    waiting = _waiting(conn, visit, role)
    if waiting is None:
        contact_id = contacts.add(conn, visit.id, role.value, addresses.phone, addresses.email, now)
        asking = _Asking(runtime, clinic, None, {})
    else:
        contact_id = waiting.id
        contacts.update_addresses(conn, contact_id, addresses.phone, addresses.email, now)
        asking = _Asking(runtime, clinic, waiting.language, waiting.consents)
    _consent_to_new(conn, contact_id, addresses, asking, now)
    _follow(conn, runtime, visit, Fact("contact_added", visit.id, None, {"role": role.value}), now)


def _waiting(conn: Connection, visit: Visit, role: Role) -> pages.Person | None:
    """Return who is known in that role without an address; first of all who refuses the most."""
    people = pages.people_of(conn, [visit.id])[visit.id]
    found = [p for p in people if p.role == role.value and not (p.phone or p.email)]
    refused = Consent.REFUSED.value
    return max(found, key=lambda p: [*p.consents.values()].count(refused), default=None)


@dataclass(frozen=True, slots=True)
class _Asking:
    """Whom staff have asked for consent, in which language, and what was recorded already."""

    runtime: Runtime
    clinic: str
    language: str | None
    known: Mapping[str, str]


def _consent_to_new(
    conn: Connection, contact_id: int, addresses: Addresses, asking: _Asking, now: datetime
) -> None:
    """Record consent, given to staff to the present texts, for a channel of which nothing is."""
    editions = consents.editions(
        conn, asking.clinic, asking.runtime.clinic(asking.clinic).languages
    )
    for channel, address in ((Channel.SMS, addresses.phone), (Channel.EMAIL, addresses.email)):
        if address and channel.value not in asking.known:
            edition = editions.of(asking.language, channel)
            consents.record_consent(
                conn, contact_id, channel, Consent.GIVEN, consents.FROM_STAFF, edition, now
            )


def _follow(conn: Connection, runtime: Runtime, visit: Visit, fact: Fact, now: datetime) -> None:
    ledger.write(conn, now, runtime.actor, [fact])
    problems.solve(conn, visit.clinic_id, [visit.ref], now, OF_AN_ADDRESS)
    contacts.replan_patient(conn, visit.id, now)
    planning.plan_visits(conn, runtime, [visit.id], now)


def stop(
    conn: Connection, runtime: Runtime, clinic: str, ref: str, address: str, now: datetime
) -> None:
    """Send nothing more to one of a visit's addresses, from this clinic."""
    visit = _with_address(conn, clinic, ref, address)
    clinics.add_opt_out(conn, visit.clinic_id, address, clinics.STAFF, now)
    ledger.write(conn, now, runtime.actor, [Fact("stopped_contacting", visit.id)])
    planning.plan_visits(conn, runtime, [visit.id], now)


def start(
    conn: Connection, runtime: Runtime, clinic: str, ref: str, address: str, now: datetime
) -> None:
    """Let messages be sent again to one of a visit's addresses."""
    visit = _with_address(conn, clinic, ref, address)
    clinics.remove_opt_out(conn, visit.clinic_id, address, now)
    ledger.write(conn, now, runtime.actor, [Fact("started_contacting", visit.id)])
    planning.plan_visits(conn, runtime, [visit.id], now)


def stop_address(
    conn: Connection, runtime: Runtime, clinic: str, address: str, now: datetime
) -> bool:
    """Send nothing more to an address, whoever has it; tell whether that is new."""
    clinic_id = clinics.clinic_id(conn, clinic)
    new = clinics.add_opt_out(conn, clinic_id, address, clinics.STAFF, now)
    if new:
        _note_address(conn, runtime, clinic_id, address, "stopped_contacting", now)
    return new


def start_address(
    conn: Connection, runtime: Runtime, clinic: str, address: str, now: datetime
) -> bool:
    """Let messages be sent to an address again; tell whether they were not."""
    clinic_id = clinics.clinic_id(conn, clinic)
    gone = clinics.remove_opt_out(conn, clinic_id, address, now)
    if gone:
        _note_address(conn, runtime, clinic_id, address, "started_contacting", now)
    return gone


def _note_address(
    conn: Connection, runtime: Runtime, clinic_id: int, address: str, event: str, now: datetime
) -> None:
    """Write down who did it, with each visit that it concerns; with none, all the same."""
    visits = clinics.visits_told_at(conn, clinic_id, address, now)
    facts = [Fact(event, visit_id) for visit_id in visits] or [Fact(event)]
    ledger.write(conn, now, runtime.actor, facts)


def _with_address(conn: Connection, clinic: str, ref: str, address: str) -> Visit:
    visit = require(conn, clinic, ref)
    people = pages.people_of(conn, [visit.id])[visit.id]
    if address not in {a for person in people for a in (person.phone, person.email) if a}:
        raise NotFoundError("That address is no longer the visit's. Look at the visit again.")
    return visit
