"""Text messages through 46elks, whose servers are in Sweden.

There is no way to make a creation idempotent there either: it is tried once. The history lists
texts by their exact time, so a lost answer is found by it.
"""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from pydantic import AfterValidator, Field, SecretStr
from twilio.http.response import Response

from reminders.domain.contact import Channel
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    Outcome,
    OutgoingMessage,
    Receipt,
    Refusal,
    Rejected,
    Sought,
)
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.errors import ConfigError
from reminders.providers.base import CallbackRequest, Inbound, Setup
from reminders.providers.http import Transport
from reminders.providers.settings import Settings, read_settings, safe_url
from reminders.providers.twilio_codes import parse_retry_after
from reminders.providers.twilio_http import Exchange

TOKEN, KEY = "token", "key"
INBOUND = "inbound"
MOST_AHEAD = timedelta(days=1)
"""So far before theirs our clock may be for a text to be found in the history."""

PAGE_SIZE = 100
MOST_PAGES = 5
MAX_FIELDS = 100
DRY_RUN = "dryrun-"

_SENDER = re.compile(r"\+[1-9]\d{6,14}|[A-Za-z][A-Za-z0-9]{0,10}")
_REF = re.compile(r"[A-Za-z0-9]{1,64}")
_NETWORK = (OSError, TimeoutError)
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
_STATES: Mapping[str, State] = {"delivered": State.DELIVERED, "failed": State.UNDELIVERED}


class Elks46Settings(Settings):
    """The `[providers.elks46]` section; times in seconds."""

    username: str = Field(min_length=1)
    password: SecretStr = Field(min_length=1)
    dry_run: bool = False
    base_url: Annotated[str, AfterValidator(safe_url)] = "https://api.46elks.com/a1"
    connect_timeout: float = Field(default=5.0, gt=0, le=60)
    timeout: float = Field(default=15.0, gt=0, le=60)


class Elks46:
    """A clinic's texts, through one 46elks account."""

    name: ClassVar[str] = "elks46"
    channels: ClassVar[frozenset[Channel]] = frozenset({Channel.SMS})
    real: ClassVar[bool] = True
    stamps: ClassVar[bool] = False

    def __init__(self, setup: Setup) -> None:
        """Check the settings and the sender; open nothing yet."""
        self._settings = read_settings(Elks46Settings, self.name, setup.settings)
        self._setup = setup
        if not _SENDER.fullmatch(setup.sender):
            raise ConfigError(
                f"sms.sender: {setup.sender!r} cannot be the sender of a text. It should be at most"
                " 11 letters (a-z) and digits, the first a letter, or a number beginning with '+'."
            )
        self._transport = Transport(self._settings.connect_timeout, self._settings.timeout)

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Hand one text over."""
        exchange = Exchange(self._transport, message.before_write)
        try:
            answer = await self._call(exchange, "POST", "sms", data=self._fields(message))
        except _NETWORK as error:
            return exchange.broken_off(error)
        if answer.status_code != HTTPStatus.OK:
            header = exchange.retry_after
            return refusal(answer.status_code, answer.text, header, self._setup.clock.now())
        return self._taken(answer.text, message.token)

    def _taken(self, text: str, token: str) -> Outcome:
        try:
            made = json.loads(text)
            ref = f"{DRY_RUN}{token}" if self._settings.dry_run else str(made["id"])
            return Accepted(ref, _parts(made.get("parts")))
        except _UNREADABLE:
            return Ambiguous("unreadable_answer")

    async def find(self, sought: Sought) -> Outcome | None:
        """Look for the text in the account's history; None if the history cannot tell."""
        try:
            async with asyncio.timeout(3 * self._settings.timeout):
                listed, whole, ahead = await self._history(sought)
            since = sought.since(ahead)
            recent = [one for one in listed if _is_outgoing(one) and _created(one) >= since]
            perhaps = [
                one
                for one in recent
                if one["id"] not in sought.others and one.get("status") != "failed"
            ]
            for one in perhaps:
                if sought.digest(str(one.get("message") or "")) == sought.body_digest:
                    return Accepted(one["id"], _parts(one.get("parts")))
        except (*_NETWORK, *_UNREADABLE):
            return None
        if not whole or any(not one.get("message") for one in recent):
            return None
        if perhaps and sought.any_words:
            return None
        return Rejected("absent", Refusal.THROTTLED)

    async def _history(self, sought: Sought) -> tuple[list[dict[str, Any]], bool, timedelta]:
        """Return the number's texts since the attempt began, or longer; whether these are all.

        Beside them, how far our clock is before theirs.
        """
        listed: list[dict[str, Any]] = []
        # In their words `end` is the earliest and `start` the latest time.
        query = {
            "to": sought.to,
            "end": _their_time(sought.since(MOST_AHEAD)),
            "limit": str(PAGE_SIZE),
        }
        exchange = Exchange(self._transport)
        for _ in range(MOST_PAGES):
            answer = await self._call(exchange, "GET", f"sms?{urlencode(query)}")
            if answer.status_code != HTTPStatus.OK:
                return listed, False, timedelta(0)
            page = json.loads(answer.text)
            listed += page["data"]
            following = page.get("next")
            if not following or not page["data"]:
                return listed, True, exchange.ahead(self._setup.clock.now())
            query["start"] = str(following)
        return listed, False, timedelta(0)

    async def status(self, ref: str) -> Receipt | None:
        """Ask what became of a text; None if 46elks cannot tell just now."""
        if not _REF.fullmatch(ref):
            return None
        try:
            answer = await self._call(Exchange(self._transport), "GET", f"sms/{ref}")
            found = json.loads(answer.text) if answer.status_code == HTTPStatus.OK else None
            return receipt(ref, found["status"]) if found else None
        except (*_NETWORK, *_UNREADABLE):
            return None

    def parse_receipt(self, request: CallbackRequest) -> tuple[str | None, Receipt]:
        """Return the attempt's token and the report. Raise ValueError on a forged or broken one.

        46elks signs nothing: the secret is in the address that we gave it for this attempt.
        """
        query = parse_qs(urlsplit(request.url).query)
        token, key = query.get(TOKEN, [""])[0], query.get(KEY, [""])[0]
        if not token or not hmac.compare_digest(key.encode(), self._key(token).encode()):
            raise ValueError("the report does not know the secret of its address")
        body = request.body.decode("utf-8", "replace")
        fields = dict(parse_qsl(body, max_num_fields=MAX_FIELDS))
        ref, status = fields.get("id", ""), fields.get("status")
        if not _REF.fullmatch(ref) or not status:
            raise ValueError("the report names no message or no status")
        return token, receipt(ref, status)

    def parse_inbound(self, request: CallbackRequest) -> Inbound:
        """Return a text that came in. Raise ValueError on a forged or broken one.

        46elks signs nothing: the secret stands in the address that the number's `sms_url` has.
        """
        key = parse_qs(urlsplit(request.url).query).get(KEY, [""])[0]
        if not hmac.compare_digest(key.encode(), self._key(INBOUND).encode()):
            raise ValueError("the request does not know the secret of its address")
        body = request.body.decode("utf-8", "replace")
        fields = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS))
        ref, sender, to = (fields.get(name, "") for name in ("id", "from", "to"))
        if not _REF.fullmatch(ref) or not sender or not to:
            raise ValueError("the request names no message, no sender or no receiver")
        return Inbound(self.name, ref, sender, to, fields.get("message", ""))

    def inbound_address(self) -> str | None:
        """Return the address, with its secret, to set as `sms_url` of the clinic's number."""
        if not self._setup.inbound_url:
            return None
        return f"{self._setup.inbound_url}?{urlencode({KEY: self._key(INBOUND)})}"

    async def probe(self) -> str | None:
        """Fetch the account; return a sentence on what is wrong, or None."""
        try:
            answer = await self._call(Exchange(self._transport), "GET", "me")
            if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                return f"46elks does not accept username and password ({answer.status_code})."
            if answer.status_code != HTTPStatus.OK:
                return "46elks cannot answer just now."
            balance = json.loads(answer.text).get("balance")
        except _NETWORK:
            return "46elks cannot be reached from here."
        except _UNREADABLE:
            return "What answers at base_url is not 46elks."
        if isinstance(balance, int) and balance <= 0:
            return "There is no money on the 46elks account."
        return None

    async def close(self) -> None:
        """Close connections."""
        await self._transport.close()

    async def _call(
        self, exchange: Exchange, method: str, place: str, data: Mapping[str, object] | None = None
    ) -> Response:
        auth = (self._settings.username, self._settings.password.get_secret_value())
        url = f"{self._settings.base_url.rstrip('/')}/{place}"
        return await exchange.request(method, url, data=data, auth=auth, headers=_form(data))

    def _fields(self, message: OutgoingMessage) -> dict[str, str]:
        # Their `dontlog` would hide the text from the history that a lost answer is looked for in.
        fields = {"from": self._setup.sender, "to": message.to, "message": message.body}
        if self._settings.dry_run:
            fields["dryrun"] = "yes"
        if self._setup.callback_url:
            joint = "&" if urlsplit(self._setup.callback_url).query else "?"
            secret = urlencode({TOKEN: message.token, KEY: self._key(message.token)})
            fields["whendelivered"] = f"{self._setup.callback_url}{joint}{secret}"
        return fields

    def _key(self, token: str) -> str:
        """Return the secret of one attempt's address: it fits no other attempt."""
        password = self._settings.password.get_secret_value().encode()
        return hmac.new(password, f"report {token}".encode(), hashlib.sha256).hexdigest()[:40]


def _form(data: object) -> dict[str, str]:
    return {"Content-Type": "application/x-www-form-urlencoded"} if data else {}


def refusal(status: int, text: str, retry_after: str | None, now: datetime) -> Outcome:
    """Return the outcome that an error answer means. Its words may hold the number: they end here.

    A refused request is told in plain words, which name the field that is wrong.
    """
    code = f"http_{status}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Ambiguous(code)
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Ambiguous("unreadable_answer")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Rejected(code, Refusal.THROTTLED, parse_retry_after(retry_after, now))
    if status != HTTPStatus.BAD_REQUEST:
        return Rejected(code, Refusal.CONFIGURATION)
    words = frozenset(re.findall(r"[a-z]+", text.casefold()))
    for field, kind in _FIELDS:
        if words & field:
            return Rejected(f"{code} {min(field)}", kind)
    return Rejected(code, Refusal.CONTENT)


_FIELDS = (
    (frozenset({"from", "sender"}), Refusal.CONFIGURATION),
    (frozenset({"whendelivered"}), Refusal.CONFIGURATION),
    (frozenset({"message"}), Refusal.CONTENT),
    (frozenset({"to", "number", "recipient"}), Refusal.ADDRESS),
)
"""What a refused request names, and what that means; 'to' last, as it is a common word."""


def receipt(ref: str, status: object) -> Receipt:
    """Return the report that a status means; one that is not known to us means: under way."""
    state = _STATES.get(str(status))
    return Receipt(ref, state, Reason.NOT_DELIVERED if state is State.UNDELIVERED else None)


def _parts(count: object) -> int | None:
    return count if isinstance(count, int) and count > 0 else None


def _their_time(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _is_outgoing(listed: Mapping[str, Any]) -> bool:
    return str(listed["direction"]).startswith("outgoing")


def _created(listed: Mapping[str, Any]) -> datetime:
    created = datetime.fromisoformat(listed["created"])
    return created if created.tzinfo is not None else created.replace(tzinfo=UTC)
