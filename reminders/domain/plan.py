"""The planner: from a visit, its people, the rules and the past to a decision for each.

`plan` is pure and total: each rule and contact gets a message, or the reason why there is none.
Planning again with nothing changed decides the same.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reminders.domain.appointment import Appointment, VisitStatus, advance, age_at
from reminders.domain.contact import Channel, Consent, Contact, unchosen
from reminders.domain.coverage import one_text_now, readers_of, share_addresses, stands_for
from reminders.domain.decision import Decision, Kept, Send, Suppress
from reminders.domain.lifecycle import NOT_REACHED, TOLD
from reminders.domain.message import Key, Message, Request, is_open, latest_per_rule
from reminders.domain.outages import given_up, is_stuck
from reminders.domain.reasons import UNRECORDED, Reason
from reminders.domain.rules import Deliver, Event, Practice, Rule
from reminders.domain.state import State
from reminders.domain.timing import Timer, Timing
from reminders.domain.told import still_holding, went_there
from reminders.domain.tries import is_no_address, settles, without_repeats
from reminders.domain.twins import TAKES_PLACE, Twin, said_by_twin, takes_place, told_by

URGENT_WITHIN = timedelta(hours=1)
"""A message whose usefulness ends this soon after it is due goes before the others."""

REQUEST_HELPS = timedelta(hours=1)
"""Staff ask for a text to go now: what could not go within this time, they are shown."""

ON_REQUEST = frozenset({Event.REQUEST, Event.REPLY})
"""Rules that wait for somebody to ask."""

Timings = dict[Channel, Timing | Reason]
"""When a message is due on each channel, or why it is not."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one visit when it is planned."""

    appointment: Appointment
    contacts: tuple[Contact, ...]
    history: tuple[Message, ...] = ()
    requests: tuple[Request, ...] = ()
    twins: tuple[Twin, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The appointment as now known, and a decision for each rule and contact."""

    appointment: Appointment
    decisions: tuple[Decision, ...]


def plan(case: Case, practice: Practice, now: datetime) -> Plan:
    """Decide every rule for every contact of the visit. `now` is aware and in UTC."""
    appointment = advance(case.appointment, now)
    planner = Planner(appointment, case.history, practice, now, case.twins)
    decisions: list[Decision] = []
    for contact in sorted(case.contacts, key=lambda contact: contact.id):
        for rule in practice.rules:
            decisions += planner.decide(rule, contact)
        for request in latest_per_rule(case.requests):
            decisions += planner.answer(request, contact)
    theirs, past = case.contacts, planner.holding
    holding = [m for m in past if m.state not in TOLD or went_there(m, theirs)]
    readers = readers_of(case.history, theirs, appointment.truth)
    decisions = one_text_now(decisions, holding, appointment, practice, now, readers)
    decisions = share_addresses(decisions, holding, appointment, practice)
    return Plan(appointment, tuple(decisions))


@dataclass(slots=True)
class Planner:
    """Decides one rule for one person at a time; `plan` asks it for all of them."""

    appointment: Appointment
    history: tuple[Message, ...]
    practice: Practice
    now: datetime
    twins: tuple[Twin, ...] = ()
    given: dict[tuple[str, int, Channel], int] = field(default_factory=dict)
    holding: list[Message] = field(init=False)
    """What went, by twins too, without what told wrongly who logs in: asked for again and again."""

    def __post_init__(self) -> None:
        """Look through the history once."""
        visit = self.appointment
        own_login = self.practice.own_login(visit.birth_date, visit.truth.starts_at)
        past = self.history
        if self.twins:
            past += told_by(self.twins, visit.truth)
        self.holding = still_holding(past, own_login=own_login)

    def decide(self, rule: Rule, contact: Contact) -> list[Decision]:
        """Decide one rule for one contact, requests aside."""
        meant = self.meant(rule, contact)
        if rule.when in ON_REQUEST or not meant:
            reason = Reason.ON_REQUEST if meant else Reason.NOT_IN_AUDIENCE
            return [self._no(rule, contact, rule.channels[0], reason)]
        return self._route(rule, contact, self.timings(rule, contact), None)

    def answer(self, request: Request, contact: Contact) -> list[Decision]:
        """Decide a request: now, at any hour, as long as the text can still help.

        It is for the visit as it was when they asked, and for the people it had then; or for the
        one person who wrote, whose answer helps whenever the visit is.
        """
        rule = self.practice.rule.get(request.rule)
        lapses_at = request.requested_at + REQUEST_HELPS
        meant = rule is not None and self.meant(rule, contact)
        meant = meant and request.contact in {None, contact.id}
        outdated = request.requested_at < (self.appointment.known_at or self.now)
        asked_for = any(
            m.request_id == request.id and m.key.contact == contact.id for m in self.history
        )
        if rule is None or not meant or outdated or (self.now > lapses_at and not asked_for):
            return []
        deadline = min(self.appointment.truth.starts_at + rule.not_after, lapses_at)
        if rule.when is Event.REPLY:
            deadline = lapses_at
        timing: Timing | Reason = Timing(request.requested_at, deadline)
        if self.now > deadline:
            timing = Reason.TOO_LATE
        timing = self.veto(rule, contact) or self._not_chosen(contact) or timing
        return self._route(rule, contact, dict.fromkeys(rule.channels, timing), request.id)

    def meant(self, rule: Rule, contact: Contact) -> bool:
        """Tell whether the rule is for this person, at the patient's age at the visit."""
        starts_at = self.appointment.truth.starts_at
        age = age_at(self.appointment.birth_date, starts_at, self.practice.zone)
        return rule.audience.includes(contact.role, age)

    def veto(self, rule: Rule, contact: Contact) -> Reason | None:
        """Return why the visit lets this rule say nothing to this person; None if it may."""
        cancelled = self.appointment.truth.status is VisitStatus.CANCELLED
        if cancelled and rule.when is Event.CANCELLED:
            place = takes_place(
                self.twins, self.history, contact, self.appointment.truth, self.practice
            )
            if place is not None:
                return place
        elif cancelled and rule.when is not Event.REPLY:
            return Reason.VISIT_CANCELLED
        if self.appointment.protected:
            return Reason.PROTECTED_IDENTITY
        if self.appointment.kind not in self.practice.video_kinds and not (
            cancelled and rule.when is Event.CANCELLED  # who was told of it as one hears this too
        ):
            return Reason.NOT_VIDEO
        off = rule.when is Event.CANCELLED
        return Reason.NOTHING_TO_TELL if off and not cancelled else None

    def _not_chosen(self, contact: Contact) -> Reason | None:
        """Return why a guardian is not contacted: from the age of an own login only by choice."""
        starts_at = self.appointment.truth.starts_at
        age = age_at(self.appointment.birth_date, starts_at, self.practice.zone)
        return unchosen(contact, age, self.practice.own_from_age)

    def timings(self, rule: Rule, contact: Contact) -> Timings:
        """Return when the rule's message is due on each of its channels, or why it is not."""
        timer = Timer(self.appointment, self.history, self.practice, self.now)
        veto = self.veto(rule, contact)
        beside = self._beside(rule, contact, veto) if self.twins else None
        timings: Timings = {}
        for channel in rule.channels:
            # An entry in a calendar is of one booking: no other's text puts it right.
            entry = beside and timer.calendar_is_wrong(rule.when, contact, channel)
            timing = (None if entry else beside) or veto or timer.timing(rule, contact, channel)
            if veto is None and timing not in UNRECORDED:
                timing = self._not_chosen(contact) or timing
            timings[channel] = timing
        return timings

    def _beside(self, rule: Rule, contact: Contact, veto: Reason | None) -> Reason | None:
        """Return why the visit, or another booking of the patient, lets a rule say nothing.

        That a visit is over is told once, also where it may not be told by a text.
        """
        visit = self.appointment
        over = rule.when is Event.CANCELLED and visit.truth.status is VisitStatus.CANCELLED
        if veto is not None and (not over or veto in TAKES_PLACE):
            return veto
        past, heard = self.history, self.holding
        said = said_by_twin(self.twins, past, heard, visit, rule, contact, self.practice)
        return said or veto

    def _route(
        self, rule: Rule, contact: Contact, timings: Timings, request_id: int | None
    ) -> list[Decision]:
        """Try the rule's channels in order: the first that can, or each of them.

        The one that the person prefers is tried before the others. Who has been told on one
        channel is not told again because an earlier one can be used now. One that is out of reach
        waits only if no other can be used. An entry in a calendar is put right as well, wherever
        else the change is told.
        """
        channels = rule.channels
        if rule.deliver is Deliver.FIRST:
            channels = tuple(sorted(channels, key=lambda c: c is not contact.wishes.prefers))
            told_on = (
                c for c in channels if self.standing(rule, contact, c, timings[c], request_id)
            )
            channels = tuple(told_on)[:1] or channels
        also = self.also(rule, contact) if request_id is None else ()
        channels += tuple(channel for channel in also if channel not in channels)
        passed_over: list[Decision] = []
        chosen: list[Decision] = []
        stuck: list[Send] = []
        for channel in channels:
            if chosen and rule.deliver is Deliver.FIRST and channel not in also:
                continue
            decision = self._slot(rule, contact, channel, timings[channel], request_id)
            first = rule.deliver is Deliver.FIRST
            if first and isinstance(decision, Send) and is_stuck(decision, self.history):
                stuck.append(decision)
            elif settles(decision, self.now):
                chosen.append(decision)
            else:
                passed_over.append(decision)
        if not chosen:
            chosen, stuck = [*stuck[:1]], stuck[1:]
        passed_over += [given_up(send, self.history) for send in stuck]
        telling = [d for d in passed_over if not is_no_address(d)]
        if chosen:
            return telling + chosen
        return without_repeats(telling, self.history) if telling else passed_over[:1]

    def also(self, rule: Rule, contact: Contact) -> tuple[Channel, ...]:
        """Return the channels of a rule on which a change goes besides the first that can."""
        timer = Timer(self.appointment, self.history, self.practice, self.now)
        return tuple(c for c in rule.channels if timer.calendar_is_wrong(rule.when, contact, c))

    def _slot(
        self,
        rule: Rule,
        contact: Contact,
        channel: Channel,
        timing: Timing | Reason,
        request_id: int | None,
    ) -> Decision:
        done = self._done(rule, contact, channel, timing, request_id)
        if done is not None:
            return done
        reach = contact.reach.get(channel)
        if isinstance(timing, Reason) and (reach is not None or timing in UNRECORDED):
            return self._no(rule, contact, channel, timing, request_id)
        if isinstance(timing, Reason) or reach is None:
            return self._no(rule, contact, channel, Reason.NO_ADDRESS, request_id)
        opted_out = reach.opted_out and not rule.despite_opt_out
        if opted_out or reach.consent is Consent.REFUSED:
            reason = Reason.OPTED_OUT if opted_out else Reason.NO_CONSENT
            return self._no(rule, contact, channel, reason, request_id)
        if not self.practice.may_write_to(channel, reach.address_key):
            return self._no(rule, contact, channel, Reason.ENVIRONMENT, request_id)
        missed = self._missed(rule, channel, reach.address_key, request_id)
        if missed and not (len(missed) == 1 and missed[0].retryable):
            own = [m for m in missed if m.key.contact == contact.id]
            if own:
                return Kept(own[-1])
            reason = missed[-1].reason or Reason.NOT_DELIVERED
            return self._no(rule, contact, channel, reason, request_id)
        return Send(
            self._key(rule, contact, channel, request_id),
            timing.due_at,
            timing.not_after,
            reach.address_key,
            short=timing.short,
            urgent=timing.not_after - timing.due_at <= URGENT_WITHIN,
            request_id=request_id,
        )

    def _done(
        self,
        rule: Rule,
        contact: Contact,
        channel: Channel,
        timing: Timing | Reason,
        request_id: int | None,
    ) -> Decision | None:
        """Return the decision where this slot's text has gone, or has run out of time."""
        version = self.appointment.version
        standing = self.standing(rule, contact, channel, timing, request_id)
        if standing is not None and standing.key.version != version:
            return self._no(rule, contact, channel, Reason.ALREADY_SENT, request_id)
        past = self._past(rule, contact, channel, request_id)
        expired = (m for m in past if m.state is State.EXPIRED and m.key.version == version)
        ended = standing or next(expired, None)
        return Kept(ended) if ended is not None else None

    def standing(
        self,
        rule: Rule,
        contact: Contact,
        channel: Channel,
        timing: Timing | Reason,
        request_id: int | None,
    ) -> Message | None:
        """Return the message of this slot that has told what is now true, if there is one.

        An event is told of anew in each version. A text that staff asked for stands for the rule's
        own if it went shortly before that was due, or later: an early one must not cost the timely
        one.
        """
        starts_at = self.appointment.truth.starts_at

        def stands(message: Message) -> bool:
            current = message.key.version == self.appointment.version
            if message.state not in TOLD or (isinstance(rule.when, Event) and not current):
                return False
            timely = isinstance(timing, Reason) or stands_for(
                rule, message.went_at, timing.due_at, starts_at
            )
            return message.request_id == request_id or timely

        past = self._past(rule, contact, channel, request_id)
        return next((message for message in past if stands(message)), None)

    def _missed(
        self, rule: Rule, channel: Channel, address_key: str, request_id: int | None
    ) -> list[Message]:
        """Return what did not arrive at this address, whoever of the visit's people it was for."""
        return [
            m
            for m in self.history
            if m.state in NOT_REACHED
            and (m.key.rule, m.key.channel) == (rule.key, channel)
            and m.truth == self.appointment.truth
            and m.address_key == address_key
            and m.request_id == request_id
        ]

    def _past(
        self, rule: Rule, contact: Contact, channel: Channel, request_id: int | None
    ) -> list[Message]:
        """Return earlier messages of this slot that told, or tried to tell, what is now true.

        What went to an address that has since been corrected, or is gone, has told them nothing.
        """
        past = self.history if request_id else self.holding
        if not past:
            return []

        def counts(message: Message) -> bool:
            if message.key.rule != rule.key or message.key.channel is not channel:
                return False
            if message.state in TOLD and not went_there(message, [contact]):
                return False
            if request_id is not None:
                return message.request_id == request_id and message.key.contact == contact.id
            if message.truth != self.appointment.truth or message.key.contact != contact.id:
                return False
            # A text on request stands for the rule's own, but not the other way round.
            return message.request_id is None or message.state in TOLD

        return sorted((m for m in past if counts(m)), key=lambda m: m.key)

    def _no(
        self,
        rule: Rule,
        contact: Contact,
        channel: Channel,
        reason: Reason,
        request_id: int | None = None,
    ) -> Decision:
        rows = [
            m
            for m in self._rows(rule, contact, channel)
            if m.attempts
            and m.request_id == request_id
            and (m.state not in TOLD or went_there(m, [contact]))
        ]
        if rows and rows[-1].state is not State.PLANNED:
            return Kept(rows[-1])
        return Suppress(self._key(rule, contact, channel, request_id), reason, request_id)

    def _rows(self, rule: Rule, contact: Contact, channel: Channel) -> list[Message]:
        if not self.history:
            return []
        version = self.appointment.version
        slot = (version, rule.key, contact.id, channel)
        return sorted((m for m in self.history if m.key[:4] == slot), key=lambda m: m.key)

    def _key(self, rule: Rule, contact: Contact, channel: Channel, request_id: int | None) -> Key:
        """Return the slot's open occasion, or the next one that is free."""
        rows = self._rows(rule, contact, channel)
        slot = (rule.key, contact.id, channel)
        for row in reversed(rows):
            if row.request_id == request_id and is_open(row):
                return row.key
        used = max((row.key.occasion for row in rows), default=-1)
        occasion = max(used, self.given.get(slot, -1)) + 1
        self.given[slot] = occasion
        return Key(self.appointment.version, *slot, occasion)
