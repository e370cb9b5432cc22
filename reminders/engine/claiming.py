"""Claiming: of what is due, what may go now; rendered, leased, and written down before it leaves.

Texts are rendered within the claim, from what is true at this moment: so the digest of the body
stands in the attempt before the provider is called, and a lost answer can be looked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reminders.config_rules import parse_duration
from reminders.domain.contact import Channel, Contact
from reminders.domain.gate import Go, Replan, Stop, Wait, gate
from reminders.domain.message import Message
from reminders.domain.plan import Case
from reminders.domain.reasons import Reason
from reminders.domain.rules import Practice, QuietPolicy
from reminders.domain.state import State
from reminders.domain.when import next_quiet
from reminders.engine.approval import Shelf
from reminders.engine.runtime import Runtime
from reminders.engine.texts import Composer
from reminders.errors import TemplateError
from reminders.message.render import Library, Rendered
from reminders.store import attempts, cases, clinics, keeping, outbox
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write

LEASE_MARGIN = timedelta(seconds=10)
"""So long before the lease ends nothing new is written to a provider."""

UNKNOWN_CLINIC_WAIT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this worker alone may send until its lease ends.

    `lease_ends` is in seconds of the clock that runs through sleep; `valid_until` is when the
    provider has to give up.
    """

    message_id: int
    appointment_id: int
    clinic_id: int
    clinic: str
    channel: Channel
    attempt_id: int
    number: int
    lease_token: int
    lease_ends: float
    not_after: datetime
    valid_until: datetime
    started_at: datetime
    on_request: bool
    callback_token: str
    to: str
    rendered: Rendered


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim found. `looked_at` counts rows: with none, nothing is due.

    `settled` is how many of them are not due any more: claimed, put off or ended.
    """

    claimed: tuple[Claimed, ...]
    looked_at: int
    settled: int
    expired: int


def claim(conn: Connection, runtime: Runtime, shelf: Shelf, now: datetime, limit: int) -> Batch:
    """Claim up to `limit` due messages, having looked again at what must still be true."""
    if keeping.get(conn, keeping.HELD) is not None:
        return Batch((), 0, 0, 0)
    claiming = _Claiming(conn, runtime, shelf.library(conn), now)
    found = _due(conn, now, limit)
    visits = sorted({due.appointment_id for due in found})
    claiming.addresses = outbox.addresses(conn, sorted({d.message.key.contact for d in found}), now)
    known = {c.appointment.id: c for c in cases.load_cases(conn, visits, runtime.digest)}
    for due in found:
        claiming.consider(due, known[due.appointment_id])
    cases.mark_for_planning(conn, claiming.replan)
    write(conn, now, runtime.actor, claiming.facts)
    expired = sum(fact.event == State.EXPIRED for fact in claiming.facts)
    return Batch(tuple(claiming.claimed), len(found), len(found) - len(claiming.replan), expired)


def _due(conn: Connection, now: datetime, limit: int) -> list[outbox.Due]:
    """Return due messages of open channels, and one probe for each channel that may be tried."""
    closed = clinics.closed_channels(conn)
    if not closed:
        return outbox.due(conn, now, limit)
    found = outbox.due(conn, now, limit, [(c.clinic_id, c.channel) for c in closed])
    for channel in closed:
        if channel.retry_at <= now:
            found += outbox.due(conn, now, 1, only=(channel.clinic_id, channel.channel))
    return found


@dataclass(slots=True)
class _Claiming:
    conn: Connection
    runtime: Runtime
    library: Library
    now: datetime
    addresses: Mapping[int, outbox.Address] = field(default_factory=dict)
    claimed: list[Claimed] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    replan: list[int] = field(default_factory=list)

    def consider(self, due: outbox.Due, case: Case) -> None:
        """Claim one due message, put it off, end it, or hand it back to the planner."""
        practice = self.runtime.practices.get(case.appointment.clinic)
        if practice is None:
            outbox.postpone(self.conn, due.message.id, self.now + UNKNOWN_CLINIC_WAIT)
            return
        match gate(due.message, case, practice, self.now):
            case Replan():
                self.replan.append(due.appointment_id)
            case Wait(until=until):
                outbox.postpone(self.conn, due.message.id, until)
            case Stop(state=state, reason=reason):
                self._stop(due, state, reason)
            case Go(contact=contact):
                self._take(due, case, practice, contact)

    def _stop(self, due: outbox.Due, state: State, reason: Reason, cause: str = "") -> None:
        outbox.put(self.conn, due.message.id, state, reason, self.now)
        detail = {"rule": due.message.key.rule, "reason": reason.value}
        if cause:
            detail["cause"] = cause
        self.facts.append(Fact(state.value, due.appointment_id, due.message.id, detail))

    def _take(self, due: outbox.Due, case: Case, practice: Practice, contact: Contact) -> None:
        key = due.message.key
        place = self.addresses[contact.id]
        to = (place.phone if key.channel is Channel.SMS else place.email) or ""
        provider = self.runtime.providers[practice.clinic, key.channel]
        if not self.runtime.may_write_to(provider, to):
            self._stop(due, State.SUPPRESSED, Reason.ENVIRONMENT)
            return
        try:
            composer = Composer(self.library, self.runtime.clinic(practice.clinic), practice)
            rendered = composer.compose(
                practice.rule[key.rule],
                key.channel,
                case.appointment,
                contact,
                self.now,
                short=due.message.short,
                sibling=place.shared_with_sibling,
            )
        except TemplateError as error:
            self._stop(due, State.SUPPRESSED, Reason.RENDER_FAILED, str(error))
            return
        claimed = self._lease(due, practice, to, rendered, provider.name)
        self.claimed.append(claimed)
        detail = {
            "rule": key.rule,
            "channel": key.channel.value,
            "attempt": claimed.number,
            "template": rendered.version,
            "language": rendered.language,
        }
        self.facts.append(Fact(State.SENDING.value, due.appointment_id, due.message.id, detail))

    def _lease(
        self, due: outbox.Due, practice: Practice, to: str, rendered: Rendered, provider: str
    ) -> Claimed:
        message, now = due.message, self.now
        lease = parse_duration(self.runtime.config.delivery.lease)
        token, number = due.lease_token + 1, message.attempts + 1
        outbox.lease(self.conn, message.id, token, now, now + lease, provider)
        callback_token = self.runtime.token()
        attempt_id = attempts.begin(
            self.conn,
            attempts.NewAttempt(
                message.id,
                number,
                token,
                callback_token,
                provider,
                rendered.version,
                self.runtime.digest(rendered.body),
                now,
            ),
        )
        return Claimed(
            message_id=message.id,
            appointment_id=due.appointment_id,
            clinic_id=due.clinic_id,
            clinic=practice.clinic,
            channel=message.key.channel,
            attempt_id=attempt_id,
            number=number,
            lease_token=token,
            lease_ends=self.runtime.clock.elapsed() + (lease - LEASE_MARGIN).total_seconds(),
            not_after=message.not_after,
            valid_until=_valid_until(message, practice, now),
            started_at=now,
            on_request=message.request_id is not None,
            callback_token=callback_token,
            to=to,
            rendered=rendered,
        )


def _valid_until(message: Message, practice: Practice, now: datetime) -> datetime:
    """Return when the provider has to give up: the text helps no more, or the night begins."""
    rule = practice.rule[message.key.rule]
    disturbs = message.request_id is None and rule.quiet is not QuietPolicy.IGNORE
    if practice.quiet is None or not disturbs:
        return message.not_after
    return min(message.not_after, next_quiet(now, practice.quiet, practice.zone))
