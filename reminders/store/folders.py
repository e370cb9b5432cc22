"""Watched folders that cannot be reached: since when, by clinic."""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from reminders.store import keeping

AWAY = "folders_away"


def away(conn: Connection) -> dict[str, datetime]:
    """Return since when (UTC) the folder of a clinic is away, by the clinic's key."""
    kept = json.loads(keeping.get(conn, AWAY) or b"{}")
    return {clinic: datetime.fromisoformat(since) for clinic, since in kept.items()}


def keep(conn: Connection, away: Mapping[str, datetime]) -> None:
    """Keep which folders are away, in place of what was known."""
    said = {clinic: since.isoformat() for clinic, since in away.items()}
    keeping.put(conn, AWAY, json.dumps(said).encode())
