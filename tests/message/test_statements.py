"""What the handout says reaches every patient, and nothing else is said.

Each line of a template ends in a note of what it says: `{# S5 S6 #}`, or `visit` for the facts of the
visit itself, or `heading`. The notes are rendered too here, so a note counts only where its line does.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from reminders.config import load_config
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Role
from reminders.domain.template import Source
from reminders.message.context import Facts
from reminders.message.lint import lint
from reminders.message.render import Library
from reminders.message.sms import Charset, measure
from reminders.message.sources import make_source, read_sources
from reminders.resources import templates

CLINIC = load_config(environ={}).clinics["internet"]
SOURCES = read_sources(templates())
ALL = {f"S{number}" for number in range(1, 24)}
AGES = (8, 12, 13, 17, None)
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
PLACES = {
    ("confirmation", Channel.SMS): "S1 S2 S3 S4 S5 S6 S8 S9 S10 S11 S12 S18 S20 S23",
    ("confirmation", Channel.EMAIL): "S1 S2 S3 S4 S5 S6 S8 S9 S10 S11 S12 S18 S20 S21 S23",
    ("day_before", Channel.SMS): "S1 S8 S9 S13 S23",
    ("day_before", Channel.EMAIL): "S1 S2 S8 S9 S10 S12 S13 S23",
    ("fifteen_minutes", Channel.SMS): "S1 S3 S5 S6 S14 S15 S23",
    ("fifteen_minutes", Channel.EMAIL): "S1 S3 S5 S6 S7 S11 S14 S15 S16 S17 S18 S19 S21 S23",
    ("help", Channel.SMS): "S1 S3 S4 S5 S6 S7 S14 S15 S16 S17 S18 S19 S20 S23",
    ("help", Channel.EMAIL): "S1 S3 S4 S5 S6 S7 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23",
}


def facts(age: int | None, days: int = 1, *, tail: str | None = None, short: bool = False) -> Facts:
    start = NOW + timedelta(days=days, hours=3)
    role = Role.PATIENT if age and age >= 13 else Role.GUARDIAN
    return Facts(start, NOW, VisitStatus.BOOKED, age, role, short, tail)


def said(source: Source, age: int | None) -> set[str]:
    """Return the statements that a reader of this age is given by a message."""
    marked = re.sub(r"\{# ((?:S\d+ ?|visit ?|heading ?)+)#\}", r"[[\1]]", source.text)
    noted = make_source(source.language, source.name, source.channel, marked)
    body = Library([noted]).render(noted, facts(age), CLINIC).body
    return set(re.findall(r"S\d+", " ".join(re.findall(r"\[\[(.*?)\]\]", body))))


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize(("name", "channel"), list(PLACES))
def test_each_message_says_what_belongs_in_it(language, age, name, channel):
    """Each message has the statements that the handout's table puts in it, and no other."""
    assert said(SOURCES[language, name, channel], age) == set(PLACES[name, channel].split())


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("channel", list(Channel))
def test_every_statement_reaches_everybody(language, age, channel):
    """A patient who gets one channel alone is told everything; links are for email only."""
    names = {name for name, by in PLACES if by is channel}
    told = set().union(*(said(SOURCES[language, name, channel], age) for name in names))
    assert told == (ALL if channel is Channel.EMAIL else ALL - {"S21", "S22"})


@pytest.mark.parametrize(
    "source", SOURCES.values(), ids=lambda s: f"{s.language}-{s.name}-{s.channel}"
)
def test_every_line_says_what_it_is(source):
    """No line of a template is without a note of what it says."""
    lines = [line for line in source.text.splitlines() if line.strip()]
    plain = [x for x in lines if not re.fullmatch(r"\{[%#].*[%#]\}", x.strip())]
    assert [x for x in plain if not re.search(r"\{# (?:S\d+ ?|visit ?|heading ?)+#\}$", x)] == []


EVIDENCE = {
    "sv": {
        "S8": "logga in i god tid",
        "S13": "Ladda",
        "S14": "Dra",
        "S20": "eadset",
        "S10": "Kontakta oss",
    },
    "en": {
        "S8": "log in well",
        "S13": "Charge",
        "S14": "Pull",
        "S20": "headset",
        "S10": "Contact us",
    },
}


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("channel", list(Channel))
def test_the_notes_are_true(language, channel):
    """Where a note says a statement, its words are there."""
    for name in {name for name, _ in PLACES}:
        source = SOURCES[language, name, channel]
        body = Library([source]).render(source, facts(13), CLINIC).body
        for statement, words in EVIDENCE[language].items():
            assert (words in body) == (statement in said(source, 13)), (name, statement)


@pytest.mark.parametrize("language", ["sv", "en"])
@pytest.mark.parametrize("name", ["day_before", "fifteen_minutes"])
@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("days", [0, 1, 294])
@pytest.mark.parametrize("tail", [None, "1042"])
def test_reminders_fit_one_segment(language, name, age, days, tail):
    """The day-before and 15-minute texts are one plain segment for everybody, on every day."""
    source = SOURCES[language, name, Channel.SMS]
    size = measure(Library([source]).render(source, facts(age, days, tail=tail), CLINIC).body)
    assert (size.charset, size.segments) == (Charset.GSM7, 1)


def test_the_day_is_the_day_of_sending():
    """A text says today, tomorrow or the date by the day on which it is really sent."""
    source = SOURCES["sv", "day_before", Channel.SMS]
    library = Library([source])
    bodies = [library.render(source, facts(8, days), CLINIC).body for days in (0, 1, 2)]
    assert "i dag" in bodies[0]
    assert "i morgon" in bodies[1]
    assert "tors 3 dec" in bodies[2]


def test_the_shipped_texts_have_no_finding():
    """The shipped texts pass their own check."""
    assert lint(SOURCES.values(), "internet", CLINIC, NOW).findings == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("BUP: {{ visit.time }}", "private_word"),
        ("{{ visit.time }} www.example.org", "link"),
        ("{{ clinic.faq_url }}", "link"),
        ("{{ clinic.name }}", "clinic_name"),
        ("{{ visit.time }} ş", "not_gsm"),
        ("{{ no_such }}", "broken"),
        ("x" * 161, "too_long"),
    ],
)
def test_check_finds(text, code):
    """A private word, a link, a costly sign, an unknown name or a long text is found, with its line."""
    source = make_source("sv", "day_before", Channel.SMS, f"\n{text}\n")
    others = [
        s
        for s in SOURCES.values()
        if (s.language, s.name, s.channel) != ("sv", "day_before", Channel.SMS)
    ]
    found = lint([source, *others], "internet", CLINIC, NOW).findings
    assert code in {finding.code.value for finding in found}
    assert (
        any(f.line == 2 for f in found if f.code.value == code and code != "too_long")
        or code == "too_long"
    )
