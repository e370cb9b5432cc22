"""Every text for everybody, at every time it can go: filled in, within its size, and true."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from reminders.config import ClinicConfig
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Role
from reminders.message.context import Facts
from reminders.message.lint import (
    ANSWERS,
    MOST_SEGMENTS,
    NAMES,
    ONE_SEGMENT,
    SITUATIONS,
    Code,
    in_text,
    lint,
)
from reminders.message.render import Library, Rendered
from reminders.message.sms import Charset, measure
from tests.message.people import CLINIC, COMPLETE, DRAFTS, NOW, SOURCES, TWO_WAY, facts

LIBRARY = Library(SOURCES.values())
HOURS = (24 * 250, 24 * 40, 552, 48, 27, 24, 3, 0.25, -0.3)
"""How many hours before the visit a text goes."""

AFTERWARDS = (-0.75, -3, -24)
"""So what follows the visit: at the earliest when it is over."""

WAS_AT = NOW + timedelta(days=300, minutes=7)
"""When a visit was to be that has another time now: as no other one."""

BEFORE_ONLY = frozenset({"confirmation", "two_days", "day_before", "fifteen_minutes", "moved"})
TIMELY = {
    "sv": {
        "redan nu": (0, 8),
        "i god tid": (8, 9999),
        "har börjat": (-9, 0),
        "strax": (0, 9999),
        "är över": (-99, -0.7),
    },
    "en": {
        "try the login now": (0, 8),
        "well ahead": (8, 9999),
        "well before": (8, 9999),
        "has begun": (-9, 0),
        "shortly": (0, 9999),
        "is over": (-99, -0.7),
    },
}
"""Words that are true only so many hours before the visit: from the first, and before the second."""

NEAR_DAYS = {"sv": ("i dag", "i morgon"), "en": ("today", "tomorrow")}

REPLY = {"sv": "Svara ", "en": "Reply "}
CANCEL = {"sv": ("Ring senast", "Ring oss senast"), "en": ("Call by", "Call us by")}
NEVER = ("None", "{", "gratis att avboka", "free of charge")


def everybody(name: str, channel: Channel) -> Iterator[tuple[Facts, ClinicConfig]]:
    """Yield each reader at each time with each kind of sender; neither tail nor sender changes an email."""
    status = VisitStatus.CANCELLED if name == "cancelled" else VisitStatus.BOOKED
    sms = channel is Channel.SMS
    ages = (12, 13, 17, None) if sms else (12, 13, None)
    tails, clinics = ((None, "1042"), (CLINIC, TWO_WAY)) if sms else ((None,), (CLINIC,))
    if name in ANSWERS:
        clinics = (TWO_WAY,)
    times = AFTERWARDS if name == "next_steps" else HOURS
    for role, age, hours, tail, clinic in itertools.product(Role, ages, times, tails, clinics):
        if hours > 0 or name not in BEFORE_ONLY:
            more = {"role": role, "ref_tail": tail, "status": status}
            yield facts(age, hours / 24, **more), clinic
            if name in {"moved", "cancelled"}:
                was = {"was_at": WAS_AT, "was_age": age and 25 - age}
                yield facts(age, hours / 24, **was, **more), clinic
            if name == "moved":
                yield facts(age, hours / 24, again=True, **more), clinic
            if name == "day_before" and hours < 24:
                yield facts(age, hours / 24, short=True, **more), clinic


def untrue(language: str, text: str, reader: Facts) -> Iterator[str]:
    """Yield the words of a text that are not true at the moment for which it is."""
    lead = reader.starts_at - reader.now
    for words, (least, most) in TIMELY[language].items():
        if words in text and not timedelta(hours=least) <= lead < timedelta(hours=most):
            yield f"says {words!r} at {lead}"
    day, today = (at.astimezone(CLINIC.zone).date() for at in (reader.starts_at, reader.now))
    first = text.partition("\n")[2].lstrip().split(".")[0]
    for ahead, words in enumerate(NEAR_DAYS[language]):
        if re.search(rf"\b{words}\b", first) and (day - today).days != ahead:
            yield f"says {words!r} of {day} on {today}"


def faults(language: str, name: str, rendered: Rendered, reader, clinic) -> Iterator[str]:
    """Yield what is wrong with one text, for that reader at that time."""
    text = f"{rendered.subject or ''}\n{rendered.body}"
    lead = reader.starts_at - reader.now
    yield from untrue(language, text, reader)
    source = SOURCES[language, name, Channel.EMAIL if rendered.html else Channel.SMS]
    yield from (f.message for f in in_text(source, rendered, clinic, ""))
    yield from (f"says {words!r}" for words in NEVER if words in text)
    yield from (f"says {w!r}" for w in CLINIC.private_words if w.casefold() in text.casefold())
    if clinic.phone not in text:
        yield "has no phone number"
    if REPLY[language] in text and clinic is not TWO_WAY:
        yield "invites an answer that cannot arrive"
    if any(words in text for words in CANCEL[language]) and lead < timedelta(hours=26):
        yield "names a deadline that cannot be kept"
    if reader.was_at and "11:07" not in text:
        yield "does not name the time that its reader counts on"
    if reader.again and (rf := re.search(r"\b[Nn]y tid|[Nn]ew time", text)):
        yield f"says {rf[0]!r} of the time that its reader was told first"
    if reader.was_at and name == "cancelled" and "11:07" not in (rendered.subject or "11:07"):
        yield "has a subject with a time that its reader was never told"
    if rendered.html is None:
        size = measure(rendered.body)
        most = 1 if name in ONE_SEGMENT else MOST_SEGMENTS[Charset.GSM7]
        if size.charset is not Charset.GSM7 or size.segments > most:
            yield f"takes {size.segments} parts of {size.charset}"
        if "http" in text:
            yield "has a link"


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("language", COMPLETE)
def test_each_text_is_right_for_each_reader_at_each_time(language, channel):
    """No undefined value, no untrue promise, nothing private, and each SMS within its size."""
    found = []
    for name in [name for name in NAMES if (language, name, channel) in SOURCES]:
        source = SOURCES[language, name, channel]
        for reader, clinic in everybody(name, channel):
            rendered = LIBRARY.render(source, reader, clinic)
            wrong = faults(language, name, rendered, reader, clinic)
            found += [(name, fault, reader) for fault in wrong]
    assert found == []


@pytest.mark.parametrize("language", DRAFTS)
def test_each_draft_can_be_filled_in(language):
    """A draft has every text, for everybody, with the phone number, within the size of its script."""
    found = []
    for name in SITUATIONS:
        source = SOURCES[language, name, Channel.SMS]
        for role, age, hours, clinic in itertools.product(
            Role, (12, 13, None), (552, 3), (CLINIC, TWO_WAY)
        ):
            body = LIBRARY.render(source, facts(age, hours / 24, role=role), clinic).body
            size = measure(body)
            if size.segments > MOST_SEGMENTS[size.charset] or CLINIC.phone not in body:
                found.append((name, role, age, hours))
    assert found == []


@pytest.mark.parametrize("language", DRAFTS)
def test_a_draft_has_all_that_the_complete_languages_have(language):
    """A draft has a text for every situation and answer, and says who logs in for a younger child."""
    english = {key[1:] for key in SOURCES if key[0] == "en"}
    assert {key[1:] for key in SOURCES if key[0] == language} == english
    for name, channel in (("help", "sms"), ("help", "email"), ("not_come", "sms")):
        source = SOURCES[language, name, Channel(channel)]
        for role in Role:
            body = LIBRARY.render(source, facts(None, role=role), CLINIC).body
            assert CLINIC.app.proxy in body
    both = [
        SOURCES[language, "fifteen_minutes", Channel.SMS],
        SOURCES[language, "not_come", Channel.SMS],
    ]
    for source in both:
        texts = {LIBRARY.render(source, facts(8, 0.01, role=role), CLINIC).body for role in Role}
        assert len(texts) == len(Role)


FACT = re.compile(
    r"\b(?:visit|clinic|app)\.\w+|\b(?:ref_tail|which_unclear|login_changed|own_login_needed)\b"
)
"""What a text can tell or depend on, as templates write it."""


@pytest.mark.parametrize("language", DRAFTS)
def test_a_draft_tells_the_same_facts(language):
    """What a Swedish text tells of the visit, the clinic and the login, its drafts tell as well."""
    lacking = {
        (name, channel.value): set(FACT.findall(source.text)) - set(FACT.findall(draft.text))
        for (of, name, channel), source in SOURCES.items()
        for draft in [SOURCES[language, name, channel]]
        if of == "sv"
    }
    assert {where: facts for where, facts in lacking.items() if facts} == {}


@pytest.mark.parametrize("language", [*COMPLETE, *DRAFTS])
def test_who_writes_in_need_is_told_whom_to_call(language):
    """Nobody reads an answer at night: it says whom to call in an emergency."""
    source = SOURCES[language, "reply_other", Channel.SMS]
    assert re.search(r"\b112\b", LIBRARY.render(source, facts(8), TWO_WAY).body)


@pytest.mark.parametrize(
    ("language", "wrong"),
    [
        ("sv", r"Prova [\w ]*att logga in (?!på)|Sätt dig|Logga in"),
        ("en", r"[Tt]ry [\w ]*to log in|hears you\b|Log in"),
    ],
)
def test_a_parent_whose_child_logs_in_is_not_asked_to(language, wrong):
    """From 13 nobody logs in for another: no text asks a guardian to try it, or to sit down for it."""
    for name, channel in itertools.product(SITUATIONS, Channel):
        source = SOURCES[language, name, channel]
        for hours in (27, 3, 0.25):
            reader = facts(15, hours / 24, role=Role.GUARDIAN)
            body = LIBRARY.render(source, reader, CLINIC).body
            assert re.findall(wrong, body) == [], (name, channel)


@pytest.mark.parametrize("language", COMPLETE)
def test_the_text_of_two_days_before_is_one_part(language):
    """With a sender that is a name it is one part the whole year, a sibling on the phone or not."""
    source = SOURCES[language, "two_days", Channel.SMS]
    people = itertools.product(range(0, 365, 3), Role, (8, 15, None), (None, "1042"))
    for day, role, age, tail in people:
        at = NOW + timedelta(days=day)
        reader = facts(age, role=role, ref_tail=tail, now=at, starts_at=at + timedelta(hours=48))
        body = LIBRARY.render(source, reader, CLINIC).body
        assert measure(body).segments == 1, body


@pytest.mark.parametrize(
    ("language", "says"),
    [
        (
            "sv",
            {
                (13, Role.GUARDIAN): "har barnet fyllt 13 år och loggar in själv, med eget BankID.",
                (13, Role.PATIENT): "har du fyllt 13 år och loggar in själv, med eget BankID.",
                (12, Role.GUARDIAN): "under 13 år, och du loggar in med ditt BankID",
                (12, Role.PATIENT): "och en vårdnadshavare loggar in med sitt BankID",
            },
        ),
        (
            "en",
            {
                (13, Role.GUARDIAN): "your child has turned 13 and logs in with a BankID of their",
                (13, Role.PATIENT): "you have turned 13 and log in with a BankID of your own",
                (12, Role.GUARDIAN): "under 13, and you log in with your BankID",
                (12, Role.PATIENT): "and a guardian logs in with their BankID",
            },
        ),
    ],
)
@pytest.mark.parametrize("channel", list(Channel))
def test_a_move_past_the_birthday_says_who_logs_in_now(language, says, channel):
    """Who learnt to log in for a child of 12 is told that the child does, at the new time; and back."""
    source = SOURCES[language, "moved", channel]
    for (age, role), words in says.items():
        reader = facts(age, 20, role=role, was_at=NOW + timedelta(days=2))
        bodies = [
            LIBRARY.render(source, replace(reader, was_age=was), CLINIC).body
            for was in (25 - age, age, None)
        ]
        assert [words in body for body in bodies] == [True, False, False]


@pytest.mark.parametrize(("language", "said"), [("sv", "januari 2027"), ("en", "January 2027")])
def test_a_visit_of_next_year_is_told_with_the_year(language, said):
    """A visit moved in December to January is not taken for one that has been, or for a later one."""
    for name, channel in itertools.product(("confirmation", "moved", "cancelled"), Channel):
        status = VisitStatus.CANCELLED if name == "cancelled" else VisitStatus.BOOKED
        rendered = LIBRARY.render(
            SOURCES[language, name, channel], facts(8, 40, status=status), CLINIC
        )
        assert said in rendered.body
        assert channel is Channel.SMS or said in str(rendered.subject)


def test_each_language_says_in_its_own_words_when_the_phone_is_answered():
    """Where the Swedish text tells when the phone is answered, so does the English, in English."""
    words = {language: CLINIC.phone_hours_in(language) for language in ("sv", "en")}
    assert words["sv"] != words["en"]
    saying: dict[str, set[tuple[str, Channel]]] = {language: set() for language in words}
    for (language, name, channel), source in SOURCES.items():
        body = LIBRARY.render(source, facts(8, 10), TWO_WAY).body
        if language in words and words[language] in body:
            saying[language].add((name, channel))
        assert not any(said in body for other, said in words.items() if other != language)
    assert saying["sv"] == saying["en"] != set()


def test_phone_hours_without_a_language_are_in_the_clinics_first():
    """Swedish words stand in no English text: it gives the number alone."""
    plain = CLINIC.model_copy(update={"phone_hours": "vardagar 8-16"})
    ends = [
        LIBRARY.render(SOURCES[language, "confirmation", Channel.EMAIL], facts(8, 10), plain)
        .body.strip()
        .endswith(end)
        for language, end in (("sv", "07 (vardagar 8-16)"), ("en", "us: 08-123 522 07"))
    ]
    assert ends == [True, True]


def test_the_check_names_what_a_language_lacks():
    """A language that is not whole is a finding, with the names of the texts that it lacks."""
    texts = [s for key, s in SOURCES.items() if key[0] in {"sv", "fi"}]
    texts = [s for s in texts if (s.language, s.name) != ("fi", "moved")]
    found = [f for f in lint(texts, "internet", CLINIC, NOW).findings if f.code is Code.MISSING]
    assert [(f.file, "moved (sms), moved (email)" in f.message) for f in found] == [
        ("templates/fi", True)
    ]


def test_a_sender_of_five_digits_can_be_answered_too():
    """A short number that is read invites answers as a long one does."""
    sms = CLINIC.sms.model_copy(update={"sender": "71456", "two_way": True})
    short = CLINIC.model_copy(update={"sms": sms})
    source = SOURCES["sv", "confirmation", Channel.SMS]
    bodies = [LIBRARY.render(source, facts(8), clinic).body for clinic in (short, CLINIC)]
    assert ["Svara " in body for body in bodies] == [True, False]


@pytest.mark.parametrize(("language", "adult"), [("sv", "vuxen"), ("en", "adult")])
@pytest.mark.parametrize("channel", list(Channel))
def test_who_has_not_come_is_not_a_child_alone(language, adult, channel):
    """A child under 13 on her own phone is told to show it to an adult, who logs in."""
    source = SOURCES[language, "not_come", channel]
    child = facts(8, -0.004, role=Role.PATIENT)
    body = LIBRARY.render(source, child, CLINIC).body
    assert re.match(rf"[^.]*\b{adult}\.", body)
    assert not re.search(r"vi ser dig|kan du inte|du inte in", body)
    for age, role in ((8, Role.GUARDIAN), (15, Role.PATIENT), (None, Role.GUARDIAN)):
        body = LIBRARY.render(source, facts(age, -0.004, role=role), CLINIC).body
        assert adult not in body.split("\n")[0]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("sv", "(...1042) i Alltid Öppet: vuxens BankID, Agera ombud, Mina ärenden,"),
        ("en", "(...1042), Alltid Öppet: adult's BankID, Agera ombud, Mina ärenden,"),
    ],
)
def test_a_sibling_under_13_is_told_whose_login_it_takes(language, said):
    """The shortest text of all still says that an adult logs in, with what, and as the proxy."""
    source = SOURCES[language, "fifteen_minutes", Channel.SMS]
    reader = facts(8, 0.0104, role=Role.PATIENT, ref_tail="1042")
    assert said in LIBRARY.render(source, reader, CLINIC).body
