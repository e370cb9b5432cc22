"""What needs a person though no message failed: answers, logins, consents to older texts."""

from collections.abc import Iterator
from datetime import datetime

from reminders.config_rules import parse_duration
from reminders.domain.appointment import age_at
from reminders.domain.reasons import Reason
from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.engine.sealing import unseal
from reminders.store import consents, inbound, people
from reminders.store.database import Connection
from reminders.store.inbound import Answer
from reminders.store.views import CALL_AHEAD, masked


def items(conn: Connection, runtime: Runtime, clinic: str | None, now: datetime) -> list[Item]:
    """Return what has been written to us, whose login is not sure, and who has to hear more."""
    return [
        *_answers(conn, clinic),
        *_logins(conn, runtime, clinic, now),
        *_consents(conn, runtime, clinic, now),
    ]


def _answers(conn: Connection, clinic: str | None) -> Iterator[Item]:
    for answer in inbound.answers(conn, clinic):
        who = masked(answer.role, answer.phone) if answer.role else None
        reason = answer.reason or Reason.WROTE_OTHER.value
        detail = f"Answer {answer.id}"
        place = (answer.clinic, answer.ref, answer.starts_at)
        yield Item("answer", *place, who, reason, detail, id=answer.id)


def _logins(
    conn: Connection, runtime: Runtime, clinic: str | None, now: datetime
) -> Iterator[Item]:
    """Yield visits at which the patient needs a login that nobody has confirmed."""
    for key, practice in runtime.practices.items():
        if clinic not in {None, key}:
            continue
        until = now + parse_duration(runtime.clinic(key).check_login_before)
        for visit in people.visits_without_login(conn, key, now, until):
            age = age_at(visit.birth_date, visit.starts_at, practice.zone)
            of_age = age is not None and age >= practice.own_from_age
            if of_age and visit.kind.casefold() in practice.video_kinds:
                reason = Reason.NO_OWN_LOGIN.value
                yield Item("login", key, visit.ref, visit.starts_at, None, reason, "")


def _consents(
    conn: Connection, runtime: Runtime, clinic: str | None, now: datetime
) -> Iterator[Item]:
    """Yield those who consented before the texts changed their meaning, in what they read."""
    changes = consents.meaning_changes(conn)
    if not changes:
        return
    last = max(changes.values())
    for one in consents.agreed(conn, clinic, last, now, now + CALL_AHEAD):
        if one.clinic not in runtime.config.clinics:
            continue
        editions = consents.editions(conn, runtime.clinic(one.clinic).languages)
        written = editions.language(one.language, one.channel)
        changed_at = changes.get((written or "", one.channel.value))
        if changed_at is not None and changed_at > one.since:
            who = masked(one.role, one.address)
            reason = Reason.CONSENT_OUTDATED.value
            yield Item("inform", one.clinic, one.ref, one.starts_at, who, reason, "")


def written(runtime: Runtime, answer: Answer) -> tuple[str, str]:
    """Return the number of a stranger (else nothing) and what was written, as far as it is kept."""
    if answer.sealed is None:
        return "", ""
    number, _, words = unseal(runtime.secret, answer.sealed).partition("\n")
    return number, words
