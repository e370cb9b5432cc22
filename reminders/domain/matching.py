"""Who of a file is who in the database, who goes, and whose refusal it is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from reminders.domain.brought import (
    ContactChange,
    IncomingPatient,
    IncomingPerson,
    KnownContact,
    KnownPatient,
)
from reminders.domain.contact import Channel, Consent, Role, is_one_address

_AS_KNOWN = {role: IncomingPerson(role, None, None, None, {}) for role in Role}
"""Somebody of whom nothing is told."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """What becomes of a patient's contacts: those to look at, those as they are, those who go."""

    contacts: tuple[ContactChange, ...]
    stay: tuple[ContactChange, ...]
    gone: tuple[int, ...]


def merge_contacts(
    incoming: IncomingPatient,
    known: KnownPatient | None,
    default_consent: Mapping[Channel, Consent],
    former: Sequence[KnownPatient],
) -> Contacts:
    """Return what becomes of the contacts. Nobody goes whose row may not have been read.

    One without an address stays as long as somebody in the file may be that person.
    """
    matched = _match(incoming, known, default_consent, former)
    found = {change.id for change in matched}
    left = [c for c in known.contacts if c.id not in found] if known else []
    may_remove = bool(incoming.people) and not incoming.doubtful
    by_hand = {c.id for c in left if c.added or c.newer}
    staying = [
        replace(_contact_change(_AS_KNOWN[c.role], c, default_consent), added=c.added)
        for c in left
        if not (may_remove and (c.phone or c.email))
        or c.id in by_hand
        or _is_one_of(incoming.unsure, c)
    ]
    matched += _left_behind(incoming, known, default_consent, former)
    hearing = _Hearing(matched, staying, default_consent)
    for person in incoming.unsure:
        hearing.hear(person, incoming.unsure)
    contacts, stay = hearing.result(by_hand if may_remove else None)
    present = {change.id for change in (*contacts, *stay)}
    return Contacts(contacts, stay, tuple(c.id for c in left if c.id not in present))


def _left_behind(
    incoming: IncomingPatient,
    known: KnownPatient | None,
    default_consent: Mapping[Channel, Consent],
    former: Sequence[KnownPatient],
) -> list[ContactChange]:
    """Return who is known in another record of the visit alone, and is on no row for a reason.

    The row may not have been read; or no file has brought them.
    """
    here: list[IncomingPerson | KnownContact] = [
        *incoming.people,
        *(known.contacts if known else ()),
    ]
    return [
        replace(
            _contact_change(
                IncomingPerson(c.role, c.phone, c.email, c.language, c.consents, c.wishes),
                None,
                default_consent,
                c,
            ),
            added=c.added,
        )
        for record in former
        for c in record.contacts
        if (incoming.doubtful or c.added) and not any(addresses_alike(one, c) for one in here)
    ]


class _Hearing:
    """Finds out whose refusal it is that stands on a row which brings nobody."""

    def __init__(
        self,
        contacts: Sequence[ContactChange],
        others: Sequence[ContactChange],
        default_consent: Mapping[Channel, Consent],
    ) -> None:
        self._all = [*contacts, *others]
        self._others = range(len(contacts), len(self._all))
        self._default = default_consent
        self._waiting = [n for n in self._others if not self._is_reached(n)]
        self._meant: set[int] = set()
        self._changed: set[int] = set()

    def hear(self, person: IncomingPerson, among: Sequence[IncomingPerson]) -> None:
        """Let it be theirs who have an address of that person, or else may be that person.

        That is whoever has the role, is on no row that is read, and is nobody else `among` those
        who are not sure; of those without an address one. Where there is no such contact there is
        a new one without an address: the refusal waits for it.
        """
        meant = [n for n, one in enumerate(self._all) if addresses_alike(person, one.person)]
        self._meant |= {*meant}
        refused = [c for c, consent in person.consents.items() if consent is Consent.REFUSED]
        if not refused:
            return
        meant = meant or self._perhaps(person.role, among)
        if not meant:
            nobody = replace(person, phone=None, email=None)
            meant = [len(self._all)]
            self._all.append(_contact_change(nobody, None, self._default))
            self._changed |= {*meant}
        for place in meant:
            self._refuse(place, refused)
        self._meant |= {*meant}

    def _perhaps(self, role: Role, among: Sequence[IncomingPerson]) -> list[int]:
        """Return whoever may be somebody of that role who has no readable address."""
        theirs = [n for n in self._others if self._all[n].person.role is role]
        meant = [
            n for n in theirs if self._is_reached(n) and not _is_one_of(among, self._all[n].person)
        ]
        # In their order: the next file with the same rows finds each refusal where it stands.
        waiting = next((n for n in theirs if n in self._waiting), None)
        if waiting is not None:
            self._waiting.remove(waiting)
            meant.append(waiting)
        return meant

    def _is_reached(self, place: int) -> bool:
        person = self._all[place].person
        return bool(person.phone or person.email)

    def _refuse(self, place: int, refused: Sequence[Channel]) -> None:
        change = self._all[place]
        consents = {**change.person.consents, **dict.fromkeys(refused, Consent.REFUSED)}
        if consents != change.person.consents:
            person = replace(change.person, consents=consents)
            self._all[place] = replace(change, person=person, differs=True)
            self._changed.add(place)

    def result(
        self, only: Collection[int] | None
    ) -> tuple[tuple[ContactChange, ...], tuple[ContactChange, ...]]:
        """Return the contacts to look at, and the others who stay as they are.

        Of these it is `only` so many; None: all of them.
        """
        contacts, stay = list[ContactChange](), list[ContactChange]()
        for place, change in enumerate(self._all):
            if place not in self._others or place in self._changed:
                contacts.append(change)
            elif only is None or change.id in only or place in self._meant:
                stay.append(change)
        return tuple(contacts), tuple(stay)


def _is_one_of(people: Sequence[IncomingPerson], contact: IncomingPerson | KnownContact) -> bool:
    return any(addresses_alike(person, contact) for person in people)


def _match(
    incoming: IncomingPatient,
    known: KnownPatient | None,
    default_consent: Mapping[Channel, Consent],
    former: Sequence[KnownPatient],
) -> list[ContactChange]:
    """Find out who of the file is who in the database.

    The same address is the same person, the more of it is the same the surer; those left over are
    paired in their order within a role, so that a corrected number stays with its person. Not where
    somebody could not be read: whose order would that be?
    """
    people = incoming.people
    # Whoever has no address is the last to be taken for somebody.
    free = sorted(known.contacts, key=lambda c: not (c.phone or c.email)) if known else []
    partner: dict[int, KnownContact] = {}
    for least, within_role in _SIGNS[:-1] if incoming.doubtful else _SIGNS:
        if not least:
            free = [c for c in free if not c.added]
        for index, person in enumerate(people):
            if index in partner:
                continue
            match = next(
                (
                    c
                    for c in free
                    if addresses_alike(person, c) >= least
                    and (c.role is person.role or not within_role)
                    and (least or not _is_one_of(incoming.unsure, c))
                ),
                None,
            )
            if match is not None:
                partner[index] = match
                free.remove(match)
    return [
        _contact_change(person, partner.get(index), default_consent, _earlier(person, former))
        for index, person in enumerate(people)
    ]


_SIGNS = ((2, True), (1, True), (2, False), (1, False), (0, True))
"""How many addresses are the same, and whether the role has to be: the surest sign comes first."""


def addresses_alike(
    person: IncomingPerson | KnownContact, known: IncomingPerson | KnownContact
) -> int:
    """Return how many addresses of two people are the same."""
    same_phone = bool(person.phone) and person.phone == known.phone
    same_email = is_one_address(person.email, known.email)
    return same_phone + same_email


def _earlier(person: IncomingPerson, former: Sequence[KnownPatient]) -> KnownContact | None:
    """Return who this person was in a record that the visit has been in, by an address."""
    people = (contact for patient in former for contact in patient.contacts)
    return next((contact for contact in people if addresses_alike(person, contact)), None)


def _contact_change(
    person: IncomingPerson,
    known: KnownContact | None,
    default_consent: Mapping[Channel, Consent],
    earlier: KnownContact | None = None,
) -> ContactChange:
    before = known.consents if known else {}
    records = [one for one in (known, earlier) if one]
    refused = frozenset(channel for one in records for channel in one.refused)
    said = {**person.consents, **dict.fromkeys(refused, Consent.REFUSED)}
    consents = {
        channel: said.get(channel)
        or before.get(channel)
        or (earlier.consents.get(channel) if earlier else None)
        or default_consent.get(channel, Consent.REFUSED)
        for channel in Channel
    }
    languages = (person.language, *(one.language for one in records))
    language = next((code for code in languages if code), None)
    wishes = person.wishes
    for one in records:
        wishes = wishes.over(one.wishes)
    phone, email = person.phone, person.email
    if known is not None and (addresses_alike(person, known) or not (phone or email)):
        phone = known.phone if phone is None else phone
        email = known.email if email is None else email
    if known is not None and known.newer:
        phone, email = known.phone, known.email
    final = IncomingPerson(person.role, phone or None, email or None, language, consents, wishes)
    same = known is not None and (
        (final.role, final.phone, final.email, final.language, final.wishes)
        == (known.role, known.phone, known.email, known.language, known.wishes)
        and consents == {channel: before.get(channel) for channel in Channel}
    )
    same = same and not (known and known.added)
    return ContactChange(known.id if known else None, final, differs=not same, refused=refused)
