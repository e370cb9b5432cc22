"""The desk: what staff do by hand, and what they ask. Each act is planned at once and told."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from reminders.domain.appointment import Truth, VisitStatus
from reminders.domain.contact import Channel, canonical
from reminders.domain.lifecycle import TOLD
from reminders.domain.reasons import Reason
from reminders.domain.rules import NOT_COME, Event
from reminders.domain.state import State
from reminders.domain.told import misleads
from reminders.domain.unheard import CALL_FOR, Awaited, Unheard, awaited_of, believers, unheard
from reminders.engine import aside, attention, folders, planning, untrue
from reminders.engine.items import Item
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, UsageError
from reminders.intake.problems import OF_A_TIME
from reminders.intake.visit import FARTHEST
from reminders.store import called, clinics, desk, ledger, problems, twins, views
from reminders.store.called import Called
from reminders.store.database import Connection
from reminders.store.ledger import Fact
from reminders.store.views import Line, Visit


def require(conn: Connection, clinic: str, ref: str) -> Visit:
    """Return the visit. Raise NotFoundError, which tells of a row that is held back."""
    visit = views.find(conn, clinic, ref)
    if visit is not None:
        return visit
    held = problems.open_problems(conn, clinic, ref)
    if not held:
        raise NotFoundError(
            "There is no booking %(ref)s at clinic %(clinic)s.", ref=ref, clinic=clinic
        )
    raise NotFoundError(
        "There is no booking %(ref)s at clinic %(clinic)s yet: its row in %(file)s is held back."
        " %(rows)s",
        ref=ref,
        clinic=clinic,
        file=held[-1].file_name,
        rows=" ".join(f"Line {one.line}: {one.message}" for one in held),
    )


def require_all(conn: Connection, clinic: str, refs: Sequence[str]) -> list[Visit]:
    """Return these visits, each once, in this order. Raise NotFoundError."""
    found = {visit.ref: visit for visit in views.visits(conn, clinic, refs=refs)}
    return [found.get(ref) or require(conn, clinic, ref) for ref in dict.fromkeys(refs)]


def move(
    conn: Connection, runtime: Runtime, clinic: str, ref: str, to: datetime, now: datetime
) -> list[Line]:
    """Give a visit a new time; return the messages that are now planned for it."""
    visit = require(conn, clinic, ref)
    if to <= now:
        raise UsageError("The new time has already passed. Give a time that is still to come.")
    if to > now + FARTHEST:
        raise UsageError("The new time is more than three years away. Look at the year.")
    if (to, VisitStatus.BOOKED) == (visit.starts_at, VisitStatus(visit.status)):
        return _plan(conn, runtime, [visit], now)
    desk.move_visit(conn, visit.id, to, now)
    detail = {"to": to.isoformat()}
    ledger.write(conn, now, runtime.actor, [Fact("moved_by_hand", visit.id, None, detail)])
    problems.solve(conn, visit.clinic_id, [ref], now, OF_A_TIME)
    return _plan(conn, runtime, [visit], now)


def cancel(
    conn: Connection, runtime: Runtime, clinic: str, refs: Sequence[str], now: datetime
) -> list[Line]:
    """Cancel visits; return the messages that are now planned for them.

    One that is cancelled already stays as it is.
    """
    found = require_all(conn, clinic, refs)
    booked = [visit for visit in found if visit.status == VisitStatus.BOOKED.value]
    desk.cancel_visits(conn, [visit.id for visit in booked], now)
    ledger.write(conn, now, runtime.actor, [Fact("cancelled_by_hand", v.id) for v in booked])
    return _plan(conn, runtime, found, now)


def resend(
    conn: Connection, runtime: Runtime, clinic: str, ref: str, rule: str, now: datetime
) -> list[Line]:
    """Have a rule's message sent now; return the messages planned, or the reasons why not.

    Besides, what was to go shortly and does not, as this takes its place.
    """
    visit = require(conn, clinic, ref)
    planned = {line.message.id for line in planned_of(conn, [visit])}
    requests = ask(conn, runtime, clinic, [visit], rule, now)
    return [
        line
        for line in views.lines(conn, [visit])
        if line.message.request_id in requests or (line.message.id in planned and is_replaced(line))
    ]


def is_replaced(line: Line) -> bool:
    """Tell whether another text says what this one would have said."""
    return line.message.reason is Reason.COVERED_BY


def ask(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    visits: Sequence[Visit],
    rule: str,
    now: datetime,
) -> list[int]:
    """Have a rule's message of each of these visits sent now; return the ids of the requests."""
    practice = runtime.practices[clinic]
    if rule not in practice.rule:
        known = ", ".join(practice.rule)
        raise UsageError(
            "There is no rule '%(rule)s'. There are: %(known)s.", rule=rule, known=known
        )
    for visit in visits:
        untrue.refuse(conn, runtime, practice.rule[rule], visit, now)
    ids = [visit.id for visit in visits]
    requests = desk.ask_to_send(conn, ids, rule, now, runtime.actor)
    detail = {"rule": rule}
    facts = [Fact("asked_to_send", visit_id, None, detail) for visit_id in ids]
    ledger.write(conn, now, runtime.actor, facts)
    planning.plan_visits(conn, runtime, ids, now)
    return requests


def send_help(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    ref: str,
    now: datetime,
    *,
    not_come: bool = False,
) -> list[Line]:
    """Send the connection help: the patient cannot get in, or has not come.

    Raise UsageError where it would be untrue that the visit begins shortly.
    """
    rules = [rule for rule in runtime.practices[clinic].rules if rule.when is Event.REQUEST]
    fitting = [rule for rule in rules if (rule.template == NOT_COME) == not_come] or rules
    if not fitting:
        raise UsageError('No rule has on = "request": add one like [rules.help] of the example.')
    return resend(conn, runtime, clinic, ref, fitting[0].key, now)


def _plan(conn: Connection, runtime: Runtime, found: Sequence[Visit], now: datetime) -> list[Line]:
    """Plan visits; return the messages that are now planned for them, or by them for a twin."""
    ids = [visit.id for visit in found]
    planning.plan_visits(conn, runtime, ids, now)
    others = views.visits(conn, ids=twins.waiting(conn, ids))
    old = {line.message.id for line in planned_of(conn, others)}
    planning.plan_visits(conn, runtime, [visit.id for visit in others], now)
    new = [line for line in planned_of(conn, others) if line.message.id not in old]
    return planned_of(conn, found) + new


def planned_of(conn: Connection, found: Sequence[Visit]) -> list[Line]:
    """Return the messages that are planned for visits."""
    return [line for line in views.lines(conn, found) if line.message.state is State.PLANNED]


def worklist(conn: Connection, runtime: Runtime, clinic: str | None, now: datetime) -> list[Item]:
    """Return whom to phone and why, what is unclear, and which rows of files need a look."""
    items = [
        Item(
            "channel",
            channel.clinic,
            None,
            None,
            None,
            Reason.CHANNEL_DOWN.value,
            f"{channel.channel.value}: {channel.code}",
        )
        for channel in clinics.closed_channels(conn)
        if clinic in {None, channel.clinic}
    ]
    items += _calls(conn, runtime, clinic, now)
    items += attention.items(conn, runtime, clinic, now)
    items += [
        Item("problem", p.clinic, p.ref, None, None, p.code, f"line {p.line}: {p.message}")
        for p in problems.open_problems(conn, clinic)
    ]
    items += aside.items(conn, clinic)
    items += folders.items(conn, runtime, clinic, now)
    return items


def _calls(conn: Connection, runtime: Runtime, clinic: str | None, now: datetime) -> list[Item]:
    found = to_phone(conn, runtime, views.troubled_visits(conn, clinic, now), now)
    items = [item for item in found if helps(item, now)]
    items.sort(key=lambda item: item.needed_by)
    done = called.of_visits(conn, list({item.visit_id for item in items}))
    return [i for i in items if (i.visit_id, i.contact_id, i.version) not in done]


def helps(item: Item, now: datetime) -> bool:
    """Tell whether a call still helps: once a visit has begun, only who waits for it in vain."""
    return item.news is not None or item.needed_by >= now


def to_phone(
    conn: Connection, runtime: Runtime, found: Sequence[Visit], now: datetime
) -> list[Item]:
    """Return whom to phone of these visits, in their order: ticked off or not."""
    own: dict[int, list[Line]] = {visit.id: [] for visit in found}
    for line in views.lines(conn, found):
        own[line.visit.id].append(line)
    phoned = called.by_visit(conn, list(own))
    down = clinics.down_by_clinic(conn)
    return [
        item
        for visit in found
        for item in calls_for(runtime, visit, own[visit.id], phoned.get(visit.id, ()), now, down)
    ]


def calls_after(
    conn: Connection, runtime: Runtime, clinic: str, refs: Sequence[str], now: datetime
) -> list[Item]:
    """Return whom to phone of these visits, now that staff have changed them."""
    return to_phone(conn, runtime, require_all(conn, clinic, refs), now)


def nobody_to_tell(visit: Visit) -> Reason:
    """Return why a visit without contacts is not told of."""
    return Reason.PROTECTED_IDENTITY if visit.protected else Reason.NO_ADDRESS


def calls_for(
    runtime: Runtime,
    visit: Visit,
    found: Sequence[Line],
    phoned: Sequence[Called],
    now: datetime,
    down: Mapping[str, frozenset[Channel]],
) -> list[Item]:
    """Return whom to phone about one visit, all of whose messages and calls are given.

    `down` are the channels on which nothing goes at present, by clinic.
    """
    truth = Truth(visit.starts_at, VisitStatus(visit.status))
    theirs = [line for line in found if not (line.is_gone or line.was_anothers)]
    names = {line.message.key.contact: line.contact for line in found}
    off = Event.CANCELLED if truth.status is VisitStatus.CANCELLED else None
    alone = not theirs and (off is None or visit.was_expected)
    items = [_item("call", visit, None, nobody_to_tell(visit), 0, off)] if alone else []
    items += [
        _item(
            "unknown" if one.unclear else "call",
            visit,
            names[one.contact],
            one.reason,
            one.contact,
            _news(truth) if one.believes else None,
            _expected(truth, one.believes, now),
        )
        for one in _not_told(runtime, visit, truth, found, now, down.get(visit.clinic, frozenset()))
    ]
    if off:
        items += _told_by_phone(visit, found, phoned, {item.contact_id for item in items})
    return items


def _not_told(
    runtime: Runtime,
    visit: Visit,
    truth: Truth,
    found: Sequence[Line],
    now: datetime,
    closed: frozenset[Channel],
) -> list[Unheard]:
    """Return who does not know what is so: of those whose visit it is, and whose it was before."""
    messages, before = (
        sorted((x.message for x in found if x.was_anothers is was), key=lambda message: message.id)
        for was in (False, True)
    )
    practice = runtime.practices.get(visit.clinic)
    own_login = practice.own_login(visit.birth_date, visit.starts_at) if practice else None
    addresses: dict[int, set[str]] = {}
    for line in found:
        present = addresses.setdefault(line.message.key.contact, set())
        if line.address:
            present.add(runtime.digest(canonical(line.address)))
    return [
        *unheard(
            truth,
            visit.version,
            messages,
            awaited_of(practice, truth, closed) if practice else Awaited(),
            now,
            gone={line.message.key.contact for line in found if line.is_gone},
            addresses=addresses,
            misleading={
                line.message.id
                for line in found
                if not (line.is_gone or line.was_anothers)
                and misleads(line.message, own_login=own_login)
            },
        ),
        *believers(before, messages, now, addresses),
    ]


def _told_by_phone(
    visit: Visit, found: Sequence[Line], phoned: Sequence[Called], listed: AbstractSet[int]
) -> list[Item]:
    """Return whom to phone again of a cancelled visit: no text tells those whom none reached."""
    told = {
        line.message.key.contact
        for line in found
        if line.message.key.version == visit.version
        and line.message.state in TOLD | {State.PLANNED}
    }
    items: list[Item] = []
    for who in sorted({one.contact_id for one in phoned if one.version < visit.version} - listed):
        if who in told or (told and not who):
            continue
        own = [line for line in found if line.message.key.contact == who]
        reasons = [line.message.reason for line in own if line.message.reason in CALL_FOR]
        reason = (reasons and reasons[-1]) or nobody_to_tell(visit)
        name = own[-1].contact if own else None
        items.append(_item("call", visit, name, reason, who, Event.CANCELLED))
    return items


def _news(truth: Truth) -> Event:
    return Event.CANCELLED if truth.status is VisitStatus.CANCELLED else Event.MOVED


def _expected(truth: Truth, believes: Truth | None, now: datetime) -> datetime | None:
    """Return when they expect a visit that is at another time; None if that has passed."""
    if believes is None or believes.status is not VisitStatus.BOOKED:
        return None
    other = believes.starts_at != truth.starts_at and believes.starts_at >= now
    return believes.starts_at if other else None


def _item(
    kind: str,
    visit: Visit,
    contact: str | None,
    reason: Reason,
    who: int,
    news: Event | None = None,
    counts_on: datetime | None = None,
) -> Item:
    return Item(
        kind,
        visit.clinic,
        visit.ref,
        visit.starts_at,
        contact,
        reason.value,
        "",
        visit.id,
        who,
        visit.version,
        news=news,
        counts_on=counts_on,
    )
