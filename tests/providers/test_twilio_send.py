import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from reminders.domain.outcome import Accepted, Ambiguous, LeaseLostError, Refusal, Rejected
from tests.fakes.smtp_server import CERTIFICATE
from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, Fault, Trouble, refused, throttled
from tests.providers.contract import BODY, run
from tests.providers.twilio_bench import CALLBACK, provider_at, text, twilio

NOT_CONNECTED = Rejected("not_connected", Refusal.THROTTLED)


def settings_for(base_url: str, **more: object) -> dict[str, object]:
    return {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "base_url": base_url, **more}


@asynccontextmanager
async def raw_server(
    answer: bytes = b"", tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve one fixed answer to whatever comes; list connections and requests in their order."""
    events: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        events.append("connected")
        if await reader.read(65536):
            events.append("request")
        writer.write(answer)
        if answer:
            await writer.drain()
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], events
    finally:
        server.close()
        await server.wait_closed()


def answer(status: str, body: str = "", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n"
    return (head + body).encode()


def test_the_request_says_all_that_twilio_should_know() -> None:
    """Recipient, sender, text, validity and a callback that carries the token go with the text."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            outcome = await provider.send(text())
            (kept,) = fake.account.messages.values()
            assert outcome == Accepted(kept.sid, segments=1)
            assert (kept.to, kept.body, kept.sender) == ("+46701740605", BODY, "Videobesok")
            assert kept.service is None
            assert kept.validity == 1800
            assert not kept.smart_encoded
            assert kept.callback == f"{CALLBACK}?token=tok-1"

    run(story())


def test_a_messaging_service_takes_the_place_of_the_sender() -> None:
    """With a messaging service, no From goes along, and segments it cannot know yet are None."""
    service = "MG" + "0" * 32

    async def story() -> None:
        async with twilio(messaging_service_sid=service) as (fake, provider):
            outcome = await provider.send(text())
            (kept,) = fake.account.messages.values()
            assert (kept.sender, kept.service) == (None, service)
            assert outcome == Accepted(kept.sid, segments=None)

    run(story())


@pytest.mark.parametrize(
    ("valid_for", "seconds"),
    [
        (timedelta(seconds=-5), 1),
        (timedelta(0), 1),
        (timedelta(seconds=59.9), 59),
        (timedelta(hours=9), 32_400),
        (timedelta(days=3), 36_000),
    ],
)
def test_a_text_is_valid_only_while_it_helps(valid_for: timedelta, seconds: int) -> None:
    """The validity period is always given, between Twilio's limits of 1 and 36,000 seconds."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            await provider.send(text(valid_for=valid_for))
            (kept,) = fake.account.messages.values()
            assert kept.validity == seconds

    run(story())


@pytest.mark.parametrize(
    ("callback_url", "expected"),
    [
        (None, None),
        ("https://reminders.example.org/hook?clinic=a", "clinic=a&token=a%2Fb%26c%3D%C3%A5"),
        ("https://reminders.example.org/hook", "token=a%2Fb%26c%3D%C3%A5"),
    ],
)
def test_the_callback_is_asked_for_only_where_one_can_come(
    callback_url: str | None, expected: str | None
) -> None:
    """Without a public address no callback is asked for; a token is escaped in the query."""

    async def story() -> None:
        async with (
            twilio() as (fake, _),
            provider_at(fake.settings(), callback_url) as provider,
        ):
            await provider.send(text(token="a/b&c=å"))
            (kept,) = fake.account.messages.values()
            query = urlsplit(kept.callback).query if kept.callback else None
            assert query == expected
            assert query is None or parse_qs(query)["token"] == ["a/b&c=å"]

    run(story())


@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        (Fault(Trouble.ERROR_BEFORE), 0),
        (Fault(Trouble.ERROR_AFTER), 1),
        (Fault(Trouble.HANG_BEFORE), 0),
        (Fault(Trouble.HANG_AFTER), 1),
        (Fault(Trouble.RESET_BEFORE), 0),
        (Fault(Trouble.RESET_AFTER), 1),
        (Fault(Trouble.GARBAGE), 1),
        (Fault(Trouble.GARBAGE, body=""), 1),
        (Fault(Trouble.GARBAGE, body="[]"), 1),
        (Fault(Trouble.GARBAGE, body="null"), 1),
        (Fault(Trouble.GARBAGE, body='{"status": "queued"}'), 1),
        (refused(503, 20503), 0),
    ],
    ids=str,
)
def test_a_lost_answer_is_ambiguous_and_never_tried_again(fault: Fault, taken: int) -> None:
    """After a server error, silence, a cut or garbage, one request was made and nothing is known."""

    async def story() -> None:
        async with twilio(timeout=0.3) as (fake, provider):
            fake.faults.append(fault)
            assert isinstance(await provider.send(text()), Ambiguous)
            await asyncio.sleep(0.05)
            assert fake.creations == 1
            assert len(fake.texts()) == taken
            assert isinstance(await provider.send(text(body="Next")), Accepted)

    run(story())


def test_a_slow_answer_is_waited_for() -> None:
    """An answer that takes its time, within the timeout, is an ordinary acceptance."""

    async def story() -> None:
        async with twilio(timeout=2) as (fake, provider):
            fake.faults.append(Fault(Trouble.SLOW, seconds=0.2))
            assert isinstance(await provider.send(text()), Accepted)

    run(story())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (throttled("2"), Rejected("20429", Refusal.THROTTLED, timedelta(seconds=2))),
        (
            throttled("Tue, 24 Nov 2026 09:01:00 GMT"),
            Rejected("20429", Refusal.THROTTLED, timedelta(minutes=1)),
        ),
        (throttled(None), Rejected("20429", Refusal.THROTTLED)),
        (refused(400, 21610), Rejected("21610", Refusal.OPT_OUT)),
        (refused(400, 30004), Rejected("30004", Refusal.BLOCKED)),
        (refused(400, 21606), Rejected("21606", Refusal.CONFIGURATION)),
        (refused(400, 29999), Rejected("29999", Refusal.CONTENT)),
    ],
    ids=str,
)
def test_an_error_answer_is_a_definite_refusal(fault: Fault, expected: Rejected) -> None:
    """An error that Twilio answers is read from the answer: its code, and how long to wait."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            fake.faults.append(fault)
            assert await provider.send(text()) == expected

    run(story())


def test_wrong_credentials_are_a_fault_of_the_configuration() -> None:
    """With a wrong token no text can go: the channel's settings are to be looked at."""

    async def story() -> None:
        async with twilio(auth_token="wrong") as (_, provider):
            assert await provider.send(text()) == Rejected("20003", Refusal.CONFIGURATION)

    run(story())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (answer("403 Forbidden", "no"), Rejected("http_403", Refusal.CONFIGURATION)),
        (answer("429 Slow down", "no", "Retry-After: 9\r\n"), timedelta(seconds=9)),
        (
            answer("307 Moved", headers="Location: https://example.org/\r\n"),
            Rejected("http_307", Refusal.CONFIGURATION),
        ),
        (
            answer("400 Bad", '{"type":"t","title":"t","status":400,"code":21211}'),
            Rejected("21211", Refusal.ADDRESS),
        ),
    ],
)
def test_answers_that_are_not_twilios_own_are_judged_by_status(
    raw: bytes, expected: Rejected | timedelta
) -> None:
    """A proxy's page, a redirect or the newer form of an error is refused for what it is."""

    async def story() -> None:
        async with (
            raw_server(raw) as (port, events),
            provider_at(settings_for(f"http://127.0.0.1:{port}")) as provider,
        ):
            outcome = await provider.send(text())
            if isinstance(expected, timedelta):
                expected_outcome = Rejected("http_429", Refusal.THROTTLED, expected)
            else:
                expected_outcome = expected
            assert outcome == expected_outcome
            assert events.count("request") == 1

    run(story())


def test_the_lease_is_asked_on_an_open_connection() -> None:
    """before_write is called when the connection stands and no byte of the request is written."""
    asked = 0

    def lost() -> None:
        nonlocal asked
        asked += 1
        raise LeaseLostError

    async def story() -> None:
        async with (
            raw_server(answer("201 Created", '{"sid": "SM1"}')) as (port, events),
            provider_at(settings_for(f"http://127.0.0.1:{port}")) as provider,
        ):
            with pytest.raises(LeaseLostError):
                await provider.send(text(before_write=lost))
            await asyncio.sleep(0.05)  # the server lives in this loop, and sees it later
            assert events == ["connected"]
            assert await provider.send(text()) == Accepted("SM1")
            assert events.count("request") == 1

    run(story())
    assert asked == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_without_a_connection_nothing_was_sent(scheme: str) -> None:
    """A refused connection, or one that is not encrypted in time, is safe to try again."""

    def lost() -> None:
        raise LeaseLostError

    async def story() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            if scheme == "https":
                unused.listen()
            base_url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}"
            settings = settings_for(base_url, connect_timeout=0.2)
            async with provider_at(settings) as provider:
                assert await provider.send(text(before_write=lost)) == NOT_CONNECTED

    run(story())


def test_a_certificate_that_nobody_vouches_for_stops_the_channel() -> None:
    """Texts are never handed to a server whose certificate is not trusted."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)

    async def story() -> None:
        async with (
            raw_server(answer("201 Created", '{"sid": "SM1"}'), tls) as (port, events),
            provider_at(settings_for(f"https://127.0.0.1:{port}")) as provider,
        ):
            outcome = await provider.send(text())
            assert outcome == Rejected("certificate", Refusal.CONFIGURATION)
            assert "request" not in events

    run(story())


def test_the_environment_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither TWILIO_EDGE and TWILIO_REGION nor a proxy variable changes where a text goes."""
    for name in ("TWILIO_EDGE", "TWILIO_REGION"):
        monkeypatch.setenv(name, "elsewhere")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def story() -> None:
        async with twilio() as (_, provider):
            assert isinstance(await provider.send(text()), Accepted)

    run(story())


def test_a_fault_in_our_own_check_is_not_hidden() -> None:
    """An error of before_write itself passes through, and nothing is sent."""

    def broken() -> None:
        raise ValueError("the database is gone")

    async def story() -> None:
        async with twilio() as (fake, provider):
            with pytest.raises(ValueError, match="the database is gone"):
                await provider.send(text(before_write=broken))
            assert fake.creations == 0

    run(story())


def test_a_send_that_is_given_up_leaves_no_second_text() -> None:
    """Cancelling a send ends it: the request is not made again, and the provider goes on."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            fake.faults.append(Fault(Trouble.HANG_AFTER))
            sending = asyncio.create_task(provider.send(text()))
            while not fake.texts():  # noqa: ASYNC110 - a pretended server need not announce itself
                await asyncio.sleep(0.01)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert isinstance(await provider.send(text(body="Next")), Accepted)
            assert fake.texts() == [BODY, "Next"]

    run(story())
