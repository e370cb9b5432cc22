"""Text messages through Twilio. Creating a message is not idempotent there: it is tried once."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, Field, SecretStr
from twilio.base.exceptions import TwilioException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from reminders.domain.contact import Channel
from reminders.domain.inbound import Signal
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
from reminders.errors import ConfigError
from reminders.providers.base import CallbackRequest, Inbound, Setup
from reminders.providers.http import Transport
from reminders.providers.settings import Settings, read_settings, safe_url
from reminders.providers.twilio_codes import receipt, refusal
from reminders.providers.twilio_http import CURRENT, Exchange, Shared

TOKEN = "token"  # noqa: S105 - the name of a query field
SEARCH_LIMIT = 500
PAGE_SIZE = 100
MAX_FIELDS = 100
LONGEST_VALIDITY = 36_000

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

TRIAL_PREFIX = "Sent from your Twilio trial account - "
"""A trial account puts this before every text: without it, a lost text would look absent."""

_SIGNALS: Mapping[str, Signal] = {signal.name: signal for signal in Signal}
_NOT_SENT = frozenset({"failed", "canceled"})
_SENDER = re.compile(r"\+[1-9]\d{6,14}|(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9 ]{1,11}|\d{5,6}")
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, TwilioException)
_NETWORK = (OSError, TimeoutError)


def _sid(prefix: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(prefix + "[0-9a-fA-F]{32}", value):
            raise ValueError(f"should be {prefix} and 32 letters and digits, as Twilio shows it")
        return value

    return AfterValidator(check)


class TwilioSettings(Settings):
    """The `[providers.twilio]` section; times in seconds."""

    account_sid: Annotated[str, _sid("AC")]
    auth_token: SecretStr = Field(min_length=1)
    messaging_service_sid: Annotated[str, _sid("MG")] | None = None
    base_url: Annotated[str, AfterValidator(safe_url)] = "https://api.twilio.com"
    connect_timeout: float = Field(default=5.0, gt=0, le=60)
    timeout: float = Field(default=15.0, gt=0, le=60)


class TwilioSms:
    """A clinic's texts, through one Twilio account."""

    name: ClassVar[str] = "twilio"
    channels: ClassVar[frozenset[Channel]] = frozenset({Channel.SMS})
    real: ClassVar[bool] = True
    stamps: ClassVar[bool] = False

    def __init__(self, setup: Setup) -> None:
        """Check the settings and the sender; open nothing yet."""
        self._settings = read_settings(TwilioSettings, self.name, setup.settings)
        self._setup = setup
        if not self._settings.messaging_service_sid and not _SENDER.fullmatch(setup.sender):
            raise ConfigError(
                f"sms.sender: {setup.sender!r} cannot be the sender of a text. It should be at most"
                " 11 letters (a-z), digits and spaces, or a number that begins with '+'."
            )
        self._transport = Transport(self._settings.connect_timeout, self._settings.timeout)
        self._shared = self._client(Shared())
        self._creation = f"/Accounts/{self._settings.account_sid}/Messages.json"

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Hand one text over."""
        exchange = Exchange(self._transport, message.before_write)
        CURRENT.set(exchange)
        try:
            # What `messages.create_async` calls: of the answer we need two fields, and the library
            # would read all the others first, dates and all.
            made = await self._shared.api.v2010.create_async(
                "POST", self._creation, data=self._fields(message), headers=FORM
            )
            return _accepted(made)
        except _NETWORK as error:
            return exchange.broken_off(error)
        except TwilioException as error:
            return self._refused(error, exchange)
        except _UNREADABLE:
            if not exchange.written:
                raise
            return _garbled()

    async def find(self, sought: Sought) -> Outcome | None:
        """Look for the text in the account's list; None if the list cannot tell."""
        exchange = Exchange(self._transport)
        try:
            async with asyncio.timeout(3 * self._settings.timeout):
                listed = await self._client(exchange).messages.list_async(
                    to=sought.to, limit=SEARCH_LIMIT, page_size=PAGE_SIZE
                )
        except (*_NETWORK, *_UNREADABLE):
            return None
        since = sought.since(exchange.ahead(self._setup.clock.now()))
        recent = [one for one in listed if one.date_created is None or one.date_created >= since]
        perhaps = [
            one for one in recent if one.sid not in sought.others and one.status not in _NOT_SENT
        ]
        for one in perhaps:
            if _same_text(one.body, sought):
                return Accepted(one.sid, _segments(one.num_segments))
        if len(listed) >= SEARCH_LIMIT or any(not one.body for one in recent):
            return None
        if perhaps and sought.any_words:
            return None
        return Rejected("absent", Refusal.THROTTLED)

    async def status(self, ref: str) -> Receipt | None:
        """Ask what became of a text; None if Twilio cannot tell just now."""
        exchange = Exchange(self._transport)
        try:
            found = await self._client(exchange).messages(ref).fetch_async()
            return receipt(ref, found.status, found.error_code)
        except (*_NETWORK, *_UNREADABLE):
            return None

    def parse_receipt(self, request: CallbackRequest) -> tuple[str | None, Receipt]:
        """Return the attempt's token and the report. Raise ValueError on a forged or broken one."""
        query = urlsplit(request.url).query
        fields = self._signed_fields(request, self._setup.callback_url)
        ref, status = fields.get("MessageSid"), fields.get("MessageStatus")
        if not ref or not status:
            raise ValueError("the report names no message or no status")
        code = fields.get("ErrorCode", "")
        token = parse_qs(query).get(TOKEN, [None])[0]
        return token, receipt(ref, status, int(code) if code.isdecimal() else None)

    def parse_inbound(self, request: CallbackRequest) -> Inbound:
        """Return a text that came in. Raise ValueError on a forged or broken one.

        `OptOutType` is there where the account has Advanced Opt-Out. Without it Twilio blocks a
        number that writes STOP or CANCEL all the same; then the next text is refused, with the
        code that records the opt-out.
        """
        fields = self._signed_fields(request, self._setup.inbound_url)
        ref, sender, to = (fields.get(name) for name in ("MessageSid", "From", "To"))
        if not ref or not sender or not to:
            raise ValueError("the request names no message, no sender or no receiver")
        signal = _SIGNALS.get(fields.get("OptOutType", "").upper())
        return Inbound(self.name, ref, sender, to, fields.get("Body", ""), signal)

    def inbound_address(self) -> str | None:
        """Return the address to set as the number's webhook for incoming messages."""
        return self._setup.inbound_url

    async def probe(self) -> str | None:
        """Fetch the account; return a sentence on what is wrong, or None."""
        exchange = Exchange(self._transport)
        sid = self._settings.account_sid
        try:
            account = await self._client(exchange).api.v2010.accounts(sid).fetch_async()
        except _NETWORK:
            return "Twilio cannot be reached from here."
        except TwilioException as error:
            outcome = self._refused(error, exchange)
            if isinstance(outcome, Rejected) and outcome.kind is Refusal.CONFIGURATION:
                return f"Twilio does not accept account_sid and auth_token ({outcome.code})."
            return "Twilio cannot answer just now."
        except _UNREADABLE:
            return "What answers at base_url is not Twilio."
        if account.status != "active":
            return "The Twilio account is not active: it is suspended or closed."
        return None

    async def close(self) -> None:
        """Close connections."""
        await self._transport.close()

    def _client(self, exchange: Exchange | Shared) -> Client:
        client = Client(
            self._settings.account_sid,
            self._settings.auth_token.get_secret_value(),
            http_client=exchange,
            # An empty mapping would mean os.environ, where TWILIO_EDGE and TWILIO_REGION rewrite
            # the host that we are configured to use.
            environment={"TWILIO_EDGE": ""},
        )
        client.api.base_url = self._settings.base_url
        return client

    def _fields(self, message: OutgoingMessage) -> dict[str, Any]:
        seconds = int(message.valid_for / timedelta(seconds=1))
        fields: dict[str, Any] = {
            "To": message.to,
            "Body": message.body,
            "ValidityPeriod": min(max(seconds, 1), LONGEST_VALIDITY),
            "SmartEncoded": "false",  # the text must stay as it is, or `find` would not know it
        }
        if self._settings.messaging_service_sid:
            fields["MessagingServiceSid"] = self._settings.messaging_service_sid
        else:
            fields["From"] = self._setup.sender
        if self._setup.callback_url:
            fields["StatusCallback"] = _with_token(self._setup.callback_url, message.token)
        return fields

    def _refused(self, error: TwilioException, exchange: Exchange) -> Outcome:
        """Return what the library's error means. Its text may hold the number: it ends here."""
        status = getattr(error, "status", None)
        if not isinstance(status, int):
            return _garbled()
        code, wait = getattr(error, "code", None), exchange.retry_after
        return refusal(status, code, wait, self._setup.clock.now())

    def _signed_fields(self, request: CallbackRequest, public_url: str | None) -> Mapping[str, str]:
        """Return a request's form. Raise ValueError unless it is Twilio's, for this account."""
        body = request.body.decode("utf-8", "replace")
        fields = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS))
        self._check_signature(public_url, urlsplit(request.url).query, fields, request.headers)
        if fields.get("AccountSid") != self._settings.account_sid:
            raise ValueError("the report is of another account")
        return fields

    def _check_signature(
        self,
        public_url: str | None,
        query: str,
        fields: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> None:
        if not public_url:
            raise ValueError("no callback_url is configured, so no report can be genuine")
        names = {name.lower(): value for name, value in headers.items()}
        signature = names.get("x-twilio-signature")
        if not signature:
            raise ValueError("the report is not signed")
        # Behind a proxy the request's own address is not the one that Twilio signed.
        url = urlunsplit(urlsplit(public_url)._replace(query=query))
        validator = RequestValidator(self._settings.auth_token.get_secret_value())
        if not validator.validate(url, fields, signature):
            raise ValueError("the report's signature is wrong")


def _with_token(callback_url: str, token: str) -> str:
    joint = "&" if urlsplit(callback_url).query else "?"
    return f"{callback_url}{joint}{urlencode({TOKEN: token})}"


def _segments(count: object) -> int | None:
    """Return the number of segments; None while Twilio does not know it and says 0."""
    digits = str(count)
    return int(digits) or None if digits.isdecimal() else None


def _accepted(made: Any) -> Outcome:
    if not isinstance(made, dict) or not isinstance(made.get("sid"), str) or not made["sid"]:
        return _garbled()
    return Accepted(made["sid"], _segments(made.get("num_segments")))


def _garbled() -> Ambiguous:
    return Ambiguous("unreadable_answer")


def _same_text(body: str | None, sought: Sought) -> bool:
    text = body or ""
    return sought.body_digest in {
        sought.digest(text),
        sought.digest(text.removeprefix(TRIAL_PREFIX)),
    }
