"""The queue: who has something due, taking it, leasing it, and handing it back unsent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
    String,
    TextClause,
    bindparam,
    text,
)

from reminders.domain.contact import Channel
from reminders.domain.fair import Front
from reminders.store.rows import BOOLEAN, INTEGER, TEXT, Rows, timed
from reminders.store.schema import PENDING
from reminders.store.types import UtcDateTime

_FRONTS = text(
    """
    SELECT * FROM (
      SELECT lane.id, lane.key, way.channel, class.urgency,
        -- The state is a literal, so that the partial index is used in a generic plan too.
        (SELECT message.next_at FROM message
         WHERE message.state = 'planned' AND message.clinic_id = lane.id
           AND message.channel = way.channel AND message.urgency = class.urgency
         ORDER BY message.next_at, message.id LIMIT 1) AS next_at
      FROM (SELECT id, key FROM clinic UNION ALL SELECT 0, NULL) AS lane,
        (SELECT 'sms' AS channel UNION ALL SELECT 'email') AS way,
        (SELECT 0 AS urgency UNION ALL SELECT 1) AS class
    ) AS front WHERE next_at IS NOT NULL ORDER BY urgency, next_at, id, channel
    """
).columns(id=BigInteger, key=String, channel=String, urgency=Integer, next_at=UtcDateTime)


def fronts(conn: Connection) -> list[Front]:
    """Return what each sender has to look at next, the urgent first."""
    return [
        Front(row.id, row.key, Channel(row.channel), row.urgency, row.next_at)
        for row in conn.execute(_FRONTS).all()
    ]


class Taken(NamedTuple):
    """A due message that this transaction has locked, with its visit."""

    message_id: int
    appointment_id: int
    lease_token: int
    urgency: int
    clinic_id: int
    channel: str
    contact_id: int


_CHOSEN = """
  SELECT message.id, message.appointment_id, message.lease_token, message.urgency,
    message.clinic_id, message.channel, message.contact_id
"""
_DUE = """
  message.state = 'planned' AND message.clinic_id = {clinic}
    AND message.channel = {channel} AND message.urgency = {urgency} AND message.next_at <= :now
"""
_FIRST = "ORDER BY message.next_at, message.id LIMIT {most}"
_WANTS = Rows((("clinic_id", INTEGER), ("channel", TEXT), ("urgency", INTEGER), ("most", INTEGER)))

# What is due comes first, in the order of its index, and then its visit. PostgreSQL thinks that
# hardly any visit is free of changes: joined at once, it would begin at the visits, at all of them.
# The visit is locked too: whoever changes it waits until this claim is committed, so that no text
# leaves for a visit whose change was committed before the attempt began.
_ON_POSTGRESQL = f"""
  SELECT due.* FROM {{rows}}
  CROSS JOIN LATERAL (
    {_CHOSEN} FROM message
    WHERE {_DUE.format(clinic="r.clinic_id", channel="r.channel", urgency="r.urgency")}
      AND (SELECT NOT ({PENDING}) FROM appointment WHERE appointment.id = message.appointment_id)
    {_FIRST.format(most="r.most")} FOR UPDATE SKIP LOCKED
  ) AS due
  CROSS JOIN LATERAL (
    SELECT 1 FROM appointment WHERE appointment.id = due.appointment_id AND NOT ({PENDING})
    FOR UPDATE SKIP LOCKED
  ) AS visit
"""
_NOW = bindparam("now", type_=UtcDateTime())
_ON_SQLITE = text(
    f"""
  {_CHOSEN} FROM message JOIN appointment ON appointment.id = message.appointment_id
  WHERE {_DUE.format(clinic=":clinic", channel=":channel", urgency=":urgency")} AND NOT ({PENDING})
  {_FIRST.format(most=":most")}
"""
).bindparams(_NOW)


def take(conn: Connection, wants: Sequence[tuple[Front, int]], now: datetime) -> list[Taken]:
    """Lock and return due messages: of each front, the first ones, so many at most.

    Messages of visits that wait for the planner are left, and those that another worker is taking.
    """
    return [Taken._make(row) for row in _of_each(conn, wants, now, _ON_POSTGRESQL, _ON_SQLITE)]


def _of_each(
    conn: Connection,
    wants: Sequence[tuple[Front, int]],
    now: datetime,
    on_postgresql: str,
    on_sqlite: TextClause,
) -> list[Row[Any]]:
    """Return what a question about due messages finds for each front: on PostgreSQL in one."""
    if not wants:
        return []
    if conn.dialect.name != "sqlite":
        statement = timed(_WANTS.statement(conn, on_postgresql), "now")
        rows = _WANTS.parameter(
            conn, [(f.clinic_id, f.channel.value, f.urgency, most) for f, most in wants]
        )
        return list(conn.execute(statement, {"rows": rows, "now": now}).all())
    found: list[Row[Any]] = []
    for front, most in wants:
        where = {
            "clinic": front.clinic_id,
            "channel": front.channel.value,
            "urgency": front.urgency,
            "most": most,
            "now": now,
        }
        found += conn.execute(on_sqlite, where).all()
    return found


# As in a claim, what is due comes first: thousands of visits may wait for the planner.
_UNPLANNED = f"""
  SELECT due.appointment_id FROM (
    SELECT message.appointment_id FROM message WHERE {{due}} {{first}}
  ) AS due
  WHERE (SELECT {PENDING} FROM appointment WHERE appointment.id = due.appointment_id)
"""
_UNPLANNED_ON_POSTGRESQL = f"""
  SELECT found.appointment_id FROM {{rows}} CROSS JOIN LATERAL ({
    _UNPLANNED.format(
        due=_DUE.format(clinic="r.clinic_id", channel="r.channel", urgency="r.urgency"),
        first=_FIRST.format(most="r.most"),
    )
}) AS found
"""
_UNPLANNED_ON_SQLITE = text(
    _UNPLANNED.format(
        due=_DUE.format(clinic=":clinic", channel=":channel", urgency=":urgency"),
        first=_FIRST.format(most=":most"),
    )
).bindparams(_NOW)


def unplanned(conn: Connection, now: datetime, most: int) -> list[int]:
    """Return visits whose texts are due, and that wait for the planner, so that these wait too.

    Of each front the first `most` texts are looked at. What is in front of one that waits leaves,
    or is itself held up: then the one behind it could not leave either.
    """
    due = [front for front in fronts(conn) if front.next_at <= now]
    wants = [(front, most) for front in due]
    found = _of_each(conn, wants, now, _UNPLANNED_ON_POSTGRESQL, _UNPLANNED_ON_SQLITE)
    return list(dict.fromkeys(row.appointment_id for row in found))


class NewAttempt(NamedTuple):
    """An attempt as it begins. `body_digest` is keyed; the text itself is never kept.

    `calendar`: an entry for the calendar goes with it. `says_own_login`: it is written for a
    patient who logs in themselves; None: for any. `address` is kept until its fate is known; None
    where it cannot be looked for.
    """

    message_id: int
    number: int
    lease_token: int
    callback_token: str
    provider: str
    template_version: str
    body_digest: str
    session: int
    calendar: bool
    says_own_login: bool | None
    address: str | None


_ATTEMPTS = Rows(
    (
        ("message_id", INTEGER),
        ("number", INTEGER),
        ("token", INTEGER),
        ("callback_token", TEXT),
        ("provider", TEXT),
        ("template_version", TEXT),
        ("body_digest", TEXT),
        ("session", INTEGER),
        ("calendar", BOOLEAN),
        ("says_own_login", BOOLEAN),
        ("address", TEXT),
    )
)
_LEASE = """
    UPDATE message SET state = 'sending', lease_token = r.token, lease_until = :until,
      attempts = r.number, sent_at = :now, provider = r.provider, next_at = NULL, reason = NULL,
      calendar = r.calendar, says_own_login = r.says_own_login, changed_at = :now
    FROM {rows} WHERE message.id = r.message_id
"""
_BEGIN = """
    INSERT INTO attempt (message_id, number, lease_token, callback_token, provider,
      template_version, body_digest, session, address, started_at)
    SELECT r.message_id, r.number, r.token, r.callback_token, r.provider, r.template_version,
      r.body_digest, r.session, r.address, :now
    FROM {rows} WHERE true RETURNING message_id, id
"""


def begin(
    conn: Connection, new: Sequence[NewAttempt], now: datetime, until: datetime
) -> dict[int, int]:
    """Lease locked messages until then, and write their attempts down before they are made.

    From here on only the holder of the token may settle a message. Return the attempts' ids, by
    message.
    """
    if not new:
        return {}
    rows = _ATTEMPTS.parameter(conn, new)
    lease = timed(_ATTEMPTS.statement(conn, _LEASE), "now", "until")
    conn.execute(lease, {"rows": rows, "now": now, "until": until})
    insert = timed(_ATTEMPTS.statement(conn, _BEGIN), "now")
    made = conn.execute(insert, {"rows": rows, "now": now})
    return {row.message_id: row.id for row in made}


_HELD = Rows((("id", INTEGER), ("token", INTEGER), ("attempt_id", INTEGER)))
_RETURN = """
    UPDATE message SET state = 'planned', next_at = :now, lease_until = NULL, sent_at = NULL,
      attempts = message.attempts - 1, changed_at = :now
    FROM {rows} WHERE message.id = r.id AND message.lease_token = r.token
      AND CASE WHEN message.state = 'sending' THEN true ELSE false END
    RETURNING message.id
"""
_UNMAKE = """
    DELETE FROM attempt WHERE id IN (SELECT r.attempt_id FROM {rows})
"""


def hand_back(conn: Connection, claims: Sequence[tuple[int, int, int]], now: datetime) -> set[int]:
    """Give claims back that were never begun: (message, token, attempt). Return the messages.

    They are as if they had not been claimed; nothing can have reached the provider.
    """
    if not claims:
        return set()
    given = conn.execute(
        timed(_HELD.statement(conn, _RETURN), "now"),
        {"rows": _HELD.parameter(conn, claims), "now": now},
    )
    back = {row[0] for row in given}
    gone = [claim for claim in claims if claim[0] in back]
    conn.execute(_HELD.statement(conn, _UNMAKE), {"rows": _HELD.parameter(conn, gone)})
    return back
