"""What stands on the worklist."""

from dataclasses import dataclass
from datetime import datetime

from reminders.domain.rules import Event


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a person has to do, the most urgent first. `kind` says what.

    `id` names an answer that can be ticked off. `news`: the visit was moved or cancelled since they
    were told of it, and they do not know. `counts_on`: the time (UTC) that they expect it at,
    where that is another one. `yes_at`: it is a NO, and YES has been answered since.
    """

    kind: str
    clinic: str
    ref: str | None
    starts_at: datetime | None
    contact: str | None
    reason: str
    detail: str
    visit_id: int = 0
    contact_id: int = 0
    version: int = 0
    id: int | None = None
    news: Event | None = None
    counts_on: datetime | None = None
    yes_at: datetime | None = None

    @property
    def needed_by(self) -> datetime:
        """Return when it is too late: as the visit starts, or somebody waits for it in vain."""
        return min(filter(None, (self.starts_at, self.counts_on)))
