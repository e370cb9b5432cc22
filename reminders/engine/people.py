"""What staff record of people: their wishes, their consent, a patient's own login."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from reminders.domain.appointment import OwnLogin
from reminders.domain.contact import Channel, Consent, Role, Wishes
from reminders.engine import desk, planning
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, UsageError
from reminders.intake.words import language_code
from reminders.store import consents
from reminders.store import people as store
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write
from reminders.store.people import Patient, Person


@dataclass(frozen=True, slots=True)
class Changes:
    """What staff want changed of a contact: only what is named in `wishes` and `consent`.

    `wishes` has the fields of Wishes by name; a value of None takes the wish away. `language` is a
    code; an empty one: nothing is known of it.
    """

    wishes: Mapping[str, Any] = field(default_factory=dict)
    consent: Mapping[Channel, Consent] = field(default_factory=dict)
    informed: bool = False
    language: str | None = None


def people(conn: Connection, clinic: str, ref: str) -> Patient:
    """Return the patient of a visit with their store. Raise NotFoundError."""
    return store.patient_of(conn, desk.require(conn, clinic, ref).id)


def change(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    ref: str,
    contact_id: int,
    changes: Changes,
    now: datetime,
) -> Person:
    """Record what a contact wishes; return the contact as it is now.

    It holds for all of the patient's visits, and is planned at once.
    """
    visit = desk.require(conn, clinic, ref)
    patient = store.patient_of(conn, visit.id)
    person = _named(patient, contact_id, ref)
    if "from_13" in changes.wishes and person.role is not Role.GUARDIAN:
        raise UsageError("Only of a guardian is it recorded whether they are contacted from 13.")
    if changes.language is not None:
        person = replace(person, language=_language(changes.language))
        store.set_language(conn, contact_id, person.language)
    wishes: Wishes = replace(person.wishes, **changes.wishes)
    store.set_wishes(conn, contact_id, wishes)
    editions = consents.editions(conn, clinic, runtime.clinic(clinic).languages)
    for channel, wish in changes.consent.items():
        edition = editions.of(person.language, channel)
        consents.record_consent(conn, contact_id, channel, wish, consents.FROM_STAFF, edition, now)
    if changes.informed:
        for channel in person.words:
            edition = editions.of(person.language, channel)
            consents.record_informed(conn, contact_id, channel, edition, now)
    write(conn, now, runtime.actor, [Fact("contact_changed", visit.id, None, _detail(changes))])
    planning.plan_visits(conn, runtime, store.replan(conn, patient.id, now), now)
    return _named(store.patient_of(conn, visit.id), contact_id, ref)


def _language(code: str) -> str | None:
    known = language_code(code)
    if code and known is None:
        raise UsageError("That is not a language. Write its name or its code, like sv or English.")
    return known


def _named(patient: Patient, contact_id: int, ref: str) -> Person:
    person = next((p for p in patient.people if p.id == contact_id), None)
    if person is None:
        raise NotFoundError(
            "Booking %(ref)s has no contact %(contact)s. Look at its contacts again.",
            ref=ref,
            contact=contact_id,
        )
    return person


def _detail(changes: Changes) -> Mapping[str, object]:
    """Return what was changed, by name alone where the value could tell of a person's life."""
    names = ", ".join(sorted(changes.wishes))
    said: dict[str, object] = {"wishes": names} if names else {}
    said |= {f"consent_{channel.value}": wish.value for channel, wish in changes.consent.items()}
    said |= {"language": changes.language} if changes.language is not None else {}
    return said | ({"informed": True} if changes.informed else {})


def record_login(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    ref: str,
    own_login: OwnLogin,
    now: datetime,
) -> None:
    """Record whether the patient of a visit has a login of their own."""
    visit = desk.require(conn, clinic, ref)
    patient = store.patient_of(conn, visit.id)
    store.set_own_login(conn, patient.id, own_login)
    detail = {"own_login": own_login.value}
    write(conn, now, runtime.actor, [Fact("own_login", visit.id, None, detail)])
