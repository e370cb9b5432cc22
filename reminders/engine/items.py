"""What stands on the worklist."""

from dataclasses import dataclass
from datetime import datetime

from reminders.domain.rules import Event


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a person has to do, the most urgent first. `kind` says what.

    `id` names an answer that can be ticked off. `news`: the visit was moved or cancelled since they
    were told of it, and they do not know.
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
