"""What staff may not send at a moment, as its words would not be true then."""

from datetime import datetime, timedelta

from reminders.config_rules import parse_duration
from reminders.domain.appointment import VisitStatus
from reminders.domain.rules import NOT_COME, After, Before, Event, Rule
from reminders.engine.runtime import Runtime
from reminders.errors import UsageError
from reminders.store import ledger
from reminders.store.database import Connection
from reminders.store.views import Visit

NOT_COME_FROM = timedelta(minutes=15)
"""So long before a visit it can be said that it begins shortly."""

SAME_DAY = timedelta(hours=12)
"""A text that goes nearer a visit than this is read on its day, and need not say which that is."""

NEAR = timedelta(hours=6)
"""Staff may send such a text earlier than it goes by itself by so much, besides as long again."""


def refuse(conn: Connection, runtime: Runtime, rule: Rule, visit: Visit, now: datetime) -> None:
    """Raise UsageError if what the rule's text says cannot be true of the visit at this moment."""
    if rule.when is Event.REPLY:
        raise UsageError(
            "That text answers what somebody writes, and goes by itself. Choose another text."
        )
    if rule.template == NOT_COME and visit.starts_at - now > NOT_COME_FROM:
        raise UsageError(
            "That text says that the visit begins shortly. It can be sent from fifteen minutes"
            " before the visit; before that, send the help with connecting."
        )
    if isinstance(rule.when, Before) and _is_far(rule.when.lead, visit, now):
        raise UsageError(
            "That text is for shortly before the visit, and need not say which day that is. Send it"
            " nearer the visit, or choose another text."
        )
    if isinstance(rule.when, After) and now < _over_at(runtime, rule.when.delay, visit):
        raise UsageError(
            "That text says that the visit is over, and it is not. Send it once the visit is over;"
            " before that, send the help with connecting to who cannot get in."
        )
    if rule.when is Event.CANCELLED and visit.status == VisitStatus.BOOKED.value:
        raise UsageError(
            "That text says that the visit is cancelled, and it is booked. If it is not to take"
            " place, cancel it: those who know of it are told by themselves. Otherwise choose"
            " another text."
        )
    if rule.when is Event.MOVED and not _was_changed(conn, visit):
        raise UsageError(
            "That text says that the visit has a new time, and it has not been moved."
            " Choose another text."
        )


def _is_far(lead: timedelta, visit: Visit, now: datetime) -> bool:
    """Tell whether a text so long before a visit is of the same day, and that day is another."""
    return lead < SAME_DAY and visit.starts_at - now > 2 * lead + NEAR


def _over_at(runtime: Runtime, delay: timedelta, visit: Visit) -> datetime:
    """Return when a visit is over, at the latest when the text about that goes by itself."""
    length = parse_duration(runtime.clinic(visit.clinic).visit_length)
    return visit.starts_at + min(length, delay)


def _was_changed(conn: Connection, visit: Visit) -> bool:
    """Tell whether a visit has had another time, or was cancelled and is booked again."""
    found = [e.detail for e in ledger.entries(conn, visit.id) if e.event == "version"]
    return len({(was.get("starts_at"), was.get("status")) for was in found}) > 1
