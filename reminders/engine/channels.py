"""Channels that stop and open again, by what their providers answer."""

from datetime import datetime

import structlog

from reminders.engine.claiming import Claimed
from reminders.store import cases, clinics, waiting
from reminders.store.database import Connection

log = structlog.get_logger()


def opened(conn: Connection, claimed: Claimed) -> None:
    """Let a channel send that has just taken this message, if it was stopped.

    What was given up on it, and waits in vain for another channel, may have it again.
    """
    if not clinics.open_channel(conn, claimed.clinic_id, claimed.channel):
        return
    log.info("channel_up", clinic=claimed.clinic, channel=claimed.channel.value)
    released = waiting.release(conn, claimed.clinic_id, claimed.channel)
    cases.mark_for_planning(conn, sorted(released))


def closed(
    conn: Connection, claimed: Claimed, code: str, now: datetime, since: datetime | None = None
) -> None:
    """Stop a channel that does not take this message; `since`: it has not worked since then."""
    if clinics.close_channel(conn, claimed.clinic_id, claimed.channel, code, now, since):
        log.error(
            "channel_down",
            clinic=claimed.clinic,
            channel=claimed.channel.value,
            code=code,
            advice="check the connection to the provider, its settings and the account;"
            " messages wait meanwhile",
        )
