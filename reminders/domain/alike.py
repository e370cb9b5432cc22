"""Visits that are planned alike: of a hundred thousand in a file, most differ in names alone.

The planner looks at ids and addresses only to tell whether two are the same, and which comes first.
So visits of one shape get one plan, with their own names filled in. A shape is all that `plan` and
`difference` look at, with contacts, addresses and rows numbered in their order.
"""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reminders.domain.appointment import Appointment, age_at
from reminders.domain.contact import Contact
from reminders.domain.message import Message
from reminders.domain.outbox import Change, difference
from reminders.domain.plan import Case, plan
from reminders.domain.rules import Practice


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is now known of the visit, and what has to change in the outbox."""

    visit: Appointment
    version: int
    known_at: datetime | None
    planned_at: datetime | None
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers of a shape stand for in one case."""

    contacts: list[int]
    addresses: list[str]
    rows: list[int]


@dataclass(slots=True)
class Planner:
    """Plans many visits of one practice at one moment."""

    practice: Practice
    now: datetime
    _known: dict[Hashable, Outcome] = field(default_factory=dict)
    _ages: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._ages = age_limits(self.practice)

    def outcome(self, case: Case) -> Outcome:
        """Return what planning the visit comes to: the same as `plan` and `difference` say."""
        if case.requests:
            return self._work_out(case)
        names = names_of(case)
        shape = self.shape(case, names)
        known = self._known.get(shape)
        if known is None:
            outcome = self._work_out(case)
            self._known[shape] = _numbered(outcome, names)
            return outcome
        return _named(known, case.appointment, names)

    def _work_out(self, case: Case) -> Outcome:
        result = plan(case, self.practice, self.now)
        now_known = result.appointment
        return Outcome(
            case.appointment,
            now_known.version,
            now_known.known_at,
            now_known.planned_at,
            difference(case, result, self.practice),
        )

    def shape(self, case: Case, names: Names) -> Hashable:
        """Return all that planning the visit looks at, requests aside."""
        visit = case.appointment
        place_of = {contact: place for place, contact in enumerate(names.contacts)}
        address_of = {address: place for place, address in enumerate(names.addresses)}
        return (
            visit.truth.starts_at,
            visit.truth.status,
            visit.kind,
            visit.protected,
            visit.confirm,
            self._age_group(visit),
            visit.version,
            visit.known_at,
            _news(visit),
            tuple(self._person(contact, place_of, address_of) for contact in case.contacts),
            tuple(_row(message, place_of, address_of) for message in case.history),
            case.twins,
        )

    def _age_group(self, visit: Appointment) -> int | None:
        """Return which of the rules' ages the patient has passed; None if the age is not known."""
        age = age_at(visit.birth_date, visit.truth.starts_at, self.practice.zone)
        return None if age is None else bisect_right(self._ages, age)

    def _person(
        self, contact: Contact, place_of: dict[int, int], address_of: dict[str, int]
    ) -> Hashable:
        may = self.practice.may_write_to
        reach = tuple(
            (
                channel,
                address_of[way.address_key],
                way.consent,
                way.opted_out,
                may(channel, way.address_key),
            )
            for channel, way in contact.reach.items()
        )
        return (place_of[contact.id], contact.role, reach, contact.wishes)


def age_limits(practice: Practice) -> list[int]:
    """Return the ages at which something changes: between two of them, an age changes nothing."""
    audiences = [rule.audience for rule in practice.rules]
    youngest = {a.min_age for a in audiences if a.min_age is not None}
    too_old = {a.max_age + 1 for a in audiences if a.max_age is not None}
    return sorted(youngest | too_old | {practice.own_from_age})


def names_of(case: Case) -> Names:
    """Return the contacts, addresses and rows of a case, in their order."""
    present = [contact.id for contact in case.contacts]
    addresses = [reach.address_key for c in case.contacts for reach in c.reach.values()]
    if not case.history:
        return Names(sorted(present), list(dict.fromkeys(addresses)), [])
    past = [message.key.contact for message in case.history]
    written = [message.address_key for message in case.history if message.address_key]
    return Names(
        sorted({*present, *past}),
        list(dict.fromkeys([*addresses, *written])),
        sorted(message.id for message in case.history),
    )


def _news(visit: Appointment) -> Hashable:
    """Return what matters of the last plan: nothing, where patients are told what they were."""
    if visit.planned == visit.truth:
        return True
    return (visit.planned, visit.changed_at, visit.planned_at)


def _row(message: Message, place_of: dict[int, int], address_of: dict[str, int]) -> Hashable:
    key = message.key
    return (
        key.version,
        key.rule,
        place_of[key.contact],
        key.channel,
        key.occasion,
        message.state,
        message.truth,
        message.due_at,
        message.not_after,
        address_of.get(message.address_key),
        message.short,
        message.attempts,
        message.reason,
        message.retryable,
        message.sent_at,
        message.request_id,
        message.calendar,
        message.counts_on,
        message.says_own_login,
    )


def _numbered(outcome: Outcome, names: Names) -> Outcome:
    place_of = {contact: place for place, contact in enumerate(names.contacts)}
    address_of = {address: str(place) for place, address in enumerate(names.addresses)}
    row_of = {row: place for place, row in enumerate(names.rows)}
    changes = [
        replace(
            change,
            id=None if change.id is None else row_of[change.id],
            key=change.key._replace(contact=place_of[change.key.contact]),
            address_key=address_of.get(change.address_key, ""),
        )
        for change in outcome.changes
    ]
    return replace(outcome, changes=changes)


def _named(known: Outcome, visit: Appointment, names: Names) -> Outcome:
    changes = [
        Change(
            None if change.id is None else names.rows[change.id],
            change.key._replace(contact=names.contacts[change.key.contact]),
            change.state,
            change.truth,
            change.due_at,
            change.not_after,
            change.reason,
            change.covered_by,
            names.addresses[int(change.address_key)] if change.address_key else "",
            change.short,
            change.urgent,
            change.request_id,
            change.counts_on,
        )
        for change in known.changes
    ]
    return Outcome(visit, known.version, known.known_at, known.planned_at, changes)
