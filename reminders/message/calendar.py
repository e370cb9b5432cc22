"""The calendar file of an email: one entry a visit, which a later email moves or removes.

It says no more than a text message may: neither the clinic, nor what the visit is about, nor whose
it is. It is published, not an invitation: a "decline" in a calendar would look like a cancellation
and reach nobody.
"""

from datetime import UTC, timedelta

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


def calendar_file(title: str, note: str, facts: Facts, clinic: ClinicConfig) -> Attachment:
    """Return the file that puts the visit into a calendar, moves it there, or removes it."""
    cancelled = facts.status is VisitStatus.CANCELLED
    method = "CANCEL" if cancelled else "PUBLISH"
    calendar = Calendar()
    calendar.add("prodid", "-//reminders//visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(_event(title, note, facts, clinic))
    return Attachment(FILE, f"text/calendar; method={method}", calendar.to_ical())


def _event(title: str, note: str, facts: Facts, clinic: ClinicConfig) -> Event:
    cancelled = facts.status is VisitStatus.CANCELLED
    # What is cancelled stands in the calendar at the time that its reader was told.
    starts_at = ((cancelled and facts.was_at) or facts.starts_at).astimezone(UTC)
    event = Event()
    event.add("uid", f"{facts.visit_key}@visits.invalid")
    event.add("sequence", facts.version)
    event.add("dtstamp", facts.now.astimezone(UTC))
    event.add("dtstart", starts_at)
    event.add("dtend", starts_at + parse_duration(clinic.visit_length))
    event.add("summary", title)
    event.add("location", clinic.app.name)
    if note:
        event.add("description", note)
    sender = clinic.channel(Channel.EMAIL).sender
    event.add("organizer", vCalAddress(f"mailto:{sender}" if sender else _NO_NAME))
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    if not cancelled:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", title)
        alarm.add("trigger", -ALARM)
        event.add_component(alarm)
    return event
