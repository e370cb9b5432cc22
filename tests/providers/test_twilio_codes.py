from datetime import timedelta

import pytest

from reminders.domain.outcome import Ambiguous, Refusal, Rejected
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.providers.twilio_codes import parse_retry_after, receipt, refusal
from tests.providers.contract import NOW

ADDRESS = [21211, 21614, 30005, 30006]
CONFIGURATION = [
    *[20003, 21212, 21603, 21606, 21608, 21609, 21624, 21663, 21701, 21703],
    *[21704, 35100, 35117, 35199, 30002, 30007, 30450, 63038, 60728],
]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *[(code, Refusal.ADDRESS) for code in ADDRESS],
        *[(code, Refusal.CONFIGURATION) for code in CONFIGURATION],
        (21610, Refusal.OPT_OUT),
        (30004, Refusal.BLOCKED),
        (21408, Refusal.BLOCKED),
        (21612, Refusal.BLOCKED),
        (21617, Refusal.CONTENT),
        (20429, Refusal.THROTTLED),
        (21611, Refusal.THROTTLED),
    ],
)
def test_each_known_code_is_its_kind_of_refusal(code: int, kind: Refusal) -> None:
    """A code that Twilio documents decides, whatever 4xx status it comes with."""
    assert refusal(400, code, None, NOW) == Rejected(str(code), kind)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("code", [None, 20500, 20503, 21211, 20429])
def test_a_server_error_is_never_a_refusal(status: int, code: int | None) -> None:
    """After a 5xx nobody knows whether the text was taken, whatever the code beside it."""
    assert isinstance(refusal(status, code, None, NOW), Ambiguous)


@pytest.mark.parametrize("code", [20500, 20503])
def test_a_server_error_code_is_ambiguous_with_any_status(code: int) -> None:
    """Twilio's own codes for a failure on its side are ambiguous even in a 4xx answer."""
    assert refusal(400, code, None, NOW) == Ambiguous(str(code))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (307, Refusal.CONFIGURATION),
        (400, Refusal.CONTENT),
        (401, Refusal.CONFIGURATION),
        (403, Refusal.CONFIGURATION),
        (404, Refusal.CONFIGURATION),
        (409, Refusal.CONTENT),
        (422, Refusal.CONTENT),
        (429, Refusal.THROTTLED),
    ],
)
def test_an_unknown_code_falls_back_to_the_http_status(status: int, kind: Refusal) -> None:
    """A code that is not in the table, or none at all, is judged by the HTTP status."""
    assert refusal(status, 29999, None, NOW) == Rejected("29999", kind)
    assert refusal(status, status, None, NOW) == Rejected(f"http_{status}", kind)
    assert refusal(status, "21211 +46701740605", None, NOW) == Rejected(f"http_{status}", kind)


def test_a_gateway_that_waited_too_long_is_ambiguous() -> None:
    """A 408 can come from a gateway after the request went through."""
    assert refusal(408, None, None, NOW) == Ambiguous("http_408")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 30 ", 30),
        ("999999999", 3600),
        ("Tue, 24 Nov 2026 09:00:20 GMT", 20),
        ("Tue, 24 Nov 2026 10:00:20 +0100", 20),
        ("Tue, 24 Nov 2026 08:00:00 GMT", 0),
        ("Fri, 24 Nov 2028 09:00:00 GMT", 3600),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: int) -> None:
    """Retry-After is read in both of its forms, and is never negative nor more than an hour."""
    assert parse_retry_after(header, NOW) == timedelta(seconds=seconds)
    rejected = refusal(429, 20429, header, NOW)
    assert rejected == Rejected("20429", Refusal.THROTTLED, timedelta(seconds=seconds))


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "99999999999", "Tue, 99 Nov"])
def test_an_unreadable_retry_after_is_none(header: str | None) -> None:
    """A Retry-After that is missing or cannot be read leaves the wait to our own back-off."""
    assert parse_retry_after(header, NOW) is None


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *[(one, None) for one in ("queued", "accepted", "scheduled", "sending", "sent")],
        *[(one, None) for one in ("partially_delivered", "something_new")],
        ("delivered", State.DELIVERED),
        ("read", State.DELIVERED),
    ],
)
def test_a_good_status_needs_no_reason(status: str, state: State | None) -> None:
    """A text that is under way, or has arrived, has a state and no reason."""
    found = receipt("SM1", status, None)
    assert (found.ref, found.state, found.reason, found.opt_out) == ("SM1", state, None, False)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (30003, Reason.UNREACHABLE),
        (30004, Reason.BLOCKED),
        (30005, Reason.INVALID_ADDRESS),
        (30006, Reason.INVALID_ADDRESS),
        (21610, Reason.OPTED_OUT_AT_PROVIDER),
        (30007, Reason.CONTENT_REFUSED),
        (30036, Reason.EXPIRED_AT_PROVIDER),
        *[(code, Reason.NOT_DELIVERED) for code in (30001, 30008, 30017, 30410, 30500, 39999)],
        (None, Reason.NOT_DELIVERED),
    ],
)
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("undelivered", State.UNDELIVERED),
        ("failed", State.FAILED),
        ("canceled", State.FAILED),
    ],
)
def test_a_bad_status_has_the_reason_of_its_code(
    status: str, state: State, code: int | None, reason: Reason
) -> None:
    """A text that did not arrive has the reason that its code means; a stop counts as opt-out."""
    found = receipt("SM1", status, code)
    assert (found.state, found.reason) == (state, reason)
    assert found.code == (str(code) if code else None)
    assert found.opt_out is (code == 21610)
