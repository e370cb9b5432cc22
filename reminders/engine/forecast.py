"""What will be sent: the real planner and the real texts, over what is not yet written."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reminders.domain.alike import Planner, names_of
from reminders.domain.appointment import Appointment, Truth, VisitStatus, age_at
from reminders.domain.brought import Category, ContactChange, PatientChange, VisitChange
from reminders.domain.contact import Channel, Contact, Reach, canonical
from reminders.domain.decision import Send
from reminders.domain.message import Message
from reminders.domain.plan import Case, Plan, plan
from reminders.domain.told import knew
from reminders.engine.approval import Shelf
from reminders.engine.beside import NEW, Coming, beside, together, twin_of, without
from reminders.engine.runtime import Runtime
from reminders.engine.tally import Tally, kept_back, withdrawn
from reminders.engine.texts import Composer, ref_tail
from reminders.errors import TemplateError
from reminders.message.context import likeness
from reminders.message.render import Rendered
from reminders.message.sms import measure
from reminders.store import besides, cases, clinics
from reminders.store.database import Connection
from reminders.store.imports import WRITTEN


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will be sent for new and changed bookings. Instants are in UTC."""

    messages: int = 0
    segments: int = 0
    cost: float = 0.0
    currency: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None
    by_rule: Mapping[str, int] = field(default_factory=dict)
    kept_back: int = 0
    """So many more would go, but for the environment guard."""
    withdrawn: int = 0
    """So many that are planned go no more, to people whom no other text of the rule tells."""
    unwritten: int = 0
    """So many cannot go, as there is no approved text for them, or none that can be filled in."""
    samples: Mapping[str, str] = field(default_factory=dict)
    """One real SMS of each rule."""
    letters: Mapping[str, Rendered] = field(default_factory=dict)
    """One real email of each rule."""
    begun: int = 0
    """So many of the new and moved visits have begun."""

    def mark(self, now: datetime) -> tuple[object, ...]:
        """Return what time alone can make untrue of it; what goes at once does so later too."""
        first, last = (at if at and at > now else None for at in (self.first_at, self.last_at))
        sums = (self.segments, self.kept_back, self.withdrawn, self.unwritten, self.begun)
        return (sorted(self.by_rule.items()), *sums, first, last)


class Forecaster:
    """Adds up what planning the changes will lead to."""

    def __init__(self, conn: Connection, runtime: Runtime, clinic_key: str, now: datetime) -> None:
        self._conn = conn
        self._runtime = runtime
        self._clinic = runtime.clinic(clinic_key)
        self._practice = runtime.practices[clinic_key]
        library = Shelf().library(conn).of(clinic_key)
        self._composer = Composer(library, self._clinic, self._practice, runtime.digest)
        self._tells_age = library.mentions("age")
        self._now = now
        clinic_id = clinics.find_clinic_id(conn, clinic_key)
        self._opted_out = (
            {address for address, _, _ in clinics.opt_outs(conn, clinic_id)} if clinic_id else set()
        )
        self._next_id = 0
        self._begun = 0
        self._messages: dict[str, int] = {}
        self._segments = 0
        self._kept_back = 0
        self._withdrawn = 0
        self._unwritten = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._planner = Planner(self._practice, now)
        self._tallies: dict[Hashable, Tally] = {}
        self._lengths: dict[Hashable, int | None] = {}
        self._samples: dict[str, str] = {}
        self._letters: dict[str, Rendered] = {}
        self._coming = Coming()

    def add(self, change: PatientChange, *, confirm: bool) -> None:
        """Plan one patient's new and changed visits as they would be."""
        visits = [visit for visit in change.visits if visit.category in WRITTEN]
        if not visits:
            return
        contacts = tuple(map(self._contact, (*change.contacts, *change.stay)))
        known = self._cases([visit.known.id for visit in visits if visit.known])
        if change.id is not None and change.differs:
            others = besides.ids_to_come(self._conn, change.id, self._now)
            self._add_others(change, contacts, [one for one in others if one not in known])
        drafts: list[Case] = []
        for number, visit in enumerate(visits):
            case = known.get(visit.known.id) if visit.known else None
            if visit.category in {Category.NEW, Category.MOVED}:
                self._begun += visit.visit.truth.starts_at <= self._now
            appointment = self._appointment(change, visit, case, NEW + number, confirm=confirm)
            if case is None:
                drafts.append(Case(appointment, contacts))
                continue
            people = contacts or case.contacts
            stays = case.appointment.truth.starts_at == appointment.truth.starts_at
            stays = stays and case.appointment.patient_id == change.id
            twins = case.twins if stays else ()
            drafts.append(replace(case, appointment=appointment, contacts=people, twins=twins))
        drafts = together(self._conn, change.id, drafts)
        for draft in drafts:
            self._plan(draft)
            self._coming.add(change.id, draft)
        self._add_beside(change.id, known.values(), drafts)

    def _add_beside(
        self, patient_id: int | None, before: Iterable[Case], drafts: Sequence[Case]
    ) -> None:
        """Add what other bookings of a patient have to tell, or no more, as these change."""
        ids = {draft.appointment.id for draft in drafts}
        twins = {twin.id for case in (*before, *drafts) for twin in case.twins}
        for case in self._cases(sorted(twins - ids)).values():
            theirs = case.appointment.patient_id == patient_id
            news = beside(drafts, case) if theirs else ()
            others = (twin for twin in case.twins if twin.id not in ids)
            was, is_now = self._tally(case), self._tally(replace(case, twins=(*others, *news)))
            if was != is_now:
                self._add(was, times=-1)
                self._add(is_now)

    def _add_others(
        self, change: PatientChange, contacts: tuple[Contact, ...], ids: list[int]
    ) -> None:
        """Add what goes no more of other visits of a patient whose people or facts have changed."""
        for case in self._cases(ids).values():
            visit = self._of(change, case.appointment)
            people = contacts or case.contacts
            tally = self._tally(replace(case, appointment=visit, contacts=people))
            self._withdrawn += tally.withdrawn

    def add_cancelled(self, ids: Iterable[int]) -> None:
        """Plan visits that would be cancelled because the file lacks them."""
        gone = frozenset(ids)
        for case in self._cases(sorted(gone)).values():
            truth = Truth(case.appointment.truth.starts_at, VisitStatus.CANCELLED)
            coming = self._coming.beside(case)
            twins = (*without(case.twins, gone), *(twin_of(one, case) for one in coming))
            visit = self._changed(case.appointment, truth)
            self._plan(replace(case, appointment=visit, twins=twins))
            for one in coming:
                self._plan(one, times=-1)
                self._plan(replace(one, twins=without(one.twins, gone)))

    def take(self, case: Case, result: Plan) -> None:
        """Add what a visit was planned to send."""
        self._add(self._tallied(case, result))

    def result(self) -> Forecast:
        """Return the sums."""
        price = self._runtime.config.cost
        return Forecast(
            messages=sum(self._messages.values()),
            segments=self._segments,
            cost=round(self._segments * price.sms_segment, 2),
            currency=price.currency,
            first_at=self._first,
            last_at=self._last,
            by_rule=dict(self._messages),
            kept_back=self._kept_back,
            withdrawn=self._withdrawn,
            unwritten=self._unwritten,
            begun=self._begun,
            samples=dict(self._samples),
            letters=dict(self._letters),
        )

    def _cases(self, ids: list[int]) -> dict[int, Case]:
        loaded = cases.load_cases(self._conn, ids, self._runtime.digest) if ids else []
        return {case.appointment.id: case for case in loaded}

    def _contact(self, change: ContactChange) -> Contact:
        self._next_id -= 1
        person = change.person
        reach = {
            channel: Reach(
                self._runtime.digest(canonical(address)),
                person.consents[channel],
                opted_out=canonical(address) in self._opted_out,
            )
            for channel, address in ((Channel.SMS, person.phone), (Channel.EMAIL, person.email))
            if address
        }
        return Contact(
            change.id or self._next_id, person.role, reach, person.language, person.wishes
        )

    def _appointment(
        self,
        change: PatientChange,
        visit: VisitChange,
        case: Case | None,
        new_id: int,
        *,
        confirm: bool,
    ) -> Appointment:
        truth = visit.visit.truth
        if visit.category is Category.CANCELLED and visit.known:
            truth = Truth(visit.known.truth.starts_at, VisitStatus.CANCELLED)
        base = (
            self._changed(case.appointment, truth)
            if case
            else Appointment(
                new_id,
                self._practice.clinic,
                visit.visit.ref,
                "",
                truth,
                self._now,
                confirm=confirm,
            )
        )
        return replace(self._of(change, base), kind=visit.visit.kind.casefold())

    def _of(self, change: PatientChange, visit: Appointment) -> Appointment:
        """Return a visit with its patient's new facts."""
        return replace(
            visit,
            birth_date=change.birth_date,
            protected=change.protected,
            own_login=change.own_login,
        )

    def _changed(self, appointment: Appointment, truth: Truth) -> Appointment:
        return replace(appointment, truth=truth, changed_at=self._now)

    def _plan(self, case: Case, times: int = 1) -> None:
        self._add(self._tally(case), times)

    def _add(self, tally: Tally, times: int = 1) -> None:
        for rule, count in tally.messages.items():
            self._messages[rule] = self._messages.get(rule, 0) + times * count
        self._segments += times * tally.segments
        self._kept_back += times * tally.kept_back
        self._withdrawn += times * tally.withdrawn
        self._unwritten += times * tally.unwritten
        if tally.first_at and tally.last_at:
            self._first = min(self._first or tally.first_at, tally.first_at)
            self._last = max(self._last or tally.last_at, tally.last_at)

    def _tally(self, case: Case) -> Tally:
        """Return what one visit comes to. Visits that are planned and worded alike share it."""
        if case.requests:
            return self._count(case)
        names = names_of(case)
        key = (self._planner.shape(case, names), self._wording(case))
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = self._count(case)
        return tally

    def _wording(self, case: Case) -> Hashable:
        """Return what the length of the visit's texts depends on, besides its plan."""
        visit = case.appointment
        before = {m.truth.starts_at: None for m in case.history}
        logins = tuple(self._own_login_at(visit, starts_at) for starts_at in before)
        return self._about(visit), logins, tuple(contact.language for contact in case.contacts)

    def _own_login_at(self, visit: Appointment, starts_at: datetime) -> bool | None:
        """Tell whether the patient has the age for a login of their own; None if not known."""
        age = age_at(visit.birth_date, starts_at, self._practice.zone)
        return None if age is None else age >= self._clinic.eid.own_from_age

    def _about(self, visit: Appointment) -> Hashable:
        age = age_at(visit.birth_date, visit.truth.starts_at, self._practice.zone)
        if age is not None and not self._tells_age:
            age = age >= self._clinic.eid.own_from_age
        # Digits are all of one length in a text, whichever they are.
        return age, len(ref_tail(visit.ref) or "")

    def _count(self, case: Case) -> Tally:
        return self._tallied(case, plan(case, self._practice, self._now))

    def _tallied(self, case: Case, result: Plan) -> Tally:
        people = {contact.id: contact for contact in case.contacts}
        decisions = result.decisions
        tally = Tally(kept_back=kept_back(decisions), withdrawn=withdrawn(case, decisions))
        for decision in decisions:
            if isinstance(decision, Send):
                at = max(decision.due_at, self._now)
                person = people[decision.key.contact]
                before = knew(case.history, decision.key, decision.address_key)
                writing = _Writing(decision, case.appointment, person, at, before)
                sms = decision.key.channel is Channel.SMS
                segments = self._length(writing) if sms else self._letter(writing)
                if segments is None:
                    tally.unwritten += 1
                else:
                    tally.add(decision.key.rule, at, segments)
        return tally

    def _length(self, one: "_Writing") -> int | None:
        """Return how many segments a text takes: rendered once for all that differ in digits.

        None if there is no such text.
        """
        send, visit, clinic = one.send, one.visit, self._clinic
        when = likeness(visit.truth.starts_at, one.at, clinic)
        was = one.knew and (
            one.knew.truth.status,
            likeness(one.knew.truth.starts_at, one.at, clinic),
            self._own_login_at(visit, one.knew.truth.starts_at),
            one.knew.says_own_login,
        )
        person = (one.contact.role, one.contact.language)
        key = (send.key.rule, send.short, visit.truth.status, when, was, person, self._about(visit))
        if key not in self._lengths:
            self._lengths[key] = self._rendered(one)
        return self._lengths[key]

    def _rendered(self, one: "_Writing") -> int | None:
        text = self._composed(one)
        if text is None:
            return None
        self._samples.setdefault(one.send.key.rule, text.body)
        return measure(text.body).segments

    def _letter(self, one: "_Writing") -> int | None:
        """Return an email's segments, which are none, or None if there is no such text.

        One of each rule is kept as a sample.
        """
        key = ("email", one.send.key.rule, one.send.short, one.contact.language)
        if key not in self._lengths:
            text = self._composed(one)
            self._lengths[key] = None if text is None else 0
            if text is not None:
                self._letters.setdefault(one.send.key.rule, text)
        return self._lengths[key]

    def _composed(self, one: "_Writing") -> Rendered | None:
        """Return a text as it would go. None if it cannot be filled in."""
        send, rule = one.send, self._practice.rule[one.send.key.rule]
        try:
            return self._composer.compose(
                rule,
                send.key.channel,
                one.visit,
                one.contact,
                one.at,
                short=send.short,
                knew=one.knew,
            )
        except TemplateError:
            return None


@dataclass(frozen=True, slots=True)
class _Writing:
    """What one text is made of."""

    send: Send
    visit: Appointment
    contact: Contact
    at: datetime
    knew: Message | None
