"""Planning all of a clinic's visits anew, part by part: how far it has come is kept.

No visit is marked. What has not been reached yet is planned by earlier rules, and its texts go all
the same: the gate asks the present rules about each. A process that ends leaves the rest to others.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.types import NullType

from reminders.store.rows import choice, chosen
from reminders.store.schema import PENDING, appointment, clinic

KEPT_FOR_AFTER = timedelta(days=30)
"""Rules may send after a visit: visits this far back are planned again when rules change."""

UNDER_WAY = clinic.c.replan_at.is_not(None)
"""Some of a clinic's visits are yet to be planned anew."""

_BEHIND_IT = and_(
    appointment.c.starts_at >= clinic.c.replan_at,  # for the index: it goes by this alone
    or_(
        appointment.c.starts_at > clinic.c.replan_at,
        appointment.c.id > clinic.c.replan_id,
    ),
    or_(clinic.c.replan_until.is_(None), appointment.c.starts_at < clinic.c.replan_until),
)


def waits() -> ColumnElement[bool]:
    """Return whether a visit, joined with its clinic, waits: not of all that have begun."""
    return or_(appointment.c.needs_plan, case((and_(UNDER_WAY, _BEHIND_IT), True), else_=False))


def begin(conn: Connection, clinic_id: int, digest: str, now: datetime) -> None:
    """Have all of a clinic's visits planned anew, by rules of this digest."""
    start = {"practice_digest": digest, "replan_at": now, "replan_id": 0, "replan_until": None}
    conn.execute(update(clinic).where(clinic.c.id == clinic_id).values(start))


_SPANS = select(
    clinic.c.id,
    type_coerce(clinic.c.replan_at, NullType()).label("at"),
    clinic.c.replan_id.label("after"),
    type_coerce(clinic.c.replan_until, NullType()).label("until"),
).where(UNDER_WAY)
# What is to come goes first, in all clinics. The rest of one clinic is taken by one worker at a
# time; a lock of this kind leaves others free to write visits of the clinic.
_SPAN = (
    _SPANS.where(
        clinic.c.key.in_(bindparam("clinics", expanding=True)),
        # By other rules than those that they were left for they would not be planned anew.
        or_(
            clinic.c.practice_digest.is_(None),
            clinic.c.practice_digest.in_(bindparam("digests", expanding=True)),
        ),
    )
    .order_by(clinic.c.replan_until.is_not(None), clinic.c.id)
    .limit(1)
    .with_for_update(key_share=True, skip_locked=True)
)
# Instants are left as the driver gives them: SQLite compares them in the notation they are in. They
# are read before: joined with the clinic, PostgreSQL would begin at all of its visits.
_VISITS = """
  SELECT id, starts_at FROM appointment
  WHERE clinic_id = :id AND starts_at >= :at AND (starts_at > :at OR id > :after) {end}
  ORDER BY starts_at, id LIMIT :most
"""
_TO_COME, _BEGUN = (text(_VISITS.format(end=end)) for end in ("", "AND starts_at < :until"))


def take(
    conn: Connection, clinics: Sequence[str], digests: Sequence[str], now: datetime, most: int
) -> list[int]:
    """Lock and return the next visits to plan anew, at most `most`: the soonest, then the past.

    `digests` are those of the rules that this process goes by. The visits count as planned.
    """
    ids: list[int] = []
    while len(ids) < most:
        span = conn.execute(_SPAN, {"clinics": clinics, "digests": digests}).mappings().first()
        if span is None:
            break
        given = {**span, "most": most - len(ids)}
        found = conn.execute(_TO_COME if span["until"] is None else _BEGUN, given).all()
        ids += [row.id for row in found]
        _go_on(conn, span, found, now)
    if ids and conn.dialect.name != "sqlite":
        # Read first and locked then: one that is moved meanwhile would move the place to go on at.
        these = select(appointment.c.id).where(chosen(conn.dialect.name, appointment.c.id))
        locked = these.order_by(appointment.c.id).with_for_update()
        conn.execute(locked, choice(conn, ids)).all()
    return ids


_GO_ON = text("UPDATE clinic SET replan_at = :at, replan_id = :after WHERE id = :clinic")


def _go_on(conn: Connection, span: RowMapping, found: Sequence[Any], now: datetime) -> None:
    """Keep where to go on: behind what was found, else in the past, else nowhere."""
    if found:
        at, after = found[-1].starts_at, found[-1].id
        conn.execute(_GO_ON, {"at": at, "after": after, "clinic": span["id"]})
        return
    values: dict[str, object] = {"replan_at": None, "replan_until": None}
    if span["until"] is None:
        values = {"replan_at": now - KEPT_FOR_AFTER, "replan_id": 0, "replan_until": now}
    conn.execute(update(clinic).where(clinic.c.id == span["id"]).values(values))


_LEFT = f"""
  SELECT count(*) FROM (SELECT 1 FROM appointment
    WHERE clinic_id = :id AND starts_at >= :at AND (starts_at > :at OR id > :after) {{end}}
      AND NOT ({PENDING}) LIMIT :most) AS found
"""
_LEFT_TO_COME, _LEFT_BEGUN = (text(_LEFT.format(end=end)) for end in ("", "AND starts_at < :until"))


def count_left(conn: Connection, now: datetime, most: int) -> int:
    """Return how many visits are yet to be planned anew, at most `most`, the marked ones aside."""
    left = 0
    for span in conn.execute(_SPANS).mappings().all():
        given = {**span, "most": most}
        begun_only = span["until"] is not None
        left += conn.execute(_LEFT_BEGUN if begun_only else _LEFT_TO_COME, given).scalar_one()
        if not begun_only:
            left += _count_begun(conn, span["id"], now, most)
    return min(left, most)


def _count_begun(conn: Connection, clinic_id: int, now: datetime, most: int) -> int:
    begun = (
        select(appointment.c.id)
        .where(
            appointment.c.clinic_id == clinic_id,
            appointment.c.starts_at >= now - KEPT_FOR_AFTER,
            appointment.c.starts_at < now,
            text(f"NOT ({PENDING})"),
        )
        .limit(most)
        .subquery()
    )
    return conn.execute(select(func.count()).select_from(begun)).scalar_one()
