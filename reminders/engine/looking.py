"""The look: what there is to do, and a chunk of all that is not sending."""

from dataclasses import dataclass
from datetime import datetime

from reminders.domain.outages import patience
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.engine import planning, reconcile
from reminders.engine.choosing import outlook
from reminders.engine.runtime import Runtime
from reminders.store import cases, clinics, outbox, waiting, workers
from reminders.store.database import Connection
from reminders.store.ledger import Fact, write
from reminders.store.outbox import Agenda

BATCH = 100
MOST_HELD = 500


@dataclass(frozen=True, slots=True)
class View:
    """What there is to do: beside sending, and from when on there is something to send."""

    agenda: Agenda
    send_at: datetime | None
    down: list[str]

    @property
    def next_at(self) -> datetime | None:
        """Return when a message, or a stopped channel, has to be looked at next."""
        times = (self.agenda.next_at, self.send_at)
        return min((at for at in times if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done of the other work, and what there is to do.

    `stuck` messages were found out of reach, and their visits wait for the planner.
    After some was done there may be more: the view's agenda is from before.
    """

    view: View
    visits: int
    planned: int
    expired: int
    lost: int
    stuck: int

    @property
    def any(self) -> bool:
        """Tell whether there was anything to do."""
        return self.visits + self.expired + self.lost + self.stuck > 0


def view(conn: Connection, runtime: Runtime, now: datetime) -> View:
    """Return what there is to do."""
    return _view(conn, runtime, now, outbox.agenda(conn))


def _view(conn: Connection, runtime: Runtime, now: datetime, agenda: Agenda) -> View:
    seen = outlook(conn, runtime, now, agenda.obstacles)
    down = [f"{closed.clinic}/{closed.channel.value}" for closed in seen.down]
    return View(agenda, seen.again_at(now), down)


def look(
    conn: Connection,
    runtime: Runtime,
    now: datetime,
    most: int = planning.CHUNK,
    shown_by: str | None = None,
) -> Done:
    """Plan some visits, end what helps no more, fence off lost workers: a chunk of each.

    `shown_by` is the worker of which it is written down that it is at work: now and then. What
    waits for a channel in vain is found then, or where nothing is planned: it reads all that waits.
    """
    if shown_by is not None:
        workers.seen(conn, shown_by, now)
    agenda = outbox.agenda(conn)
    visits = planned = expired = lost = stuck = 0
    if agenda.pending:
        visits, planned = planning.plan_pending(conn, runtime, now, most)
    if agenda.overdue is not None and agenda.overdue < now:
        expired = expire_overdue(conn, runtime, now)
    if agenda.lost is not None and agenda.lost <= now:
        lost = reconcile.take_back_lost(conn, runtime, now)
    if agenda.obstacles.down and (shown_by is not None or not agenda.pending):
        stuck = pass_on(conn, now)
    return Done(_view(conn, runtime, now, agenda), visits, planned, expired, lost, stuck)


def pass_on(conn: Connection, now: datetime) -> int:
    """Find what waits in vain for a channel that is down; return how many messages.

    The planner lets them go another way if there is one.
    """
    count = 0
    for closed in clinics.closed_channels(conn):
        stuck = [
            one
            for one in waiting.held(conn, closed.clinic_id, closed.channel, now, MOST_HELD)
            if now - max(one.since, closed.down_since) >= patience(one.due_at, one.not_after)
        ]
        waiting.mark_out_of_reach(conn, stuck)
        cases.mark_for_planning(conn, {one.appointment_id for one in stuck})
        count += len(stuck)
    return count


def expire_overdue(conn: Connection, runtime: Runtime, now: datetime) -> int:
    """End planned messages that can no longer help; return how many."""
    late = outbox.overdue(conn, now, BATCH)
    facts: list[Fact] = []
    for due in late:
        outbox.put(conn, due.message.id, State.EXPIRED, Reason.DEADLINE_PASSED, now)
        detail = {"rule": due.message.key.rule, "reason": Reason.DEADLINE_PASSED.value}
        facts.append(Fact(State.EXPIRED.value, due.appointment_id, due.message.id, detail))
    write(conn, now, runtime.actor, facts)
    asked = [due.appointment_id for due in late if due.message.request_id is not None]
    cases.mark_for_planning(conn, asked)  # the rule's own text may still help
    return len(late)
