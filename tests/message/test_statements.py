"""What the handout says reaches every patient, and nothing else is said.

Each line of a template ends in a note of what it says: `{# S5 S6 #}`, or `visit` for the facts of the
visit itself, or `heading`. The notes are rendered too here, so a note counts only where its line does.
"""

import itertools
import re
from datetime import timedelta

import pytest

from reminders.domain.contact import Channel, Role
from reminders.domain.template import Source
from reminders.message.lint import Code, lint
from reminders.message.render import Library
from reminders.message.sms import Charset, measure
from reminders.message.sources import make_source
from tests.message.people import AGES, CLINIC, COMPLETE, NOW, SOURCES, TWO_WAY, facts

ALL = {f"S{number}" for number in range(1, 24)}
NOTE = r"(?:S\d+ ?|visit ?|heading ?|picture ?|ombud ?|cancel ?|reply ?)+"
PLACES = {
    ("confirmation", Channel.SMS): "S1 S2 S3 S4 S5 S6 S8 S9 S10 S11 S12 S18 S20 S23",
    ("confirmation", Channel.EMAIL): "S1 S2 S3 S4 S5 S6 S8 S9 S10 S11 S12 S18 S20 S21 S23",
    ("two_days", Channel.SMS): "S1 S9 S10 S23",
    ("two_days", Channel.EMAIL): "S1 S3 S4 S9 S10 S23",
    ("day_before", Channel.SMS): "S1 S8 S9 S13 S23",
    ("day_before", Channel.EMAIL): "S1 S2 S3 S8 S9 S10 S12 S13 S23",
    ("fifteen_minutes", Channel.SMS): "S1 S3 S5 S6 S14 S15 S23",
    ("fifteen_minutes", Channel.EMAIL): "S1 S3 S5 S6 S7 S11 S14 S15 S16 S17 S18 S19 S21 S23",
    ("help", Channel.SMS): "S1 S3 S4 S5 S6 S7 S14 S15 S16 S17 S18 S19 S20 S23",
    ("help", Channel.EMAIL): "S1 S3 S4 S5 S6 S7 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23",
    ("not_come", Channel.SMS): "S1 S3 S5 S6 S14 S15 S16 S23",
    ("not_come", Channel.EMAIL): "S1 S3 S5 S6 S14 S15 S16 S17 S18 S19 S23",
    ("moved", Channel.SMS): "S1 S23",
    ("moved", Channel.EMAIL): "S1 S23",
    ("cancelled", Channel.SMS): "S23",
    ("cancelled", Channel.EMAIL): "S23",
    ("next_steps", Channel.SMS): "S23",
    ("next_steps", Channel.EMAIL): "S23",
    ("reply_stop", Channel.SMS): "S23",
    ("reply_start", Channel.SMS): "S23",
    ("reply_cancel", Channel.SMS): "S23",
    ("reply_other", Channel.SMS): "S23",
}
"""What each text says to a reader whom it reaches in good time."""

ALWAYS = ("confirmation", "day_before", "fifteen_minutes", "help")
"""The texts that everybody gets, or can get: together they say all of the handout."""


def said(source: Source, age: int | None, **more) -> set[str]:
    """Return the statements that a reader of this age is given by a message."""
    marked = re.sub(rf"\{{# ({NOTE})#\}}", r"[[\1]]", source.text)
    noted = make_source(source.language, source.name, source.channel, marked)
    body = Library([noted]).render(noted, facts(age, **more), CLINIC).body
    return set(re.findall(r"S\d+", " ".join(re.findall(r"\[\[(.*?)\]\]", body))))


@pytest.mark.parametrize("language", COMPLETE)
@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize(("name", "channel"), list(PLACES))
def test_each_message_says_what_belongs_in_it(language, age, name, channel):
    """Each message has the statements that the handout's table puts in it, and no other."""
    assert said(SOURCES[language, name, channel], age) == set(PLACES[name, channel].split())


def test_the_table_has_every_text():
    """No text that we ship lacks its line in the table."""
    shipped = {(name, channel) for language, name, channel in SOURCES if language in COMPLETE}
    assert shipped == set(PLACES)


@pytest.mark.parametrize("language", COMPLETE)
@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("channel", list(Channel))
def test_every_statement_reaches_everybody(language, age, channel):
    """A patient who gets one channel alone is told everything; links are for email only."""
    told = set().union(*(said(SOURCES[language, name, channel], age) for name in ALWAYS))
    assert told == (ALL if channel is Channel.EMAIL else ALL - {"S21", "S22"})


@pytest.mark.parametrize(
    "source", SOURCES.values(), ids=lambda s: f"{s.language}-{s.name}-{s.channel}"
)
def test_every_line_says_what_it_is(source):
    """No line of a template is without a note of what it says."""
    lines = [line for line in source.text.splitlines() if line.strip()]
    plain = [x for x in lines if not re.fullmatch(r"\{[%#].*[%#]\}", x.strip())]
    assert [x for x in plain if not re.search(rf"\{{# {NOTE}#\}}$", x)] == []


EVIDENCE = {
    "sv": {
        "S3": "BankID",
        "S5": "Mina ärenden",
        "S10": "Kontakta oss",
        "S13": "Ladda",
        "S14": "Dra",
        "S20": "eadset",
        "S23": "08-123 522 07",
    },
    "en": {
        "S5": "Mina ärenden",
        "S10": "Contact us",
        "S13": "Charge",
        "S20": "headset",
        "S23": "08-123 522 07",
    },
}


@pytest.mark.parametrize("language", COMPLETE)
@pytest.mark.parametrize("channel", list(Channel))
def test_the_notes_are_true(language, channel):
    """Where a note says a statement its words are there, and nowhere else."""
    for name in ALWAYS:
        source = SOURCES[language, name, channel]
        body = Library([source]).render(source, facts(13), CLINIC).body
        for statement, words in EVIDENCE[language].items():
            if (statement, name) != ("S3", "day_before") and statement != "S5":
                assert (words in body) == (statement in said(source, 13)), (name, statement)


@pytest.mark.parametrize("language", COMPLETE)
@pytest.mark.parametrize("age", AGES)
def test_a_visit_known_late_or_moved_near_is_told_all_that_still_helps(language, age):
    """Within a day of the visit, one text has the way in, the login and the battery in it."""
    for name, more in (("confirmation", {}), ("moved", {}), ("day_before", {"short": True})):
        for channel in Channel:
            told = said(SOURCES[language, name, channel], age, days=0.5, **more)
            assert told >= {"S1", "S5", "S6", "S8", "S9", "S13", "S23"}, (name, channel)


@pytest.mark.parametrize("language", COMPLETE)
def test_reminders_fit_one_segment(language):
    """The day-before text, told late too, and the 15-minute text are one plain segment each."""
    library = Library(SOURCES.values())
    for name in ("day_before", "fifteen_minutes"):
        source = SOURCES[language, name, Channel.SMS]
        when = [(0.1, False), (1, False), (289.0, False), (0.1, True), (0.95, True)]
        everybody = itertools.product(AGES, Role, when, (None, "1042"), range(7))
        for age, role, (days, short), tail, weekday in everybody:
            now = NOW + timedelta(days=weekday)
            more = {"role": role, "ref_tail": tail, "now": now, "short": short}
            reader = facts(age, days + weekday, **more)
            size = measure(library.render(source, reader, CLINIC).body)
            assert (size.charset, size.segments) == (Charset.GSM7, 1), (name, age, role, days, tail)


def test_the_day_is_the_day_of_sending():
    """A text says today, tomorrow or the date by the day on which it is really sent."""
    source = SOURCES["sv", "day_before", Channel.SMS]
    library = Library([source])
    bodies = [library.render(source, facts(8, days + 0.1), CLINIC).body for days in (0, 1, 2)]
    assert "i dag" in bodies[0]
    assert "i morgon ons" in bodies[1]
    assert "tors 3 dec" in bodies[2]


def test_the_shipped_texts_have_no_finding():
    """The shipped texts pass their own check."""
    assert lint(SOURCES.values(), "internet", CLINIC, NOW).findings == ()
    answered = [s for s in SOURCES.values() if s.language in COMPLETE]
    assert lint(answered, "internet", TWO_WAY, NOW).findings == ()
    without = [s for s in answered if s.name != "reply_stop"]
    missing = lint(without, "internet", TWO_WAY, NOW).findings
    assert [(one.file, one.code.value) for one in missing] == [
        ("sv/reply_stop.sms.txt", "missing"),
        ("templates/en", "missing"),
    ]


@pytest.mark.parametrize(
    "setting",
    [
        {"phone_hours": ""},
        {"phone_hours": "8-16"},
        {"faq_url": ""},
        {"eid": CLINIC.eid.model_copy(update={"refused": ()})},
    ],
)
def test_what_a_clinic_need_not_have_is_no_fault_of_the_texts(setting):
    """A clinic without phone hours, a page of answers or refused e-IDs has no finding to mend."""
    some = [source for source in SOURCES.values() if source.language in {*COMPLETE, "ar"}]
    assert lint(some, "internet", CLINIC.model_copy(update=setting), NOW).findings == ()


def test_a_name_that_is_put_together_is_found():
    """The clinic's name counts in the text as it goes out, too."""
    source = make_source("sv", "moved", Channel.SMS, "{{ 'Videomottagning' ~ 'en' }}\n")
    found = {one.code for one in lint([source], "internet", CLINIC, NOW).findings}
    assert Code.CLINIC_NAME in found


@pytest.mark.parametrize("key", ["sender", "reply_to"])
def test_an_address_that_says_too_much_is_found_once(key):
    """Whom an email comes from, and whom an answer goes to, is seen by whoever sees the email."""
    email = CLINIC.email.model_copy(update={key: "BUP.psykiatri@example.org"})
    known = [source for source in SOURCES.values() if source.language in COMPLETE]
    found = lint(known, "internet", CLINIC.model_copy(update={"email": email}), NOW).findings
    assert {one.setting for one in found} == {("clinics", "internet", "email", key)}
    assert {one.what or one.code.value for one in found} == {"private_word"}
    assert len(found) == 2  # two private words


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("BUP: {{ visit.time }}", "private_word"),
        ("{{ visit.time }} www.example.org", "link"),
        ("{{ clinic.faq_url }}", "link"),
        ("{{ clinic.name }}", "clinic_name"),
        ("{{ clinic['name'] }}", "clinic_name"),
        ("VIDEOMOTTAGNINGEN: {{ visit.time }}", "clinic_name"),
        ("{{ visit.time }}: Videomottagningens video", "clinic_name"),
        ("{{ visit.time }} ş", "not_gsm"),
        ("{{ no_such }}", "unknown_name"),
        ("{% if role == 'x' %}{{ visit.no_such }}{% endif %}", "unknown_name"),
        ("{{ visit.time }}{% if role == 'x' %}!{% endif %}", "unreachable"),
        ("{{ clinic.phone }}{% if not clinic.phone %}!{% endif %}", "unreachable"),
        ("{{ visit.time / 2 }}", "broken"),
        ("{{ visit.time }}", "not_said"),
        ("x" * 161, "too_long"),
    ],
)
def test_check_finds(text, code):
    """A private word, a link, a costly sign, an unknown name or a long text is found, with its line."""
    source = make_source("sv", "day_before", Channel.SMS, f"\n{text}\n")
    others = [
        s
        for s in SOURCES.values()
        if s.channel is Channel.SMS and s.language == "sv" and s.name != "day_before"
    ]
    found = lint([source, *others], "internet", CLINIC, NOW).findings
    assert code in {finding.code.value for finding in found}
    assert any(f.line == 2 for f in found if f.code.value == code) or code in {
        "too_long",
        "not_said",
    }
