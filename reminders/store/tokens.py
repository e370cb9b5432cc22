"""The tokens of programs that use the JSON API. Only a hash of each is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, or_, select, update

from reminders.domain.access import Client, Scope
from reminders.store.schema import clinic
from reminders.store.schema_web import api_token

USED_EVERY = timedelta(hours=1)
"""So exactly is it kept when a token was used last."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the database has it."""

    name: str
    clinic: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


def add(
    conn: Connection,
    clinic_id: int,
    name: str,
    token_hash: str,
    scopes: Iterable[Scope],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Keep a new token."""
    conn.execute(
        insert(api_token).values(
            clinic_id=clinic_id,
            name=name,
            token_hash=token_hash,
            scopes=" ".join(sorted(scopes)),
            created_at=now,
            expires_at=expires_at,
        )
    )


def all_tokens(conn: Connection) -> list[Token]:
    """Return the tokens, by clinic and name."""
    query = select(api_token, clinic.c.key).join(clinic, clinic.c.id == api_token.c.clinic_id)
    return [
        Token(
            row.name,
            row.key,
            _scopes(row.scopes),
            row.created_at,
            row.expires_at,
            row.used_at,
            row.revoked_at,
        )
        for row in conn.execute(query.order_by(clinic.c.key, api_token.c.name))
    ]


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(map(Scope, text.split()))


def find(conn: Connection, token_hash: str, now: datetime) -> Client | None:
    """Return whose token this is, if it is in force."""
    row = conn.execute(
        select(api_token, clinic.c.key)
        .join(clinic, clinic.c.id == api_token.c.clinic_id)
        .where(
            api_token.c.token_hash == token_hash,
            api_token.c.revoked_at.is_(None),
            or_(api_token.c.expires_at.is_(None), api_token.c.expires_at > now),
        )
    ).first()
    return Client(row.id, row.name, row.key, _scopes(row.scopes), row.used_at) if row else None


def touch(conn: Connection, token_id: int, now: datetime) -> None:
    """Write down that a token is in use."""
    conn.execute(update(api_token).where(api_token.c.id == token_id).values(used_at=now))


def revoke(conn: Connection, clinic_key: str, name: str, now: datetime) -> bool:
    """Let a token in no more; tell whether it was in force."""
    this_clinic = select(clinic.c.id).where(clinic.c.key == clinic_key).scalar_subquery()
    done = conn.execute(
        update(api_token)
        .where(
            api_token.c.clinic_id == this_clinic,
            api_token.c.name == name,
            api_token.c.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )
    return done.rowcount > 0
