"""Checking templates: what they cost, and whether they say anything that they must not."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reminders.config import ClinicConfig
from reminders.domain.contact import Channel
from reminders.domain.replies import Reply
from reminders.domain.rules import Rule
from reminders.domain.template import Name, Source
from reminders.errors import TemplateError
from reminders.message.languages import language_of
from reminders.message.marks import ONLY_EMAIL, STATEMENTS, unknown_names
from reminders.message.render import Library, Rendered
from reminders.message.samples import IN_GOOD_TIME, Sample
from reminders.message.sms import Charset, Measure, measure, outside_gsm, repair
from reminders.message.syntax import file_name, locate
from reminders.message.trial import Readers, Tried, readers_for, try_out

ONE_SEGMENT = frozenset({"day_before", "fifteen_minutes"})
"""Templates whose full text has to fit one segment in the languages of the clinic."""

MOST_SEGMENTS = {Charset.GSM7: 7, Charset.UCS2: 14}
"""No text message is longer than this."""

ALWAYS = ("confirmation", "day_before", "fifteen_minutes", "help")
"""What everybody gets, or can get: these together say all that the handout says."""

SITUATIONS = (
    "confirmation",
    "two_days",
    "day_before",
    "fifteen_minutes",
    "help",
    "not_come",
    "moved",
    "cancelled",
    "next_steps",
)
"""The situations, in the order in which a patient may meet them."""

ANSWERS = tuple(reply.value for reply in Reply)
"""The answers to what people write, by SMS alone, where the clinic can be answered."""

NAMES = (*SITUATIONS, *ANSWERS)

SENDER = re.compile(r"[A-Za-z0-9 ]{1,11}|\+[1-9][0-9]{6,14}")
_CLINIC_NAME = re.compile(r"""\bclinic\s*(\.\s*name\b|\[\s*['"]name['"]\s*\])""")
"""How a template puts the clinic's name in."""

_LINK = re.compile(r"https?:|www\.|\b[a-z0-9-]+\.(?:se|com|org|net|nu)\b", re.IGNORECASE)


class Code(StrEnum):
    """What can be wrong with a template. docs/templates.md has a line for each."""

    BROKEN = "broken"
    MISSING = "missing"
    PRIVATE_WORD = "private_word"
    CLINIC_NAME = "clinic_name"
    LINK = "link"
    SENDER = "sender"
    NOT_GSM = "not_gsm"
    TOO_LONG = "too_long"
    UNKNOWN_NAME = "unknown_name"
    UNREACHABLE = "unreachable"
    NOT_SAID = "not_said"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to put right: where, and in plain words what."""

    file: str
    line: int
    code: Code
    message: str
    setting: tuple[str, ...] = ()
    """The keys of the setting that it is about, if it is not about a text."""
    what: str = ""
    """What of it differs from one to the next: the word, the sign, the number."""

    @property
    def told(self) -> str:
        """Return it in one line, with its place."""
        return f"{self.file}, line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one template's longest sample takes as an SMS."""

    language: str
    file: str
    sample: str
    measure: Measure


@dataclass(frozen=True, slots=True)
class Report:
    """All that a check found."""

    findings: tuple[Finding, ...]
    costs: tuple[Cost, ...]


def lint(
    sources: Iterable[Source],
    key: str,
    clinic: ClinicConfig,
    now: datetime,
    before: Iterable[Source] = (),
    rules: Iterable[Rule] = (),
) -> Report:
    """Check these templates for one clinic, on sample people. `now` is in UTC.

    `before` are the approved ones: by them it is told from which text a statement is gone. `rules`
    are the clinic's: what they send has to be there.
    """
    known = {(s.language, s.name, s.channel): s for s in sources}
    findings: list[Finding] = [*_sender(key, clinic), *_missing(known, clinic, rules)]
    readers = readers_for(clinic, {language for language, _, _ in known}, now)
    checked = {name: readers.remember(_check, known[name]) for name in sorted(known)}
    for found in checked.values():
        findings += found.findings
    said = {name: found.said for name, found in checked.items() if found.said}
    findings += _not_said(said, {(s.language, s.name, s.channel): s for s in before}, readers)
    costs = tuple(found.cost for found in checked.values() if found.cost is not None)
    return Report(tuple(dict.fromkeys(findings)), costs)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is wrong with one template by itself, what it says to whom, and its dearest SMS."""

    findings: tuple[Finding, ...]
    said: Mapping[str, frozenset[str]]
    cost: Cost | None


def _check(source: Source, readers: Readers) -> _Checked:
    findings = list(_in_source(source, readers.clinic))
    tried, cost = Tried(), None
    try:
        unknown = list(_unknown(source))
        if not unknown:
            tried = try_out(source, readers)
        findings += unknown
        message = "none of the sample readers is shown this branch. Is its question right?"
        findings += (Finding(*locate(source, n), Code.UNREACHABLE, message) for n in tried.lost)
        cost = _fill(source, tried.different, readers, findings)
    except TemplateError as error:
        findings.append(broken(file_name(source), str(error)))
    return _Checked(tuple(findings), tried.said, cost)


def _unknown(source: Source) -> Iterator[Finding]:
    for line, name in unknown_names(source):
        message = f"there is no {name!r} to show."
        yield Finding(*locate(source, line), Code.UNKNOWN_NAME, message, what=name)


def _fill(
    source: Source, different: Sequence[Sample], readers: Readers, findings: list[Finding]
) -> Cost | None:
    """Fill a template in for everybody, noting what is wrong; return the dearest SMS."""
    longest: Cost | None = None
    library, clinic = Library(()), readers.clinic
    for sample in different:
        context = readers.context(source, sample, clinic)
        rendered = library.render(source, sample.facts, clinic, context)
        findings += in_text(source, rendered, clinic, f" for {sample.name}")
        if source.channel is Channel.SMS:
            cost = Cost(source.language, file_name(source), sample.name, measure(rendered.body))
            if longest is None or cost.measure.units > longest.measure.units:
                longest = cost
    return longest


_ByReader = Mapping[str, frozenset[str]]
_Said = Mapping[tuple[str, str, Channel], _ByReader]
"""By template, what it says to each sample reader."""


def _not_said(said: _Said, before: Mapping[Name, Source], readers: Readers) -> Iterator[Finding]:
    """Find statements of the handout that a language no longer says to somebody."""
    places = {(language, channel) for language, name, channel in said if name in ALWAYS}
    for language, channel in sorted(places):
        texts = [said.get((language, name, channel)) for name in ALWAYS]
        whole = [text for text in texts if text]
        if len(whole) < len(ALWAYS):
            continue  # another finding says which is missing or broken
        told: dict[str, set[str]] = {}
        for text in whole:
            for reader, statements in text.items():
                if reader.endswith(IN_GOOD_TIME):  # a late text says more, but not to everybody
                    told.setdefault(reader, set()).update(statements)
        wanted = STATEMENTS.keys() - (ONLY_EMAIL if channel is Channel.SMS else frozenset())
        lost = set().union(*(wanted - statements for statements in told.values()))
        earlier = _earlier(language, channel, before, readers) if lost else {}
        now = dict(zip(ALWAYS, whole, strict=True))
        for statement in sorted(lost, key=lambda name: int(name[1:])):
            gone = [
                name
                for name in ALWAYS
                if _told(earlier.get(name, {}), statement) - _told(now[name], statement)
            ]
            files = [_file(language, name, channel) for name in gone or ALWAYS]
            message = (
                f"no {channel.value} tells everybody any more: {STATEMENTS[statement]}. It is"
                f" {statement} of the handout, and"
                f" {'stood in the approved' if gone else 'belongs into one of'} {', '.join(files)}."
            )
            yield Finding(files[0], 1, Code.NOT_SAID, message, what=statement)


def _earlier(
    language: str,
    channel: Channel,
    before: Mapping[Name, Source],
    readers: Readers,
) -> dict[str, _ByReader]:
    """Return what the approved texts tell each reader, by name."""
    known = ((name, before.get((language, name, channel))) for name in ALWAYS)
    return {
        name: try_out(source, readers).said
        for name, source in known
        if source and not unknown_names(source)
    }


def _told(said: _ByReader, statement: str) -> set[str]:
    return {reader for reader, statements in said.items() if statement in statements}


def _file(language: str, name: str, channel: Channel) -> str:
    return file_name(Source(language, name, channel, "", ""))


def broken(file: str, message: str) -> Finding:
    """Return a finding of what a TemplateError says."""
    place = re.match(r"(\S+), line (\d+): (.*)", message, re.DOTALL)
    if place:
        return Finding(place[1], int(place[2]), Code.BROKEN, place[3], what=place[3])
    said = message.removeprefix(f"{file}: ")
    return Finding(file, 1, Code.BROKEN, said, what=said)


def textless(
    sources: Collection[Name], clinic: ClinicConfig, rules: Iterable[Rule]
) -> Iterator[Finding]:
    """Find the rules with no text among these on one of their channels: nobody gets it there.

    It has to be there in the clinic's first language, which the others fall back to.
    """
    for rule in rules:
        for channel in rule.channels:
            if (clinic.languages[0], rule.template, channel) not in sources:
                file = _file(clinic.languages[0], rule.template, channel)
                message = (
                    f"is not there, so the rule {rule.key!r} sends nobody this {channel.value}."
                    " Write it, or put the rule's 'template' right."
                )
                yield Finding(file, 1, Code.MISSING, message, what=rule.key)


def _missing(
    known: Mapping[Name, Source], clinic: ClinicConfig, rules: Iterable[Rule]
) -> Iterator[Finding]:
    language = clinic.languages[0]
    wanted = [(name, channel) for name in SITUATIONS for channel in Channel]
    wanted += [(name, Channel.SMS) for name in ANSWERS if clinic.can_reply]
    for name, channel in wanted:
        if (language, name, channel) not in known:
            file = _file(language, name, channel)
            message = "is not there; every other language falls back to it. Write it."
            yield Finding(file, 1, Code.MISSING, message)
    yield from textless(known, clinic, (rule for rule in rules if rule.template not in NAMES))
    yield from _lacking(known, language, wanted)


def _lacking(
    known: Mapping[Name, Source],
    first: str,
    wanted: Sequence[tuple[str, Channel]],
) -> Iterator[Finding]:
    """Tell once for each other language what it lacks: its readers get two languages by turns."""
    for other in sorted({language for language, _, _ in known} - {first}):
        names = [f"{n} ({c.value})" for n, c in wanted if (other, n, c) not in known]
        if names:
            message = f"lacks {', '.join(names)}: the clinic's first language goes out instead."
            yield Finding(f"templates/{other}", 1, Code.MISSING, message, what=", ".join(names))


def _sender(key: str, clinic: ClinicConfig) -> Iterator[Finding]:
    sender = clinic.sms.sender
    if sender and not SENDER.fullmatch(sender):
        message = "a sender is at most 11 letters a-z, digits and spaces, or a number like +46..."
        yield _of_setting(Code.SENDER, message, "clinics", key, "sms", "sender")
    for value, *setting in (
        (sender, "sms", "sender"),
        (clinic.names.get(Channel.EMAIL, ""), "names", "email"),
        (clinic.email.sender, "email", "sender"),
        (clinic.email.reply_to or "", "email", "reply_to"),
    ):
        for word in _private(value, clinic):
            message = (
                f"says {word!r}, which everybody sees who sees the message: choose a neutral one"
            )
            yield _of_setting(Code.PRIVATE_WORD, message, "clinics", key, *setting)


def _of_setting(code: Code, message: str, *setting: str) -> Finding:
    """Return a finding about the configuration; `places` tells its file and line."""
    return Finding("config.toml", 1, code, f"{'.'.join(setting)}: {message}", setting)


def _private(text: str, clinic: ClinicConfig) -> list[str]:
    return [word for word in clinic.private_words if word.casefold() in text.casefold()]


def _names_in(text: str, clinic: ClinicConfig) -> bool:
    """Tell whether a text says one of the clinic's names, whatever the case; its genitive too."""
    names = (re.escape(name) for name in clinic.names.values() if name)
    return any(re.search(rf"(?<!\w){name}s?(?!\w)", text, re.IGNORECASE) for name in names)


def _in_source(source: Source, clinic: ClinicConfig) -> Iterator[Finding]:
    """Find what is wrong in the words as they are written, with their line."""
    for number, text in enumerate(source.text.split("\n"), start=1):
        file, line = locate(source, number)
        for word in _private(text, clinic):
            message = f"says {word!r}, which tells what the visit is about. Leave it out."
            yield Finding(file, line, Code.PRIVATE_WORD, message, what=word)
        if source.channel is not Channel.SMS:
            continue
        if _LINK.search(text) or "faq_url" in text:
            message = "has a link: text messages carry none, as people are told not to trust them."
            yield Finding(file, line, Code.LINK, message)
        if _CLINIC_NAME.search(text) or _names_in(text, clinic):
            message = "says the clinic's name; give the phone number alone."
            yield Finding(file, line, Code.CLINIC_NAME, message)
        for sign in _costly(text) if language_of(source.language).plain else ():
            message = f"has {sign!r}, for which the whole text costs more than double."
            yield Finding(file, line, Code.NOT_GSM, message, what=sign)


def _costly(text: str) -> list[str]:
    return outside_gsm(repair(re.sub(r"\{#.*?#\}|\{%.*?%\}", "", text)))


def in_text(
    source: Source, rendered: Rendered, clinic: ClinicConfig, who: str
) -> Iterator[Finding]:
    """Find what is wrong in a filled-in text: what the configuration puts in counts too.

    `who` reads it.
    """
    file = file_name(source)
    files = [a.content.decode() for a in rendered.attachments if not a.inline]
    whole = "\n".join([rendered.subject or "", rendered.body, *files])
    for setting in (clinic.email.sender, clinic.email.reply_to):
        whole = whole.replace(setting or "\n", "\n")  # what these say, `_sender` finds once
    for word in _private(whole, clinic):
        message = f"says {word!r} once it is filled in. Look at the configuration's words."
        yield Finding(file, 1, Code.PRIVATE_WORD, message, what=word)
    if source.channel is not Channel.SMS:
        return
    if _names_in(rendered.body, clinic) and not _names_in(source.text, clinic):
        message = "says the clinic's name once it is filled in; give the phone number alone."
        yield Finding(file, 1, Code.CLINIC_NAME, message)
    size = measure(rendered.body)
    plain = language_of(source.language).plain
    if size.charset is Charset.UCS2 and plain:
        outside = outside_gsm(rendered.body)
        signs = ", ".join(map(repr, outside))
        message = f"has {signs} once it is filled in: the whole text costs more than double."
        yield Finding(file, 1, Code.NOT_GSM, message, what=" ".join(outside))
    one = source.name in ONE_SEGMENT and plain and source.language in clinic.languages
    most = 1 if one else MOST_SEGMENTS[size.charset]
    if size.segments > most:
        message = f"takes {size.segments} parts{who}: shorten it to {most}."
        yield Finding(file, 1, Code.TOO_LONG, message, what=f"{size.segments}")
