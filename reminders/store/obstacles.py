"""What may stand in the way of sending: asked about in one look, and read where there is any."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from reminders.store.keeping import HELD
from reminders.store.schema import channel_state, keeping, sender


@dataclass(frozen=True, slots=True)
class Obstacles:
    """Whether sending is held, a channel is down, and a sender has a pace to keep."""

    held: bool
    down: bool
    paced: bool


COLUMNS = (
    select(keeping.c.name).where(keeping.c.name == HELD).exists().label("held"),
    select(channel_state.c.clinic_id).exists().label("down"),
    select(sender.c.clinic_id).exists().label("paced"),
)
"""What a statement asks that wants to know: the fields of Obstacles, in their order."""

_OBSTACLES = select(*COLUMNS)


def obstacles(conn: Connection) -> Obstacles:
    """Return what there is: most of the time, nothing."""
    return Obstacles(*conn.execute(_OBSTACLES).one())
