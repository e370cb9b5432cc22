"""What providers report over HTTP: taken in once, in any order, and never from a forger."""

import asyncio
import http.client
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
import structlog

from reminders.domain.contact import Channel
from reminders.providers.base import CallbackRequest, load_provider
from reminders.providers.elks46 import Elks46
from reminders.web import hooks
from reminders.web.hooks import LARGEST_BODY, hooks_app
from reminders.web.server import listen, serve
from tests.engine.clinic import Clinic, at, row
from tests.fakes.elks46_server import FakeElks46
from tests.fakes.twilio_server import FakeTwilio

PUBLIC = "https://reminders.example.org"
PLACE = "/hooks/internet/sms"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Fake = FakeTwilio | FakeElks46


@contextmanager
def clinic_through(fake: Fake, folder: Path, url: str) -> Iterator[Clinic]:
    """Open the example clinic, whose texts go through a pretended provider."""
    name = "twilio" if isinstance(fake, FakeTwilio) else "elks46"
    clinic = Clinic(
        folder,
        url,
        at("2026-11-30 12:00"),
        make_provider=lambda named, setup: load_provider(named)(setup),
        WEB__PUBLIC_URL=PUBLIC,
        ENVIRONMENT="production",
        CLINICS__INTERNET__SMS={"provider": name, "sender": "Videobesok"},
        PROVIDERS={name: fake.settings(), "sandbox": {"show": "none"}},
    )
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    yield clinic


@asynccontextmanager
async def served(clinic: Clinic) -> AsyncIterator[str]:
    """Serve the hooks on loopback, and return their address."""
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as own:
        task = asyncio.create_task(serve(hooks_app(clinic.runtime), own, stop))
        yield f"http://127.0.0.1:{own.getsockname()[1]}"
        stop.set()
        await task


async def post(base: str, request: CallbackRequest) -> int:
    """Deliver a report as a proxy would: to another host, with the same path and query."""
    parts = urlsplit(request.url)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{base}{parts.path}?{parts.query}", data=request.body, headers=dict(request.headers)
        ) as answer,
    ):
        assert await answer.read() == b""
        return answer.status


def the_ref(fake: Fake) -> str:
    kept = fake.account.messages if isinstance(fake, FakeTwilio) else fake.kept
    (ref,) = kept
    return ref


def sms(clinic: Clinic) -> tuple[str, str | None]:
    """Return state and reason of the one text."""
    (found,) = [s for s in clinic.states("B1") if s[:2] == ("day_before", "sms")]
    return found[2], found[3]


@pytest.fixture(params=[FakeTwilio, FakeElks46], ids=["twilio", "elks46"])
def fake(request: pytest.FixtureRequest) -> Fake:
    made: Fake = request.param()
    return made


Story = Callable[[Clinic, str, str], Awaitable[None]]


def tell(fake: Fake, folder: Path, url: str, story: Story) -> None:
    """Send the one text through the provider, serve the hooks, and run the story."""

    async def all_of_it() -> None:
        async with fake:
            with clinic_through(fake, folder, url) as clinic:
                await clinic.dispatcher.run_once()
                async with served(clinic) as base:
                    await story(clinic, base, the_ref(fake))
                for provider in clinic.runtime.providers.values():
                    await provider.close()
                clinic.runtime.database.close()

    asyncio.run(all_of_it())


def test_a_genuine_report_is_taken_in(fake: Fake, tmp_path: Path, sqlite_url: str) -> None:
    """A report that the text has arrived settles it, again and after it nothing changes it."""

    async def story(clinic: Clinic, base: str, ref: str) -> None:
        assert sms(clinic) == ("accepted", None)
        for status in ("sent", "delivered", "sent", "failed", "delivered"):
            assert await post(base, fake.report(ref, status)) == 204
        assert sms(clinic) == ("delivered", None)

    tell(fake, tmp_path, sqlite_url, story)


def test_a_forged_report_is_refused_without_a_word(
    fake: Fake, tmp_path: Path, sqlite_url: str
) -> None:
    """A report whose signature, secret or content was bent is refused, and nothing changes."""

    async def story(clinic: Clinic, base: str, ref: str) -> None:
        genuine = fake.report(ref, "delivered")
        query = parse_qs(urlsplit(genuine.url).query)
        forged = [
            CallbackRequest(f"{PUBLIC}{PLACE}", genuine.headers, genuine.body),
            CallbackRequest(f"{PUBLIC}{PLACE}?token={query['token'][0]}", FORM, genuine.body),
            CallbackRequest(
                genuine.url.replace("token=", "token=x"), genuine.headers, genuine.body
            ),
            CallbackRequest(genuine.url, genuine.headers, b""),
        ]
        for request in forged:
            assert await post(base, request) == 403
        # A provider that only pretends cannot tell a forger, so nobody calls for it.
        elsewhere = f"{PUBLIC}/hooks/internet/email?token=x"
        assert await post(base, CallbackRequest(elsewhere, FORM, genuine.body)) == 404
        assert await post(base, CallbackRequest(f"{PUBLIC}/hooks/nobody/sms", FORM, b"")) == 404
        assert sms(clinic) == ("accepted", None)

    tell(fake, tmp_path, sqlite_url, story)


def test_an_unknown_token_is_answered_and_without_effect(tmp_path: Path, sqlite_url: str) -> None:
    """A genuine report for an attempt that is not ours is answered kindly, so that it ends."""
    fake = FakeElks46()

    async def story(clinic: Clinic, base: str, ref: str) -> None:
        provider = clinic.runtime.providers["internet", Channel.SMS]
        assert isinstance(provider, Elks46)
        key = provider._key("stranger")
        url = f"{PUBLIC}{PLACE}?{urlencode({'token': 'stranger', 'key': key})}"
        body = fake.report(ref, "delivered").body
        assert await post(base, CallbackRequest(url, FORM, body)) == 204
        assert sms(clinic) == ("accepted", None)

    tell(fake, tmp_path, sqlite_url, story)


def test_a_body_larger_than_any_report_is_not_read(tmp_path: Path, sqlite_url: str) -> None:
    """A body that is announced, or grows, too large is refused before the rest of it has come."""
    fake = FakeElks46()

    def announce(port: int) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.putrequest("POST", PLACE)
            connection.putheader("Content-Length", str(10**9))
            connection.endheaders()
            return connection.getresponse().status

    def grow(port: int) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.putrequest("POST", PLACE)
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            part = b"x" * 8192
            for _ in range(LARGEST_BODY // 8192 + 1):
                connection.send(b"%x\r\n%s\r\n" % (len(part), part))
            return connection.getresponse().status  # the body has not ended

    async def story(_clinic: Clinic, base: str, _ref: str) -> None:
        port = urlsplit(base).port
        assert port is not None
        assert await asyncio.to_thread(announce, port) == 413
        assert await asyncio.to_thread(grow, port) == 413

    tell(fake, tmp_path, sqlite_url, story)


def test_a_busy_database_has_the_provider_call_again(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is locked the provider is told to call again, and then it is taken in."""
    monkeypatch.setattr(hooks, "DATABASE_SECONDS", 0.2)
    fake = FakeElks46()

    async def story(clinic: Clinic, base: str, ref: str) -> None:
        with clinic.runtime.database.transaction():
            assert await post(base, fake.report(ref, "delivered")) == 503
        assert sms(clinic) == ("accepted", None)
        monkeypatch.setattr(hooks, "DATABASE_SECONDS", 30.0)
        assert await post(base, fake.report(ref, "delivered")) == 204
        assert sms(clinic) == ("delivered", None)

    tell(fake, tmp_path, sqlite_url, story)


def test_nothing_private_is_logged(
    fake: Fake,
    tmp_path: Path,
    sqlite_url: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No token, secret, number or reference stands in any log, for a genuine or a forged report."""
    caplog.set_level(logging.DEBUG)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "fastapi", "reminders"):
        caplog.set_level(logging.DEBUG, logger=name)
    tokens: list[str] = []

    async def story(_clinic: Clinic, base: str, ref: str) -> None:
        genuine = fake.report(ref, "delivered")
        tokens.extend(value[0] for value in parse_qs(urlsplit(genuine.url).query).values())
        tokens.append(ref)
        await post(base, genuine)
        await post(base, CallbackRequest(genuine.url, genuine.headers, b"x"))

    with structlog.testing.capture_logs() as events:
        tell(fake, tmp_path, sqlite_url, story)
    written = capfd.readouterr()
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("aiohttp")]
    said = "\n".join([written.out, written.err, *ours, *map(repr, events)])
    assert {event["event"] for event in events} >= {"report", "hook_refused"}
    assert len(tokens) >= 2
    for private in (*tokens, "46701740605"):
        assert private not in said
