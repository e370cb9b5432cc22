"""What the tests of the Twilio provider share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from reminders.domain.contact import Channel
from reminders.domain.outcome import OutgoingMessage
from reminders.providers.twilio_sms import TwilioSms
from tests.fakes.twilio_server import FakeTwilio
from tests.providers.contract import NOW, make_message, make_setup

CALLBACK = "https://reminders.example.org/receipts/twilio"
INBOUND = "https://reminders.example.org/inbound/twilio"


def text(**more: Any) -> OutgoingMessage:
    """Return a text to a made-up person."""
    return make_message(Channel.SMS, NOW, **more)


@asynccontextmanager
async def provider_at(
    settings: dict[str, Any], callback_url: str | None = CALLBACK, sender: str = "Videobesok"
) -> AsyncIterator[TwilioSms]:
    """Open a provider with these settings, and close it."""
    setup = make_setup(
        settings,
        Channel.SMS,
        Path(),
        NOW,
        callback_url=callback_url,
        inbound_url=INBOUND if callback_url else None,
        sender=sender,
    )
    provider = TwilioSms(setup)
    try:
        yield provider
    finally:
        await provider.close()


@asynccontextmanager
async def twilio(**settings: Any) -> AsyncIterator[tuple[FakeTwilio, TwilioSms]]:
    """Open the pretended Twilio and a provider that leads to it."""
    async with (
        FakeTwilio(now=lambda: NOW) as fake,
        provider_at(fake.settings(**settings)) as provider,
    ):
        yield fake, provider
