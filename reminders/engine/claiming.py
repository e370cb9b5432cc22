"""Claiming: of what is due, what may go now; rendered, leased, and written down before it leaves.

Texts are rendered within the claim, from what is true at this moment: so the digest of the body
stands in the attempt before the provider is called, and a lost answer can be looked for.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reminders.config_rules import parse_duration
from reminders.domain.contact import Channel
from reminders.domain.fair import Sender
from reminders.domain.gate import Go, Replan, Stop, Wait
from reminders.domain.lifecycle import Step
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.engine.approval import Shelf
from reminders.engine.choosing import NO_LIMIT, Choice, Room, choose
from reminders.engine.judging import Judge, Kind, Text
from reminders.engine.runtime import Runtime
from reminders.errors import TemplateError
from reminders.message.render import Library, Rendered
from reminders.store import attempts, cases, looks, outbox, queue, senders
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write
from reminders.store.looks import Look
from reminders.store.queue import Taken

LEASE_MARGIN = timedelta(seconds=10)
"""So long before the lease ends nothing new is written to a provider; of a short lease, a third."""

FRESH = timedelta(seconds=15)
"""What has been in hand for so long is not written any more: it was judged by what may be over."""

UNKNOWN_CLINIC_WAIT = timedelta(minutes=5)
LONGEST_NIGHT = timedelta(days=1)
"""What a night has put off is due within so long."""


def writable(lease: timedelta) -> timedelta:
    """Return for how long of a lease something may still be written to a provider."""
    return lease - min(LEASE_MARGIN, lease / 3)


@dataclass(slots=True)  # not frozen: made by the thousand, in a third of the time
class Claimed:
    """A message that this worker alone may send until its lease ends.

    `lease_ends` and `stale_at` are in seconds of the clock that runs through sleep: from when on
    nothing may be written, and what has not been begun is to be judged again. `valid_until` is
    when the provider has to give up.
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
    stale_at: float
    due_at: datetime
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
    `probing`: it tries a stopped channel. `reserve`: there was room only for who has next to
    nothing in hand.
    """

    claimed: tuple[Claimed, ...] = ()
    looked_at: int = 0
    settled: int = 0
    expired: int = 0
    again_at: datetime | None = None
    more: bool = False
    probing: bool = False
    reserve: bool = False


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
    cases.mark_for_planning(conn, claiming.replan + claiming.lapsed)
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


def doubt(
    conn: Connection,
    runtime: Runtime,
    shelf: Shelf,
    now: datetime,
    since: datetime,
    until: datetime,
) -> int:
    """Have what may have gone already looked for before it goes; return how much.

    A restored backup knows nothing of what went out after it was taken: from `since` until `until`.
    What a provider cannot be asked about is left as it is.
    """
    claiming = _Claiming(conn, runtime, shelf.library(conn), now, doubting=True)
    wants = [(front, NO_LIMIT) for front in queue.fronts(conn)]
    claiming.look(queue.take(conn, wants, now + LONGEST_NIGHT))
    claiming.doubt(since, until)
    cases.mark_for_planning(conn, claiming.replan + claiming.lapsed)
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


@dataclass(slots=True)
class _Ready:
    """A message that may go, with its text; not yet leased."""

    due: Taken
    kind: Kind
    to: str
    text: Text
    provider: str
    can_be_asked: bool
    callback_token: str


@dataclass(slots=True)
class _Claiming:
    conn: Connection
    runtime: Runtime
    library: Library
    now: datetime
    doubting: bool = False
    judge: Judge = field(init=False)
    addresses: Mapping[int, outbox.Address] = field(default_factory=dict)
    ready: list[_Ready] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    replan: list[int] = field(default_factory=list)
    lapsed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.judge = Judge(self.conn, self.runtime, self.library, self.now)

    def look(self, found: Sequence[Taken]) -> None:
        """Look again at each message that is due."""
        known = looks.read(self.conn, sorted({due.appointment_id for due in found}))
        whom = sorted({due.contact_id for due in found})
        self.addresses = outbox.addresses(self.conn, whom, self.now)
        for due in found:
            self._consider(due, known[due.appointment_id])

    def _consider(self, due: Taken, look: Look) -> None:
        """Make one due message ready, put it off, end it, or hand it back to the planner."""
        practice = self.runtime.practices.get(look.clinic)
        if practice is None:
            if self.doubting:  # it may be due later than that
                return
            outbox.postpone(self.conn, due.message_id, self.now + UNKNOWN_CLINIC_WAIT)
            return
        kind, age = self.judge.judge(due.message_id, look, practice)
        if self.doubting and not _may_have_gone(kind, self.now):
            return
        match kind.verdict:
            case Wait() if self.doubting:
                self._make_ready(due, look, kind, age)
            case Go():
                self._make_ready(due, look, kind, age)
            case Replan():
                self.replan.append(due.appointment_id)
            case Wait(until=until):
                outbox.postpone(self.conn, due.message_id, until)
            case Stop(state=state, reason=reason):
                self._stop(due, kind, state, reason)

    def _stop(self, due: Taken, kind: Kind, state: State, reason: Reason, cause: str = "") -> None:
        outbox.put(self.conn, due.message_id, state, reason, self.now)
        if state is State.EXPIRED and kind.message.request_id is not None:
            self.lapsed.append(due.appointment_id)  # the rule's own text may still help
        detail = {"rule": kind.message.key.rule, "reason": reason.value}
        if cause:
            detail["cause"] = cause
        self.facts.append(Fact(state.value, due.appointment_id, due.message_id, detail))

    def _make_ready(self, due: Taken, look: Look, kind: Kind, age: int | None) -> None:
        channel, clinic = kind.message.key.channel, kind.practice.clinic
        place = self.addresses[due.contact_id]
        to = (place.phone if channel is Channel.SMS else place.email) or ""
        provider = self.runtime.providers[clinic, channel]
        if not self.runtime.may_write_to(clinic, provider, to):
            self._stop(due, kind, State.SUPPRESSED, Reason.ENVIRONMENT)
            return
        try:
            text = self.judge.text(kind, look, age, place.siblings)
        except TemplateError as error:
            self._stop(due, kind, State.SUPPRESSED, Reason.RENDER_FAILED, str(error))
            return
        token, can_be_asked = self.runtime.token(), not provider.stamps
        self.ready.append(_Ready(due, kind, to, text, provider.name, can_be_asked, token))

    def begin(self) -> tuple[Claimed, ...]:
        """Lease what is ready and write its attempts down, all at once."""
        lease = parse_duration(self.runtime.config.delivery.lease)
        elapsed = self.runtime.clock.elapsed()
        ends = elapsed + writable(lease).total_seconds()
        stale_at = min(elapsed + FRESH.total_seconds(), ends)
        new = [self._new_attempt(one) for one in self.ready]
        attempt_ids = queue.begin(self.conn, new, self.now, self.now + lease)
        claimed = tuple(
            self._claimed(one, attempt_ids[one.due.message_id], ends, stale_at)
            for one in self.ready
        )
        self.facts += [
            Fact(State.SENDING.value, one.due.appointment_id, one.due.message_id, one.text.detail)
            for one in self.ready
        ]
        return claimed

    def doubt(self, since: datetime, until: datetime) -> None:
        """Write what is ready down as attempted between these times, with its answer lost."""
        providers = self.runtime.providers
        channels = (
            (one, (one.kind.practice.clinic, one.kind.message.key.channel)) for one in self.ready
        )
        self.ready = [one for one, channel in channels if not providers[channel].stamps]
        new = [self._new_attempt(one) for one in self.ready]
        attempt_ids = queue.begin(self.conn, new, self.now, self.now)
        attempts.doubted(self.conn, list(attempt_ids.values()), since, until)
        doubtful = Step(State.UNKNOWN, Reason.RESTORED, next_at=self.now)
        for one in self.ready:
            number = one.due.message_id
            attempts.settle(self.conn, number, one.due.lease_token + 1, doubtful, self.now)
            detail = {"rule": one.kind.message.key.rule, "reason": Reason.RESTORED.value}
            self.facts.append(Fact(State.UNKNOWN.value, one.due.appointment_id, number, detail))

    def _new_attempt(self, one: _Ready) -> queue.NewAttempt:
        visit = one.kind.case.appointment
        return queue.NewAttempt(
            one.due.message_id,
            one.kind.message.attempts + 1,
            one.due.lease_token + 1,
            one.callback_token,
            one.provider,
            one.text.rendered.version,
            one.text.digest,
            self.runtime.session,
            one.text.rendered.calendar,
            one.kind.practice.own_login(visit.birth_date, visit.truth.starts_at),
            one.to if one.can_be_asked else None,
        )

    def _claimed(self, one: _Ready, attempt_id: int, lease_ends: float, stale_at: float) -> Claimed:
        message = one.kind.message
        return Claimed(
            message_id=one.due.message_id,
            appointment_id=one.due.appointment_id,
            clinic_id=one.kind.case.appointment.clinic_id,
            clinic=one.kind.practice.clinic,
            channel=message.key.channel,
            urgency=one.due.urgency,
            attempt_id=attempt_id,
            number=message.attempts + 1,
            lease_token=one.due.lease_token + 1,
            lease_ends=lease_ends,
            stale_at=stale_at,
            due_at=message.due_at,
            not_after=message.not_after,
            valid_until=one.kind.valid_until,
            started_at=self.now,
            on_request=message.request_id is not None,
            callback_token=one.callback_token,
            to=one.to,
            rendered=one.text.rendered,
        )


def _may_have_gone(kind: Kind, now: datetime) -> bool:
    """Tell whether a message has fallen due by now, or would have but for the night that it is."""
    due_at, verdict = kind.message.due_at, kind.verdict
    return due_at <= now or (isinstance(verdict, Wait) and due_at <= verdict.until)


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
