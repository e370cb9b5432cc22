"""Consents: to what somebody has said yes, to which edition of the texts, and who has to hear more.

An edition is the approved texts of one language and channel, as a digest: what a person was told
that the texts would say.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from reminders.domain.contact import Channel, Consent
from reminders.store.schema import appointment, clinic, consent, contact, patient, template_version
from reminders.store.templates import approved_versions

FROM_FILE = "import"
FROM_STAFF = "staff"

_T = template_version.c


@dataclass(frozen=True, slots=True)
class Editions:
    """The present editions by (language, channel), and the languages that texts fall back to."""

    digests: Mapping[tuple[str, str], str]
    languages: Sequence[str]

    def language(self, language: str | None, channel: Channel) -> str | None:
        """Return the language that somebody of this language is really written to in."""
        tried = [*([language] if language else []), *self.languages]
        return next((one for one in tried if (one, channel.value) in self.digests), None)

    def of(self, language: str | None, channel: Channel) -> str | None:
        """Return the edition that somebody of this language is written to in."""
        written = self.language(language, channel)
        return self.digests[written, channel.value] if written else None


def editions(conn: Connection, languages: Sequence[str]) -> Editions:
    """Return the present editions of all texts, for a clinic of these languages."""
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for language, name, channel, version in sorted(approved_versions(conn)):
        texts[language, channel].append(f"{name} {version}")
    digests = {
        place: hashlib.sha256("\n".join(lines).encode()).hexdigest()
        for place, lines in texts.items()
    }
    return Editions(digests, languages)


def record_consent(
    conn: Connection,
    contact_id: int,
    channel: Channel,
    wish: Consent,
    source: str,
    edition: str | None,
    now: datetime,
) -> None:
    """Write down a person's word on one channel. A word said again stays as it was first said."""
    this = (consent.c.contact_id == contact_id) & (consent.c.channel == channel.value)
    before = conn.execute(select(consent.c.status, consent.c.source).where(this)).first()
    if before is not None and before.status == wish.value and source in {FROM_FILE, before.source}:
        return
    conn.execute(delete(consent).where(this))
    conn.execute(
        insert(consent).values(
            contact_id=contact_id,
            channel=channel.value,
            status=wish.value,
            source=source,
            template_version=edition,
            recorded_at=now,
        )
    )


def record_informed(
    conn: Connection, contact_id: int, channel: Channel, edition: str | None, now: datetime
) -> None:
    """Write down that a person knows what the texts say now."""
    conn.execute(
        update(consent)
        .where(consent.c.contact_id == contact_id, consent.c.channel == channel.value)
        .values(informed_at=now, template_version=edition)
    )


def meaning_changes(conn: Connection) -> Mapping[tuple[str, str], datetime]:
    """Return when texts last changed their meaning, by (language, channel)."""
    rows = conn.execute(
        select(
            _T.language,
            _T.channel,
            func.max(_T.approved_at, type_=_T.approved_at.type).label("at"),
        )
        .where(_T.changes_meaning, _T.approved_at.is_not(None))
        .group_by(_T.language, _T.channel)
    )
    return {(row.language, row.channel): row.at for row in rows}


@dataclass(frozen=True, slots=True)
class Agreed:
    """A consent that is given, of somebody with a visit to come: the soonest."""

    contact_id: int
    clinic: str
    role: str
    address: str
    language: str | None
    channel: Channel
    since: datetime
    visit_id: int
    ref: str
    starts_at: datetime


def agreed(
    conn: Connection, clinic_key: str | None, before: datetime, now: datetime, until: datetime
) -> list[Agreed]:
    """Return consents given, and last told of, before `before`, with a visit until `until`."""
    known_at = func.coalesce(consent.c.informed_at, consent.c.recorded_at)
    query = (
        select(
            contact.c.id,
            contact.c.role,
            contact.c.phone,
            contact.c.email,
            contact.c.language,
            consent.c.channel,
            consent.c.recorded_at,
            consent.c.informed_at,
            clinic.c.key,
            appointment.c.id.label("visit_id"),
            appointment.c.ref,
            appointment.c.starts_at,
        )
        .join(consent, consent.c.contact_id == contact.c.id)
        .join(patient, patient.c.id == contact.c.patient_id)
        .join(appointment, appointment.c.patient_id == patient.c.id)
        .join(clinic, clinic.c.id == appointment.c.clinic_id)
        .where(
            contact.c.removed_at.is_(None),
            consent.c.status == Consent.GIVEN.value,
            known_at < before,
            appointment.c.status == "booked",
            appointment.c.starts_at >= now,
            appointment.c.starts_at < until,
        )
        .order_by(appointment.c.starts_at, contact.c.id)
    )
    if clinic_key is not None:
        query = query.where(clinic.c.key == clinic_key)
    found: dict[tuple[int, str], Agreed] = {}
    for row in conn.execute(query):
        address = row.phone if row.channel == Channel.SMS.value else row.email
        if address:
            one = Agreed(
                row.id,
                row.key,
                row.role,
                address,
                row.language,
                Channel(row.channel),
                row.informed_at or row.recorded_at,
                row.visit_id,
                row.ref,
                row.starts_at,
            )
            found.setdefault((row.id, row.channel), one)
    return list(found.values())
