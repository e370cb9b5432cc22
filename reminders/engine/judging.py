"""Judging what is due: each kind of message once, however many of it there are.

At eight o'clock thousands of visits have the same start, rules, consents and past, and differ in
names alone. What the gate says of one it says of all; and most of their texts are the same too.
"""

from bisect import bisect_right
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reminders.domain.alike import age_limits
from reminders.domain.appointment import age_at
from reminders.domain.contact import Channel, Contact
from reminders.domain.gate import Go, Verdict, gate
from reminders.domain.message import Message
from reminders.domain.plan import Case
from reminders.domain.rules import Event, Practice
from reminders.domain.timing import nights
from reminders.domain.twins import knew_besides
from reminders.domain.when import next_day, next_quiet
from reminders.engine.runtime import Runtime
from reminders.engine.texts import Composer
from reminders.message.render import Library, Rendered
from reminders.store import cases
from reminders.store.database import Connection
from reminders.store.looks import Look, Reader

TIME_TO_GO = timedelta(minutes=1)
"""What is claimed in time may be written and handed on for so long, at least."""


@dataclass(frozen=True, slots=True)
class Text:
    """What goes out, its digest, and what the ledger says of it: often the same for hundreds."""

    rendered: Rendered
    digest: str
    detail: Mapping[str, object]


@dataclass(slots=True)
class Kind:
    """What is true of all due messages of one kind. `message` and `case` are the first's own.

    `place` is that of the contact among the people of the visit. `texts` are those that have been
    made, by the age at the visit where they tell it.
    """

    verdict: Verdict
    message: Message
    case: Case
    place: int
    practice: Practice
    valid_until: datetime
    tells_age: bool | None = None
    texts: dict[int | None, Text] = field(default_factory=dict)

    @property
    def contact(self) -> Contact:
        """Return the first's contact."""
        return self.case.contacts[self.place]


class Judge:
    """Judges what one claim has found, at one moment."""

    def __init__(self, conn: Connection, runtime: Runtime, library: Library, now: datetime) -> None:
        self._conn, self._runtime, self._library, self._now = conn, runtime, library, now
        self._reader = Reader(conn)
        self._known: dict[Hashable, Kind] = {}
        self._composers: dict[str, Composer] = {}
        self._limits: dict[str, list[int]] = {}

    def judge(self, message_id: int, look: Look, practice: Practice) -> tuple[Kind, int | None]:
        """Return the kind of a due message, and the patient's age at the visit."""
        born, starts_at = self._reader.born_and_start(look)
        age = age_at(born, starts_at, practice.zone)
        # Who may be written to before this installation may write to all is a list of addresses.
        alike = None if practice.guarded else look.likeness(message_id, self._runtime.digest)
        if alike is None:
            return self._first(message_id, look, practice), age
        # Who logs in may be another at a time that was told before: then the text says so.
        starts = self._reader.other_starts(look) if age is not None else ()
        ages = (age, *(age_at(born, start, practice.zone) for start in starts))
        key = (alike, tuple(None if a is None else self._passed(practice, a) for a in ages))
        kind = self._known.get(key)
        if kind is None:
            kind = self._known[key] = self._first(message_id, look, practice)
        return kind, age

    def _passed(self, practice: Practice, age: int) -> int:
        """Return how many of the ages that matter to the rules somebody has reached."""
        limits = self._limits.get(practice.clinic)
        if limits is None:
            limits = self._limits[practice.clinic] = age_limits(practice)
        return bisect_right(limits, age)

    def _first(self, message_id: int, look: Look, practice: Practice) -> Kind:
        case = self._case(look)
        message = next(m for m in case.history if m.id == message_id)
        place = next((n for n, c in enumerate(case.contacts) if c.id == message.key.contact), -1)
        verdict, valid_until = gate(message, case, practice, self._now), message.not_after
        if isinstance(verdict, Go):
            valid_until = _valid_until(message, practice, verdict.contact, self._now)
        return Kind(verdict, message, case, place, practice, valid_until)

    def _case(self, look: Look) -> Case:
        if look.asked:
            visit_id = look.visit[0]
            [case] = cases.load_cases(self._conn, [visit_id], self._runtime.digest)
            return case
        return self._reader.case(look, self._runtime.digest)

    def text(self, kind: Kind, look: Look, age: int | None, siblings: frozenset[str]) -> Text:
        """Return the text of one message of a kind. Raise TemplateError if there is none."""
        rule, channel = kind.practice.rule[kind.message.key.rule], kind.message.key.channel
        composer = self._composer(kind.practice)
        own = siblings or rule.when is Event.BOOKED or channel is not Channel.SMS
        if own:  # it tells of its visit alone: a reference, an entry for the calendar
            return self._composed(composer, kind, look, siblings)
        if kind.tells_age is None:
            kind.tells_age = composer.tells_age(rule, channel, kind.contact)
        told = age if kind.tells_age else None
        if told not in kind.texts:
            kind.texts[told] = self._composed(composer, kind, look, siblings)
        return kind.texts[told]

    def _composed(
        self, composer: Composer, kind: Kind, look: Look, siblings: frozenset[str]
    ) -> Text:
        case, message = self._case(look), kind.message
        key = message.key
        before, refs = knew_besides(case.history, case.twins, message, kind.practice)
        rendered = composer.compose(
            kind.practice.rule[key.rule],
            key.channel,
            case.appointment,
            case.contacts[kind.place],
            self._now,
            short=message.short,
            siblings=siblings | refs,
            knew=before,
        )
        detail = {
            "rule": key.rule,
            "channel": key.channel.value,
            "attempt": message.attempts + 1,
            "template": rendered.version,
            "language": rendered.language,
        }
        if rendered.instead_of:
            detail["instead_of"] = rendered.instead_of
        return Text(rendered, self._runtime.digest(rendered.body), detail)

    def _composer(self, practice: Practice) -> Composer:
        key = practice.clinic
        if key not in self._composers:
            clinic = self._runtime.clinic(key)
            library, digest = self._library.of(key), self._runtime.digest
            self._composers[key] = Composer(library, clinic, practice, digest)
        return self._composers[key]


def _valid_until(message: Message, practice: Practice, contact: Contact, now: datetime) -> datetime:
    """Return when the provider has to give up: the text helps no more, or the night begins.

    Or the day ends: a text says "today", and would be read tomorrow. What may go now has the time
    to: the night may end just as the text stops helping.
    """
    rule = practice.rule[message.key.rule]
    asked = message.request_id is not None
    spans = () if asked else nights(practice, rule, contact, message.key.channel)
    nightfall = (next_quiet(now, span, practice.zone) for span in spans)
    ends = min(message.not_after, next_day(now, practice.zone), *nightfall)
    return max(ends, now + TIME_TO_GO)
