"""What Twilio's error codes and message states mean to us. Values in, values out."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from reminders.domain.outcome import Ambiguous, Outcome, Receipt, Refusal, Rejected
from reminders.domain.reasons import Reason
from reminders.domain.state import State

_ADDRESS = frozenset({21211, 21614, 30005, 30006})
_OPT_OUT = frozenset({21610})
# Of the number's country, or of the sender for that country: one visitor's foreign number must not
# stop a clinic's channel. Where it is every number's, each of them stands on the call list.
_BLOCKED = frozenset({30004, 21408, 21612})
_CONTENT = frozenset({21617})  # of this text alone: it is longer than Twilio takes
_CONFIGURATION = frozenset(
    {20003, 21212, 21603, 21606, 21608, 21609, 21624, 21663, 21701, 21703}
    | {21704, 30002, 30007, 30450, 63038, 60728}
    | set(range(35100, 35200))
)
_THROTTLED = frozenset({20429, 21611})
_AMBIGUOUS = frozenset({20500, 20503})

KINDS: Mapping[int, Refusal] = {
    code: kind
    for kind, codes in {
        Refusal.ADDRESS: _ADDRESS,
        Refusal.OPT_OUT: _OPT_OUT,
        Refusal.BLOCKED: _BLOCKED,
        Refusal.CONTENT: _CONTENT,
        Refusal.CONFIGURATION: _CONFIGURATION,
        Refusal.THROTTLED: _THROTTLED,
    }.items()
    for code in codes
}
"""The definite refusals, by Twilio's code."""

_REASONS: Mapping[int, Reason] = {
    **dict.fromkeys(_ADDRESS, Reason.INVALID_ADDRESS),
    **dict.fromkeys(_OPT_OUT, Reason.OPTED_OUT_AT_PROVIDER),
    **dict.fromkeys(_BLOCKED, Reason.BLOCKED),
    30003: Reason.UNREACHABLE,
    30007: Reason.CONTENT_REFUSED,
    30036: Reason.EXPIRED_AT_PROVIDER,
}

_FINAL: Mapping[str, State] = {
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.UNDELIVERED,
    "failed": State.FAILED,
    "canceled": State.FAILED,
}

MAX_RETRY_AFTER = timedelta(hours=1)


def refusal(status: int, code: object, retry_after: str | None, now: datetime) -> Outcome:
    """Return the outcome that an error answer means.

    `status` is the HTTP status, `code` Twilio's if there is one, `retry_after` the header as it
    came. A server error is ambiguous whatever its code says.
    """
    known = code if isinstance(code, int) and code != status else None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or known in _AMBIGUOUS:
        return Ambiguous(str(known or f"http_{status}"))
    kind = KINDS.get(known) if known else None
    if kind is None:
        kind = _by_status(status)
    if kind is None:
        return Ambiguous(str(known or f"http_{status}"))
    wait = parse_retry_after(retry_after, now) if kind is Refusal.THROTTLED else None
    return Rejected(str(known or f"http_{status}"), kind, wait)


def _by_status(status: int) -> Refusal | None:
    """Return what an answer without a known code means; None if it may have been taken."""
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return None  # a gateway on the way may answer so for a request that went through
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refusal.THROTTLED
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        return Refusal.CONFIGURATION
    if status < HTTPStatus.BAD_REQUEST:
        return Refusal.CONFIGURATION  # a redirect: the address of the API is wrong
    return Refusal.CONTENT


def parse_retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for, from 0 to an hour; None if unreadable.

    The header holds seconds, or an HTTP date.
    """
    if header is None:
        return None
    if re.fullmatch(r"\d{1,9}", header.strip()):
        return min(timedelta(seconds=int(header)), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(aware - now, timedelta(0)), MAX_RETRY_AFTER)


def receipt(ref: str, status: str, code: int | None) -> Receipt:
    """Return the report that a message's status and error code mean.

    A status that is not final, or not known to us, means: still under way.
    """
    state = _FINAL.get(status)
    if state is None or state is State.DELIVERED:
        return Receipt(ref, state)
    reason = _REASONS.get(code, Reason.NOT_DELIVERED) if code else Reason.NOT_DELIVERED
    opt_out = reason is Reason.OPTED_OUT_AT_PROVIDER
    return Receipt(ref, state, reason, str(code) if code else None, opt_out)
