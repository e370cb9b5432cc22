"""The state of the pretended Twilio account: its messages, and what its API says of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import format_datetime
from urllib.parse import urlencode, urlsplit

API = "/2010-04-01"
PAGE_SIZE = 50
LONGEST_BODY = 1600
COURSE = ("queued", "sending", "sent", "delivered")
ENDS = frozenset({"delivered", "undelivered", "failed", "canceled", "read"})

MAGIC_NUMBERS = {
    "+15005550001": (21211, "Invalid 'To' Phone Number"),
    "+15005550002": (21612, "Message cannot be sent with the current combination"),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region"),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "'To' number is not a valid mobile number"),
}


@dataclass(eq=False)
class ApiError(Exception):
    """An error as the API answers it."""

    status: int
    code: int
    message: str
    retry_after: str | None = None

    def body(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


@dataclass(slots=True)
class Kept:
    """One message of the account."""

    sid: str
    to: str
    sender: str | None
    service: str | None
    body: str
    created: datetime
    updated: datetime
    callback: str | None
    validity: int | None
    smart_encoded: bool
    sent: datetime | None = None
    status: str = "queued"
    error_code: int | None = None
    seen: list[str] = field(default_factory=lambda: ["queued"])


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One entry of the judge's log: what the account really took, and when."""

    sid: str
    to: str
    body: str
    at: datetime


@dataclass(slots=True)
class Account:
    """All messages of one account. `undeliverable` gives numbers and the error they end with."""

    sid: str
    now: Callable[[], datetime]
    messages: dict[str, Kept] = field(default_factory=dict)
    accepted: list[Acceptance] = field(default_factory=list)
    undeliverable: dict[str, int] = field(default_factory=dict)

    def create(self, form: Mapping[str, str]) -> Kept:
        """Take a message, or raise ApiError."""
        check(form)
        now = self.now()
        kept = Kept(
            sid=f"SM{len(self.messages) + 1:032x}",
            to=form["To"],
            sender=form.get("From"),
            service=form.get("MessagingServiceSid"),
            body=form["Body"],
            created=now,
            updated=now,
            callback=form.get("StatusCallback"),
            validity=int(form["ValidityPeriod"]) if "ValidityPeriod" in form else None,
            smart_encoded=form.get("SmartEncoded") == "true",
        )
        self.messages[kept.sid] = kept
        self.accepted.append(Acceptance(kept.sid, kept.to, kept.body, now))
        return kept

    def get(self, sid: str) -> Kept:
        if sid not in self.messages:
            raise ApiError(404, 20404, "The requested resource was not found")
        return self.messages[sid]

    def advance(self, sid: str) -> str:
        """Take a message one step on its course and return the new status."""
        kept = self.get(sid)
        if kept.status in ENDS:
            return kept.status
        following = COURSE[COURSE.index(kept.status) + 1]
        if following == "delivered" and kept.to in self.undeliverable:
            return self.settle(sid, "undelivered", self.undeliverable[kept.to])
        return self.settle(sid, following)

    def settle(self, sid: str, status: str, error_code: int | None = None) -> str:
        """Put a message into a status."""
        kept = self.get(sid)
        kept.status, kept.error_code, kept.updated = status, error_code, self.now()
        kept.seen.append(status)
        if status != "sending" and kept.sent is None:
            kept.sent = kept.updated
        return status

    def redact(self, sid: str, form: Mapping[str, str]) -> Kept:
        """Empty a message's body, which is all that an update can do with a text."""
        kept = self.get(sid)
        if form.get("Body") != "":
            raise ApiError(400, 20001, "Body can only be set to an empty string")
        kept.body, kept.updated = "", self.now()
        return kept

    def page(self, query: Mapping[str, str]) -> dict[str, object]:
        """Return one page of the list, newest first."""
        size = min(int(query.get("PageSize", PAGE_SIZE)), 1000)
        number = int(query.get("Page", 0))
        found = [m for m in reversed(self.messages.values()) if _matches(m, query)]
        shown = found[number * size : (number + 1) * size]
        more = len(found) > (number + 1) * size
        return {
            "end": max(number * size + len(shown) - 1, 0),
            "first_page_uri": self._page_uri(query, 0, size),
            "messages": [self.resource(message) for message in shown],
            "next_page_uri": self._page_uri(query, number + 1, size) if more else None,
            "page": number,
            "page_size": size,
            "previous_page_uri": self._page_uri(query, number - 1, size) if number else None,
            "start": number * size,
            "uri": self._page_uri(query, number, size),
        }

    def resource(self, kept: Kept) -> dict[str, object]:
        """Return a message as the API shows it."""
        uri = f"{API}/Accounts/{self.sid}/Messages/{kept.sid}"
        return {
            "account_sid": self.sid,
            "api_version": "2010-04-01",
            "body": kept.body,
            "date_created": format_datetime(kept.created.astimezone(UTC)),
            "date_sent": format_datetime(kept.sent.astimezone(UTC)) if kept.sent else None,
            "date_updated": format_datetime(kept.updated.astimezone(UTC)),
            "direction": "outbound-api",
            "error_code": kept.error_code,
            "error_message": None,
            "from": kept.sender,
            "messaging_service_sid": kept.service,
            "num_media": "0",
            "num_segments": "0" if kept.service and not kept.sent else segments(kept.body),
            "price": None,
            "price_unit": "USD",
            "sid": kept.sid,
            "status": kept.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": kept.to,
            "uri": f"{uri}.json",
        }

    def _page_uri(self, query: Mapping[str, str], number: int, size: int) -> str:
        wanted = {key: query[key] for key in query if key not in {"Page", "PageSize", "PageToken"}}
        fields = wanted | {"PageSize": size, "Page": number}
        if number:
            fields["PageToken"] = f"PASM{number:032x}"
        return f"{API}/Accounts/{self.sid}/Messages.json?{urlencode(fields)}"


def check(form: Mapping[str, str]) -> None:
    """Raise ApiError on what the API refuses."""
    to = form.get("To", "")
    if not to:
        raise ApiError(400, 21604, "A 'To' phone number is required.")
    if not form.get("From") and not form.get("MessagingServiceSid"):
        raise ApiError(400, 21603, "A 'From' phone number is required.")
    if not form.get("Body"):
        raise ApiError(400, 21602, "Message body is required.")
    if len(form["Body"]) > LONGEST_BODY:
        raise ApiError(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    if not 1 <= int(form.get("ValidityPeriod", 36000)) <= 36000:
        raise ApiError(400, 21624, "The Validity Period is out of range")
    callback = form.get("StatusCallback")
    if callback is not None and not _callable(callback):
        raise ApiError(400, 21609, "The 'StatusCallback' URL is not a valid URL")
    if to in MAGIC_NUMBERS:
        code, message = MAGIC_NUMBERS[to]
        raise ApiError(400, code, message)
    if not (to.startswith("+") and to[1:].isdecimal()):
        raise ApiError(400, 21211, f"The 'To' number {to} is not a valid phone number.")


def _callable(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme in {"http", "https"} and bool(host) and "_" not in host


def segments(body: str) -> str:
    """Return the number of segments, near enough: ASCII and Swedish letters count as GSM-7."""
    plain = all(letter.isascii() or letter in "åäöÅÄÖéü" for letter in body)
    single, joined = (160, 153) if plain else (70, 67)
    return "1" if len(body) <= single else str(-(-len(body) // joined))


def _matches(kept: Kept, query: Mapping[str, str]) -> bool:
    if "To" in query and kept.to != query["To"]:
        return False
    if "From" in query and kept.sender != query["From"]:
        return False
    wanted = {key: query[key] for key in ("DateSent", "DateSent<", "DateSent>") if key in query}
    if not wanted:
        return True
    if kept.sent is None:
        return False  # the trap: a queued message has no DateSent to be found by
    day = kept.sent.astimezone(UTC).date()
    return (
        day == _day(wanted.get("DateSent"), day)
        and day <= _day(wanted.get("DateSent<"), day)
        and day >= _day(wanted.get("DateSent>"), day)
    )


def _day(text: str | None, default: date) -> date:
    return date.fromisoformat(text[:10]) if text else default
