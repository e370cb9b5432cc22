"""What people write to us: understood, acted on, shown to staff, and answered at most once.

The shortest path: `Inbound` → `read_keyword` → opt-out, confirmation or request → one row for each
clinic it concerns. An answer is a request like one from the desk: the planner decides whether it
goes, and a number that no patient has gets none. So nothing is told to anybody who is not already
told of visits, and nothing here sends.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from reminders.domain.contact import Channel
from reminders.domain.decision import Send
from reminders.domain.inbound import Keyword, Signal, read_keyword
from reminders.domain.message import Request
from reminders.domain.plan import Case, plan
from reminders.domain.reasons import Reason
from reminders.domain.replies import Reply
from reminders.domain.rules import NOT_COME, Event
from reminders.engine import planning
from reminders.engine.runtime import Runtime
from reminders.engine.sealing import seal
from reminders.providers.base import Inbound
from reminders.store import cases, clinics, desk
from reminders.store import inbound as store
from reminders.store.database import Connection
from reminders.store.inbound import Earlier, Holder, Near, NewInbound
from reminders.store.ledger import Fact, write

log = structlog.get_logger()

ACTOR = "inbound"
BY_SMS = "sms"
OURS = frozenset({BY_SMS, "provider"})
"""Opt-outs that the number itself has asked for, and may take back."""

PERIOD = timedelta(hours=24)
MOST_ANSWERS = 6
"""So many answers a number gets in a day, whatever it writes: two machines never talk for long."""

MOST_KEPT = 20
"""So many texts of a number are kept in a day for each clinic, and a first STOP or START."""

MOST_HELP = 3
"""So many times a day the help with connecting is sent to one number."""

MOST_STRANGERS = 100
"""So many texts from unknown numbers may wait for a clinic's staff."""

LONGEST_TEXT = 2_000
LONGEST_NAME = 200
ANSWERS_TO = timedelta(hours=48)
"""A JA is to the texts of this time, where the number has several visits to come."""

SAYS_AGAIN = timedelta(hours=1)
"""A NEJ within this time of another one, of the same visit, is the same answer."""

LOOK_BACK = timedelta(days=30)
ONGOING = timedelta(hours=1)
MOST_VISITS = 10
_HYPOTHETICAL = 2**62
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class Taken(StrEnum):
    """What became of a text that came in."""

    TAKEN = "taken"
    REPEATED = "repeated"  # it was taken in before
    NOT_OURS = "not_ours"  # no clinic has this number as its sender, and two_way on
    OWN_NUMBER = "own_number"  # it comes from a sender of ours
    TOO_MANY = "too_many"  # the number has written so much that it is not kept


def receive(conn: Connection, runtime: Runtime, text: Inbound, now: datetime) -> Taken:
    """Take in a text, act on it, and have it answered if it is to be. Repeats are harmless."""
    ours = _clinics_at(runtime, text.to)
    senders = {_plain(clinic.sms.sender) for clinic in runtime.config.clinics.values()}
    if not ours:
        return Taken.NOT_OURS
    if _plain(text.sender) in senders:
        return Taken.OWN_NUMBER
    text = replace(text, ref=_name(runtime, text.ref))
    if store.is_known(conn, text.provider, text.ref):
        return Taken.REPEATED
    reading = _read(conn, runtime, text, ours, now)
    taken = _Taking(conn, runtime, reading, now).take()
    log.info("inbound", keyword=reading.keyword.value, known=bool(reading.holders), outcome=taken)
    return taken


def _clinics_at(runtime: Runtime, to: str) -> list[str]:
    """Return the clinics that receive at this number."""
    return [
        key
        for key, clinic in runtime.config.clinics.items()
        if clinic.can_reply and _plain(clinic.sms.sender) == _plain(to)
    ]


def _plain(number: str) -> str:
    return re.sub(r"[\s()-]", "", number.encode("utf-8", "replace").decode())


def _name(runtime: Runtime, ref: str) -> str:
    """Return a text's name as it can be kept; one that is none of a provider's, as its digest."""
    odd = len(ref) > LONGEST_NAME or not ref.isprintable()
    return runtime.digest(ref.encode("utf-8", "replace").decode()) if odd else ref


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text, and all that is known of whoever sent it. `clinics` are (key, id)."""

    text: Inbound
    keyword: Keyword
    sender: str
    sender_key: str
    clinics: tuple[tuple[str, int], ...]
    holders: tuple[Holder, ...]
    visits: tuple[Near, ...]
    earlier: tuple[Earlier, ...]

    @property
    def stops(self) -> bool:
        """Tell whether the number gets no more texts from now on."""
        return self.keyword is Keyword.STOP or self.text.signal is Signal.STOP


def _read(
    conn: Connection, runtime: Runtime, text: Inbound, ours: Sequence[str], now: datetime
) -> _Reading:
    sender = _plain(text.sender)
    sender_key = runtime.digest(sender)
    places = tuple((key, clinics.clinic_id(conn, key)) for key in ours)
    found: list[Holder] = []
    if _NUMBER.fullmatch(sender):
        found = store.holders(conn, sender, [clinic_id for _, clinic_id in places])
    patients = sorted({holder.patient_id for holder in found})
    visits = store.visits_near(conn, patients, now - LOOK_BACK, now - ONGOING, MOST_VISITS)
    return _Reading(
        text,
        read_keyword(text.text, text.signal),
        sender,
        sender_key,
        places,
        tuple(found),
        tuple(visits),
        tuple(store.earlier(conn, sender_key, now - PERIOD)),
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """The visit that an answer goes with, and the one person it goes to."""

    visit: Near
    contact_id: int


@dataclass(slots=True)
class _Taking:
    conn: Connection
    runtime: Runtime
    reading: _Reading
    now: datetime

    def take(self) -> Taken:
        """Act on the text, keep it for each clinic it concerns, and ask for the answer."""
        reading = self.reading
        if reading.stops and _NUMBER.fullmatch(reading.sender):
            for _, clinic_id in reading.clinics:
                clinics.add_opt_out(self.conn, clinic_id, reading.sender, BY_SMS, self.now)
        taken_back = self._start() if reading.keyword is Keyword.START else False
        keeping = [place for place in self._concerned() if self._may_keep(place[1])]
        if not keeping:
            return Taken.TOO_MANY
        confirmed = self._confirm() if reading.keyword is Keyword.YES else None
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

    def _confirm(self) -> _Choice | None:
        """Write down who comes, if it is clear to which visit; return what was confirmed."""
        about = self._about()
        if len(about) != 1:
            return None
        [visit] = about
        contact_id = next(
            h.contact_id for h in self.reading.holders if h.patient_id == visit.patient_id
        )
        store.confirm(self.conn, visit.id, contact_id, visit.starts_at, self.now)
        fact = Fact("confirmed", visit.id, None, {"contact": contact_id})
        write(self.conn, self.now, ACTOR, [fact])
        return _Choice(visit, contact_id)

    def _about(self) -> list[Near]:
        """Return the coming visits that the text may be about: the only one, or those texted of."""
        coming = [v for v in self.reading.visits if v.booked and v.starts_at > self.now]
        if len(coming) <= 1:
            return coming
        people = [holder.contact_id for holder in self.reading.holders]
        told_of = store.told_of(self.conn, people, self.now - ANSWERS_TO)
        return [visit for visit in coming if visit.id in told_of]

    # ------------------------------------------------------------------ the answer

    def _answer(self, *, taken_back: bool, confirmed: bool) -> str | None:
        """Ask for the answer; return its rule, or None if there is none or none may go."""
        wanted = self._wanted(taken_back=taken_back, confirmed=confirmed)
        if wanted is None or not self._may_answer(wanted):
            return None
        rule, choice = self._choose(wanted)
        if choice is None:
            return None
        desk.ask_to_send(self.conn, choice.visit.id, rule, self.now, ACTOR, choice.contact_id)
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
            again = any(e.keyword is Keyword.STOP for e in self.reading.earlier)
            return None if provider_told or again else Reply.STOPPED
        match keyword:
            case Keyword.START:
                return Reply.STARTED if taken_back and not provider_told else None
            case Keyword.HELP:
                return Keyword.HELP
            case Keyword.YES:
                return None if confirmed else Reply.OTHER
            case Keyword.NO:
                return Reply.CANCEL
            case _:
                return Reply.OTHER

    def _may_answer(self, wanted: Reply | Keyword) -> bool:
        """Tell whether the number may get this answer now: not twice a day, help aside."""
        since = self.now - PERIOD
        given = [e.reply for e in self.reading.earlier if e.reply and e.received_at >= since]
        if wanted is Reply.STOPPED:
            return True  # it is asked for only at the first STOP, and they have to be told
        if len(given) >= MOST_ANSWERS:
            return False
        if wanted is Keyword.HELP:
            asked = [e for e in self.reading.earlier if e.keyword is wanted and e.reply]
            return len(asked) < MOST_HELP
        return wanted.value not in given

    def _choose(self, wanted: Reply | Keyword) -> tuple[str, _Choice | None]:
        """Return the rule, and the nearest visit with which the planner would let it go."""
        rule = wanted.value
        loaded = cases.load_cases(
            self.conn, [visit.id for visit in self.reading.visits], self.runtime.digest
        )
        for visit, case in zip(self.reading.visits, loaded, strict=True):
            if wanted is Keyword.HELP:
                rule = next(self._help_rules(visit.clinic), "")
            for contact in case.contacts:
                reach = contact.reach.get(Channel.SMS)
                theirs = reach is not None and reach.address_key == self.reading.sender_key
                if theirs and self._would_go(case, rule, contact.id):
                    return rule, _Choice(visit, contact.id)
        return rule, None

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
        self, clinic: str, clinic_id: int, reply: str | None, confirmed: _Choice | None
    ) -> None:
        reading = self.reading
        here = [holder for holder in reading.holders if holder.clinic_id == clinic_id]
        likely = [*self._about(), *reading.visits]
        visit = next((v for v in likely if v.clinic == clinic), None)
        if confirmed is not None:
            visit = confirmed.visit if confirmed.visit.clinic == clinic else None
        holder = next((h for h in here if visit and h.patient_id == visit.patient_id), None)
        holder = holder or next(iter(here), None)
        reason = self._reason(
            clinic_id, visit, reply, confirmed=confirmed is not None, known=bool(here)
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
            ),
            ACTOR,
        )
        detail = {"keyword": reading.keyword.value}
        if visit is not None:
            write(self.conn, self.now, ACTOR, [Fact("inbound", visit.id, None, detail)])

    def _reason(
        self, clinic_id: int, visit: Near | None, reply: str | None, *, confirmed: bool, known: bool
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
        if keyword is Keyword.NO and any(self._says_again(one, visit) for one in waiting):
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
                return None if confirmed else Reason.WROTE_YES
            case Keyword.HELP:
                return None if reply else Reason.WROTE_HELP
            case Keyword.NO:
                return Reason.WROTE_NO
            case _:
                return Reason.WROTE_OTHER

    def _says_again(self, earlier: Earlier, visit: Near | None) -> bool:
        """Tell whether a NEJ is the one before once more, and no answer to something new."""
        same = visit is not None and earlier.appointment_id == visit.id
        return same and self.now - earlier.received_at <= SAYS_AGAIN

    def _sealed(self, reason: Reason | None, *, known: bool) -> bytes | None:
        """Return what staff have to read: a stranger's number, and words that are no keyword."""
        words = self.reading.text.text[:LONGEST_TEXT]
        if reason is None or (known and self.reading.keyword is not Keyword.OTHER):
            return None
        number = "" if known else self.reading.sender[:40]
        return seal(self.runtime.secret, f"{number}\n{words}")
