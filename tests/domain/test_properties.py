"""What holds in every story, told by random ones: people, rules, changes, failures, outages."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reminders.domain.appointment import age_at
from reminders.domain.contact import Channel, Consent
from reminders.domain.decision import Kept, Send
from reminders.domain.gate import Go, gate
from reminders.domain.glance import plainly_goes
from reminders.domain.message import Message
from reminders.domain.outbox import difference
from reminders.domain.outcome import Ambiguous, Outcome, Refusal, Rejected
from reminders.domain.plan import plan
from reminders.domain.reasons import Reason
from reminders.domain.replies import REPLIES, REPLY_KEYS
from reminders.domain.rules import Deliver, Event, QuietPolicy
from reminders.domain.state import State
from reminders.domain.timing import nights
from reminders.domain.when import is_quiet, is_quiet_in
from tests.domain.world import BAD_NUMBER, BUSY, STOCKHOLM, World, clinic, local

POOL: Mapping[str, Mapping[str, Any]] = {
    "booked": {"on": "booked", "not_after": "-30m"},
    "moved": {"on": "moved"},
    "cancelled": {"on": "cancelled"},
    "help": {"on": "request", "not_after": "+45m", "quiet_hours": "ignore"},
    "two_days": {"before": "48h", "quiet_hours": "earlier", "late": "skip"},
    "day": {"before": "24h", "not_after": "-1h", "quiet_hours": "earlier"},
    "evening": {"days_before": 1, "at": "18:00", "late": "short"},
    "mail": {"before": "1d", "channels": ["email"]},
    "quarter": {
        "before": "15m",
        "deliver": "each",
        "not_after": "-1m",
        "quiet_hours": "ignore",
    },
    "after": {"after": "2h", "audience": {"roles": ["guardian"]}},
}
STARTS = ["2026-05-07 08:15", "2026-05-07 14:00", "2026-05-08 02:00", "2026-05-12 14:00"]
LIVE = {State.PLANNED, State.SENDING, State.ACCEPTED, State.UNKNOWN, State.DELIVERED}


OUTCOMES: dict[str, Outcome] = {
    "busy": BUSY,
    "bad number": BAD_NUMBER,
    "no answer": Ambiguous("timeout"),
    "opted out": Rejected("1", Refusal.OPT_OUT),
    "busy for long": Rejected("429", Refusal.THROTTLED, timedelta(hours=2)),
}
Happening = tuple[str, ...]


def happens(world: World, event: Happening) -> None:  # noqa: C901, PLR0912 - a list of what can happen
    """Let one thing happen to the visit; what cannot happen now does not."""
    match event:
        case ("run", minutes):
            world.run(until=clock(world, minutes))
        case ("sleep", minutes):
            world.sleep(until=clock(world, minutes))
        case ("move", starts, how):
            world.move(starts, silently=how == "silently")
        case ("cancel",):
            world.cancel()
        case ("rebook",):
            world.rebook()
        case ("correct", who, phone, email) if who in world.people:
            world.correct(who, phone or None, email or None)
        case ("remove", who) if who in world.people:
            world.remove(who)
        case ("wish", who, channel, consent) if _has(world, who, channel):
            world.wish(who, Channel(channel), Consent(consent))
        case ("opt", address, way):
            world.opt(address, out=way == "out")
        case ("off", rule):
            world.switch(off=rule)
        case ("on", rule):
            world.switch(on=rule)
        case ("ask", rule):
            world.ask(rule)
        case ("answer to", rule, who) if who in world.people:
            world.ask(rule, who=who)
        case ("prefer", who, channel) if who in world.people:
            world.wants(who, prefers=Channel(channel) if channel else None)
        case ("no sms", who, hours) if who in world.people:
            world.wants(who, no_sms=hours or None)
        case ("from 13", who, choice) if who in world.people:
            world.wants(who, from_13=CHOICES[choice])
        case ("born", day):
            world.fact(birth_date=date.fromisoformat(day) if day else None)
        case ("outcome", address, outcome):
            world.answers.setdefault(address, []).append(OUTCOMES[outcome])
        case ("out of reach", address):
            world.out_of_reach(address)
        case ("back", channel):
            world.back(Channel(channel))
        case ("delivered", rule) if _tried(world, rule):
            world.deliver(rule)
        case ("undelivered", rule, reason) if _tried(world, rule):
            world.undeliver(rule, reason=Reason(reason))


def clock(world: World, minutes: str) -> str:
    later = world.now + timedelta(minutes=int(minutes))
    return f"{later.astimezone(STOCKHOLM):%Y-%m-%d %H:%M:%S}"


def _tried(world: World, rule: str) -> bool:
    return any(m.key.rule == rule and m.attempts for m in world.rows)


def _has(world: World, who: str, channel: str) -> bool:
    return who in world.people and Channel(channel) in world.people[who].reach


WHO = st.sampled_from(["mother", "father"])
RULE = st.sampled_from(sorted(POOL))
MINUTES = st.sampled_from(["1", "20", "300", "700", "1440", "4000"])
PHONE = st.sampled_from(["", "phone-1", "phone-2", "shared"])
MAIL = st.sampled_from(["", "mail-1", "family"])
HOURS = st.sampled_from(["", "08:00-15:00", "12:00-23:30", "07:00-22:00", "21:00-08:00"])
CHOICES = {"yes": True, "no": False, "unknown": None}
ADDRESS = st.sampled_from(["phone-1", "phone-2", "shared", "mail-1", "family"])


def event(name: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[Happening]:
    return st.tuples(st.just(name), *parts)


EVENTS = st.one_of(
    event("run", MINUTES),
    event("run", MINUTES),
    event("sleep", MINUTES),
    event("move", st.sampled_from(STARTS), st.sampled_from(["openly", "silently"])),
    event("cancel"),
    event("rebook"),
    event("correct", WHO, PHONE, MAIL),
    event("remove", WHO),
    event("wish", WHO, st.sampled_from(list(Channel)), st.sampled_from(list(Consent))),
    event("opt", ADDRESS, st.sampled_from(["out", "in"])),
    event("off", RULE),
    event("on", RULE),
    event("ask", RULE),
    event("answer to", st.sampled_from(sorted([*REPLY_KEYS, "help"])), WHO),
    event("prefer", WHO, st.sampled_from(["", *Channel])),
    event("no sms", WHO, HOURS),
    event("from 13", WHO, st.sampled_from(sorted(CHOICES))),
    event("born", st.sampled_from(["", "2013-05-08", "2018-01-01", "2010-01-01"])),
    event("outcome", ADDRESS, st.sampled_from(sorted(OUTCOMES))),
    event("out of reach", ADDRESS),
    event("back", st.sampled_from(list(Channel))),
    event("delivered", RULE),
    event("undelivered", RULE, st.sampled_from(["unreachable", "blocked"])),
)


class Beginning(NamedTuple):
    """How a story begins: the rules there are, the family, and the booking."""

    rules: frozenset[str]
    booked_at: str
    starts: str
    confirm: bool
    mother: tuple[str, str]
    father: tuple[str, str] | None


BEGINNINGS = st.builds(
    Beginning,
    st.frozensets(RULE, min_size=2),
    st.sampled_from(["2026-05-06 10:00", "2026-05-06 22:30"]),
    st.sampled_from(STARTS),
    st.booleans(),
    st.tuples(PHONE, MAIL),
    st.none() | st.tuples(PHONE, MAIL),
)


def begin(beginning: Beginning) -> World:
    """Return the world as the story finds it."""
    practice = clinic(**{key: POOL[key] for key in POOL if key in beginning.rules})
    world = World(replace(practice, rules=(*practice.rules, *REPLIES)))
    world.all_rules = (*clinic(**POOL).rules, *REPLIES)
    world.now = local(beginning.booked_at)
    for who, addresses in (("mother", beginning.mother), ("father", beginning.father)):
        if addresses is not None:
            world.person(who, phone=addresses[0] or None, email=addresses[1] or None)
    return world.book(beginning.starts, confirm=beginning.confirm)


def look(world: World) -> None:
    """Check all that must hold at any moment."""
    the_gate_agrees_with_the_planner(world)
    every_rule_and_person_is_decided(world)
    world.plan()
    planning_again_changes_nothing(world)
    nobody_gets_it_twice(world)
    nights_are_quiet(world)
    answers_go_to_one(world)
    guardians_are_chosen(world)


ONE_PHONE = Beginning(
    frozenset(POOL) - {"help"}, "2026-05-06 10:00", "2026-05-07 08:15",
    confirm=False, mother=("phone-2", "mail-1"), father=("phone-2", "mail-1"),
)  # fmt: skip
OUT_OF_REACH: list[Happening] = [
    ("move", "2026-05-07 08:15", "openly"), ("out of reach", "phone-2"), ("run", "1"),
    ("correct", "mother", "shared", "mail-1"),
]  # fmt: skip

EMAIL_IS_BACK: list[Happening] = [
    ("run", "1440"), ("out of reach", "phone-2"), ("out of reach", "mail-1"),
    ("out of reach", "phone-2"), ("back", "email"), ("run", "1"), ("back", "sms"),
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(BEGINNINGS, st.lists(EVENTS, min_size=2, max_size=14))
@example(ONE_PHONE, OUT_OF_REACH)
@example(ONE_PHONE, EMAIL_IS_BACK)
def test_in_every_story(beginning: Beginning, story: list[Happening]):
    """In any story, every rule is decided for everybody, nothing goes twice, and nights are quiet."""
    world = begin(beginning)
    look(world)
    for step in story:
        happens(world, step)
        look(world)
    world.run(until="2026-06-01 00:00")
    look(world)


def every_rule_and_person_is_decided(world: World) -> None:
    """Each rule and person has a decision, each new row a key of its own, in whatever order read."""
    result = world.planned()
    decided = {(d.message.key if isinstance(d, Kept) else d.key)[1:3] for d in result.decisions}
    wanted = {(r.key, c.id) for r in world.practice.rules for c in world.people.values()}
    assert wanted <= decided
    keys = [d.key for d in result.decisions if not isinstance(d, Kept)]
    assert len(keys) == len(set(keys))
    case = world.case
    turned = replace(case, contacts=case.contacts[::-1], history=case.history[::-1])
    assert plan(turned, world.practice, world.now).decisions == result.decisions


def planning_again_changes_nothing(world: World) -> None:
    """Find nothing to change where a plan has just been written down."""
    assert difference(world.case, world.planned(), world.practice) == []


def the_gate_agrees_with_the_planner(world: World) -> None:
    """Whatever the gate lets through, the planner would send at this moment."""
    case = world.case
    sends = {d.key: d for d in world.planned().decisions if isinstance(d, Send)}
    changed = {change.id for change in difference(case, world.planned(), world.practice)}
    for row in world.rows:
        contact = next((c for c in case.contacts if c.id == row.key.contact), None)
        if contact and plainly_goes(row, contact, case, world.practice, world.now):
            assert row.id not in changed
            assert row.key in sends
        if row.state is State.PLANNED and row.due_at <= world.now:
            verdict = gate(row, case, world.practice, world.now)
            if isinstance(verdict, Go):
                assert sends[row.key].address_key == row.address_key
                assert verdict.contact in case.contacts


def nobody_gets_it_twice(world: World) -> None:
    """One live message a rule and person (and channel, where each is used), and a rule and address.

    What went to an address that has since been corrected is another person's; and who has read that
    somebody else logs in than who does is told again.

    A change goes to who had the visit in a calendar by email too: it puts the entry right.
    """
    by_person: Counter[tuple[object, ...]] = Counter()
    by_address: Counter[tuple[object, ...]] = Counter()
    for row in world.rows:
        rule = next((r for r in world.all_rules if r.key == row.key.rule), None)
        if rule is None or row.state not in LIVE or row.request_id is not None:
            continue
        matter = (
            row.key.version if isinstance(rule.when, Event) else row.truth,
            _corrections_before(world, row),
        )
        each = row.key.channel if rule.deliver is Deliver.EACH or _had_email(world, row) else None
        if not _corrected_since(world, row):
            by_person[rule.key, row.key.contact, each, matter] += 1
        by_address[rule.key, row.key.channel, row.address_key, matter] += 1
    assert all(count == 1 for count in by_person.values())
    assert all(count == 1 for count in by_address.values())


def _corrected_since(world: World, row: Message) -> bool:
    """Tell whether it went to an address that is its person's no more: it told them nothing."""
    person = next((p for p in world.people.values() if p.id == row.key.contact), None)
    present = {reach.address_key for reach in person.reach.values()} if person else set()
    return row.state is not State.PLANNED and row.address_key not in present


def _corrections_before(world: World, row: Message) -> int:
    """Return how often who logs in was another than had been told before, up to this message."""
    own = world.own_login
    went = sorted((m for m in world.rows if m.sent_at), key=lambda m: (m.went_at, m.id))
    said = [m.says_own_login for m in went if m.says_own_login is not None]
    if row.state is State.PLANNED:
        said += [] if own is None else [own]
    else:
        before = [m for m in went if (m.went_at, m.id) <= (row.went_at, row.id)]
        said = [m.says_own_login for m in before if m.says_own_login is not None]
    return sum(one != other for one, other in pairwise(said))


def _had_email(world: World, row: Message) -> bool:
    """Tell whether an entry of another time or status came by email before this change."""
    return row.key.rule in {"moved", "cancelled"} and any(
        m.state in LIVE
        and m.state is not State.PLANNED
        and m.calendar
        and m.truth != row.truth
        and m.key.version < row.key.version
        for m in world.rows
    )


def nights_are_quiet(world: World) -> None:
    """Nothing is due or has gone at night, but what ignores it; nor in a person's own hours."""
    people = {contact.id: contact for contact in world.people.values()}
    known = {rule.key: rule for rule in world.all_rules}
    for row in world.rows:
        rule = known[row.key.rule]
        if row.request_id is not None:
            continue
        if row.state is State.PLANNED:
            spans = nights(world.practice, rule, people[row.key.contact], row.key.channel)
            own = people[row.key.contact].wishes.no_sms
            assert own is None or row.key.channel is not Channel.SMS or own in spans
            assert not is_quiet_in(row.due_at, spans, STOCKHOLM)
        elif row.sent_at is not None and rule.quiet is not QuietPolicy.IGNORE:
            assert not is_quiet(row.sent_at, world.practice.quiet, STOCKHOLM)


def answers_go_to_one(world: World) -> None:
    """Send an answer to nobody but the one who wrote, and none without a request."""
    asked = {request.id: request.contact for request in world.requests}
    for row in world.rows:
        if row.request_id is not None and asked[row.request_id] is not None:
            assert row.key.contact == asked[row.request_id]
        if row.key.rule in REPLY_KEYS:
            assert row.request_id is not None


def guardians_are_chosen(world: World) -> None:
    """Nothing waits for a guardian of somebody of age who is not known to want it so."""
    age = age_at(world.booked.birth_date, world.booked.truth.starts_at, STOCKHOLM)
    of_age = age is not None and age >= world.practice.own_from_age
    chosen = {c.id for c in world.people.values() if c.wishes.from_13}
    for row in world.rows:
        if row.state is State.PLANNED and of_age:
            assert row.key.contact in chosen
