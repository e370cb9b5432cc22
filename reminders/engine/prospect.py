"""What cancelling visits, or sending a text about them, leads to: before it is done, and after.

Before, the real planner decides over visits that are not yet as they would be; after, the same is
read from the rows. Both say of each visit what its people get, and who gets nothing, and why.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.contact import Channel
from reminders.domain.lifecycle import NOT_REACHED, TOLD
from reminders.domain.message import Message, Request
from reminders.domain.outbox import difference, written
from reminders.domain.plan import Case, plan
from reminders.domain.reasons import Reason
from reminders.domain.rules import Event, Practice
from reminders.domain.state import State
from reminders.engine import desk
from reminders.engine.beside import without
from reminders.engine.forecast import Forecast, Forecaster
from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.store import called, cases, pages, views
from reminders.store.called import Called
from reminders.store.database import Connection
from reminders.store.pages import Person
from reminders.store.views import Line, Visit

ASKED = 1 << 62
"""The id of a request that nobody has made: later than all that are."""

GOING = TOLD | {State.PLANNED}

LATELY = timedelta(hours=4)
"""Whoever asks for a text again so soon is told that it was asked for before."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Somebody who is not told, or too late, and why. `person` None: it is of the whole visit."""

    visit: Visit
    person: Person | None
    reason: Reason
    phones: tuple[Person, ...] = ()
    """Whom there is to phone."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What the people of one visit get. `at` (UTC) is when the first of it goes, or went.

    `reached`: so much of it has arrived. `gaps`: who has to be phoned, or gets nothing. `asked_at`:
    when the same text was asked for before, a short time ago.
    """

    visit: Visit
    texts: int = 0
    emails: int = 0
    reached: int = 0
    missed: int = 0
    at: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What becomes of some visits' people. `sends`: what it comes to, where it is not yet done."""

    fates: tuple[Fate, ...]
    sends: Forecast

    @property
    def texts(self) -> int:
        """Return how many SMS there are."""
        return sum(fate.texts for fate in self.fates)

    @property
    def emails(self) -> int:
        """Return how many emails there are."""
        return sum(fate.emails for fate in self.fates)

    @property
    def reached(self) -> int:
        """Return how many messages have arrived."""
        return sum(fate.reached for fate in self.fates)

    @property
    def missed(self) -> int:
        """Return how many messages did not arrive."""
        return sum(fate.missed for fate in self.fates)

    @property
    def untold(self) -> int:
        """Return of how many visits nobody is told."""
        return sum(not fate.texts + fate.emails for fate in self.fates)

    @property
    def again(self) -> list[datetime]:
        """Return when the same text was asked for before, for each visit of which it was."""
        return [fate.asked_at for fate in self.fates if fate.asked_at is not None]

    def gaps(self) -> dict[Reason, list[Gap]]:
        """Return who is not told, by the reason, the soonest visit first."""
        found: dict[Reason, list[Gap]] = {}
        for fate in self.fates:
            for gap in fate.gaps:
                found.setdefault(gap.reason, []).append(gap)
        return found


def before(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    visits: Sequence[Visit],
    rule: str | None,
    now: datetime,
) -> Prospect:
    """Return what would come of sending a rule's text about these visits; None: of cancelling."""
    practice = _narrow(runtime.practices[clinic], rule)
    lines = _lines_of(conn, visits)
    people = pages.people_of(conn, list(lines), former=True)
    phoned = called.by_visit(conn, list(lines))
    histories = {
        visit_id: sorted((line.message for line in found), key=lambda message: message.id)
        for visit_id, found in lines.items()
    }
    found = cases.load_cases(conn, list(lines), runtime.digest, histories)
    ids = set(lines)
    would_be = [_asked(case, rule, now) if rule else _cancelled(case, ids, now) for case in found]
    forecaster = Forecaster(conn, runtime, clinic, now)
    fates: list[Fate] = []
    for visit, case in zip(visits, would_be, strict=True):
        result = plan(case, practice, now)
        forecaster.take(case, result)
        rows = written(case.history, difference(case, result, practice))
        known = result.appointment
        then = replace(
            visit,
            status=known.truth.status.value,
            version=known.version,
            known_at=known.known_at,
        )
        own = _changed(then, lines[visit.id], rows)
        requests = None if rule is None else [ASKED]
        calls = phoned.get(visit.id, ())
        fate = _fate(runtime, then, own, requests, people[visit.id], calls, now)
        fates.append(replace(fate, asked_at=_asked_before(case, rule, now)))
    return Prospect(tuple(fates), forecaster.result())


def after(
    conn: Connection,
    runtime: Runtime,
    visits: Sequence[Visit],
    requests: Collection[int] | None,
    now: datetime,
) -> Prospect:
    """Return what has come of these requests about visits; None: of cancelling them."""
    lines = _lines_of(conn, visits)
    people = pages.people_of(conn, list(lines), former=True)
    phoned = called.by_visit(conn, list(lines))
    fates = (
        _fate(runtime, one, lines[one.id], requests, people[one.id], phoned.get(one.id, ()), now)
        for one in visits
    )
    return Prospect(tuple(fates), Forecast())


def _narrow(practice: Practice, rule: str | None) -> Practice:
    """Return a practice with those rules alone that can send anything: of others nothing comes."""
    if rule:
        return replace(practice, rules=(practice.rule[rule],))
    return replace(practice, rules=tuple(r for r in practice.rules if r.when is Event.CANCELLED))


def _cancelled(case: Case, ids: Collection[int], now: datetime) -> Case:
    """Return a visit as it would be, if those of these ids were cancelled."""
    truth = Truth(case.appointment.truth.starts_at, VisitStatus.CANCELLED)
    visit = replace(case.appointment, truth=truth, changed_at=now)
    return replace(case, appointment=visit, twins=without(case.twins, ids))


def _asked(case: Case, rule: str, now: datetime) -> Case:
    return replace(case, requests=(Request(ASKED, rule, now),))


def _asked_before(case: Case, rule: str | None, now: datetime) -> datetime | None:
    """Return when a text that was asked for of late went, or is to go; None if there is none."""
    went = (
        message.went_at
        for message in case.history
        if (message.key.rule, message.state in GOING) == (rule, True)
        and message.request_id is not None
        and message.went_at > now - LATELY
    )
    return max(went, default=None)


def _lines_of(conn: Connection, visits: Sequence[Visit]) -> dict[int, list[Line]]:
    """Return the messages of visits. Only of one that was given on does it matter whose each is."""
    known = {visit.id: visit for visit in visits}
    messages = cases.messages_of(conn, list(known))
    lines = {
        visit_id: [Line(message, visit, "", None, None) for message in messages.get(visit_id, ())]
        for visit_id, visit in known.items()
    }
    given_on = [visit for visit in visits if visit.former_patient_id is not None]
    lines.update((visit.id, []) for visit in given_on)
    for line in views.lines(conn, given_on) if given_on else ():
        lines[line.visit.id].append(line)
    return lines


def _changed(visit: Visit, lines: Iterable[Line], rows: Sequence[Message]) -> list[Line]:
    """Return the lines of a visit as they would be with these rows."""
    known = {line.message.id: line for line in lines}
    found: list[Line] = []
    for message in rows:
        line = known.get(message.id)
        if line is None:
            line = Line(message, visit, "", None, None)
        elif line.message is not message:
            line = replace(line, message=message)
        found.append(line)
    return found


def _fate(
    runtime: Runtime,
    visit: Visit,
    lines: Sequence[Line],
    requests: Collection[int] | None,
    people: Sequence[Person],
    phoned: Sequence[Called],
    now: datetime,
) -> Fate:
    """Return what becomes of one visit, all of whose messages and calls are given."""
    own = _of_requests(requests) if requests is not None else _of_cancelling(runtime, visit)
    rows = [line.message for line in lines if own(line.message)]
    going = [message for message in rows if message.state in GOING]
    cancelled = requests is None
    calls = desk.calls_for(runtime, visit, lines, phoned, now, {}) if cancelled else []
    gaps = [_gap(visit, call, people) for call in calls]
    if not going and not gaps:
        reason = _why_nothing(visit, rows, people, cancelled=cancelled)
        gaps = [Gap(visit, None, reason, tuple(people))]
    return Fate(
        visit,
        texts=sum(message.key.channel is Channel.SMS for message in going),
        emails=sum(message.key.channel is Channel.EMAIL for message in going),
        reached=sum(message.state is State.DELIVERED for message in going),
        missed=sum(message.state in NOT_REACHED for message in rows),
        at=min((message.went_at for message in going), default=None),
        gaps=tuple(gaps),
    )


def _of_requests(requests: Collection[int]) -> Callable[[Message], bool]:
    return lambda message: message.request_id in requests


def _of_cancelling(runtime: Runtime, visit: Visit) -> Callable[[Message], bool]:
    news = {r.key for r in runtime.practices[visit.clinic].rules if r.when is Event.CANCELLED}
    return lambda message: message.key.rule in news and message.key.version == visit.version


def _gap(visit: Visit, call: Item, people: Sequence[Person]) -> Gap:
    person = next((one for one in people if one.id == call.contact_id), None)
    return Gap(visit, person, Reason(call.reason), (person,) if person else tuple(people))


def _why_nothing(
    visit: Visit, rows: Sequence[Message], people: Sequence[Person], *, cancelled: bool
) -> Reason:
    """Return why nobody of a visit is told."""
    reasons = [message.reason for message in rows if message.reason is not None]
    if visit.protected or not people:
        return desk.nobody_to_tell(visit)
    if reasons:
        return reasons[-1]
    return Reason.NOTHING_TO_TELL if cancelled else Reason.NOT_IN_AUDIENCE
