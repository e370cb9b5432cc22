"""What came of attempts, written down a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from reminders.domain.lifecycle import Step
from reminders.store.rows import INSTANT, INTEGER, TEXT, Rows, timed


@dataclass(slots=True)  # not frozen: made by the thousand, in a third of the time
class Result:
    """How an attempt ended, and what becomes of its message."""

    message_id: int
    lease_token: int
    attempt_id: int
    step: Step
    outcome: str
    code: str | None
    ref: str | None
    segments: int | None


_ROWS = Rows(
    (
        ("id", INTEGER),
        ("token", INTEGER),
        ("attempt_id", INTEGER),
        ("state", TEXT),
        ("reason", TEXT),
        ("next_at", INSTANT),
        ("outcome", TEXT),
        ("code", TEXT),
        ("ref", TEXT),
        ("segments", INTEGER),
    )
)
_FINISH = """
    UPDATE attempt SET ended_at = :now, outcome = r.outcome, code = r.code, provider_ref = r.ref,
      segments = r.segments, address = CASE WHEN r.state = 'unknown' THEN attempt.address END
    FROM {rows} WHERE attempt.id = r.attempt_id
"""
# A receipt may come before the answer it is about: what is final stays final, and what is known to
# have been taken is not in doubt again. The CASE keeps PostgreSQL from choosing the indexes by
# state, which are full of rows just left behind.
_SETTLE = """
    UPDATE message SET state = r.state, reason = r.reason, next_at = r.next_at, lease_until = NULL,
      changed_at = :now, provider_ref = coalesce(r.ref, message.provider_ref),
      sent_at = CASE WHEN r.state = 'planned' THEN NULL ELSE message.sent_at END
    FROM {rows} WHERE message.id = r.id AND message.lease_token = r.token
      AND CASE WHEN message.state IN ('sending', 'unknown') THEN true
        ELSE message.state = 'accepted' AND r.state = 'accepted' END
    RETURNING message.id
"""


_MOVED = Rows((("attempt_id", INTEGER), ("message_id", INTEGER)))
_UNCOUNT = """
    UPDATE message SET attempts = message.attempts - 1
    FROM {rows} WHERE message.id = r.message_id
"""
# No count of a message's can be negative: the attempt is nobody's last one any more.
_SET_ASIDE = """
    UPDATE attempt SET number = -attempt.number
    FROM {rows} WHERE attempt.id = r.attempt_id
"""


def write_down(conn: Connection, results: Sequence[Result], now: datetime) -> set[int]:
    """Write down how attempts ended; move on the messages whose lease still holds; return those.

    Whoever takes a message over gives it a new token.
    """
    if not results:
        return set()
    rows = _ROWS.parameter(
        conn,
        [
            (
                one.message_id,
                one.lease_token,
                one.attempt_id,
                one.step.state.value,
                one.step.reason.value if one.step.reason else None,
                one.step.next_at,
                one.outcome,
                one.code,
                one.ref,
                one.segments,
            )
            for one in results
        ],
    )
    given = {"rows": rows, "now": now}
    conn.execute(timed(_ROWS.statement(conn, _FINISH), "now"), given)
    moved = {
        row[0] for row in conn.execute(timed(_ROWS.statement(conn, _SETTLE), "now"), given).all()
    }
    _uncount(conn, [one for one in results if one.step.channel_down and one.message_id in moved])
    return moved


def _uncount(conn: Connection, refused: Sequence[Result]) -> None:
    """Let attempts that only the settings were refused in not count as tries of their messages."""
    if refused:
        rows = _MOVED.parameter(conn, [(one.attempt_id, one.message_id) for one in refused])
        for statement in (_UNCOUNT, _SET_ASIDE):
            conn.execute(_MOVED.statement(conn, statement), {"rows": rows})
