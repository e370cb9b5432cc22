"""What was handed over: the digest of its text, and the template that it was filled in from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from reminders.domain.contact import Channel
from reminders.domain.template import Source
from reminders.store.schema import attempt, message, template_version


@dataclass(frozen=True, slots=True)
class Handed:
    """The last try to hand a message over: the digest of its text, and what it was filled in from.

    `sources` has one template, unless two languages have the same text.
    """

    body_digest: str
    started_at: datetime
    sources: tuple[Source, ...]


def handed(conn: Connection, message_ids: Sequence[int]) -> dict[int, Handed]:
    """Return the last attempt of each of these messages that has one."""
    of_it = (template_version.c.channel == message.c.channel) & (
        template_version.c.version == attempt.c.template_version
    )
    rows = conn.execute(
        select(
            attempt.c.id,
            attempt.c.message_id,
            attempt.c.body_digest,
            attempt.c.started_at,
            template_version,
        )
        .join(message, message.c.id == attempt.c.message_id)
        .outerjoin(template_version, of_it)
        .where(attempt.c.message_id.in_(list(message_ids)))
        .order_by(attempt.c.id)
    ).all()
    last = {row.message_id: row for row in rows}
    sources: dict[int, list[Source]] = {row.id: [] for row in last.values()}
    for row in rows:
        if row.source is not None and row.id in sources:
            channel = Channel(row.channel)
            sources[row.id].append(Source(row.language, row.name, channel, row.source, row.version))
    return {
        message_id: Handed(row.body_digest, row.started_at, tuple(sources[row.id]))
        for message_id, row in last.items()
    }
