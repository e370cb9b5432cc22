"""Template versions as they were approved. Their source is kept: what was sent can be shown."""

from datetime import datetime

from sqlalchemy import Connection, Select, func, insert, select, update

from reminders.domain.contact import Channel
from reminders.domain.reasons import Reason
from reminders.domain.template import Source
from reminders.store.schema import appointment, message, template_version

_T = template_version.c


def approved_versions(conn: Connection) -> frozenset[tuple[str, str, str, str]]:
    """Return (language, name, channel, version) of the last approved version of each template."""
    return frozenset((r.language, r.name, r.channel, r.version) for r in conn.execute(_latest()))


def approved(conn: Connection) -> list[Source]:
    """Return the last approved version of each template."""
    return [
        Source(r.language, r.name, Channel(r.channel), r.source, r.version)
        for r in conn.execute(_latest())
    ]


def _latest() -> Select[tuple[object, ...]]:
    place = func.row_number().over(
        partition_by=(_T.language, _T.name, _T.channel),
        order_by=(_T.approved_at.desc(), _T.version),
    )
    ranked = (
        select(template_version, place.label("place")).where(_T.approved_at.is_not(None)).subquery()
    )
    return select(ranked).where(ranked.c.place == 1)


def of_version(conn: Connection, channel: str, version: str) -> list[Source]:
    """Return the templates of one version: one, unless two languages have the same text."""
    rows = conn.execute(
        select(template_version).where(_T.channel == channel, _T.version == version)
    )
    return [Source(r.language, r.name, Channel(r.channel), r.source, r.version) for r in rows]


def approve(
    conn: Connection, source: Source, actor: str, now: datetime, *, changes_meaning: bool = False
) -> None:
    """Make this version the one that is sent; it may say something else than the last one."""
    this = (
        (_T.language == source.language)
        & (_T.name == source.name)
        & (_T.channel == source.channel.value)
        & (_T.version == source.version)
    )
    done = conn.execute(
        update(template_version)
        .where(this)
        .values(approved_at=now, approved_by=actor, changes_meaning=changes_meaning)
    )
    if done.rowcount:
        return
    conn.execute(
        insert(template_version).values(
            language=source.language,
            name=source.name,
            channel=source.channel.value,
            version=source.version,
            source=source.text,
            seen_at=now,
            approved_at=now,
            approved_by=actor,
            changes_meaning=changes_meaning,
        )
    )


def replan_render_failures(conn: Connection, now: datetime) -> None:
    """Have the planner look again at coming visits whose template could not be filled in."""
    failed = select(message.c.appointment_id).where(
        message.c.reason == Reason.RENDER_FAILED.value, message.c.not_after > now
    )
    conn.execute(update(appointment).where(appointment.c.id.in_(failed)).values(needs_plan=True))
