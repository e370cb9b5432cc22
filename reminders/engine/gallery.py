"""Every text as its readers see it: per language, reader and situation; and approving a change."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.config import ClinicConfig
from reminders.domain.contact import Channel
from reminders.domain.template import Source, sent_by
from reminders.engine import approval
from reminders.engine.approval import Waiting
from reminders.engine.runtime import Runtime
from reminders.engine.vetting import insist, vet
from reminders.errors import ConflictError, NotFoundError, TemplateError
from reminders.message.lint import NAMES, Code, Finding, lint
from reminders.message.places import placed
from reminders.message.render import Facts, Library, Rendered
from reminders.message.samples import samples
from reminders.message.sms import Measure, measure
from reminders.store import templates
from reminders.store.database import Connection


@dataclass(frozen=True, slots=True)
class Reading:
    """One text as some readers get it. `size` and `cost` are an SMS's."""

    readers: tuple[str, ...]
    rendered: Rendered
    size: Measure | None
    cost: float


@dataclass(frozen=True, slots=True)
class Wall:
    """One template in one language: what goes out, on each channel, and what is wrong with it.

    `own`: the channels on which it is the clinic's own text.
    """

    language: str
    name: str
    names: tuple[str, ...]
    sms: tuple[Reading, ...]
    email: tuple[Reading, ...]
    findings: tuple[Finding, ...]
    waiting: int
    broken: int
    own: frozenset[str] = frozenset()


def wall(
    conn: Connection, runtime: Runtime, clinic: str, language: str, name: str, now: datetime
) -> Wall:
    """Return the approved texts of one name in one language, for each kind of reader."""
    everything = templates.approved(conn)
    approved = [one for one in sent_by(everything, clinic) if one.language == language]
    there = {source.name for source in approved}
    names = [known for known in NAMES if known in there]
    names += sorted(there - set(names))
    if not names:
        raise NotFoundError("There are no approved texts in that language.")
    if name not in names:
        name = names[0]
    chosen = [source for source in approved if source.name == name]
    sms, email, findings = _hung(runtime, clinic, chosen, now)
    pending = approval.pending(runtime, everything, clinic=clinic)
    counts = len(pending.waiting), len(pending.broken)
    own = frozenset(source.channel.value for source in chosen if source.clinic)
    return Wall(language, name, tuple(names), sms, email, findings, *counts, own)


Hung = tuple[tuple[Reading, ...], tuple[Reading, ...], tuple[Finding, ...]]

_HUNG: dict[object, Hung] = {}
"""What has been filled in for this day: each is filled in for dozens of readers, and checked."""

MOST_HUNG = 100


def _hung(runtime: Runtime, clinic: str, chosen: Sequence[Source], now: datetime) -> Hung:
    day = now.astimezone(runtime.clinic(clinic).zone).date()
    key = (id(runtime.config), clinic, day, *sorted(source.identity for source in chosen))
    if key not in _HUNG:
        if len(_HUNG) >= MOST_HUNG:
            _HUNG.clear()
        settings, price = runtime.clinic(clinic), runtime.config.cost.sms_segment
        by_channel = {source.channel: source for source in chosen}
        sms, email = by_channel.get(Channel.SMS), by_channel.get(Channel.EMAIL)
        found = placed(lint(chosen, clinic, settings, now).findings, runtime.config)
        _HUNG[key] = (
            readings(sms, settings, price, now) if sms else (),
            readings(email, settings, price, now) if email else (),
            tuple(finding for finding in found if finding.code is not Code.MISSING),
        )
    return _HUNG[key]


def readings(
    source: Source, settings: ClinicConfig, price: float, now: datetime
) -> tuple[Reading, ...]:
    """Return each different text once, with all who get it. `price` is of a segment."""
    library = Library([source])
    readers: dict[str, list[str]] = {}
    texts: dict[str, Rendered] = {}
    for sample in samples(settings, now):
        try:
            rendered = library.render(source, sample.facts, settings)
        except TemplateError:
            continue
        texts.setdefault(rendered.body, rendered)
        readers.setdefault(rendered.body, []).append(sample.name)
    found: list[Reading] = []
    for body, rendered in texts.items():
        size = measure(body) if source.channel is Channel.SMS else None
        cost = size.segments * price if size else 0.0
        found.append(Reading(tuple(readers[body]), rendered, size, cost))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Change:
    """What some readers get now, and what they would get. None: it cannot be filled in."""

    readers: tuple[str, ...]
    before: Rendered | None
    after: Rendered | None

    def lines(self) -> list[tuple[str, str]]:
        """Return the text line by line: '+' would be new, '-' would be gone, ' ' stays."""
        return compare(_words(self.before), _words(self.after))


def _words(rendered: Rendered | None) -> str:
    subject = f"{rendered.subject}\n\n" if rendered and rendered.subject else ""
    return subject + rendered.body.strip() if rendered else ""


@dataclass(frozen=True, slots=True)
class Edit:
    """A template whose present text waits: line by line against the one that goes out.

    `changes` has what is different for sample people, each difference once; `findings` what a check
    finds, where it was asked, and `may_go` whether it may be approved all the same.
    """

    waiting: Waiting
    lines: tuple[tuple[str, str], ...]
    sample: Rendered | None
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...] = ()
    may_go: bool = True


@dataclass(frozen=True, slots=True)
class Edits:
    """The edited templates that nobody has approved, and the files that cannot be read."""

    waiting: tuple[Edit, ...]
    broken: tuple[Finding, ...]


def edits(conn: Connection, runtime: Runtime, clinic: str, now: datetime) -> Edits:
    """Return what a person has to see to in the template files."""
    approved = templates.approved(conn)
    pending = approval.pending(runtime, approved, clinic=clinic)
    waiting = (
        replace(edit(runtime, clinic, one.waiting, now), findings=one.findings, may_go=one.may_go)
        for one in vet(runtime, pending.waiting, approved, now)
    )
    return Edits(tuple(waiting), pending.broken)


def edit(runtime: Runtime, clinic: str, item: Waiting, now: datetime) -> Edit:
    """Return how one edited text differs from the approved one, for the readers of one clinic."""
    settings = runtime.clinic(clinic)
    readers: dict[tuple[str, str], list[str]] = {}
    pairs: dict[tuple[str, str], tuple[Rendered | None, Rendered | None]] = {}
    people = list(samples(settings, now))
    for sample in people:
        before = _filled(item.approved, sample.facts, settings)
        after = _filled(item.source, sample.facts, settings)
        words = (_words(before), _words(after))
        if words[0] != words[1] or after is None:
            readers.setdefault(words, []).append(sample.name)
            pairs.setdefault(words, (before, after))
    before_text = item.approved.text if item.approved else ""
    return Edit(
        item,
        tuple(compare(before_text, item.source.text)),
        _filled(item.source, people[0].facts, settings),
        tuple(Change(tuple(readers[words]), *pair) for words, pair in pairs.items()),
    )


def compare(before: str, after: str) -> list[tuple[str, str]]:
    """Return each line, with '+' if it is new, '-' if it is gone, ' ' if it stays."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [(line[0], line[2:]) for line in lines if line[0] in "+- "]


def _filled(source: Source | None, facts: Facts, settings: ClinicConfig) -> Rendered | None:
    if source is None:
        return None
    try:
        return Library([source]).render(source, facts, settings)
    except TemplateError:
        return None


def approve(
    conn: Connection,
    runtime: Runtime,
    identity: tuple[str, str, str, str],
    now: datetime,
    *,
    clinic: str = "",
    changes_meaning: bool = False,
) -> None:
    """Approve one text, if it still is the version that was shown: `Source.identity`.

    It is a clinic's own, if one is named, else every clinic's.
    Raise UsageError if it says too much, or cannot be filled in.
    """
    chosen = [
        item
        for item in approval.waiting(conn, runtime)
        if (item.source.clinic, item.source.identity) == (clinic, identity)
    ]
    if not chosen:
        raise ConflictError("That text has been edited again, or approved. Look at it again.")
    insist(vet(runtime, chosen, templates.approved(conn), now))
    approvals = approval.approvals(chosen, changes_meaning=changes_meaning)
    approval.approve_these(conn, approvals, runtime.actor, now)
