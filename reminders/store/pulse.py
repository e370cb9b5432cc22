"""How the sending is doing, in queries that stay cheap however large the tables grow."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, func, select, text

from reminders.domain.state import State
from reminders.store import anew
from reminders.store.attempts import DOUBTED
from reminders.store.schema import PENDING, appointment, attempt, ledger, message
from reminders.store.waiting import waiting

ENDS = frozenset({"accepted", "delivered", "undelivered", "failed", "expired", "unknown"})
"""What may become of a message, as the ledger says it."""

SETTLED_AFTER = timedelta(seconds=5)
"""Younger facts are counted the next time: a transaction that began earlier may still end."""

MOST_PENDING = 10_000
MOST_FACTS = 50_000


_KNOWN = attempt.c.outcome.is_distinct_from(DOUBTED)


@dataclass(frozen=True, slots=True)
class Pulse:
    """The outbox at one moment."""

    due: int
    overdue: int
    sending: int
    unknown: int
    oldest_due_seconds: int
    pending: int


def pulse(conn: Connection, now: datetime) -> Pulse:
    """Return how the outbox is. Each number is read from an index of just such rows."""

    def count(state: State) -> int:
        # The state is written into the query, or a partial index could not be used.
        this = text(f"state = '{state.value}'")
        return conn.execute(select(func.count()).select_from(message).where(this)).scalar_one()

    late = waiting(conn, now)
    pending = select(appointment.c.id).where(text(PENDING)).limit(MOST_PENDING).subquery()
    return Pulse(
        due=late.due,
        overdue=late.overdue,
        sending=count(State.SENDING),
        unknown=count(State.UNKNOWN),
        oldest_due_seconds=late.oldest_due_seconds,
        pending=conn.execute(select(func.count()).select_from(pending)).scalar_one()
        + anew.count_left(conn, now, MOST_PENDING),
    )


@dataclass(frozen=True, slots=True)
class News:
    """What became of one message, and how long it took. No ids and nothing personal."""

    end: str
    channel: str
    provider: str
    lateness: float | None
    latency: float | None


def newest_fact(conn: Connection) -> int:
    """Return the ledger's last id."""
    return conn.execute(select(func.max(ledger.c.id))).scalar() or 0


def news(conn: Connection, after: int, now: datetime) -> tuple[int, list[News]]:
    """Return what became of messages since a fact of the ledger, and the last fact read."""
    facts = (
        select(ledger.c.id, ledger.c.event, ledger.c.message_id, ledger.c.at)
        .where(ledger.c.id > after, ledger.c.at < now - SETTLED_AFTER)
        .order_by(ledger.c.id)
        .limit(MOST_FACTS)
        .subquery()
    )
    last = conn.execute(select(func.max(facts.c.id))).scalar()
    if last is None:
        return after, []
    rows = conn.execute(
        select(
            facts.c.event,
            message.c.channel,
            message.c.provider,
            message.c.due_at,
            # Of what went before a restore nobody knows when it went.
            case((_KNOWN, message.c.sent_at)).label("sent_at"),
            attempt.c.started_at,
            case((_KNOWN, attempt.c.ended_at)).label("ended_at"),
        )
        .join(message, message.c.id == facts.c.message_id)
        .outerjoin(
            attempt,
            and_(attempt.c.message_id == message.c.id, attempt.c.number == message.c.attempts),
        )
        .where(facts.c.event.in_(ENDS))
    )
    return last, [
        News(
            row.event,
            row.channel,
            row.provider or "",
            _seconds(row.due_at, row.sent_at),
            _seconds(row.started_at, row.ended_at),
        )
        for row in rows
    ]


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return (until - since).total_seconds() if since and until else None
