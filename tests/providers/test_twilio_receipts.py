import asyncio
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from reminders.domain.outcome import Accepted, Receipt
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.providers.base import CallbackRequest
from reminders.providers.twilio_sms import TwilioSms
from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, FakeTwilio, sign
from tests.providers.contract import BODY, PHONE, run
from tests.providers.twilio_bench import CALLBACK, provider_at, text, twilio


async def accepted(provider: TwilioSms, **fields: object) -> str:
    """Send one text and return its name."""
    outcome = await provider.send(text(**fields))
    assert isinstance(outcome, Accepted)
    return outcome.ref


def test_asking_follows_a_text_to_its_end() -> None:
    """A text that is asked for again and again is under way, and then delivered."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            ref = await accepted(provider)
            fake.advance_on_fetch = True
            receipts = [await provider.status(ref) for _ in range(5)]
            delivered = Receipt(ref, State.DELIVERED)
            assert receipts == [Receipt(ref, None), Receipt(ref, None), *[delivered] * 3]

    run(story())


def test_a_text_that_does_not_arrive_says_why() -> None:
    """A text to a phone that is switched off ends undelivered, with its reason and code."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            fake.account.undeliverable[PHONE] = 30003
            ref = await accepted(provider)
            for _ in range(3):
                fake.account.advance(ref)
            expected = Receipt(ref, State.UNDELIVERED, Reason.UNREACHABLE, "30003")
            assert await provider.status(ref) == expected
            assert provider.parse_receipt(fake.report(ref)) == ("tok-1", expected)

    run(story())


def test_reports_may_come_again_and_in_any_order() -> None:
    """Each genuine report is read for itself, with the token of its attempt."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            ref = await accepted(provider, token="a/b c")
            for status, state in [
                ("delivered", State.DELIVERED),
                ("sent", None),
                ("delivered", State.DELIVERED),
                ("brand_new", None),
            ]:
                token, receipt = provider.parse_receipt(fake.report(ref, status))
                assert (token, receipt) == ("a/b c", Receipt(ref, state))

    run(story())


def test_a_report_passes_through_a_proxy() -> None:
    """The signature is checked against the public address, not the one that the proxy calls."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            ref = await accepted(provider)
            request = fake.report(ref)
            inside = "http://10.0.0.7:8080/receipts/twilio?token=tok-1"
            headers = {name.lower(): value for name, value in request.headers.items()}
            token, receipt = provider.parse_receipt(replace(request, url=inside, headers=headers))
            assert (token, receipt.ref) == ("tok-1", ref)

    run(story())


def test_blank_fields_are_part_of_the_signature() -> None:
    """A report with a field that is blank, as from a messaging service, is genuine."""

    async def story() -> None:
        async with twilio(messaging_service_sid="MG" + "0" * 32) as (fake, provider):
            ref = await accepted(provider)
            request = fake.report(ref)
            assert b"From=&" in request.body
            assert provider.parse_receipt(request)[1].ref == ref

    run(story())


def forged(request: CallbackRequest) -> list[CallbackRequest]:
    """Return the ways to bend a genuine report."""
    unsigned = {"Content-Type": request.headers["Content-Type"]}
    return [
        replace(request, headers=unsigned),
        replace(request, headers={**unsigned, "X-Twilio-Signature": ""}),
        replace(request, headers={**unsigned, "X-Twilio-Signature": "AAAA"}),
        replace(request, body=request.body.replace(b"queued", b"delivered")),
        replace(request, body=request.body + b"&Extra="),
        replace(request, body=b""),
        replace(request, body=b"\xff\xfe"),
        replace(request, body=b"&".join(b"a%d=1" % n for n in range(1000))),
        replace(request, url=request.url.replace("tok-1", "tok-2")),
        replace(request, url=CALLBACK),
    ]


def test_a_bent_report_is_refused_without_repeating_it() -> None:
    """A report that was bent in any part raises ValueError, whose words hold nothing of it."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            ref = await accepted(provider)
            for request in forged(fake.report(ref)):
                with pytest.raises(ValueError) as caught:
                    provider.parse_receipt(request)
                assert "46701740605" not in repr(caught.value)
                assert caught.value.__cause__ is None

    run(story())


@pytest.mark.parametrize(
    "fields",
    [
        {"AccountSid": "AC" + "f" * 32, "MessageSid": "SM1", "MessageStatus": "sent"},
        {"AccountSid": ACCOUNT_SID, "MessageStatus": "sent"},
        {"AccountSid": ACCOUNT_SID, "MessageSid": "SM1"},
    ],
)
def test_a_signed_report_that_says_nothing_is_refused(fields: dict[str, str]) -> None:
    """A genuine form of another account, or without message or status, raises ValueError."""
    body = "&".join(f"{key}={value}" for key, value in fields.items()).encode()
    request = CallbackRequest(CALLBACK, {"X-Twilio-Signature": sign(CALLBACK, fields)}, body)

    async def story() -> None:
        async with twilio() as (_, provider):
            with pytest.raises(ValueError):
                provider.parse_receipt(request)

    run(story())


def test_without_a_public_address_no_report_is_genuine() -> None:
    """Where no callback address is configured, even a signed report raises ValueError."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            ref = await accepted(provider)
            async with provider_at(fake.settings(), callback_url=None) as deaf:
                with pytest.raises(ValueError, match="callback_url"):
                    deaf.parse_receipt(fake.report(ref))

    run(story())


def test_a_report_comes_over_http_as_it_was_signed() -> None:
    """A callback that the pretended Twilio posts through a proxy is genuine to its receiver."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            received: list[tuple[str | None, Receipt]] = []

            async def hook(request: web.Request) -> web.Response:
                url, body = str(request.url), await request.read()
                callback = CallbackRequest(url, dict(request.headers), body)
                received.append(provider.parse_receipt(callback))
                return web.Response(status=204)

            app = web.Application()
            app.router.add_post("/receipts/twilio", hook)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            through = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ref = await accepted(provider)
            assert await fake.post_report(ref, "delivered", through=through) == 204
            assert received == [("tok-1", Receipt(ref, State.DELIVERED))]
            await runner.cleanup()

    run(story())


def test_a_hidden_text_keeps_its_status() -> None:
    """A text that was redacted at Twilio is no longer readable there, and still has its status."""

    async def story() -> None:
        async with twilio() as (fake, provider):
            ref = await accepted(provider)
            url = f"{fake.base_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{ref}.json"
            auth = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
            async with (
                aiohttp.ClientSession(headers=auth) as session,
                session.post(url, data={"Body": ""}) as response,
            ):
                assert (await response.json())["body"] == ""
            assert fake.texts() == [BODY]
            assert await provider.status(ref) == Receipt(ref, None)

    run(story())


@pytest.mark.parametrize(
    ("settings", "status", "words"),
    [
        ({}, "active", None),
        ({"auth_token": "wrong"}, "active", "does not accept"),
        ({"account_sid": "AC" + "e" * 32}, "active", "does not accept"),
        ({}, "suspended", "not active"),
        ({}, "closed", "not active"),
    ],
)
def test_a_probe_says_what_is_wrong(
    settings: dict[str, str], status: str, words: str | None
) -> None:
    """The probe tells wrong credentials and a suspended account in plain words."""

    async def story() -> None:
        async with twilio(**settings) as (fake, provider):
            fake.account_status = status
            sentence = await provider.probe()
            assert (words in sentence) if words and sentence else sentence is words

    run(story())


def test_a_probe_tells_a_twilio_that_is_away() -> None:
    """The probe tells a server error from nobody answering and from something that is not Twilio."""

    async def story() -> None:
        async with FakeTwilio() as fake, provider_at(fake.settings()) as provider:
            fake.broken = True
            assert await provider.probe() == "Twilio cannot answer just now."
        async with provider_at(fake.settings()) as provider:
            assert await provider.probe() == "Twilio cannot be reached from here."
        server = await asyncio.start_server(hello, "127.0.0.1", 0)
        async with server:
            base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with provider_at(fake.settings(base_url=base_url)) as provider:
                assert await provider.probe() == "What answers at base_url is not Twilio."

    run(story())


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as some web site does."""
    await reader.read(65536)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
    await writer.drain()
    writer.close()
