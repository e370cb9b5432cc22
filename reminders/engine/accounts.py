"""Accounts: passwords, sessions, and the tokens of programs. Secrets are kept as hashes alone."""

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from reminders.config_rules import parse_duration
from reminders.domain.access import ALL_CLINICS, Client, Role, Scope, User
from reminders.engine.runtime import Runtime
from reminders.errors import NotFoundError, UsageError
from reminders.store import clinics, tokens, users
from reminders.store.database import Connection, Database

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
LONGEST_LOGIN = 100
LANGUAGES = ("sv", "en")
TOKEN_PREFIX = "rmd_"  # noqa: S105 - by it a leaked token is known for what it is
FREE_FAILURES = 5
FREE_FAILURES_OF_ADDRESS = 20
LONGEST_WAIT = timedelta(minutes=1)
FORGET_FAILURES = timedelta(minutes=15)
TOUCH_EVERY = timedelta(minutes=1)

_hasher = PasswordHasher()
_one_at_a_time = threading.BoundedSemaphore(2)
"""A hash takes 64 MiB while it is made: a crowd of logins may not take all the memory."""


class LoginRefusedError(Exception):
    """The login or the password is wrong; which of them is not told."""


class Ended(StrEnum):
    """Why a session is none now."""

    IDLE = "idle"
    """Nobody has used it for `web.session_idle`."""
    OTHER = "other"


class TooManyLoginsError(Exception):
    """There were too many failed logins. `seconds`: how long to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """Return the hash that an unknown user's password is checked against: it takes as long."""
    return _hasher.hash("nobody has this password")


def secret_hash(secret: str) -> str:
    """Return what is kept of a session's or a program's token: both are long and random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_hash(password: str) -> str:
    """Return the hash to keep of a new password. Raise UsageError for one that is no good."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UsageError(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters. Three or four"
            " words in a row are easy to remember."
        )
    with _one_at_a_time:
        return _hasher.hash(password)


def _right(known: str, password: str) -> bool:
    with _one_at_a_time:
        try:
            return _hasher.verify(known, password[: LONGEST_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return False


# --------------------------------------------------------------- users


def add_user(
    runtime: Runtime, login: str, language: str, roles: Mapping[str, Role], password: str
) -> None:
    """Add a user. `roles` is by clinic key, or ALL_CLINICS. Raise UsageError."""
    if not login or len(login) > LONGEST_LOGIN or not login.isprintable() or " " in login:
        raise UsageError("A login is one word, such as 'anna' or 'anna@example.org'.")
    if language not in LANGUAGES:
        raise UsageError(f"The pages are in: {', '.join(LANGUAGES)}.")
    for key in roles:
        if key != ALL_CLINICS:
            runtime.clinic(key)
    runtime.in_transaction(
        _add, login.casefold(), language, roles, make_hash(password), runtime.clock.now()
    )


def _add(
    conn: Connection,
    login: str,
    language: str,
    roles: Mapping[str, Role],
    password_hash: str,
    now: datetime,
) -> None:
    if users.find(conn, login) is not None:
        raise UsageError(f"There is a user {login} already. 'reminders users list' shows them.")
    places = {
        None if key == ALL_CLINICS else clinics.clinic_id(conn, key): role
        for key, role in roles.items()
    }
    user_id = users.add(conn, login, language, places, now)
    users.set_password(conn, user_id, password_hash, now)


def require_user(conn: Connection, login: str) -> users.Account:
    """Return the user with this login. Raise NotFoundError."""
    found = users.find(conn, login.casefold())
    if found is None:
        raise NotFoundError(f"There is no user {login}. 'reminders users list' shows them.")
    return found


def change_password(runtime: Runtime, login: str, password: str) -> None:
    """Give a user a new password. All their sessions end."""
    hashed = make_hash(password)

    def work(conn: Connection) -> None:
        user_id = require_user(conn, login).id
        users.set_password(conn, user_id, hashed, runtime.clock.now())
        users.end_sessions(conn, user_id)

    runtime.in_transaction(work)


def set_disabled(runtime: Runtime, login: str, *, disabled: bool) -> None:
    """Let a user in no more, or again."""

    def work(conn: Connection) -> None:
        at = runtime.clock.now() if disabled else None
        users.set_disabled(conn, require_user(conn, login).id, at)

    runtime.in_transaction(work)


# --------------------------------------------------------------- sessions


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in user, and the session that they came with."""

    user: User
    session_id: int
    seen_at: datetime


def log_in(runtime: Runtime, login: str, password: str, address: str) -> str:
    """Return the token of a new session. Raise LoginRefusedError or TooManyLoginsError."""
    now = runtime.clock.now()
    login = login.casefold()[:LONGEST_LOGIN]
    names = [runtime.digest(f"login {login}"), runtime.digest(f"address {address}")]
    with runtime.database.reading() as conn:
        _require_patience(conn, names, now)
        found = users.password_hash(conn, login)
    right = _right(found[1] if found else _nobodys_hash(), password)
    if found is None or not right:
        runtime.in_transaction(_count_failure, names, now)
        raise LoginRefusedError
    token = runtime.token()
    fresh = make_hash(password) if _hasher.check_needs_rehash(found[1]) else None
    runtime.in_transaction(_begin_session, runtime, found[0], token, fresh, names[0], now)
    return token


def _require_patience(conn: Connection, names: list[str], now: datetime) -> None:
    free = (FREE_FAILURES, FREE_FAILURES_OF_ADDRESS)
    for name, allowed in zip(names, free, strict=True):
        for count, failed_at in users.failures(conn, [name]):
            over = count - allowed
            if over < 0 or now - failed_at > FORGET_FAILURES:
                continue
            wait = min(timedelta(seconds=2 ** min(over, 10)), LONGEST_WAIT)
            left = failed_at + wait - now
            if left > timedelta():
                raise TooManyLoginsError(int(left.total_seconds()) + 1)


def _count_failure(conn: Connection, names: list[str], now: datetime) -> None:
    for name in names:
        users.add_failure(conn, name, now, now - FORGET_FAILURES)


def _begin_session(
    conn: Connection,
    runtime: Runtime,
    user_id: int,
    token: str,
    fresh_hash: str | None,
    throttled_as: str,
    now: datetime,
) -> None:
    if fresh_hash is not None:
        users.set_password(conn, user_id, fresh_hash, now)
    users.clear_failures(conn, throttled_as)
    until = now + parse_duration(runtime.config.web.session_length)
    users.begin_session(conn, user_id, secret_hash(token), now, until)


def find_visitor(runtime: Runtime, token: str) -> Visitor | None:
    """Return who came with a session's token; None if it is no longer one."""
    now = runtime.clock.now()
    idle = parse_duration(runtime.config.web.session_idle)
    with runtime.database.reading() as conn:
        found = users.find_session(conn, secret_hash(token), now, now - idle)
    if found is None:
        return None
    account = found.account
    otherwise = account.roles.get(ALL_CLINICS)
    roles = {key: account.roles.get(key, otherwise) for key in runtime.config.clinics}
    held = {key: role for key, role in roles.items() if role is not None}
    everywhere = set(roles.values()) == {Role.ADMIN}
    user = User(account.id, account.login, account.language, held, everywhere)
    return Visitor(user, found.id, found.seen_at)


def why_ended(runtime: Runtime, token: str) -> Ended:
    """Return why this token, with which nobody is signed in, is that of no session now."""
    now = runtime.clock.now()
    ever = now - parse_duration(runtime.config.web.session_length)
    with runtime.database.reading() as conn:
        there = users.find_session(conn, secret_hash(token), now, ever)
    return Ended.IDLE if there else Ended.OTHER


def log_out(runtime: Runtime, token: str) -> None:
    """End a session."""
    runtime.in_transaction(users.end_session, secret_hash(token))


def log_out_everywhere(runtime: Runtime, user: User) -> None:
    """End all sessions of a user."""
    runtime.in_transaction(users.end_sessions, user.id)


# --------------------------------------------------------------- programs


def add_token(
    runtime: Runtime,
    clinic: str,
    name: str,
    scopes: Iterable[Scope],
    expires_at: datetime | None,
) -> str:
    """Return a new token for a program, which is shown this once and not kept."""
    runtime.clinic(clinic)
    secret = TOKEN_PREFIX + runtime.token()
    now = runtime.clock.now()

    def work(conn: Connection) -> None:
        if any(t.name == name and t.clinic == clinic for t in tokens.all_tokens(conn)):
            raise UsageError(f"Clinic {clinic} has a token {name} already. Choose another name.")
        place = clinics.clinic_id(conn, clinic)
        tokens.add(conn, place, name, secret_hash(secret), scopes, now, expires_at)

    runtime.in_transaction(work)
    return secret


def find_client(database: Database, token: str, now: datetime) -> Client | None:
    """Return whose token this is, if it is in force."""
    with database.reading() as conn:
        return tokens.find(conn, secret_hash(token), now)
