"""The files that go with an email: the calendar entry and the pictures; and its two parts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
import vobject

from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel
from reminders.message.html import to_plain
from reminders.message.render import Library, Rendered
from reminders.message.sources import make_source
from tests.message.people import CLINIC, COMPLETE, DRAFTS, NOW, SOURCES, facts

LIBRARY = Library(SOURCES.values())
DIARY = ("confirmation", "two_days", "day_before", "moved", "cancelled")
"""The emails with a calendar file."""


def email(name: str, language: str = "sv", **more) -> Rendered:
    """Return one email for the guardian of a child of eight."""
    return LIBRARY.render(SOURCES[language, name, Channel.EMAIL], facts(8, **more), CLINIC)


def calendar(rendered: Rendered) -> bytes:
    """Return the calendar file of an email."""
    [file] = [file for file in rendered.attachments if not file.inline]
    assert file.name == "calendar.ics"
    return file.content


def keep(diary: dict[str, tuple[int, str, datetime]], file: bytes) -> None:
    """Take a file into a diary as a calendar program does: by UID, the highest SEQUENCE wins."""
    for event in icalendar.Calendar.from_ical(file).walk("VEVENT"):
        uid, sequence = str(event["uid"]), int(str(event["sequence"]))
        if uid not in diary or sequence >= diary[uid][0]:
            diary[uid] = (sequence, str(event["status"]), event.decoded("dtstart"))


@pytest.mark.parametrize("language", [*COMPLETE, *DRAFTS])
@pytest.mark.parametrize("name", DIARY)
def test_two_libraries_read_the_calendar_file_alike(name, language):
    """The entry has its time, its place and an alarm, and says no more than a text message may."""
    status = VisitStatus.CANCELLED if name == "cancelled" else VisitStatus.BOOKED
    rendered = email(name, language, status=status, visit_key="a" * 32, version=3)
    file = calendar(rendered)
    [event] = icalendar.Calendar.from_ical(file).walk("VEVENT")
    second = vobject.readOne(file.decode()).vevent
    assert str(event["uid"]) == second.uid.value == f"{'a' * 32}@visits.invalid"
    assert event.decoded("dtstart") == second.dtstart.value == NOW + timedelta(days=1.125)
    assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(minutes=45)
    assert str(event["summary"]) == second.summary.value
    assert str(event["description"]) == second.description.value
    assert int(str(event["sequence"])) == 3
    assert (second.status.value == "CANCELLED") == (name == "cancelled")
    assert bool(event.walk("VALARM")) == (name != "cancelled")
    text = f"{file.decode()}{rendered.subject}".casefold()
    private = [*CLINIC.private_words, CLINIC.names[Channel.EMAIL], "http"]
    assert [word for word in private if word.casefold() in text] == []


def test_what_a_text_itself_shows_is_as_it_is_in_both_parts():
    """A value is escaped in the HTML part alone, also one that is known before any is filled in."""
    text = "Subject: A\n\n{{ 'b*c*' }} {{ visit.time }} *d*\n"
    source = make_source("sv", "moved", Channel.EMAIL, text)
    rendered = LIBRARY.render(source, facts(8), CLINIC)
    assert rendered.html
    assert "b*c* 13:00 *d*" in rendered.body
    assert "b*c* 13:00 <em>d</em>" in rendered.html


def test_a_moved_visit_moves_its_entry_and_a_cancelled_one_removes_it():
    """Booking, move and cancellation are one entry, whichever mail is opened last."""
    diary: dict[str, tuple[int, str, datetime]] = {}
    first = calendar(email("confirmation", visit_key="k", version=1))
    moved = calendar(email("moved", days=3, visit_key="k", version=2))
    off = email("cancelled", days=3, visit_key="k", version=3, status=VisitStatus.CANCELLED)
    keep(diary, first)
    keep(diary, moved)
    keep(diary, first)
    [(sequence, status, starts_at)] = diary.values()
    assert (sequence, status, starts_at) == (2, "CONFIRMED", NOW + timedelta(days=3))
    keep(diary, calendar(off))
    assert [entry[:2] for entry in diary.values()] == [(3, "CANCELLED")]
    assert b"METHOD:PUBLISH" in first
    assert b"METHOD:CANCEL" in calendar(off)


def test_a_cancellation_removes_the_entry_that_its_reader_has():
    """Of a move that was not told, the entry of the time before is cancelled, where it stands."""
    diary: dict[str, tuple[int, str, datetime]] = {}
    keep(diary, calendar(email("confirmation", visit_key="k", version=1)))
    [(_, _, was_at)] = diary.values()
    off = email(
        "cancelled",
        days=3,
        visit_key="k",
        version=3,
        status=VisitStatus.CANCELLED,
        was_at=was_at,
    )
    keep(diary, calendar(off))
    assert list(diary.values()) == [(3, "CANCELLED", was_at)]


def test_every_line_of_the_calendar_file_is_short():
    """Lines are folded at 75 octets and end in CR LF, in any script."""
    file = calendar(email("confirmation", "ti"))
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    assert b"\n" not in file.replace(b"\r\n", b"")


@pytest.mark.parametrize(("language", "picture"), [("sv", "steps.png"), ("fa", "steps-rtl.png")])
def test_the_pictures_shown_come_with_the_email(language, picture):
    """Each picture is beside the HTML, small, described in words, and right for the direction."""
    rendered = email("fifteen_minutes", language)
    assert rendered.html is not None
    assert [file.name for file in rendered.attachments] == [picture, "refresh.png"]
    for file in rendered.attachments:
        assert f'src="cid:{file.name}" alt="' in rendered.html
        assert file.content.startswith(b"\x89PNG")
        assert len(file.content) < 10_000
    assert 'alt=""' not in rendered.html
    assert f'dir="{"rtl" if language == "fa" else "ltr"}"' in rendered.html


def test_the_plain_part_says_the_same():
    """Headings, emphasis and pictures leave no signs behind in the plain part."""
    assert to_plain("## Head\n\n![x](steps)\n\n**now** go\n") == "Head\n\nnow go"
    for name in DIARY:
        body = email(name).body
        assert not any(sign in body for sign in ("##", "**", "]("))


@pytest.mark.parametrize("body", ["![x](https://example.org/a.png)", "![x](no-such)"])
def test_only_our_own_pictures_are_shown(body):
    """A picture from outside, or one that there is not, is an error and never in an email."""
    source = make_source("sv", "help", Channel.EMAIL, f"Subject: x\n\n{body}\n")
    with pytest.raises(Exception, match="there is no picture"):
        Library([source]).render(source, facts(8), CLINIC)


def test_nothing_is_loaded_from_outside():
    """No email has anything in it that a mail program would fetch."""
    for (language, name, channel), source in SOURCES.items():
        if channel is Channel.EMAIL and language in COMPLETE:
            html = LIBRARY.render(source, facts(8), CLINIC).html or ""
            sources = [part.split('"', 1)[0] for part in html.split('src="')[1:]]
            assert all(src.startswith("cid:") for src in sources), name
            assert "url(" not in html
            assert "<link" not in html


def test_a_time_before_summer_time_is_the_same_instant():
    """The entry is in UTC, so that it is right on both sides of a change of the clocks."""
    start = datetime(2027, 3, 29, 8, tzinfo=UTC)
    file = calendar(
        LIBRARY.render(
            SOURCES["sv", "confirmation", Channel.EMAIL],
            replace(facts(8), starts_at=start),
            CLINIC,
        )
    )
    assert b"DTSTART:20270329T080000Z" in file


def test_two_visits_at_one_time_have_an_entry_each():
    """The same words for two visits never make one calendar entry of them."""
    files = [calendar(email("confirmation", visit_key=key)) for key in ("first", "second")]
    assert [b"UID:first@" in file for file in files] == [True, False]
    assert b"UID:second@" in files[1]
