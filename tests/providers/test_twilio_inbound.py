"""Texts that come in through Twilio: signed forms as its webhook guide publishes them."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from reminders.domain.inbound import Signal
from reminders.providers.base import CallbackRequest, Inbound
from reminders.providers.twilio_sms import TwilioSms
from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, sign
from tests.providers.contract import PHONE, run
from tests.providers.twilio_bench import INBOUND, provider_at

OURS = "+46701740699"
SETTINGS = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN}


def came(**fields: str) -> CallbackRequest:
    """Return a signed request for a text that came in; blank fields are sent too."""
    form = {
        "ToCountry": "SE",
        "ToState": "",
        "SmsMessageSid": "SM" + "1" * 32,
        "NumMedia": "0",
        "ToCity": "",
        "SmsSid": "SM" + "1" * 32,
        "SmsStatus": "received",
        "Body": "Hej!",
        "To": OURS,
        "NumSegments": "1",
        "MessageSid": "SM" + "1" * 32,
        "AccountSid": ACCOUNT_SID,
        "From": PHONE,
        "ApiVersion": "2010-04-01",
        **fields,
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": sign(INBOUND, form),
    }
    return CallbackRequest(INBOUND, headers, urlencode(form).encode())


def read(request: CallbackRequest, callback_url: str | None = INBOUND) -> Inbound:
    """Return the text as the provider reads it."""

    async def story() -> Inbound:
        async with provider_at(SETTINGS, callback_url=callback_url, sender=OURS) as provider:
            assert isinstance(provider, TwilioSms)
            return provider.parse_inbound(request)

    return run(story())


def test_a_text_is_read() -> None:
    """A signed form gives the text, whom it is from, and its name at the provider."""
    assert read(came(Body="Kan vi få en annan tid? åäö 🎥")) == Inbound(
        "twilio", "SM" + "1" * 32, PHONE, OURS, "Kan vi få en annan tid? åäö 🎥"
    )


@pytest.mark.parametrize("word", ["STOP", "START", "HELP"])
def test_what_twilio_has_acted_on_is_told(word: str) -> None:
    """An account with Advanced Opt-Out says what it has done."""
    assert read(came(Body="AVSLUTA", OptOutType=word)).signal is Signal(word.lower())


@pytest.mark.parametrize("fields", [{}, {"OptOutType": ""}, {"OptOutType": "OTHER"}])
def test_an_unknown_signal_is_none(fields: dict[str, str]) -> None:
    """A text without a signal, or with one that is new to us, is read by its words."""
    assert read(came(**fields)).signal is None


def test_an_empty_text_is_a_text() -> None:
    """A picture without words is a text without words."""
    assert read(came(Body="", NumMedia="1")).text == ""


def bent() -> list[CallbackRequest]:
    """Return the ways to bend a genuine request."""
    genuine = came(Body="STOP")
    return [
        replace(genuine, headers={}),
        replace(genuine, headers={"X-Twilio-Signature": "AAAA"}),
        replace(genuine, body=genuine.body.replace(b"STOP", b"START")),
        replace(genuine, body=genuine.body.replace(b"605", b"606")),
        replace(genuine, body=b""),
        replace(genuine, body=b"\xff\xfe"),
        replace(genuine, url=INBOUND + "?x=1"),
        came(AccountSid="AC" + "f" * 32),
        came(From=""),
        came(To=""),
        came(MessageSid=""),
    ]


@pytest.mark.parametrize("request_", bent(), ids=range(len(bent())))
def test_a_bent_request_is_refused_without_repeating_it(request_: CallbackRequest) -> None:
    """What Twilio has not signed for this account raises ValueError, with nothing of it in it."""
    with pytest.raises(ValueError) as caught:
        read(request_)
    assert "1740605" not in repr(caught.value)


def test_without_a_public_address_nothing_is_genuine() -> None:
    """Where no address for answers is configured, even a signed one is refused."""
    with pytest.raises(ValueError):
        read(came(), callback_url=None)
