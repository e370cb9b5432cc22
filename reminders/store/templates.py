"""Template versions as they were approved. Their source is kept: what was sent can be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from reminders.domain.contact import Channel
from reminders.domain.reasons import Reason
from reminders.domain.template import Source
from reminders.store.schema import appointment, message, template_version

_T = template_version.c
_KEY = ("clinic", "language", "name", "channel", "version")
_SHARED = ""
"""The version, of no text, by which a clinic has gone back from its own text to every clinic's."""

Version = tuple[str, str, str, str, str]


def approved_versions(conn: Connection) -> frozenset[Version]:
    """Return (clinic, language, name, channel, version) of each template's last approved version.

    `clinic` is empty for what is every clinic's.
    """
    return frozenset(tuple(row) for row in conn.execute(_latest(*_KEY)))


def approved(conn: Connection) -> list[Source]:
    """Return the last approved version of each template, every clinic's and each clinic's own."""
    return [
        Source(r.language, r.name, Channel(r.channel), r.source, r.version, r.clinic)
        for r in conn.execute(_latest(*_KEY, "source"))
    ]


@cache
def _latest(*columns: str) -> Select[Any]:
    place = func.row_number().over(
        partition_by=(_T.clinic, _T.language, _T.name, _T.channel),
        order_by=(_T.approved_at.desc(), _T.version),
    )
    ranked = (
        select(*(_T[name] for name in columns), place.label("place"))
        .where(_T.approved_at.is_not(None))
        .subquery()
    )
    last = (ranked.c.place == 1) & (ranked.c.version != _SHARED)
    return select(*(ranked.c[name] for name in columns)).where(last)


@dataclass(frozen=True, slots=True)
class Approval:
    """A version to be sent from now on. `changes_meaning`: it says something else than the last.

    `back`: the clinic sends every clinic's text from now on, and none of its own.
    """

    source: Source
    changes_meaning: bool = False
    back: bool = False

    @property
    def key(self) -> Version:
        """Return (clinic, language, name, channel, version) of the row that says so."""
        language, name, channel, version = self.source.identity
        return self.source.clinic, language, name, channel, _SHARED if self.back else version


def approve(conn: Connection, approvals: Sequence[Approval], actor: str, now: datetime) -> None:
    """Make these versions the ones that are sent."""
    columns = [_T[name] for name in _KEY]
    known = {tuple(row) for row in conn.execute(select(*columns))}
    rows = [(one.key, one) for one in approvals]
    approved = {"approved_at": now, "approved_by": actor}
    if new := [(key, one) for key, one in rows if key not in known]:
        conn.execute(
            insert(template_version),
            [
                dict(zip(_KEY, key, strict=True))
                | {"source": "" if one.back else one.source.text, "seen_at": now, **approved}
                | {"changes_meaning": one.changes_meaning}
                for key, one in new
            ],
        )
    if again := [(key, one) for key, one in rows if key in known]:
        this = [column == bindparam(f"this_{column.key}") for column in columns]
        conn.execute(
            update(template_version).where(*this).values(**approved),
            [
                {f"this_{name}": value for name, value in zip(_KEY, key, strict=True)}
                | {"changes_meaning": one.changes_meaning}
                for key, one in again
            ],
        )


def replan_render_failures(conn: Connection, now: datetime) -> None:
    """Have the planner look again at coming visits whose template could not be filled in."""
    failed = select(message.c.appointment_id).where(
        message.c.reason == Reason.RENDER_FAILED.value, message.c.not_after > now
    )
    conn.execute(update(appointment).where(appointment.c.id.in_(failed)).values(needs_plan=True))
