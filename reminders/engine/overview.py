"""Today, on one page: what needs a person, what goes out, what went."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reminders.engine import approval, aside, attention, calls, folders
from reminders.engine.approval import Pending
from reminders.engine.aside import Waiting
from reminders.engine.attention import Written
from reminders.engine.calls import Call
from reminders.engine.folders import Away
from reminders.engine.runtime import Runtime
from reminders.store import clinics, import_pages, inbound, keeping, pages, templates
from reminders.store.clinics import ClosedChannel
from reminders.store.database import Connection
from reminders.store.import_pages import ImportLine, OpenProblem
from reminders.store.pages import Hour
from reminders.store.views import Line

BEHIND = timedelta(hours=8)
AHEAD = timedelta(hours=16)
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows. `held`: nothing goes out until a person says so."""

    held: bool
    channels: tuple[ClosedChannel, ...]
    answers: tuple[Written, ...]
    more_answers: bool
    calls: tuple[Call, ...]
    more_calls: bool
    files: tuple[Waiting, ...]
    folder: Away | None
    problems: tuple[OpenProblem, ...]
    texts: Pending
    hours: tuple[Hour, ...]
    coming: tuple[Line, ...]
    last_import: ImportLine | None

    @property
    def all_well(self) -> bool:
        """Tell whether nothing needs a person."""
        to_do = (self.channels, self.answers, self.calls, self.files, self.folder, self.problems)
        return not (self.held or any(to_do) or self.texts.waiting or self.texts.broken)

    @property
    def reached(self) -> int:
        """Return how many messages went in the hours shown."""
        return sum(hour.reached for hour in self.hours)

    @property
    def planned(self) -> int:
        """Return how many messages are to go in the hours shown."""
        return sum(hour.planned for hour in self.hours)

    @property
    def missed(self) -> int:
        """Return how many messages did not arrive in the hours shown."""
        return sum(hour.missed for hour in self.hours)


def today(conn: Connection, runtime: Runtime, clinic: str, now: datetime) -> Overview:
    """Return what there is to see of one clinic."""
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    listed = calls.call_list(conn, runtime, clinic_id, now, SHOWN)
    written = inbound.answers(conn, clinic, limit=SHOWN + 1)
    last = import_pages.imports_before(conn, clinic_id, None, 1)
    return Overview(
        held=keeping.get(conn, keeping.HELD) is not None,
        channels=tuple(c for c in listed.closed if c.clinic == clinic),
        answers=attention.read_all(runtime, written[:SHOWN]),
        more_answers=len(written) > SHOWN,
        calls=listed.waiting,
        more_calls=listed.more,
        files=tuple(aside.waiting(conn, runtime, clinic)),
        folder=next(iter(folders.away(conn, runtime, clinic, now)), None),
        problems=tuple(import_pages.open_problems(conn, clinic_id, SHOWN)),
        texts=approval.pending(runtime, templates.approved(conn), clinic=clinic),
        hours=tuple(pages.hours(conn, clinic_id, now - BEHIND, now, now + AHEAD)),
        coming=tuple(pages.coming_lines(conn, clinic_id, now + AHEAD, SHOWN)),
        last_import=last[0] if last else None,
    )
