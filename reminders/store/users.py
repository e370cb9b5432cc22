"""The users of the pages: who they are, what they may do, their sessions, and failed logins."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from reminders.domain.access import ALL_CLINICS, Role
from reminders.store.schema import clinic
from reminders.store.schema_web import credential, login_throttle, membership, session, user

PASSWORD = "password"  # noqa: S105 - the kind of a credential


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the database has them. `roles` is by clinic key, or ALL_CLINICS."""

    id: int
    login: str
    language: str
    roles: Mapping[str, Role]
    created_at: datetime
    disabled_at: datetime | None


def add(
    conn: Connection, login: str, language: str, roles: Mapping[int | None, Role], now: datetime
) -> int:
    """Add a user; return the id. `roles` is by clinic id; None is every clinic."""
    user_id: int = conn.execute(
        insert(user).values(login=login, language=language, created_at=now).returning(user.c.id)
    ).scalar_one()
    rows = [
        {"user_id": user_id, "clinic_id": place, "role": role.value}
        for place, role in roles.items()
    ]
    conn.execute(insert(membership), rows)
    return user_id


def accounts(conn: Connection, login: str | None = None) -> list[Account]:
    """Return the users, or the one with this login, by login."""
    query = select(user).order_by(user.c.login)
    if login is not None:
        query = query.where(user.c.login == login)
    rows = conn.execute(query).all()
    roles = _roles(conn, [row.id for row in rows])
    return [
        Account(row.id, row.login, row.language, roles[row.id], row.created_at, row.disabled_at)
        for row in rows
    ]


def find(conn: Connection, login: str) -> Account | None:
    """Return the user with this login."""
    found = accounts(conn, login)
    return found[0] if found else None


def _roles(conn: Connection, ids: list[int]) -> dict[int, dict[str, Role]]:
    roles: dict[int, dict[str, Role]] = defaultdict(dict)
    rows = conn.execute(
        select(membership.c.user_id, membership.c.role, clinic.c.key)
        .outerjoin(clinic, clinic.c.id == membership.c.clinic_id)
        .where(membership.c.user_id.in_(ids))
        .order_by(clinic.c.key)
    )
    for row in rows:
        roles[row.user_id][row.key or ALL_CLINICS] = Role(row.role)
    return roles


def set_disabled(conn: Connection, user_id: int, at: datetime | None) -> None:
    """Let a user in no more (from `at` on), or again (None). Their sessions end."""
    conn.execute(update(user).where(user.c.id == user_id).values(disabled_at=at))
    end_sessions(conn, user_id)


def set_language(conn: Connection, user_id: int, language: str) -> None:
    """Keep the language that a user reads the pages in."""
    conn.execute(update(user).where(user.c.id == user_id).values(language=language))


def set_password(conn: Connection, user_id: int, password_hash: str, now: datetime) -> None:
    """Keep the hash of a user's password in place of the one before."""
    this = (credential.c.user_id == user_id) & (credential.c.kind == PASSWORD)
    conn.execute(delete(credential).where(this))
    conn.execute(
        insert(credential).values(
            user_id=user_id, kind=PASSWORD, value=password_hash, changed_at=now
        )
    )


def password_hash(conn: Connection, login: str) -> tuple[int, str] | None:
    """Return (user id, hash of the password) of a user who may log in."""
    row = conn.execute(
        select(user.c.id, credential.c.value)
        .join(credential, credential.c.user_id == user.c.id)
        .where(user.c.login == login, user.c.disabled_at.is_(None), credential.c.kind == PASSWORD)
    ).first()
    return (row.id, row.value) if row else None


def begin_session(
    conn: Connection, user_id: int, token_hash: str, now: datetime, expires_at: datetime
) -> None:
    """Open a session. Those that have ended by themselves are swept away."""
    conn.execute(delete(session).where(session.c.expires_at <= now))
    conn.execute(
        insert(session).values(
            user_id=user_id,
            token_hash=token_hash,
            created_at=now,
            seen_at=now,
            expires_at=expires_at,
        )
    )


@dataclass(frozen=True, slots=True)
class Session:
    """An open session and whose it is."""

    id: int
    seen_at: datetime
    account: Account


def find_session(
    conn: Connection, token_hash: str, now: datetime, seen_since: datetime
) -> Session | None:
    """Return the session of this token, if it was used after `seen_since` and has not ended."""
    rows = conn.execute(
        select(
            user,
            session.c.id.label("session_id"),
            session.c.seen_at,
            membership.c.role,
            clinic.c.key.label("clinic_key"),
        )
        .select_from(session)
        .join(user, user.c.id == session.c.user_id)
        .outerjoin(membership, membership.c.user_id == user.c.id)
        .outerjoin(clinic, clinic.c.id == membership.c.clinic_id)
        .where(
            session.c.token_hash == token_hash,
            session.c.expires_at > now,
            session.c.seen_at > seen_since,
            user.c.disabled_at.is_(None),
        )
    ).all()
    if not rows:
        return None
    one = rows[0]
    roles = {row.clinic_key or ALL_CLINICS: Role(row.role) for row in rows if row.role}
    account = Account(one.id, one.login, one.language, roles, one.created_at, one.disabled_at)
    return Session(one.session_id, one.seen_at, account)


def touch_session(conn: Connection, session_id: int, now: datetime) -> None:
    """Write down that a session is in use."""
    conn.execute(update(session).where(session.c.id == session_id).values(seen_at=now))


def end_session(conn: Connection, token_hash: str) -> None:
    """Close one session."""
    conn.execute(delete(session).where(session.c.token_hash == token_hash))


def end_sessions(conn: Connection, user_id: int) -> int:
    """Close all sessions of a user; return how many there were."""
    return conn.execute(delete(session).where(session.c.user_id == user_id)).rowcount


def failures(conn: Connection, names: list[str]) -> list[tuple[int, datetime]]:
    """Return (how many, when last) of the failed logins under these names."""
    rows = conn.execute(select(login_throttle).where(login_throttle.c.name.in_(names)))
    return [(row.failures, row.failed_at) for row in rows]


def add_failure(conn: Connection, name: str, now: datetime, forget_before: datetime) -> None:
    """Count a failed login; those last failed before `forget_before` are forgotten."""
    conn.execute(delete(login_throttle).where(login_throttle.c.failed_at < forget_before))
    counted = conn.execute(
        update(login_throttle)
        .where(login_throttle.c.name == name)
        .values(failures=login_throttle.c.failures + 1, failed_at=now)
    )
    if counted.rowcount == 0:
        conn.execute(insert(login_throttle).values(name=name, failures=1, failed_at=now))


def clear_failures(conn: Connection, name: str) -> None:
    """Forget the failed logins under a name."""
    conn.execute(delete(login_throttle).where(login_throttle.c.name == name))
