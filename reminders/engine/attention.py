"""What needs a person though no message failed: answers, logins, consents to older texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reminders.config_rules import parse_duration
from reminders.domain.appointment import OwnLogin, age_at
from reminders.domain.contact import Channel, Consent
from reminders.domain.reasons import Reason
from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.engine.sealing import unseal
from reminders.errors import NotFoundError
from reminders.store import consents, inbound, pages, people
from reminders.store.consents import Editions
from reminders.store.database import Connection
from reminders.store.inbound import Answer
from reminders.store.pages import Person
from reminders.store.people import Patient
from reminders.store.views import CALL_AHEAD, Visit, masked


def items(conn: Connection, runtime: Runtime, clinic: str | None, now: datetime) -> list[Item]:
    """Return what has been written to us, whose login is not sure, and who has to hear more."""
    return [*_answers(conn, clinic), *to_ask(conn, runtime, clinic, now)]


def to_ask(conn: Connection, runtime: Runtime, clinic: str | None, now: datetime) -> list[Item]:
    """Return whose login is not sure, and who has to hear more: a word with them is enough."""
    return [*_logins(conn, runtime, clinic, now), *_consents(conn, runtime, clinic, now)]


@dataclass(frozen=True, slots=True)
class ToAsk:
    """What there is to ask or to tell, and whom: the contact, or all people of the visit."""

    item: Item
    people: tuple[Person, ...]


def whom_to_ask(
    conn: Connection, runtime: Runtime, clinic: str, now: datetime, limit: int
) -> list[ToAsk]:
    """Return the first of `to_ask` of a clinic with the people to phone."""
    found = to_ask(conn, runtime, clinic, now)[:limit]
    of_visit = pages.people_of(conn, [item.visit_id for item in found])
    return [ToAsk(item, _named(item, of_visit.get(item.visit_id, ()))) for item in found]


def _named(item: Item, there: Sequence[Person]) -> tuple[Person, ...]:
    return tuple(one for one in there if item.contact_id in {0, one.id})


def _answers(conn: Connection, clinic: str | None) -> Iterator[Item]:
    for answer in inbound.answers(conn, clinic):
        who = masked(answer.role, answer.phone) if answer.role else None
        reason = answer.reason or Reason.WROTE_OTHER.value
        maybe = ", ".join(one.ref for one in answer.visits)
        detail = f"Answer {answer.id}" + (f", of one of: {maybe}" if maybe else "")
        place = (answer.clinic, answer.ref, answer.starts_at)
        yield Item("answer", *place, who, reason, detail, id=answer.id, yes_at=answer.yes_at)


def _logins(
    conn: Connection, runtime: Runtime, clinic: str | None, now: datetime
) -> Iterator[Item]:
    """Yield visits at which the patient needs a login that nobody has confirmed."""
    for key in runtime.practices:
        if clinic not in {None, key}:
            continue
        until = now + parse_duration(runtime.clinic(key).check_login_before)
        for visit in people.visits_without_login(conn, key, now, until):
            if needs_own_login(runtime, visit):
                reason = Reason.NO_OWN_LOGIN.value
                place = (key, visit.ref, visit.starts_at)
                yield Item("login", *place, None, reason, "", visit_id=visit.id)


def needs_own_login(runtime: Runtime, visit: Visit) -> bool:
    """Tell whether the patient has the age, at a video visit, for a login of their own."""
    practice = runtime.practices[visit.clinic]
    age = age_at(visit.birth_date, visit.starts_at, practice.zone)
    of_age = age is not None and age >= practice.own_from_age
    return of_age and visit.kind.casefold() in practice.video_kinds


def _consents(
    conn: Connection, runtime: Runtime, clinic: str | None, now: datetime
) -> Iterator[Item]:
    """Yield those who consented before the texts changed their meaning, in what they read."""
    changed = consents.meaning_changes(conn)
    if changed is None:
        return
    here = {key: changed.of(key) for key in runtime.config.clinics if clinic in {None, key}}
    times = [at for changes in here.values() for at in changes.values()]
    if not times:
        return
    editions: dict[str, Editions] = {}
    for one in consents.agreed(conn, clinic, max(times), now, now + CALL_AHEAD):
        if one.clinic not in here:
            continue
        if one.clinic not in editions:
            editions[one.clinic] = _editions(conn, runtime, one.clinic)
        changes = here[one.clinic]
        if _outdated(editions[one.clinic], changes, one.language, one.channel, one.since):
            who = masked(one.role, one.address)
            reason = Reason.CONSENT_OUTDATED.value
            yield Item(
                "inform",
                one.clinic,
                one.ref,
                one.starts_at,
                who,
                reason,
                "",
                visit_id=one.visit_id,
                contact_id=one.contact_id,
            )


def _editions(conn: Connection, runtime: Runtime, clinic: str) -> Editions:
    return consents.editions(conn, clinic, runtime.clinic(clinic).languages)


def _outdated(
    editions: Editions,
    changes: Mapping[tuple[str, str], datetime],
    language: str | None,
    channel: Channel,
    since: datetime,
) -> bool:
    """Tell whether the texts somebody reads have changed their meaning since they heard of them."""
    written = editions.language(language, channel)
    changed_at = changes.get((written or "", channel.value))
    return changed_at is not None and changed_at > since


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote to us. `words` and a stranger's `number` are there while it waits."""

    answer: Answer
    number: str
    words: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What there is to ask the people of a visit, and to tell them, and what they have written.

    `to_inform` names the contacts who have to hear what the texts say now.
    """

    answers: tuple[Written, ...]
    login: OwnLogin | None
    to_inform: frozenset[int]


def of_visit(conn: Connection, runtime: Runtime, visit: Visit, patient: Patient) -> Asked:
    """Return all this of one visit. `login` is None where no login of their own is needed."""
    return Asked(
        read_all(runtime, inbound.of_visit(conn, visit.id)),
        patient.own_login if needs_own_login(runtime, visit) else None,
        _to_inform(conn, runtime, visit.clinic, patient),
    )


def read_all(runtime: Runtime, answers: Sequence[Answer]) -> tuple[Written, ...]:
    """Return these answers with what was written, as far as it is kept."""
    return tuple(Written(answer, *written(runtime, answer)) for answer in answers)


def _to_inform(conn: Connection, runtime: Runtime, clinic: str, patient: Patient) -> frozenset[int]:
    changed = consents.meaning_changes(conn)
    if changed is None:
        return frozenset()
    changes, editions = changed.of(clinic), _editions(conn, runtime, clinic)
    return frozenset(
        person.id
        for person in patient.people
        for channel, word in person.words.items()
        if word.status == Consent.GIVEN.value
        and (person.phone if channel is Channel.SMS else person.email)
        and _outdated(
            editions, changes, person.language, channel, word.informed_at or word.recorded_at
        )
    )


def written(runtime: Runtime, answer: Answer) -> tuple[str, str]:
    """Return the number of a stranger (else nothing) and what was written, as far as it is kept."""
    if answer.sealed is None:
        return "", ""
    number, _, words = unseal(runtime.secret, answer.sealed).partition("\n")
    return number, words


def finish(
    conn: Connection, runtime: Runtime, clinic: str | None, answer_id: int, now: datetime
) -> None:
    """Tick an answer off: the words are deleted. Raise NotFoundError if it does not wait."""
    if not inbound.finish(conn, answer_id, clinic, runtime.actor, now):
        raise NotFoundError("There is no answer %(number)s that waits.", number=answer_id)
