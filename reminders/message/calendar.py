"""The calendar file of an email: one entry a visit, which a later email moves or removes.

It says no more than a text message may: neither the clinic, nor what the visit is about, nor whose
it is. It is published, not an invitation: a "decline" in a calendar would look like a cancellation
and reach nobody.
"""

import functools
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from icalendar import Alarm, Calendar, Event, vCalAddress

from reminders.config import ClinicConfig
from reminders.config_rules import parse_duration
from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel
from reminders.domain.outcome import Attachment
from reminders.message.context import Facts

FILE = "calendar.ics"
ALARM = timedelta(minutes=30)
_NO_NAME = "mailto:noreply@invalid.invalid"


class _Entry(NamedTuple):
    """All that an entry depends on."""

    title: str
    note: str
    place: str
    sender: str
    key: str
    version: int
    made_at: datetime
    starts_at: datetime
    length: timedelta
    cancelled: bool


def calendar_file(title: str, note: str, facts: Facts, clinic: ClinicConfig) -> Attachment:
    """Return the file that puts the visit into a calendar, moves it there, or removes it."""
    cancelled = facts.status is VisitStatus.CANCELLED
    entry = _Entry(
        title=title,
        note=note,
        place=clinic.app.name,
        sender=clinic.channel(Channel.EMAIL).sender,
        key=facts.visit_key,
        version=facts.version,
        made_at=facts.now.astimezone(UTC),
        # What is cancelled stands in the calendar at the time that its reader was told.
        starts_at=((cancelled and facts.was_at) or facts.starts_at).astimezone(UTC),
        length=parse_duration(clinic.visit_length),
        cancelled=cancelled,
    )
    return _file(entry)


@functools.lru_cache(maxsize=256)
def _file(entry: _Entry) -> Attachment:
    """Write an entry once: a check of the texts puts the same one into dozens of emails."""
    method = "CANCEL" if entry.cancelled else "PUBLISH"
    calendar = Calendar()
    calendar.add("prodid", "-//reminders//visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(_event(entry))
    return Attachment(FILE, f"text/calendar; method={method}", calendar.to_ical())


def _event(entry: _Entry) -> Event:
    event = Event()
    event.add("uid", f"{entry.key}@visits.invalid")
    event.add("sequence", entry.version)
    event.add("dtstamp", entry.made_at)
    event.add("dtstart", entry.starts_at)
    event.add("dtend", entry.starts_at + entry.length)
    event.add("summary", entry.title)
    event.add("location", entry.place)
    if entry.note:
        event.add("description", entry.note)
    event.add("organizer", vCalAddress(f"mailto:{entry.sender}" if entry.sender else _NO_NAME))
    event.add("status", "CANCELLED" if entry.cancelled else "CONFIRMED")
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    if not entry.cancelled:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", entry.title)
        alarm.add("trigger", -ALARM)
        event.add_component(alarm)
    return event
