"""Claiming: of what is due, what may go now; rendered, leased, and written down before it leaves.

Texts are rendered within the claim, from what is true at this moment: so the digest of the body
stands in the attempt before the provider is called, and a lost answer can be looked for.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reminders.config_rules import parse_duration
from reminders.domain.contact import Channel, Contact
from reminders.domain.fair import Sender
from reminders.domain.gate import Go, Replan, Stop, Wait, gate
from reminders.domain.lifecycle import Step
from reminders.domain.message import Message
from reminders.domain.plan import Case
from reminders.domain.reasons import Reason
from reminders.domain.rules import Practice
from reminders.domain.state import State
from reminders.domain.timing import nights
from reminders.domain.when import next_quiet
from reminders.engine.approval import Shelf
from reminders.engine.choosing import NO_LIMIT, Choice, Room, choose
from reminders.engine.runtime import Runtime
from reminders.engine.texts import Composer
from reminders.errors import TemplateError
from reminders.message.render import Library, Rendered
from reminders.store import attempts, cases, outbox, queue, senders
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write
from reminders.store.queue import Taken

LEASE_MARGIN = timedelta(seconds=10)
"""So long before the lease ends nothing new is written to a provider; of a short lease, a third."""

TIME_TO_GO = timedelta(minutes=1)
"""What is claimed in time may be written and handed on for so long, at least."""

UNKNOWN_CLINIC_WAIT = timedelta(minutes=5)


def writable(lease: timedelta) -> timedelta:
    """Return for how long of a lease something may still be written to a provider."""
    return lease - min(LEASE_MARGIN, lease / 3)


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
    urgency: int
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
    """What one claim found. `looked_at` counts rows: with none, nothing can be claimed now.

    `settled` is how many of them are not due any more: claimed, put off or ended. `again_at` is
    when something else can be looked at, as far as is known; `more` says that it is at once.
    `probing`: it tries a stopped channel.
    """

    claimed: tuple[Claimed, ...] = ()
    looked_at: int = 0
    settled: int = 0
    expired: int = 0
    again_at: datetime | None = None
    more: bool = False
    probing: bool = False


def _any(sender: Sender, *, stamps: bool) -> int:  # noqa: ARG001 - a test's worker has no limit
    return NO_LIMIT


def claim(
    conn: Connection,
    runtime: Runtime,
    shelf: Shelf,
    now: datetime,
    limit: int,
    room: Room = _any,
) -> Batch:
    """Claim up to `limit` due messages, having looked again at what must still be true."""
    choice = choose(conn, runtime, now, limit, room)
    found = queue.take(conn, choice.wants, now)
    if not found:
        return Batch(again_at=choice.again_at)
    claiming = _Claiming(conn, runtime, shelf.library(conn), now)
    claiming.look(found)
    claimed = claiming.begin()
    cases.mark_for_planning(conn, claiming.replan)
    write(conn, now, runtime.actor, claiming.facts)
    _spend(conn, choice, claimed)
    expired = sum(fact.event == State.EXPIRED for fact in claiming.facts)
    settled = len(found) - len(claiming.replan)
    return Batch(
        claimed,
        len(found),
        settled,
        expired,
        choice.again_at,
        more=_more(choice, found),
        probing=choice.probing,
    )


def doubt(conn: Connection, runtime: Runtime, shelf: Shelf, now: datetime) -> int:
    """Have what is due looked for before it goes, as it may have gone already; return how much.

    A restored backup knows nothing of what went out after it was taken. What a provider cannot be
    asked about is left as it is.
    """
    claiming = _Claiming(conn, runtime, shelf.library(conn), now)
    claiming.look(queue.take(conn, [(front, NO_LIMIT) for front in queue.fronts(conn)], now))
    claiming.doubt()
    cases.mark_for_planning(conn, claiming.replan)
    write(conn, now, runtime.actor, claiming.facts)
    return len(claiming.ready)


def _more(choice: Choice, found: Sequence[Taken]) -> bool:
    """Tell whether a front has given all that was asked of it, so that it may have more."""
    given = Counter((one.clinic_id, one.channel, one.urgency) for one in found)
    return any(
        given[front.clinic_id, front.channel, front.urgency] >= most for front, most in choice.wants
    )


def _spend(conn: Connection, choice: Choice, claimed: Sequence[Claimed]) -> None:
    taken = Counter((one.clinic_id, one.channel) for one in claimed)
    for sender, bucket in choice.buckets.items():
        senders.spend(conn, sender, replace(bucket, tokens=bucket.tokens - taken[sender]))


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that may go, with its text; not yet leased."""

    due: Taken
    message: Message
    case: Case
    practice: Practice
    contact: Contact
    to: str
    rendered: Rendered
    provider: str
    callback_token: str


@dataclass(slots=True)
class _Claiming:
    conn: Connection
    runtime: Runtime
    library: Library
    now: datetime
    addresses: Mapping[int, outbox.Address] = field(default_factory=dict)
    composers: dict[str, Composer] = field(default_factory=dict)
    ready: list[_Ready] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    replan: list[int] = field(default_factory=list)

    def look(self, found: Sequence[Taken]) -> None:
        """Look again at each message that is due."""
        visits = sorted({due.appointment_id for due in found})
        known = {c.appointment.id: c for c in cases.load_cases(self.conn, visits, self.digest)}
        rows = {m.id: m for case in known.values() for m in case.history}
        whom = sorted({rows[due.message_id].key.contact for due in found})
        self.addresses = outbox.addresses(self.conn, whom, self.now)
        for due in found:
            self._consider(due, rows[due.message_id], known[due.appointment_id])

    def digest(self, address: str) -> str:
        """Return an address's keyed digest."""
        return self.runtime.digest(address)

    def _consider(self, due: Taken, message: Message, case: Case) -> None:
        """Make one due message ready, put it off, end it, or hand it back to the planner."""
        practice = self.runtime.practices.get(case.appointment.clinic)
        if practice is None:
            outbox.postpone(self.conn, message.id, self.now + UNKNOWN_CLINIC_WAIT)
            return
        match gate(message, case, practice, self.now):
            case Replan():
                self.replan.append(due.appointment_id)
            case Wait(until=until):
                outbox.postpone(self.conn, message.id, until)
            case Stop(state=state, reason=reason):
                self._stop(message, case, state, reason)
            case Go(contact=contact):
                self._make_ready(due, message, case, practice, contact)

    def _stop(
        self, message: Message, case: Case, state: State, reason: Reason, cause: str = ""
    ) -> None:
        outbox.put(self.conn, message.id, state, reason, self.now)
        detail = {"rule": message.key.rule, "reason": reason.value}
        if cause:
            detail["cause"] = cause
        self.facts.append(Fact(state.value, case.appointment.id, message.id, detail))

    def _make_ready(
        self, due: Taken, message: Message, case: Case, practice: Practice, contact: Contact
    ) -> None:
        key = message.key
        place = self.addresses[contact.id]
        to = (place.phone if key.channel is Channel.SMS else place.email) or ""
        provider = self.runtime.providers[practice.clinic, key.channel]
        if not self.runtime.may_write_to(practice.clinic, provider, to):
            self._stop(message, case, State.SUPPRESSED, Reason.ENVIRONMENT)
            return
        try:
            rendered = self._composer(practice).compose(
                practice.rule[key.rule],
                key.channel,
                case.appointment,
                contact,
                self.now,
                short=message.short,
                siblings=place.siblings,
            )
        except TemplateError as error:
            self._stop(message, case, State.SUPPRESSED, Reason.RENDER_FAILED, str(error))
            return
        token = self.runtime.token()
        self.ready.append(
            _Ready(due, message, case, practice, contact, to, rendered, provider.name, token)
        )

    def _composer(self, practice: Practice) -> Composer:
        if practice.clinic not in self.composers:
            clinic = self.runtime.clinic(practice.clinic)
            self.composers[practice.clinic] = Composer(
                self.library, clinic, practice, self.runtime.digest
            )
        return self.composers[practice.clinic]

    def begin(self) -> tuple[Claimed, ...]:
        """Lease what is ready and write its attempts down, all at once."""
        lease = parse_duration(self.runtime.config.delivery.lease)
        ends = self.runtime.clock.elapsed() + writable(lease).total_seconds()
        new = [self._new_attempt(one) for one in self.ready]
        attempt_ids = queue.begin(self.conn, new, self.now, self.now + lease)
        claimed = tuple(self._claimed(one, attempt_ids[one.message.id], ends) for one in self.ready)
        self.facts += [_fact(one) for one in self.ready]
        return claimed

    def doubt(self) -> None:
        """Write what is ready down as attempted when it was due, with its answer lost."""
        providers = self.runtime.providers
        channels = ((one, (one.practice.clinic, one.message.key.channel)) for one in self.ready)
        self.ready = [one for one, channel in channels if not providers[channel].stamps]
        lost = Step(State.UNKNOWN, Reason.NO_ANSWER, next_at=self.now)
        for one in self.ready:
            due_at, number = one.message.due_at, one.message.id
            ids = queue.begin(self.conn, [self._new_attempt(one)], due_at, self.now)
            attempts.finish(self.conn, ids[number], due_at, attempts.LOST)
            attempts.settle(self.conn, number, one.due.lease_token + 1, lost, self.now)
            detail = {"rule": one.message.key.rule, "cause": "restored"}
            self.facts.append(Fact(State.UNKNOWN.value, one.due.appointment_id, number, detail))

    def _new_attempt(self, one: _Ready) -> queue.NewAttempt:
        return queue.NewAttempt(
            one.message.id,
            one.message.attempts + 1,
            one.due.lease_token + 1,
            one.callback_token,
            one.provider,
            one.rendered.version,
            self.runtime.digest(one.rendered.body),
            self.runtime.session,
        )

    def _claimed(self, one: _Ready, attempt_id: int, lease_ends: float) -> Claimed:
        message = one.message
        return Claimed(
            message_id=message.id,
            appointment_id=one.due.appointment_id,
            clinic_id=one.case.appointment.clinic_id,
            clinic=one.practice.clinic,
            channel=message.key.channel,
            urgency=one.due.urgency,
            attempt_id=attempt_id,
            number=message.attempts + 1,
            lease_token=one.due.lease_token + 1,
            lease_ends=lease_ends,
            not_after=message.not_after,
            valid_until=_valid_until(message, one.practice, one.contact, self.now),
            started_at=self.now,
            on_request=message.request_id is not None,
            callback_token=one.callback_token,
            to=one.to,
            rendered=one.rendered,
        )


def _fact(one: _Ready) -> Fact:
    detail = {
        "rule": one.message.key.rule,
        "channel": one.message.key.channel.value,
        "attempt": one.message.attempts + 1,
        "template": one.rendered.version,
        "language": one.rendered.language,
    }
    if one.rendered.instead_of:
        detail["instead_of"] = one.rendered.instead_of
    return Fact(State.SENDING.value, one.due.appointment_id, one.message.id, detail)


def hand_back(conn: Connection, runtime: Runtime, claims: Sequence[Claimed], now: datetime) -> int:
    """Give back claims that were never begun, as if they had not been made; return how many."""
    given = queue.hand_back(
        conn, [(one.message_id, one.lease_token, one.attempt_id) for one in claims], now
    )
    facts = [
        Fact("handed_back", one.appointment_id, one.message_id, {"attempt": one.number})
        for one in claims
        if one.message_id in given
    ]
    write(conn, now, runtime.actor, facts)
    return len(facts)


def _valid_until(message: Message, practice: Practice, contact: Contact, now: datetime) -> datetime:
    """Return when the provider has to give up: the text helps no more, or the night begins.

    What may go now has the time to: the night may end just as the text stops helping.
    """
    rule = practice.rule[message.key.rule]
    asked = message.request_id is not None
    spans = () if asked else nights(practice, rule, contact, message.key.channel)
    ends = min([message.not_after, *(next_quiet(now, span, practice.zone) for span in spans)])
    return max(ends, now + TIME_TO_GO)
