"""What every provider must do. A clinic's own provider can be put through it as well.

Subclass Contract and give it a `bench` fixture; test_contract.py does so for the built-in ones.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from reminders.domain.contact import Channel
from reminders.domain.outcome import (
    Accepted,
    LeaseLostError,
    OutgoingMessage,
    Refusal,
    Rejected,
    Sought,
)
from reminders.providers.base import CallbackRequest, Provider, Setup

T = TypeVar("T")

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
BODY = "Videobesök på tisdag kl 10.15. Öppna appen 5 minuter före. 08-465 004 00"
PHONE = "+46701740605"
MAILBOX = "saga.ek@example.org"
FAR_SIDE = frozenset({"mail.log", "aiohttp.access", "aiohttp.server"})
"""Loggers of the pretended far side, which run in the same process as these tests alone."""


class FixedClock:
    """A clock that stands at one instant."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def elapsed(self) -> float:
        return 0.0

    async def wait(self, event: asyncio.Event, until: datetime) -> None:
        await event.wait()


def run(story: Coroutine[Any, Any, T], seconds: float = 10.0) -> T:
    """Run one test's coroutine on an event loop of its own; a hang is a failure."""
    return asyncio.run(asyncio.wait_for(story, seconds))


def make_setup(
    settings: dict[str, Any], channel: Channel, folder: Path, now: datetime, **more: Any
) -> Setup:
    """Return what a provider for a made-up clinic is made from."""
    sms = channel is Channel.SMS
    fields: dict[str, Any] = {
        "settings": settings,
        "channel": channel,
        "sender": "Videobesok" if sms else "videobesok@example.org",
        "sender_name": "Videomottagningen",
        "reply_to": None if sms else "svar@example.org",
        "zone": ZoneInfo("Europe/Stockholm"),
        "clock": FixedClock(now),
        "folder": folder,
    }
    return Setup(**(fields | more))


def nothing() -> None:
    """Hold the lease: the write may go on."""


async def unstamped() -> None:
    """Write no attempt down."""


def make_message(channel: Channel, now: datetime, **more: Any) -> OutgoingMessage:
    """Return a message to a made-up person; for email, with subject and HTML."""
    mail = channel is Channel.EMAIL
    fields: dict[str, Any] = {
        "channel": channel,
        "to": MAILBOX if mail else PHONE,
        "body": BODY,
        "token": "tok-1",
        "message_key": "m-1",
        "started_at": now,
        "valid_for": timedelta(minutes=30),
        "language": "sv",
        "before_write": nothing,
        "stamp": unstamped,
        "subject": "Ditt videobesök" if mail else None,
        "html": f"<p>{BODY}</p>" if mail else None,
    }
    return OutgoingMessage(**(fields | more))


def digest(text: str) -> str:
    """Stand in for the keyed hash of a body."""
    return hashlib.sha256(text.encode()).hexdigest()


def sought(message: OutgoingMessage) -> Sought:
    """Return the attempt of a message, as it is looked for."""
    return Sought(message.to, message.token, digest(message.body), message.started_at, digest)


@dataclass(frozen=True, slots=True)
class Bench:
    """One provider on its far side, and whom that refuses. `seen` lists the texts it has taken."""

    provider: Provider
    channel: Channel
    seen: Callable[[], list[str]]
    refused: Mapping[str, Refusal]
    now: datetime = NOW

    def message(self, **more: Any) -> OutgoingMessage:
        return make_message(self.channel, self.now, **more)


OpenBench = AbstractAsyncContextManager[Bench]


class Contract:
    """The promises of reminders.providers.base, as tests."""

    @pytest.fixture
    def bench(self) -> OpenBench:
        raise NotImplementedError

    def test_a_message_is_accepted_and_arrives(self, bench: OpenBench) -> None:
        """A message that is taken is Accepted with a name, and the far side has its very text."""

        async def story() -> None:
            async with bench as on:
                outcome = await on.provider.send(on.message())
                assert isinstance(outcome, Accepted)
                assert outcome.ref
                assert on.seen() == [BODY]

        run(story())

    def test_every_letter_of_the_text_arrives(self, bench: OpenBench) -> None:
        """Line breaks, a lone full stop, curly quotes and emoji arrive as they were written."""
        body = "Hej!\n.\n“Videomöte” – 10 % klart & redo +46 🎥\n\nSaga = bäst?"

        async def story() -> None:
            async with bench as on:
                await on.provider.send(on.message(body=body))
                assert on.seen() == [body]

        run(story())

    def test_a_refused_address_is_a_definite_refusal(self, bench: OpenBench) -> None:
        """Each address that the far side refuses gives its kind of Rejected, and nothing is kept."""

        async def story() -> None:
            async with bench as on:
                assert on.refused
                for address, kind in on.refused.items():
                    outcome = await on.provider.send(on.message(to=address))
                    assert isinstance(outcome, Rejected)
                    assert outcome.kind is kind
                assert on.seen() == []

        run(story())

    def test_the_lease_is_asked_once_and_first(self, bench: OpenBench) -> None:
        """before_write is called exactly once, when the far side has not seen the text yet."""

        async def story() -> None:
            async with bench as on:
                seen_before: list[int] = []

                def before_write() -> None:
                    seen_before.append(len(on.seen()))

                await on.provider.send(on.message(before_write=before_write))
                assert seen_before == [0]
                assert len(on.seen()) == 1

        run(story())

    def test_a_lost_lease_sends_nothing(self, bench: OpenBench) -> None:
        """LeaseLostError passes through, the far side sees nothing, and the next message goes."""

        def lost() -> None:
            raise LeaseLostError

        async def story() -> None:
            async with bench as on:
                for _ in range(2):
                    with pytest.raises(LeaseLostError):
                        await on.provider.send(on.message(before_write=lost))
                await asyncio.sleep(0.02)
                assert on.seen() == []
                assert isinstance(await on.provider.send(on.message()), Accepted)

        run(story())

    def test_many_at_once_go_once_each(self, bench: OpenBench) -> None:
        """Twenty messages handed over together arrive once each, under names of their own."""

        async def story() -> None:
            async with bench as on:
                messages = [
                    on.message(body=f"Text {n}", token=f"tok-{n}", message_key=f"m-{n}")
                    for n in range(20)
                ]
                outcomes = await asyncio.gather(*map(on.provider.send, messages))
                refs = {one.ref for one in outcomes if isinstance(one, Accepted)}
                assert len(refs) == 20
                assert sorted(on.seen()) == sorted(message.body for message in messages)

        run(story())

    def test_a_lost_answer_can_be_looked_for(self, bench: OpenBench) -> None:
        """An accepted attempt is found by its name, or the provider says that it cannot tell."""

        async def story() -> None:
            async with bench as on:
                message = on.message()
                outcome = await on.provider.send(message)
                assert isinstance(outcome, Accepted)
                found = await on.provider.find(sought(message))
                assert found is None or (isinstance(found, Accepted) and found.ref == outcome.ref)

        run(story())

    def test_an_attempt_that_never_came_is_not_found(self, bench: OpenBench) -> None:
        """An attempt that never reached the far side is absent, and so may be sent; or unknown."""

        async def story() -> None:
            async with bench as on:
                await on.provider.send(on.message(body="Another", token="tok-2"))
                found = await on.provider.find(sought(on.message()))
                assert found is None or (
                    isinstance(found, Rejected) and found.kind is Refusal.THROTTLED
                )

        run(story())

    def test_status_is_of_the_message_asked_for(self, bench: OpenBench) -> None:
        """Asking for an accepted message gives a report on it, or None; asking never raises."""

        async def story() -> None:
            async with bench as on:
                outcome = await on.provider.send(on.message())
                assert isinstance(outcome, Accepted)
                receipt = await on.provider.status(outcome.ref)
                assert receipt is None or receipt.ref == outcome.ref
                assert await on.provider.status("no-such-message") is None

        run(story())

    def test_a_forged_report_is_refused(self, bench: OpenBench) -> None:
        """A report that nobody signed raises ValueError."""
        forged = CallbackRequest(
            "https://reminders.example.org/receipts?token=tok-1",
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"MessageSid=SM1&MessageStatus=delivered",
        )

        async def story() -> None:
            async with bench as on:
                with pytest.raises(ValueError):
                    on.provider.parse_receipt(forged)

        run(story())

    def test_a_forged_text_is_refused(self, bench: OpenBench) -> None:
        """A text that the provider has not signed, or cannot bring at all, raises ValueError."""
        forged = CallbackRequest(
            "https://reminders.example.org/inbound",
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"MessageSid=SM1&From=%2B46701740605&To=%2B46701740699&Body=STOP",
        )

        async def story() -> None:
            async with bench as on:
                with pytest.raises(ValueError) as caught:
                    on.provider.parse_inbound(forged)
                assert "46701740605" not in repr(caught.value)
                assert caught.value.__cause__ is None

        run(story())

    def test_a_probe_finds_nothing_wrong(self, bench: OpenBench) -> None:
        """With right settings the probe returns None, and no message goes out."""

        async def story() -> None:
            async with bench as on:
                assert await on.provider.probe() is None
                assert on.seen() == []

        run(story())

    def test_closing_twice_is_closing_once(self, bench: OpenBench) -> None:
        """close() may be called before anything was sent, after it, and again."""

        async def story() -> None:
            async with bench as on:
                await on.provider.send(on.message())
                await on.provider.close()
                await on.provider.close()

        run(story())

    def test_nothing_private_is_written_anywhere(
        self, bench: OpenBench, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No number, address or text stands in a log record, an outcome or the provider's repr."""
        caplog.set_level(logging.DEBUG)
        for name in list(logging.root.manager.loggerDict):
            caplog.set_level(logging.DEBUG, logger=name)

        async def story() -> tuple[list[str], list[object]]:
            async with bench as on:
                addresses = [on.message().to, *on.refused]
                made: list[object] = [on.provider]
                for address in addresses:
                    message = on.message(to=address)
                    made += [await on.provider.send(message)]
                    made += [await on.provider.find(sought(message))]
                return addresses, made

        addresses, made = run(story())
        records = [one.getMessage() for one in caplog.records if one.name not in FAR_SIDE]
        shown = "\n".join([*records, *map(repr, made)])
        telling = [address.partition("@")[0][-9:] for address in addresses]
        for private in (*telling, BODY[:12]):
            assert private not in shown
