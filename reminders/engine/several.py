"""Many visits at once: a day, or one clinician's, cancelled or told of, after a look at them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.rules import NOT_COME, Event
from reminders.engine import desk, prospect
from reminders.engine.forecast import Forecast
from reminders.engine.prospect import Prospect
from reminders.engine.runtime import Runtime
from reminders.errors import ConflictError, UsageError
from reminders.store import clinics, pages, views
from reminders.store import desk as store
from reminders.store.database import Connection
from reminders.store.pages import Wanted
from reminders.store.views import Visit

MOST = 100
"""So many visits are shown, and acted on, at once: more take too long to be worked out."""

MOST_PARTS = 100
"""Of so many parts a span is made, each of which can be shown; of a longer one none."""


class ChosenChangedError(ConflictError):
    """The visits that were shown are no longer those: somebody changed something meanwhile."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody has changed one of these visits since they were shown. Nothing was done:"
            " look at them again."
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a span with too many visits: those that start in [since, until)."""

    since: datetime
    until: datetime
    count: int

    @property
    def can_be_shown(self) -> bool:
        """Tell whether it is small enough; one is not where too many start together."""
        return self.count <= MOST


@dataclass(frozen=True, slots=True)
class Chosen:
    """The visits that are meant, what would come of the act, and a mark of what was shown.

    `names`: who holds visits in the span. `parts`: where there are too many visits none is shown,
    and each part can be chosen instead.
    """

    visits: tuple[Visit, ...]
    prospect: Prospect
    mark: str
    names: tuple[str, ...]
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Which visits are meant: those that start in [since, until), of one clinician if named."""

    since: datetime
    until: datetime
    clinician: str = ""


def choose(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    span: Span,
    rule: str | None,
    now: datetime,
) -> Chosen:
    """Return the booked visits of a span, and what sending a rule's text, or cancelling, leads to.

    Of more than MOST, return the parts to choose from: nothing is done to a part of what was asked
    for. Raise UsageError for more than can be shown in parts.
    """
    if rule is not None and rule not in texts(runtime, clinic):
        raise UsageError("There is no such text. Choose one of those that are shown.")
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    names = clinicians(conn, clinic, span.since, span.until)
    wanted = Wanted(since=span.since, until=span.until, status="booked")
    if span.clinician:
        wanted = replace(wanted, clinicians=named(span.clinician, names))
    found = pages.search(conn, clinic_id, wanted, MOST + 1)
    if len(found) > MOST:
        split = parts(conn, clinic_id, wanted, span)
        return Chosen((), Prospect((), Forecast()), "", tuple(names), tuple(split))
    seen = prospect.before(conn, runtime, clinic, found, rule, now)
    return Chosen(tuple(found), seen, _mark(conn, found), tuple(names))


def parts(conn: Connection, clinic_id: int, wanted: Wanted, span: Span) -> list[Part]:
    """Return a span in parts of at most MOST visits, where no more of them start at one minute."""
    starts = pages.starts(conn, clinic_id, wanted, MOST * MOST_PARTS + 1)
    if len(starts) > MOST * MOST_PARTS:
        raise UsageError("There are far too many visits then. Choose fewer days, or one clinician.")
    minutes = Counter(at.replace(second=0, microsecond=0) for at in starts)
    cuts: list[tuple[datetime, int]] = []
    for minute, count in minutes.items():
        if cuts and cuts[-1][1] + count <= MOST:
            cuts[-1] = (cuts[-1][0], cuts[-1][1] + count)
        else:
            cuts.append((minute if cuts else span.since, count))
    ends = [since for since, _ in cuts[1:]] + [span.until]
    return [Part(since, until, count) for (since, count), until in zip(cuts, ends, strict=True)]


def texts(runtime: Runtime, clinic: str) -> list[str]:
    """Return the rules whose texts can be sent of a whole day, at the moment somebody asks.

    Of many visits it is not true that each begins shortly.
    """
    rules = runtime.practices[clinic].rules
    return [r.key for r in rules if r.when is Event.REQUEST and r.template != NOT_COME]


def _mark(conn: Connection, visits: Sequence[Visit]) -> str:
    """Return a mark of visits, and of what was asked for: nothing is done twice by mistake."""
    said = [(visit.id, visit.starts_at, visit.status) for visit in visits]
    last = store.last_request(conn, [visit.id for visit in visits])
    return hashlib.sha256(repr((said, last)).encode()).hexdigest()


def _same(conn: Connection, clinic: str, refs: Sequence[str], mark: str) -> list[Visit]:
    """Return these visits. Raise ChosenChangedError unless they are as they were shown."""
    found = sorted(desk.require_all(conn, clinic, refs), key=lambda v: (v.starts_at, v.id))
    if _mark(conn, found) != mark:
        raise ChosenChangedError
    return found


@dataclass(frozen=True, slots=True)
class Done:
    """What somebody did to visits. `requests`: of the text that was asked for, of each visit."""

    clinic: str
    visits: tuple[int, ...]
    rule: str | None = None
    requests: frozenset[int] | None = None


def cancel(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    refs: Sequence[str],
    mark: str,
    now: datetime,
) -> Done:
    """Cancel visits that are still as they were shown."""
    found = _same(conn, clinic, refs, mark)
    desk.cancel(conn, runtime, clinic, [visit.ref for visit in found], now)
    return Done(clinic, tuple(visit.id for visit in found))


def tell(
    conn: Connection,
    runtime: Runtime,
    clinic: str,
    refs: Sequence[str],
    mark: str,
    rule: str,
    now: datetime,
) -> Done:
    """Send a rule's message of each of these visits now."""
    found = _same(conn, clinic, refs, mark)
    asked = desk.ask(conn, runtime, clinic, found, rule, now)
    return Done(clinic, tuple(visit.id for visit in found), rule, frozenset(asked))


def what_came(conn: Connection, runtime: Runtime, done: Done, now: datetime) -> Prospect:
    """Return what has come of it so far: who is told, and who got nothing, and why."""
    found = views.visits(conn, done.clinic, ids=done.visits)
    return prospect.after(conn, runtime, found, done.requests, now)


def clinicians(conn: Connection, clinic: str, since: datetime, until: datetime | None) -> list[str]:
    """Return who holds visits in a span, or from `since` on, for the list to choose from."""
    return pages.clinicians(conn, clinics.find_clinic_id(conn, clinic) or 0, since, until)


def named(name: str, known: Sequence[str]) -> list[str]:
    """Return the clinicians that are meant: however a file, or whoever asks, writes capitals.

    Databases differ in which letters have a capital; Å has one.
    """
    return [one for one in known if _folded(one) == _folded(name)]


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
