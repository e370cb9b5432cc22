"""What was handed over: the digest of its text, and the template that it was filled in from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.store.attempts import DOUBTED
from reminders.store.schema import attempt, clinic, message, template_version


@dataclass(frozen=True, slots=True)
class Handed:
    """The last try to hand a message over: the digest of its text, and what it was filled in from.

    `filled_in_at` is when that was. `sources` has one template, unless two languages have the same
    text.
    """

    body_digest: str
    filled_in_at: datetime
    sources: tuple[Source, ...]


def handed(conn: Connection, message_ids: Sequence[int]) -> dict[int, Handed]:
    """Return the last attempt of each of these messages that has one."""
    of_it = (
        (template_version.c.channel == message.c.channel)
        & (template_version.c.version == attempt.c.template_version)
        & template_version.c.clinic.in_(["", clinic.c.key])
    )
    rows = conn.execute(
        select(
            attempt.c.id,
            attempt.c.message_id,
            attempt.c.body_digest,
            # What a restored backup is in doubt about was filled in when it was released.
            func.coalesce(
                case((attempt.c.outcome == DOUBTED, message.c.sent_at)), attempt.c.started_at
            ).label("filled_in_at"),
            template_version,
        )
        .join(message, message.c.id == attempt.c.message_id)
        .outerjoin(clinic, clinic.c.id == message.c.clinic_id)
        .outerjoin(template_version, of_it)
        .where(attempt.c.message_id.in_(list(message_ids)))
        .order_by(attempt.c.id)
    ).all()
    last = {row.message_id: row for row in rows}
    # A clinic's own text may be every clinic's as well: that is one.
    sources: dict[int, dict[Source, None]] = {row.id: {} for row in last.values()}
    for row in rows:
        if row.source is not None and row.id in sources:
            channel = Channel(row.channel)
            source = Source(row.language, row.name, channel, row.source, row.version)
            sources[row.id][source] = None
    return {
        message_id: Handed(row.body_digest, row.filled_in_at, tuple(sources[row.id]))
        for message_id, row in last.items()
    }
