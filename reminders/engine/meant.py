"""Which visit somebody means who has written to us: clear for one, a question for several."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from reminders.store import inbound as store
from reminders.store.database import Connection
from reminders.store.inbound import Near

ANSWERS_TO = timedelta(hours=48)
"""An answer is to the texts of this time, where the number has several visits to come."""

BEGUN = timedelta(hours=1)
"""So long after a visit has begun, what somebody writes may still be about it."""

TOLD_WITHIN = timedelta(days=366)
"""A text that went before this is no longer what somebody answers."""


def meant(
    conn: Connection, visits: Sequence[Near], people: Sequence[int], now: datetime
) -> tuple[Near, ...]:
    """Return the visits that a text from these contacts may be about: one, if it is clear.

    Of those to come or just begun, the only one; or the only one that texts were about lately; else
    all that they have been told of, and where that is none, all. None, where the texts were about
    another, say one that is cancelled by now, and never about the only one to come. If the last
    text was about a visit that is cancelled, an answer may be to that as well as to another.
    """
    coming = [visit for visit in visits if visit.booked and visit.starts_at > now - BEGUN]
    lately = store.told_of(conn, people, now - ANSWERS_TO)
    dropped = _dropped(visits, lately, now)
    if coming and dropped is not None:
        ever = store.told_of(conn, people, now - TOLD_WITHIN)
        told = tuple(visit for visit in coming if visit.id in ever)
        return (*told, dropped) if told else ()
    if len(coming) <= 1:
        ours = {visit.id for visit in coming}
        ever = store.told_of(conn, people, now - TOLD_WITHIN)
        about_another = lately and not ours & ever.keys()
        return () if about_another else tuple(coming)
    answered = [visit for visit in coming if visit.id in lately]
    if len(answered) == 1:
        return tuple(answered)
    ever = store.told_of(conn, people, now - TOLD_WITHIN)
    return tuple(visit for visit in coming if visit.id in ever) or tuple(coming)


def _dropped(visits: Sequence[Near], lately: Mapping[int, datetime], now: datetime) -> Near | None:
    """Return the cancelled visit that the last text was about; None if it was about another."""
    last = max(lately, key=lambda one: (lately[one], one), default=None)
    gone = (v for v in visits if not v.booked and v.starts_at > now - BEGUN)
    return next((visit for visit in gone if visit.id == last), None)
