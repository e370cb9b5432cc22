"""Checking templates: what they cost, and whether they say anything that they must not."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reminders.config import ClinicConfig
from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.errors import TemplateError
from reminders.message.render import Library, Rendered
from reminders.message.samples import Sample, samples
from reminders.message.sms import Charset, Measure, measure, outside_gsm, repair
from reminders.message.syntax import file_name, locate

ONE_SEGMENT = frozenset({"day_before", "fifteen_minutes"})
"""Templates whose full text has to fit one segment."""

NAMES = ("confirmation", "day_before", "fifteen_minutes", "help", "moved", "cancelled")
SENDER = re.compile(r"[A-Za-z0-9 ]{1,11}|\+[1-9][0-9]{6,14}")
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


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to put right: where, and in plain words what."""

    file: str
    line: int
    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What one template's longest sample takes as an SMS."""

    file: str
    sample: str
    measure: Measure


@dataclass(frozen=True, slots=True)
class Report:
    """All that a check found."""

    findings: tuple[Finding, ...]
    costs: tuple[Cost, ...]


def lint(sources: Iterable[Source], key: str, clinic: ClinicConfig, now: datetime) -> Report:
    """Check these templates for one clinic, on sample people. `now` is in UTC."""
    known = {(s.language, s.name, s.channel): s for s in sources}
    findings: list[Finding] = [*_sender(key, clinic), *_missing(known, clinic)]
    costs: list[Cost] = []
    library = Library(known.values())
    people = list(samples(clinic, now))
    for name in sorted(known):
        source = known[name]
        findings += _in_source(source, clinic)
        longest: Cost | None = None
        for sample in people:
            try:
                rendered = library.render(source, sample.facts, clinic)
            except TemplateError as error:
                findings.append(_broken(source, str(error)))
                break
            findings += _in_text(source, rendered, sample, clinic)
            if source.channel is Channel.SMS:
                cost = Cost(file_name(source), sample.name, measure(rendered.body))
                if longest is None or cost.measure.units > longest.measure.units:
                    longest = cost
        if longest is not None:
            costs.append(longest)
    return Report(tuple(dict.fromkeys(findings)), tuple(costs))


def _broken(source: Source, message: str) -> Finding:
    line = re.search(r"line (\d+)", message)
    return Finding(file_name(source), int(line[1]) if line else 1, Code.BROKEN, message)


def _missing(
    known: Mapping[tuple[str, str, Channel], Source], clinic: ClinicConfig
) -> Iterator[Finding]:
    language = clinic.languages[0]
    for name in NAMES:
        for channel in Channel:
            if (language, name, channel) not in known:
                file = file_name(Source(language, name, channel, "", ""))
                message = "is not there; every other language falls back to it. Write it."
                yield Finding(file, 1, Code.MISSING, message)


def _sender(key: str, clinic: ClinicConfig) -> Iterator[Finding]:
    where = f"config.toml, clinics.{key}.sms.sender"
    sender = clinic.sms.sender
    if sender and not SENDER.fullmatch(sender):
        message = "a sender is at most 11 letters a-z, digits and spaces, or a number like +46..."
        yield Finding(where, 1, Code.SENDER, message)
    for word in _private(sender, clinic):
        yield Finding(
            where, 1, Code.PRIVATE_WORD, f"the sender says {word!r}: choose a neutral one"
        )
    for word in _private(clinic.names.get(Channel.EMAIL, ""), clinic):
        place = f"config.toml, clinics.{key}.names.email"
        yield Finding(place, 1, Code.PRIVATE_WORD, f"the name says {word!r}: choose a neutral one")


def _private(text: str, clinic: ClinicConfig) -> list[str]:
    return [word for word in clinic.private_words if word.casefold() in text.casefold()]


def _in_source(source: Source, clinic: ClinicConfig) -> Iterator[Finding]:
    """Find what is wrong in the words as they are written, with their line."""
    for number, text in enumerate(source.text.split("\n"), start=1):
        file, line = locate(source, number)
        for word in _private(text, clinic):
            message = f"says {word!r}, which tells what the visit is about. Leave it out."
            yield Finding(file, line, Code.PRIVATE_WORD, message)
        if source.channel is not Channel.SMS:
            continue
        if _LINK.search(text) or "faq_url" in text:
            message = "has a link: text messages carry none, as people are told not to trust them."
            yield Finding(file, line, Code.LINK, message)
        if "clinic.name" in text:
            message = "says the clinic's name; give the phone number alone."
            yield Finding(file, line, Code.CLINIC_NAME, message)
        for sign in _costly(text):
            message = f"has {sign!r}, for which the whole text costs more than double."
            yield Finding(file, line, Code.NOT_GSM, message)


def _costly(text: str) -> list[str]:
    return outside_gsm(repair(re.sub(r"\{#.*?#\}|\{%.*?%\}", "", text)))


def _in_text(
    source: Source, rendered: Rendered, sample: Sample, clinic: ClinicConfig
) -> Iterator[Finding]:
    """Find what is wrong in a filled-in text: what the configuration puts in counts too."""
    file = file_name(source)
    whole = f"{rendered.subject or ''}\n{rendered.body}"
    for word in _private(whole, clinic):
        message = f"says {word!r} once it is filled in. Look at the configuration's words."
        yield Finding(file, 1, Code.PRIVATE_WORD, message)
    if source.channel is not Channel.SMS:
        return
    size = measure(rendered.body)
    if size.charset is Charset.UCS2:
        signs = ", ".join(map(repr, outside_gsm(rendered.body)))
        message = f"has {signs} once it is filled in: the whole text costs more than double."
        yield Finding(file, 1, Code.NOT_GSM, message)
    if source.name in ONE_SEGMENT and not sample.facts.short and size.segments > 1:
        message = f"takes {size.units} of 160 characters for {sample.name}: shorten it to one part."
        yield Finding(file, 1, Code.TOO_LONG, message)
