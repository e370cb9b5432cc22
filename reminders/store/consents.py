"""Consents: to what somebody has said yes, to which edition of the texts, and who has to hear more.

An edition is the approved texts of one language and channel that a clinic sends, as a digest: what
a person was told that the texts would say.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, insert, select, update

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


def editions(conn: Connection, clinic_key: str, languages: Sequence[str]) -> Editions:
    """Return the present editions of what a clinic sends, whose languages are these."""
    sent: dict[tuple[str, str, str], str] = {}
    # Its own come after every clinic's, whose place they take.
    for owner, language, name, channel, version in sorted(approved_versions(conn)):
        if owner in {"", clinic_key}:
            sent[language, name, channel] = version
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (language, name, channel), version in sorted(sent.items()):
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


@dataclass(frozen=True, slots=True)
class _Approved:
    """That a text was approved. `text` is no clinic's own for an empty `clinic`."""

    clinic: str
    name: tuple[str, str, str]
    at: datetime
    text: bool
    changes_meaning: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """The approvals by which texts changed their meaning, and those of clinics' own texts."""

    approvals: Sequence[_Approved]

    def of(self, clinic_key: str) -> Mapping[tuple[str, str], datetime]:
        """Return when what a clinic sends last changed its meaning, by (language, channel).

        What every clinic's text says concerns nobody of a clinic that then sent its own.
        """
        found: dict[tuple[str, str], datetime] = {}
        own: dict[tuple[str, str, str], bool] = {}
        for one in self.approvals:
            if one.clinic == clinic_key:
                own[one.name] = one.text
            elif one.clinic or own.get(one.name):
                continue
            if one.changes_meaning:
                language, _, channel = one.name
                found[language, channel] = one.at
        return found


def meaning_changes(conn: Connection) -> Changes | None:
    """Return which approvals changed what texts mean; None if none did."""
    if not conn.execute(select(exists().where(_T.changes_meaning))).scalar():
        return None
    rows = conn.execute(
        select(_T.clinic, _T.language, _T.name, _T.channel, _T.approved_at, _T.version)
        .add_columns(_T.changes_meaning)
        .where(_T.approved_at.is_not(None), _T.changes_meaning | (_T.clinic != ""))
        .order_by(_T.approved_at, _T.clinic.desc())
    )
    return Changes(
        [
            _Approved(
                row.clinic,
                (row.language, row.name, row.channel),
                row.approved_at,
                bool(row.version),
                row.changes_meaning,
            )
            for row in rows
        ]
    )


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
