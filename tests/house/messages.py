"""Writes docs/messages.sv.md and docs/messages.en.md: the texts as patients read them.

`make messages` writes them anew; a test holds them to the templates.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reminders.config import example
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Role
from reminders.message.context import Facts
from reminders.message.render import Library
from reminders.message.sms import measure
from reminders.message.sources import read_sources
from reminders.resources import templates

DOCS = Path(__file__).parents[2] / "docs"
START = datetime(2026, 12, 3, 9, tzinfo=UTC)
"""A Thursday, ten o'clock in Stockholm."""

CHILD = Facts(START, START, VisitStatus.BOOKED, 8, Role.GUARDIAN)
TEENAGER = replace(CHILD, age=15, role=Role.PATIENT)
PARENT = replace(CHILD, age=15)
UNKNOWN = replace(CHILD, age=None)
YOUNG = replace(CHILD, role=Role.PATIENT)

NO_EMAIL = {True: "Den går bara som sms.", False: "It goes by SMS alone."}
ANSWERED = {
    True: "Genast, där avsändaren kan ta emot svar.",
    False: "At once, where the sender can receive answers.",
}

Reader = tuple[str, Facts, timedelta]
"""A reader, and how long before the visit the text goes."""


def _readers(lead: timedelta, sv: bool) -> list[Reader]:
    return [
        ("Förälder till en åttaåring" if sv else "A parent of an eight-year-old", CHILD, lead),
        ("En femtonåring själv" if sv else "A fifteen-year-old herself", TEENAGER, lead),
        ("Förälder till en femtonåring" if sv else "A parent of a fifteen-year-old", PARENT, lead),
        ("Åldern är inte känd" if sv else "The age is not known", UNKNOWN, lead),
    ]


def hours(count: float) -> timedelta:
    """Return so many hours."""
    return timedelta(hours=count)


def _situations(sv: bool) -> Iterator[tuple[str, str, str, list[Reader]]]:
    child = "Förälder till en åttaåring" if sv else "A parent of an eight-year-old"
    teenager = "En femtonåring själv" if sv else "A fifteen-year-old herself"
    late = "bokat samma dag" if sv else "booked on the day"
    unconfirmed = f"{late}, {'utan bekräftelse' if sv else 'without a confirmation'}"
    alone = "En åttaåring på egen telefon" if sv else "An eight-year-old on a phone of her own"
    sibling = replace(CHILD, ref_tail="1042")
    today = "flyttat till i dag" if sv else "moved to today"
    past = (
        "Förälder till ett barn som fyller 13 före den nya tiden"
        if sv
        else "A parent of a child who turns 13 before the new time"
    )
    again = "avbokat och bokat igen" if sv else "cancelled and booked again"
    off = replace(CHILD, status=VisitStatus.CANCELLED)
    yield (
        "confirmation",
        "Bekräftelse vid bokning" if sv else "Confirmation at booking",
        "Direkt när besöket bokas." if sv else "At once when the visit is booked.",
        [
            # A confirmation shows the booking, so that a sibling's text can be told from it later.
            (reader, replace(facts, ref_tail="1042"), lead)
            for reader, facts, lead in (
                *_readers(hours(220), sv),
                (f"{child}, {late}", CHILD, hours(3)),
            )
        ],
    )
    yield (
        "two_days",
        "Två dagar före" if sv else "Two days before",
        "48 timmar före. Avstängd i exemplet." if sv else "48 hours before. Off in the example.",
        _readers(hours(48), sv),
    )
    yield (
        "day_before",
        "Dagen före" if sv else "The day before",
        "24 timmar före." if sv else "24 hours before.",
        [
            *_readers(hours(24), sv),
            (
                f"{child}, {'syskon på samma telefon' if sv else 'siblings on one phone'}",
                sibling,
                hours(24),
            ),
            (f"{child}, {unconfirmed}", replace(CHILD, short=True), hours(3)),
        ],
    )
    yield (
        "fifteen_minutes",
        "Femton minuter före" if sv else "Fifteen minutes before",
        "15 minuter före, både sms och mejl." if sv else "15 minutes before, both SMS and email.",
        [
            *_readers(timedelta(minutes=15), sv),
            (alone, YOUNG, timedelta(minutes=15)),
            (
                f"{alone}, {'syskon på samma telefon' if sv else 'siblings on one phone'}",
                replace(YOUNG, ref_tail="1042"),
                timedelta(minutes=15),
            ),
        ],
    )
    yield (
        "help",
        "Hjälp att ansluta" if sv else "Help to connect",
        "När någon ber om hjälp." if sv else "When somebody asks for help.",
        _readers(timedelta(minutes=5), sv),
    )
    yield (
        "not_come",
        "Patienten har inte kommit" if sv else "The patient has not come",
        "När personalen väntar." if sv else "When staff are waiting.",
        [*_readers(timedelta(minutes=-5), sv), (alone, YOUNG, timedelta(minutes=-5))],
    )
    yield (
        "moved",
        "Ny tid" if sv else "Moved",
        "När besöket har flyttats." if sv else "When the visit has been moved.",
        [
            (child, replace(CHILD, was_at=START - hours(47)), hours(220)),
            (f"{child}, {today}", replace(CHILD, was_at=START + hours(24)), hours(2.5)),
            (past, replace(PARENT, age=13, was_at=START - hours(47), was_age=12), hours(220)),
            (f"{teenager}, {today}", replace(TEENAGER, was_at=START + hours(24)), hours(1)),
            (f"{child}, {again}", replace(CHILD, again=True), hours(100)),
        ],
    )
    yield (
        "cancelled",
        "Avbokat" if sv else "Cancelled",
        "När besöket har avbokats." if sv else "When the visit has been cancelled.",
        [
            (child, off, hours(30)),
            (
                f"{child}, {'som inte visste om en flytt' if sv else 'who had not heard of a move'}",
                replace(off, was_at=START + hours(26)),
                hours(30),
            ),
        ],
    )
    yield (
        "next_steps",
        "Efter besöket" if sv else "After the visit",
        "Tre timmar efter. Avstängd i exemplet."
        if sv
        else "Three hours after. Off in the example.",
        [(child, CHILD, hours(-3))],
    )
    words = ("STOPP", "START", "NEJ") if sv else ("STOP", "START", "NO")
    for name, word in zip(("stop", "start", "cancel"), words, strict=True):
        yield (
            f"reply_{name}",
            f"Svar till den som skriver {word}" if sv else f"Answer to {word}",
            ANSWERED[sv],
            [(child, CHILD, hours(30))],
        )
    yield (
        "reply_other",
        "Svar till den som skriver något annat" if sv else "Answer to anything else",
        ANSWERED[sv],
        [(child, CHILD, hours(30))],
    )


def book(language: str) -> str:
    """Return the whole page for one language."""
    sv = language == "sv"
    clinic = example().clinics["internet"]
    sms = clinic.sms.model_copy(update={"sender": "+46701740699", "two_way": True})
    answered = clinic.model_copy(update={"sms": sms})
    library = Library(read_sources(templates()).values())
    lines = [
        "# Texterna, som patienter läser dem" if sv else "# The texts, as patients read them",
        "",
        "Skriven av `make messages` ur mallarna, med exemplets mottagning och ett besök torsdagen den 3 december kl 10."
        if sv
        else "Written by `make messages` from the templates, for the example's clinic and a visit on Thursday 3 December at 10.",
    ]
    for name, title, when, readers in _situations(sv):
        lines += ["", f"## {title}", "", f"*{when}*"]
        for channel in Channel:
            lines += ["", f"### {'SMS' if channel is Channel.SMS else 'Email'}"]
            source = library.pick(name, channel, [language])
            if source is None:
                lines += ["", NO_EMAIL[sv]]
                continue
            told: dict[str, list[str]] = {}
            for reader, facts, lead in readers:
                text = library.render(
                    source,
                    replace(facts, now=START - lead),
                    answered if name.startswith("reply_") else clinic,
                )
                size = measure(text.body).segments
                parts = (
                    ("1 del" if sv else "1 part")
                    if size == 1
                    else f"{size} {'delar' if sv else 'parts'}"
                )
                head = f" ({parts})" if channel is Channel.SMS else ""
                subject = f"**{text.subject}**\n\n" if text.subject else ""
                told.setdefault(f"{head}:\n\n{_quoted(subject + text.body.strip())}", []).append(
                    reader
                )
            for text_shown, who in told.items():
                lines += ["", f"{'; '.join(who)}{text_shown}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return the text as a quotation whose lines break as they do on the phone."""
    lines = text.split("\n")
    return "\n".join(
        f"> {line}".rstrip() + ("  " if line and nxt else "")
        for line, nxt in zip(lines, [*lines[1:], ""], strict=True)
    )


def main() -> None:
    """Write both books."""
    for language in ("sv", "en"):
        (DOCS / f"messages.{language}.md").write_text(book(language), "utf-8")


if __name__ == "__main__":
    main()
