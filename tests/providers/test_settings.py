from pathlib import Path
from typing import Any

import pytest

from reminders.domain.contact import Channel
from reminders.errors import ConfigError
from reminders.providers.sandbox import Sandbox
from reminders.providers.smtp_email import SmtpEmail
from reminders.providers.twilio_sms import TwilioSms
from tests.fakes.twilio_server import ACCOUNT_SID
from tests.providers.contract import NOW, make_setup

SECRET = "hemligt-lösen"
TWILIO = {"account_sid": ACCOUNT_SID, "auth_token": SECRET}
SMTP = {"host": "smtp.example.org"}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"account_sid": ACCOUNT_SID}, "providers.twilio.auth_token"),
        ({"auth_token": SECRET}, "providers.twilio.account_sid"),
        ({"account_sid": "AC1", "auth_token": SECRET}, "providers.twilio.account_sid"),
        ({"account_sid": ACCOUNT_SID, "auth_token": ""}, "providers.twilio.auth_token"),
        (TWILIO | {"auth_tokn": SECRET}, "providers.twilio.auth_tokn: no such key"),
        (TWILIO | {"timeout": 0}, "providers.twilio.timeout"),
        (TWILIO | {"timeout": SECRET}, "providers.twilio.timeout"),
        (TWILIO | {"connect_timeout": 900}, "providers.twilio.connect_timeout"),
        (TWILIO | {"messaging_service_sid": "x"}, "providers.twilio.messaging_service_sid"),
        (TWILIO | {"base_url": "http://example.org"}, "providers.twilio.base_url"),
        (TWILIO | {"base_url": "ftp://127.0.0.1"}, "providers.twilio.base_url"),
        (TWILIO | {"base_url": "https://exämple.org"}, "providers.twilio.base_url"),
        (TWILIO | {"base_url": f"https://x:{SECRET}@example.org"}, "providers.twilio.base_url"),
        (TWILIO | {"base_url": "https://x:y@example.org"}, "providers.twilio.base_url"),
    ],
)
def test_twilio_names_the_key_that_is_wrong(settings: dict[str, Any], key: str) -> None:
    """A wrong or missing Twilio setting is named, and no value of it is repeated."""
    with pytest.raises(ConfigError) as caught:
        TwilioSms(make_setup(settings, Channel.SMS, Path(), NOW))
    assert key in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    "sender", ["", "Videobesökt", "Videobesoket 1", "12345678901", "+46", "1-2"]
)
def test_a_sender_that_no_phone_can_show_is_refused(sender: str) -> None:
    """A text's sender is at most 11 plain letters, digits and spaces with a letter, or a number."""
    with pytest.raises(ConfigError, match="sender"):
        TwilioSms(make_setup(TWILIO, Channel.SMS, Path(), NOW, sender=sender))


@pytest.mark.parametrize("sender", ["Videobesok", "Video 1", "1a", "+46701740605", "71000"])
def test_a_sender_that_phones_show_is_taken(sender: str) -> None:
    """Names, numbers and short numbers can be senders."""
    TwilioSms(make_setup(TWILIO, Channel.SMS, Path(), NOW, sender=sender))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "providers.smtp.host"),
        (SMTP | {"hots": "x"}, "providers.smtp.hots: no such key"),
        (SMTP | {"security": "ssl"}, "providers.smtp.security"),
        (SMTP | {"port": 0}, "providers.smtp.port"),
        (SMTP | {"username": "clinic"}, "username and password go together"),
        (SMTP | {"password": SECRET}, "username and password go together"),
        (
            SMTP | {"username": "clinic", "password": "x", "security": "none"},
            "could be read on its way",
        ),
        (SMTP | {"username": "clinic", "password": SECRET}, "username and password can only"),
        (SMTP | {"ca_file": "no-such-file.pem"}, "providers.smtp.ca_file"),
        (SMTP | {"ca_file": __file__}, "providers.smtp.ca_file"),
    ],
)
def test_smtp_names_the_key_that_is_wrong(settings: dict[str, Any], key: str) -> None:
    """A wrong or missing SMTP setting is named, and no value of a secret is repeated."""
    with pytest.raises(ConfigError) as caught:
        SmtpEmail(make_setup(settings, Channel.EMAIL, Path(), NOW))
    assert key in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"sender": "Videobesok"}, "email.sender"),
        ({"sender": "videobesök@example.org"}, "email.sender"),
        ({"reply_to": "svar"}, "email.reply_to"),
        ({"sender_name": "Video\nBcc: x@example.org"}, "names.email"),
    ],
)
def test_an_email_sender_that_cannot_be_is_refused(fields: dict[str, str], key: str) -> None:
    """A sender, reply address or name that no mail server takes is refused at once."""
    with pytest.raises(ConfigError, match=key):
        SmtpEmail(make_setup(SMTP, Channel.EMAIL, Path(), NOW, **fields))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"shwo": "phone"}, "providers.sandbox.shwo: no such key"),
        ({"show": "loud"}, "providers.sandbox.show"),
        ({"fail": {"0605": "explode"}}, "providers.sandbox.fail.0605"),
    ],
)
def test_the_sandbox_names_the_key_that_is_wrong(settings: dict[str, Any], key: str) -> None:
    """A wrong sandbox setting is named."""
    with pytest.raises(ConfigError, match=key):
        Sandbox(make_setup(settings, Channel.SMS, Path(), NOW))


def test_settings_from_the_environment_are_texts() -> None:
    """Numbers may come as texts, as they do from the environment."""
    TwilioSms(make_setup(TWILIO | {"timeout": "20"}, Channel.SMS, Path(), NOW))
    SmtpEmail(make_setup(SMTP | {"port": "2525"}, Channel.EMAIL, Path(), NOW))
