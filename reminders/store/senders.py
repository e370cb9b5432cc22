"""How fast each sender may go: kept in the database, so that all workers keep to it together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, text

from reminders.domain.contact import Channel
from reminders.domain.fair import Bucket, Sender
from reminders.domain.state import State
from reminders.store.schema import message, sender
from reminders.store.types import UtcDateTime

FORGOTTEN_AFTER = timedelta(minutes=15)
"""A provider that did not answer is tried again sooner than this, if there is anything to send."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What is left of a sender's rate, and until when it has to rest, as its provider asked."""

    bucket: Bucket
    paused_until: datetime | None


_PACES = select(sender)


def paces(conn: Connection) -> dict[Sender, Pace]:
    """Return what is kept of each sender's pace."""
    return {
        (row.clinic_id, Channel(row.channel)): Pace(
            Bucket(row.tokens, row.tokens_at), row.paused_until
        )
        for row in conn.execute(_PACES)
    }


_TIMES = (bindparam("now", type_=UtcDateTime()),)
_LOCK = (
    text(
        """
        INSERT INTO sender (clinic_id, channel, tokens, tokens_at)
        VALUES (:clinic, :channel, :tokens, :now)
        -- This changes nothing; it locks the row until the claim has been committed.
        ON CONFLICT (clinic_id, channel) DO UPDATE SET channel = excluded.channel
        RETURNING tokens, tokens_at
        """
    )
    .bindparams(*_TIMES)
    .columns(tokens_at=UtcDateTime)
)
_SPEND = text(
    """
    UPDATE sender SET tokens = :tokens, tokens_at = :now
    WHERE clinic_id = :clinic AND channel = :channel
    """
).bindparams(*_TIMES)
_PAUSE = text(
    """
    INSERT INTO sender (clinic_id, channel, tokens, tokens_at, paused_until)
    VALUES (:clinic, :channel, 0, :now, :until)
    ON CONFLICT (clinic_id, channel) DO UPDATE SET paused_until = excluded.paused_until
    WHERE sender.paused_until IS NULL OR sender.paused_until < excluded.paused_until
    """
).bindparams(*_TIMES, bindparam("until", type_=UtcDateTime()))


_SILENT = (
    text(
        """
    INSERT INTO sender (clinic_id, channel, tokens, tokens_at, silent_since, silent_at)
    VALUES (:clinic, :channel, 0, :now, :now, :now)
    ON CONFLICT (clinic_id, channel) DO UPDATE SET silent_at = excluded.silent_at,
      silent_since = CASE
        WHEN sender.silent_at >= :recent OR sender.paused_until >= :recent
        THEN coalesce(sender.silent_since, excluded.silent_since)
        ELSE excluded.silent_since END
    RETURNING silent_since
    """
    )
    .bindparams(*_TIMES, bindparam("recent", type_=UtcDateTime()))
    .columns(silent_since=UtcDateTime)
)
_ANSWERED = text(
    """
    UPDATE sender SET silent_since = NULL, silent_at = NULL
    WHERE clinic_id = :clinic AND channel = :channel AND silent_since IS NOT NULL
    """
)


def lock_buckets(conn: Connection, full: Mapping[Sender, Bucket]) -> dict[Sender, Bucket]:
    """Lock and return what is left of these senders' rates; of a new sender, what is given."""
    found: dict[Sender, Bucket] = {}
    for clinic_id, channel in sorted(full):  # one order for all workers, so none wait in a ring
        bucket = full[clinic_id, channel]
        where = {"clinic": clinic_id, "channel": channel.value}
        row = conn.execute(_LOCK, {**where, "tokens": bucket.tokens, "now": bucket.at}).one()
        found[clinic_id, channel] = Bucket(row.tokens, row.tokens_at)
    return found


def spend(conn: Connection, of: Sender, left: Bucket) -> None:
    """Write down what is left of a sender's rate."""
    where = {"clinic": of[0], "channel": of[1].value}
    conn.execute(_SPEND, {**where, "tokens": left.tokens, "now": left.at})


def pause(conn: Connection, of: Sender, now: datetime, until: datetime) -> None:
    """Let a sender rest until then, in all workers; a longer rest stands."""
    where = {"clinic": of[0], "channel": of[1].value}
    conn.execute(_PAUSE, {**where, "now": now, "until": until})


def silent(conn: Connection, of: Sender, now: datetime) -> datetime:
    """Note that a sender's provider does not answer, or takes nothing; return since when.

    What was seen long ago is no part of it: nothing may have been asked of the provider since.
    """
    where = {"clinic": of[0], "channel": of[1].value}
    row = conn.execute(_SILENT, {**where, "now": now, "recent": now - FORGOTTEN_AFTER}).one()
    since: datetime = row.silent_since
    return since


def others_unknown(conn: Connection, of: Sender, message_id: int, now: datetime) -> bool:
    """Tell whether the answers to other messages of a sender have lately been lost as well."""
    found = select(message.c.id).where(
        text(f"state = '{State.UNKNOWN.value}'"),  # a literal, for its partial index
        message.c.clinic_id == of[0],
        message.c.channel == of[1].value,
        message.c.id != message_id,
        message.c.changed_at >= now - FORGOTTEN_AFTER,
    )
    return conn.execute(found.limit(1)).first() is not None


def answered(conn: Connection, of: Sender) -> None:
    """Note that a sender's provider answers."""
    conn.execute(_ANSWERED, {"clinic": of[0], "channel": of[1].value})
