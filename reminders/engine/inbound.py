"""What people write to us: understood, acted on, shown to staff, and answered at most once.

The shortest path: `Inbound` → `read_keyword` → opt-out, confirmation or request → one row for each
clinic it concerns. An answer is a request like one from the desk: the planner decides whether it
goes, and a number that no patient has gets none. So nothing is told to anybody who is not already
told of visits, and nothing here sends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from reminders.domain.contact import Channel
from reminders.domain.decision import Send
from reminders.domain.inbound import Keyword
from reminders.domain.message import Request
from reminders.domain.plan import Case, plan
from reminders.domain.reasons import Reason
from reminders.domain.replies import Reply
from reminders.domain.rules import NOT_COME, Event
from reminders.engine import planning
from reminders.engine.meant import meant
from reminders.engine.reading import (
    NUMBER,
    PERIOD,
    Choice,
    Reading,
    clinics_at,
    name_of,
    plain,
    read,
)
from reminders.engine.runtime import Runtime
from reminders.engine.sealing import seal
from reminders.providers.base import Inbound
from reminders.store import cases, clinics, desk
from reminders.store import inbound as store
from reminders.store.database import Connection
from reminders.store.inbound import Earlier, Near, NewInbound
from reminders.store.ledger import Fact, write

log = structlog.get_logger()

ACTOR = "inbound"
BY_SMS = "sms"
OURS = frozenset({BY_SMS, "provider"})
"""Opt-outs that the number itself has asked for, and may take back."""

MOST_ANSWERS = 6
"""So many answers a number gets in a day, whatever it writes: two machines never talk for long."""

MOST_KEPT = 20
"""So many texts of a number are kept in a day for each clinic, and a first STOP or START."""

MOST_HELP = 3
"""So many times a day the help with connecting is sent to one number."""

MOST_STRANGERS = 100
"""So many texts from unknown numbers may wait for a clinic's staff."""

LONGEST_TEXT = 2_000
SAYS_AGAIN = timedelta(hours=1)
"""A NEJ within this time of another one, of the same visit, is the same answer."""

_OF_A_VISIT = frozenset({Keyword.YES, Keyword.NO, Keyword.OTHER})
"""What somebody writes of a visit; it may be unclear of which."""

_HYPOTHETICAL = 2**62


class Taken(StrEnum):
    """What became of a text that came in."""

    TAKEN = "taken"
    REPEATED = "repeated"  # it was taken in before
    NOT_OURS = "not_ours"  # no clinic has this number as its sender, and two_way on
    OWN_NUMBER = "own_number"  # it comes from a sender of ours
    TOO_MANY = "too_many"  # the number has written so much that it is not kept


def receive(conn: Connection, runtime: Runtime, text: Inbound, now: datetime) -> Taken:
    """Take in a text, act on it, and have it answered if it is to be. Repeats are harmless."""
    ours = clinics_at(runtime, text.to)
    senders = {plain(clinic.sms.sender) for clinic in runtime.config.clinics.values()}
    if not ours:
        return Taken.NOT_OURS
    if plain(text.sender) in senders:
        return Taken.OWN_NUMBER
    text = replace(text, ref=name_of(runtime, text.ref))
    if store.is_known(conn, text.provider, text.ref):
        return Taken.REPEATED
    reading = read(conn, runtime, text, ours, now)
    taken = _Taking(conn, runtime, reading, now).take()
    log.info("inbound", keyword=reading.keyword.value, known=bool(reading.holders), outcome=taken)
    return taken


@dataclass(slots=True)
class _Taking:
    conn: Connection
    runtime: Runtime
    reading: Reading
    now: datetime
    uninformed: bool = False
    """Of the visit that an answer seems to be about they have heard nothing, or another time."""

    def take(self) -> Taken:
        """Act on the text, keep it for each clinic it concerns, and ask for the answer."""
        reading = self.reading
        if reading.stops and NUMBER.fullmatch(reading.sender):
            for _, clinic_id in reading.clinics:
                clinics.add_opt_out(self.conn, clinic_id, reading.sender, BY_SMS, self.now)
        taken_back = self._start() if reading.starts else False
        keeping = [place for place in self._concerned() if self._may_keep(place[1])]
        if not keeping:
            return Taken.TOO_MANY
        confirmed = self._confirm() if reading.keyword is Keyword.YES else None
        if reading.keyword is Keyword.NO:  # a visit that it may be of is no longer sure
            store.unconfirm(self.conn, [visit.id for visit in self._about()])
        reply = self._answer(taken_back=taken_back, confirmed=confirmed is not None)
        for key, clinic_id in keeping:
            self._keep(key, clinic_id, reply, confirmed)
        return Taken.TAKEN

    def _concerned(self) -> list[tuple[str, int]]:
        """Return the clinics whose patients have the number; if none has, all at this sender."""
        known = {holder.clinic_id for holder in self.reading.holders}
        return [place for place in self.reading.clinics if place[1] in known or not known]

    def _may_keep(self, clinic_id: int) -> bool:
        since = self.now - PERIOD
        kept = [
            e.keyword
            for e in self.reading.earlier
            if e.clinic_id == clinic_id and e.received_at >= since
        ]
        if self.reading.keyword in {Keyword.STOP, Keyword.START}:
            return len(kept) < MOST_KEPT or self.reading.keyword not in kept
        if len(kept) >= MOST_KEPT:
            return False
        return bool(self.reading.holders) or (
            store.count_strangers(self.conn, clinic_id) < MOST_STRANGERS
        )

    # ------------------------------------------------------------------ what it changes

    def _start(self) -> bool:
        """Take the number's own opt-outs back; tell whether there was one."""
        taken_back = False
        for _, clinic_id in self.reading.clinics:
            store.finish_stops(self.conn, clinic_id, self.reading.sender_key, ACTOR, self.now)
            if store.opt_out_source(self.conn, clinic_id, self.reading.sender) in OURS:
                clinics.remove_opt_out(self.conn, clinic_id, self.reading.sender, self.now)
                taken_back = True
        return taken_back

    def _confirm(self) -> Choice | None:
        """Write down who comes, if it is clear to which visit; return what was confirmed.

        Who is not texted of the visit, such as a guardian whom nobody has chosen, confirms nothing;
        nor does who has not heard yet that it has another time.
        """
        about = self._about()
        if len(about) != 1:
            self.uninformed = not about
            return None
        choice = self._first_who_may(Reply.OTHER.value, about)
        if choice is None:
            return None
        visit, contact_id = choice.visit, choice.contact_id
        people = [holder.contact_id for holder in self.reading.holders]
        told = store.told_start(self.conn, people, visit.id)
        if told is not None and told != visit.starts_at:
            self.uninformed = True
            return None
        store.confirm(self.conn, visit.id, contact_id, visit.starts_at, self.now)
        fact = Fact("confirmed", visit.id, None, {"contact": contact_id})
        write(self.conn, self.now, ACTOR, [fact])
        return choice

    def _about(self) -> tuple[Near, ...]:
        """Return the coming visits that the text may be about: one, if it is clear."""
        people = [holder.contact_id for holder in self.reading.holders]
        return meant(self.conn, self.reading.visits, people, self.now)

    # ------------------------------------------------------------------ the answer

    def _answer(self, *, taken_back: bool, confirmed: bool) -> str | None:
        """Ask for the answer; return its rule, or None if there is none or none may go."""
        wanted = self._wanted(taken_back=taken_back, confirmed=confirmed)
        if wanted is None or not self._may_answer(wanted):
            return None
        rule, choice = self._choose(wanted)
        if choice is None and wanted is Keyword.HELP and self._may_answer(Reply.OTHER):
            # There is no visit to help with; they are told at least whom to phone.
            rule, choice = self._choose(Reply.OTHER)
        if choice is None:
            return None
        desk.ask_to_send(self.conn, [choice.visit.id], rule, self.now, ACTOR, choice.contact_id)
        fact = Fact("answered", choice.visit.id, None, {"rule": rule})
        write(self.conn, self.now, ACTOR, [fact])
        planning.plan_visits(self.conn, self.runtime, [choice.visit.id], self.now)
        return rule

    def _wanted(self, *, taken_back: bool, confirmed: bool) -> Reply | Keyword | None:
        keyword, provider_told = self.reading.keyword, self.reading.text.signal is not None
        if not self.reading.holders:
            return None
        if self.reading.stops:
            # Where the provider has acted it has answered too, and lets nothing of ours through.
            return None if provider_told or self._has_stopped() else Reply.STOPPED
        match keyword:
            case Keyword.START:
                return Reply.STARTED if taken_back and not provider_told else None
            case Keyword.HELP:
                return Keyword.HELP
            case Keyword.YES:
                return None if confirmed else Reply.OTHER
            case Keyword.NO:
                # "Nothing is cancelled" is for those alone who have nothing that is.
                about = self._about()
                return Reply.CANCEL if about and all(v.booked for v in about) else Reply.OTHER
            case _:
                return Reply.OTHER

    def _has_stopped(self) -> bool:
        """Tell whether the number has written STOP before, and no START since."""
        said = [e for e in self.reading.earlier if e.keyword in {Keyword.STOP, Keyword.START}]
        last = max(said, key=lambda e: e.received_at, default=None)
        return last is not None and last.keyword is Keyword.STOP

    def _may_answer(self, wanted: Reply | Keyword) -> bool:
        """Tell whether the number may get this answer now: not twice a day, help aside."""
        since = self.now - PERIOD
        given = [e.reply for e in self.reading.earlier if e.reply and e.received_at >= since]
        if wanted is Reply.STOPPED and wanted.value not in given:
            return True  # whatever else they have written: they have to be told
        if len(given) >= MOST_ANSWERS:
            return False
        if wanted is Keyword.HELP:
            asked = [e for e in self.reading.earlier if e.keyword is wanted and e.reply]
            return len(asked) < MOST_HELP
        return wanted is Reply.STOPPED or wanted.value not in given

    def _choose(self, wanted: Reply | Keyword) -> tuple[str, Choice | None]:
        """Return the rule, and the nearest visit with which the planner would let it go."""
        likely = list(dict.fromkeys([*self._about(), *self.reading.visits]))
        if wanted is not Keyword.HELP:
            return wanted.value, self._first_who_may(wanted.value, likely)
        for visit in self.reading.visits:
            rule = next(self._help_rules(visit.clinic), "")
            choice = self._first_who_may(rule, [visit])
            if choice is not None:
                return rule, choice
        return "", None

    def _first_who_may(self, rule: str, visits: Sequence[Near]) -> Choice | None:
        """Return the first of these visits with somebody at this number whom a text may reach."""
        loaded = cases.load_cases(self.conn, [visit.id for visit in visits], self.runtime.digest)
        for visit, case in zip(visits, loaded, strict=True):
            for contact in case.contacts:
                reach = contact.reach.get(Channel.SMS)
                theirs = reach is not None and reach.address_key == self.reading.sender_key
                if theirs and self._would_go(case, rule, contact.id):
                    return Choice(visit, contact.id)
        return None

    def _help_rules(self, clinic: str) -> Iterator[str]:
        rules = self.runtime.practices[clinic].rules
        wanted = (rule for rule in rules if rule.when is Event.REQUEST)
        return (rule.key for rule in wanted if rule.template != NOT_COME)

    def _would_go(self, case: Case, rule: str, contact_id: int) -> bool:
        request = Request(_HYPOTHETICAL, rule, self.now, contact_id)
        practice = self.runtime.practices[case.appointment.clinic]
        asked = replace(case, requests=(*case.requests, request))
        return any(
            isinstance(decision, Send) and decision.request_id == request.id
            for decision in plan(asked, practice, self.now).decisions
        )

    # ------------------------------------------------------------------ what staff see

    def _keep(
        self, clinic: str, clinic_id: int, reply: str | None, confirmed: Choice | None
    ) -> None:
        reading = self.reading
        here = [holder for holder in reading.holders if holder.clinic_id == clinic_id]
        about = self._about()
        several = about if len(about) > 1 and reading.keyword in _OF_A_VISIT else ()
        visit = next((v for v in (*about, *reading.visits) if v.clinic == clinic), None)
        if confirmed is not None:
            visit = confirmed.visit if confirmed.visit.clinic == clinic else None
        if several:
            visit = None
        visits = tuple(v.id for v in several if v.clinic == clinic) or (
            (visit.id,) if visit else ()
        )
        holder = next((h for h in here if visit and h.patient_id == visit.patient_id), None)
        holder = holder or next(iter(here), None)
        unclear = bool(several)
        reason = self._reason(
            clinic_id,
            visits,
            reply,
            confirmed=confirmed is not None,
            known=bool(here),
            unclear=unclear,
        )
        store.add(
            self.conn,
            NewInbound(
                clinic_id,
                reading.text.provider,
                reading.text.ref,
                self.now,
                reading.sender_key,
                reading.keyword,
                holder.contact_id if holder else None,
                visit.id if visit else None,
                reply,
                reason.value if reason else None,
                self._sealed(reason, known=bool(here)),
                tuple(visits) if unclear else (),
            ),
            ACTOR,
        )
        detail = {"keyword": reading.keyword.value}
        write(self.conn, self.now, ACTOR, [Fact("inbound", one, None, detail) for one in visits])

    def _reason(
        self,
        clinic_id: int,
        visits: Sequence[int],
        reply: str | None,
        *,
        confirmed: bool,
        known: bool,
        unclear: bool,
    ) -> Reason | None:
        """Return why staff have to look; None if all is done, or stands there already."""
        keyword = self.reading.keyword
        waiting = [
            e
            for e in self.reading.earlier
            if e.is_open and e.clinic_id == clinic_id and e.keyword is keyword
        ]
        if keyword is Keyword.STOP and waiting:
            return None
        if keyword is Keyword.NO and any(self._says_again(one, visits) for one in waiting):
            return None
        match keyword:
            case Keyword.START:
                source = store.opt_out_source(self.conn, clinic_id, self.reading.sender)
                return Reason.WROTE_START if source is not None else None
            case Keyword.STOP if known:
                return Reason.WROTE_STOP
            case Keyword.STOP:
                return None  # of a stranger: it is kept, and there is nothing to do
            case _ if not known:
                return Reason.WROTE_UNKNOWN
            case Keyword.YES:
                vague = unclear or not visits or self.uninformed
                waits = Reason.WROTE_YES if vague else Reason.WROTE_YES_UNASKED
                return None if confirmed else waits
            case Keyword.HELP:
                return Reason.WROTE_HELP if reply in {None, Reply.OTHER} else None
            case Keyword.NO:
                alone = Reason.WROTE_NO_UNCLEAR if unclear else Reason.WROTE_NO
                return Reason.WROTE_NO_AND_STOP if self.reading.stops else alone
            case _:
                return Reason.WROTE_OTHER

    def _says_again(self, earlier: Earlier, visits: Sequence[int]) -> bool:
        """Tell whether a NEJ is the one before once more, and no answer to something new.

        One that the provider has taken for STOP says that the number gets no more texts, too.
        """
        same = bool(visits) and earlier.visits == frozenset(visits) and not self.reading.stops
        return same and self.now - earlier.received_at <= SAYS_AGAIN

    def _sealed(self, reason: Reason | None, *, known: bool) -> bytes | None:
        """Return what staff have to read: a stranger's number, and words that are no keyword."""
        words = self.reading.text.text[:LONGEST_TEXT]
        if reason is None or (known and self.reading.keyword is not Keyword.OTHER):
            return None
        number = "" if known else self.reading.sender[:40]
        return seal(self.runtime.secret, f"{number}\n{words}")
