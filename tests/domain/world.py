"""A visit and its outbox as a story plays them: rows are kept in a list, decisions are the domain's.

Times are written as the clinic's clock shows them, and what went out is read back as lines such as
"05-11 14:00 day_before mother sms".
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from reminders.config import Config
from reminders.config_rules import RuleConfig, parse_quiet
from reminders.domain.appointment import Appointment, Truth, VisitStatus
from reminders.domain.contact import NO_WISHES, Channel, Consent, Contact, Reach, Role, Wishes
from reminders.domain.decision import Suppress
from reminders.domain.gate import Go, Replan, Stop, Wait, gate
from reminders.domain.lifecycle import Step, after_outcome, after_receipt, check
from reminders.domain.message import Message, Request
from reminders.domain.outbox import Change, difference, written
from reminders.domain.outcome import Accepted, Outcome, Receipt, Refusal, Rejected
from reminders.domain.plan import Case, Plan, plan
from reminders.domain.reasons import RETRYABLE, Reason
from reminders.domain.rules import Practice, Rule
from reminders.domain.state import State
from reminders.message.sources import read_sources
from reminders.resources import example_config, templates

STOCKHOLM = ZoneInfo("Europe/Stockholm")
ACCEPTED = Accepted("ref")
BAD_NUMBER = Rejected("21211", Refusal.ADDRESS)
BUSY = Rejected("20429", Refusal.THROTTLED)
MOST_ROUNDS = 500
WITH_ENTRY = {
    source.name for source in read_sources(templates()).values() if "Calendar: " in source.text
}
"""The templates whose emails bring an entry for the calendar."""


def local(text: str, zone: ZoneInfo = STOCKHOLM) -> datetime:
    """Return the instant (UTC) of a wall-clock time such as '2026-05-12 14:00'."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def rules(**written: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return rules from what would stand in the configuration, by key."""
    return tuple(RuleConfig.model_validate(rule).rule(key) for key, rule in written.items())


EXAMPLE = Config.model_validate(tomllib.loads(example_config())).practice("internet")


def clinic(**written: Mapping[str, Any]) -> Practice:
    """Return a practice like the example's, with these rules if any are given."""
    return replace(EXAMPLE, rules=rules(**written)) if written else EXAMPLE


@dataclass
class World:
    """One visit: booked, changed, told of. Every method that acts returns the world."""

    practice: Practice = EXAMPLE
    now: datetime = field(default_factory=lambda: local("2026-05-04 10:00"))
    people: dict[str, Contact] = field(default_factory=dict)
    rows: list[Message] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    visit: Appointment | None = None
    pending: bool = False
    sent: list[str] = field(default_factory=list)
    went_to: list[str] = field(default_factory=list)
    covered_by: dict[int, str | None] = field(default_factory=dict)
    next_at: dict[int, datetime] = field(default_factory=dict)
    all_rules: tuple[Rule, ...] = ()

    # ------------------------------------------------------------------ the visit

    def book(self, starts: str, at: str | None = None, **facts: Any) -> Self:
        """Book a video visit; `facts` are fields of the appointment, such as `birth_date`."""
        self._clock(at)
        truth = Truth(local(starts, self.practice.zone), VisitStatus.BOOKED)
        base = Appointment(1, self.practice.clinic, "B-2041", "videobesök", truth, self.now)
        self.visit = replace(base, **facts)
        if not self.people:
            self.person("patient", phone="phone-1", role=Role.PATIENT)
        return self._changed()

    def move(self, starts: str, at: str | None = None, *, silently: bool = False) -> Self:
        """Give the visit another time, and book it again if it was cancelled."""
        return self._tell(
            Truth(local(starts, self.practice.zone), VisitStatus.BOOKED), at, silently
        )

    def cancel(self, at: str | None = None) -> Self:
        """Cancel the visit."""
        return self._tell(Truth(self.booked.truth.starts_at, VisitStatus.CANCELLED), at, False)

    def rebook(self, at: str | None = None) -> Self:
        """Book a cancelled visit again at the time it had."""
        return self._tell(Truth(self.booked.truth.starts_at, VisitStatus.BOOKED), at, False)

    def fact(self, **facts: Any) -> Self:
        """Change what is known of the visit or its patient, such as `protected`."""
        self.visit = replace(self.booked, **facts)
        return self._changed()

    @property
    def booked(self) -> Appointment:
        """Return the visit, which has to be there."""
        assert self.visit is not None
        return self.visit

    @property
    def own_login(self) -> bool | None:
        """Return whether the patient is of the age for a login of their own at the visit."""
        return self.practice.own_login(self.booked.birth_date, self.booked.truth.starts_at)

    def _tell(self, truth: Truth, at: str | None, silently: bool) -> Self:
        self._clock(at)
        changed_at = self.booked.changed_at if silently else self.now
        self.visit = replace(self.booked, truth=truth, changed_at=changed_at)
        return self._changed()

    def _changed(self) -> Self:
        self.pending = True
        return self

    # ------------------------------------------------------------------ its people

    def person(
        self,
        who: str,
        phone: str | None = None,
        email: str | None = None,
        role: Role = Role.GUARDIAN,
        refused: Iterable[Channel] = (),
        wishes: Wishes = NO_WISHES,
    ) -> Self:
        """Add a person, with consent for each address unless it is refused."""
        reach = _reach(phone, email, frozenset(refused))
        return self._put(Contact(len(self.people) + 1, role, reach, None, wishes), who)

    def wants(self, who: str, **wishes: Any) -> Self:
        """Change a person's wishes; hours without SMS are written like '08:00-15:00'."""
        known = self.people[who]
        if isinstance(wishes.get("no_sms"), str):
            wishes["no_sms"] = parse_quiet(wishes["no_sms"])
        return self._put(replace(known, wishes=replace(known.wishes, **wishes)), who)

    def correct(self, who: str, phone: str | None = None, email: str | None = None) -> Self:
        """Replace a person's addresses, and keep what they have wished."""
        known = self.people[who]
        refused = {c for c, r in known.reach.items() if r.consent is Consent.REFUSED}
        return self._put(replace(known, reach=_reach(phone, email, frozenset(refused))), who)

    def wish(self, who: str, channel: Channel, consent: Consent) -> Self:
        """Record a person's consent, or refusal, for one channel."""
        known = self.people[who]
        reach = {**known.reach, channel: replace(known.reach[channel], consent=consent)}
        return self._put(replace(known, reach=reach), who)

    def opt(self, address: str, *, out: bool) -> Self:
        """Opt an address out, or in again, for everybody who has it."""
        for who, known in list(self.people.items()):
            reach = {
                c: replace(r, opted_out=out) if r.address_key == address else r
                for c, r in known.reach.items()
            }
            self._put(replace(known, reach=reach), who)
        return self

    def remove(self, who: str) -> Self:
        """Take a person off the patient's contacts."""
        del self.people[who]
        return self._changed()

    def _put(self, contact: Contact, who: str) -> Self:
        self.people[who] = contact
        return self._changed()

    # ------------------------------------------------------------------ the clinic

    def ask(self, rule: str, at: str | None = None, who: str | None = None) -> Self:
        """Have staff ask for a rule's text now, or answer one person; it is planned at once."""
        self._clock(at)
        contact = self.people[who].id if who else None
        self.requests.append(Request(len(self.requests) + 1, rule, self.now, contact))
        return self._changed().plan()

    def switch(self, *, off: str = "", on: str = "") -> Self:
        """Switch a rule off, or on again."""
        self.all_rules = self.all_rules or self.practice.rules
        keys = {rule.key for rule in self.practice.rules} - {off} | {on}
        chosen = tuple(rule for rule in self.all_rules if rule.key in keys)
        self.practice = replace(self.practice, rules=chosen)
        return self._changed()

    # ------------------------------------------------------------------ time and planning

    def _clock(self, at: str | None) -> None:
        if at is not None:
            moment = local(at, self.practice.zone)
            assert moment >= self.now, "a story goes forward"
            self.now = moment

    def sleep(self, until: str) -> Self:
        """Let time pass with the program down."""
        self._clock(until)
        return self

    @property
    def case(self) -> Case:
        """Return the visit as the planner would read it now."""
        people = tuple(self.people.values())
        return Case(self.booked, people, tuple(self.rows), tuple(self.requests))

    def planned(self) -> Plan:
        """Return what the planner would decide now, and write nothing."""
        return plan(self.case, self.practice, self.now)

    def plan(self) -> Self:
        """Plan, and write the rows that differ."""
        result = self.planned()
        for change in difference(self.case, result, self.practice):
            self._write(change)
        self.visit = result.appointment
        self.pending = False
        return self

    def _write(self, change: Change) -> None:
        rows = written(self.rows, [change])
        row = next(m for m in rows if m.id == change.id) if change.id else rows[-1]
        self.covered_by[row.id] = change.covered_by
        self.next_at[row.id] = change.due_at
        self._keep(row)

    def _keep(self, row: Message) -> None:
        self.rows = [*(m for m in self.rows if m.id != row.id), row]
        self.rows.sort(key=lambda m: m.id)
        keys = [m.key for m in self.rows]
        assert len(keys) == len(set(keys)), "the database has one row a key"

    # ------------------------------------------------------------------ sending

    def run(self, until: str) -> Self:
        """Let the program work until then: plan what waits, send what falls due."""
        end = local(until, self.practice.zone)
        for _ in range(MOST_ROUNDS):
            if self.pending:
                self.plan()
            waiting = [self.next_at[m.id] for m in self.rows if m.state is State.PLANNED]
            wake = min(waiting, default=None)
            if wake is None or max(wake, self.now) > end:
                self.now = end
                return self
            self.now = max(self.now, wake)
            self.dispatch()
        raise AssertionError("the story does not come to rest")

    def dispatch(self) -> Self:
        """Do one round: end what is too late, claim what may go, send it, take the answers."""
        for row in self.rows:
            if row.state is State.PLANNED and row.not_after < self.now:
                self._settle(row, Step(State.EXPIRED, Reason.DEADLINE_PASSED))
                self.pending = self.pending or row.request_id is not None
        case = self.case
        claimed = [row for row in self._due() if self._claim(row, case)]
        for row in claimed:
            self._answer(next(m for m in self.rows if m.id == row.id))
        return self

    def _due(self) -> Iterator[Message]:
        ready = [
            m for m in self.rows if m.state is State.PLANNED and self.next_at[m.id] <= self.now
        ]
        return iter(sorted(ready, key=lambda m: (self.next_at[m.id], m.id)))

    def _claim(self, row: Message, case: Case) -> bool:
        match gate(row, case, self.practice, self.now):
            case Go():
                assert row.truth == self.booked.truth, "only what is true is told"
                assert self.now <= row.not_after, "only what helps is sent"
                entry = self.practice.rule[row.key.rule].template in WITH_ENTRY
                taken = replace(
                    row,
                    attempts=row.attempts + 1,
                    sent_at=self.now,
                    reason=None,
                    retryable=False,
                    calendar=entry and row.key.channel is Channel.EMAIL,
                    says_own_login=self.own_login,
                )
                self._settle(taken, Step(State.SENDING))
                return True
            case Wait(until=until):
                self.next_at[row.id] = until
            case Stop(state=state, reason=reason):
                self._settle(row, Step(state, reason))
            case Replan():
                self.pending = True
        return False

    def _answer(self, row: Message) -> None:
        waiting = self.answers.get(row.address_key, [])
        outcome = waiting.pop(0) if waiting else ACCEPTED
        step = after_outcome(
            outcome, now=self.now, not_after=row.not_after, attempt=row.attempts, jitter=0.5
        )
        if step.state is State.ACCEPTED:
            self.sent.append(self.line(row))
            self.went_to.append(row.address_key)
        self._settle(row, step)
        if step.opt_out:
            self.opt(row.address_key, out=True)
        if row.request_id is not None or step.state not in {State.ACCEPTED, State.UNKNOWN}:
            self.pending = True

    def _settle(self, row: Message, step: Step) -> None:
        before = next(m.state for m in self.rows if m.id == row.id)
        back = step.state is State.PLANNED
        self._keep(
            replace(
                row,
                state=check(before, step.state),
                reason=step.reason,
                retryable=step.reason in RETRYABLE,
                sent_at=None if back else row.sent_at,
            )
        )
        if step.next_at is not None:
            self.next_at[row.id] = step.next_at

    def line(self, row: Message) -> str:
        """Return what went out, when, to whom and how."""
        moment = (row.sent_at or self.now).astimezone(self.practice.zone)
        who = next((w for w, c in self.people.items() if c.id == row.key.contact), "nobody")
        return f"{moment:%m-%d %H:%M} {row.key.rule} {who} {row.key.channel}"

    # ------------------------------------------------------------------ receipts

    def receive(
        self, rule: str, state: State | None, reason: Reason | None = None, at: str | None = None
    ) -> Self:
        """Take a report in on the last message of this rule that waits for one."""
        self._clock(at)
        row = [m for m in self.rows if m.key.rule == rule and m.attempts][-1]
        step = after_receipt(row.state, Receipt("ref", state, reason), self.now)
        if step is not None:
            self._settle(row, step)
            self.pending = self.pending or step.state in {State.UNDELIVERED, State.FAILED}
        return self

    def deliver(self, rule: str) -> Self:
        """Report that the message arrived."""
        return self.receive(rule, State.DELIVERED)

    def undeliver(self, rule: str, at: str | None = None, reason: Reason = Reason.BLOCKED) -> Self:
        """Report that the message did not arrive."""
        return self.receive(rule, State.UNDELIVERED, reason, at)

    def out_of_reach(self, address: str, at: str | None = None) -> Self:
        """Find what waits for this address out of reach: its channel is down."""
        self._clock(at)
        for row in self.rows:
            if row.state is State.PLANNED and row.address_key == address:
                self._keep(replace(row, reason=Reason.OUT_OF_REACH))
        return self._changed()

    def back(self, channel: Channel, at: str | None = None) -> Self:
        """Let a channel work again: what was given up on it and still waits elsewhere may go."""
        self._clock(at)
        waits = {State.PLANNED, State.SENDING, State.UNKNOWN}
        waiting = {
            m.key[:2] for m in self.rows if m.state in waits and m.key.channel is not channel
        }
        for row in self.rows:
            given_up = row.state is State.SUPPRESSED and row.reason is Reason.OUT_OF_REACH
            if given_up and row.key.channel is channel and row.key[:2] in waiting:
                self._keep(replace(row, reason=Reason.CHANNEL_DOWN))
        return self._changed()

    def lose_answers(self, rule: str) -> Self:
        """Make the fate of the last message of this rule unknown."""
        row = [m for m in self.rows if m.key.rule == rule and m.attempts][-1]
        self._keep(replace(row, state=State.UNKNOWN, reason=Reason.NO_ANSWER))
        return self

    # ------------------------------------------------------------------ what to assert

    def why(self, rule: str, who: str = "patient") -> set[Reason]:
        """Return why this person gets no text of this rule: as kept, else as decided now."""
        wanted = (self.booked.version, rule, self.people[who].id)
        kept = {m.reason for m in self.rows if m.key[:3] == wanted and m.reason}
        if kept:
            return kept
        decided = [d for d in self.planned().decisions if isinstance(d, Suppress)]
        return {d.reason for d in decided if d.key[1:3] == wanted[1:]}

    def states(self, rule: str) -> list[State]:
        """Return the states of this rule's rows, in the order they were made."""
        return [m.state for m in self.rows if m.key.rule == rule]

    def waiting(self) -> list[str]:
        """Return what is planned, as lines, in the order of time."""
        open_rows = sorted(
            (m for m in self.rows if m.state is State.PLANNED), key=lambda m: (m.due_at, m.id)
        )
        return [self.line(replace(m, sent_at=m.due_at)) for m in open_rows]


def _reach(
    phone: str | None, email: str | None, refused: frozenset[Channel]
) -> dict[Channel, Reach]:
    return {
        channel: Reach(address, Consent.REFUSED if channel in refused else Consent.GIVEN)
        for channel, address in ((Channel.SMS, phone), (Channel.EMAIL, email))
        if address
    }


def born(text: str) -> date:
    """Return a birth date."""
    return date.fromisoformat(text)


def minutes(count: float) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=count)
