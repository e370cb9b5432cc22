"""Texts that come in over HTTP: acted on once, from the genuine provider alone, answered by none."""

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import pytest

from reminders.domain.contact import Channel
from reminders.providers.base import CallbackRequest, load_provider
from reminders.providers.elks46 import Elks46
from tests.engine.clinic import Clinic, at, row
from tests.fakes.elks46_server import FakeElks46
from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, sign
from tests.web.test_hooks import FORM, PLACE, PUBLIC, post, served

OURS, MOTHER = "+46701740699", "+46701740605"
INBOUND = f"{PUBLIC}{PLACE}/inbound"


def clinic_that_listens(folder: Path, url: str, name: str) -> Clinic:
    """Return the example clinic with a number that people can write to."""
    settings = {
        "twilio": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN},
        "elks46": {**FakeElks46().settings(), "base_url": "http://127.0.0.1:9"},
    }[name]
    clinic = Clinic(
        folder,
        url,
        at("2026-11-30 12:00"),
        make_provider=lambda named, setup: load_provider(named)(setup),
        WEB__PUBLIC_URL=PUBLIC,
        ENVIRONMENT="production",
        CLINICS__INTERNET__SMS={"provider": name, "sender": OURS, "two_way": True},
        PROVIDERS={name: settings, "sandbox": {"show": "none"}},
    )
    clinic.read(row())
    clinic.plan()
    return clinic


def by_twilio(text: str, url: str = INBOUND) -> CallbackRequest:
    form = {
        "MessageSid": "SM" + "1" * 32,
        "AccountSid": ACCOUNT_SID,
        "From": MOTHER,
        "To": OURS,
        "Body": text,
    }
    headers = FORM | {"X-Twilio-Signature": sign(url, form)}
    return CallbackRequest(url, headers, urlencode(form).encode())


def by_46elks(clinic: Clinic, text: str) -> CallbackRequest:
    provider = clinic.runtime.providers["internet", Channel.SMS]
    assert isinstance(provider, Elks46)
    url = provider.inbound_address()
    assert url is not None
    form = {
        "direction": "incoming",
        "id": "s" + "1" * 32,
        "from": MOTHER,
        "to": OURS,
        "created": "2026-11-30T11:00:00.000000",
        "message": text,
    }
    return CallbackRequest(url, FORM, urlencode(form).encode())


@pytest.mark.parametrize("name", ["twilio", "elks46"])
def test_a_stop_over_http_stops_the_number_once(tmp_path: Path, sqlite_url: str, name: str):
    """STOPP is acted on, again it changes nothing, and no answer has a body to be sent as a text."""

    async def story() -> None:
        clinic = clinic_that_listens(tmp_path, sqlite_url, name)
        genuine = by_twilio("Stopp!") if name == "twilio" else by_46elks(clinic, "Stopp!")
        forged = CallbackRequest(INBOUND, FORM, genuine.body)
        async with served(clinic) as base:
            assert await post(base, forged) == 403
            assert [i for i in clinic.worklist() if i.kind == "answer"] == []
            assert await post(base, genuine) == 204
            assert await post(base, genuine) == 204
        assert len([i for i in clinic.worklist() if i.kind == "answer"]) == 1
        reminders = [s for s in clinic.states("B1") if not s[0].startswith("reply")]
        assert {state for _, channel, state, _ in reminders if channel == "sms"} == {"suppressed"}
        for provider in clinic.runtime.providers.values():
            await provider.close()
        clinic.runtime.database.close()

    asyncio.run(story())


def test_a_text_is_not_taken_for_a_report(tmp_path: Path, sqlite_url: str):
    """A signature for one address holds for no other."""

    async def story() -> None:
        clinic = clinic_that_listens(tmp_path, sqlite_url, "twilio")
        elsewhere = by_twilio("Stopp!", f"{PUBLIC}{PLACE}")
        async with served(clinic) as base:
            moved = CallbackRequest(INBOUND, elsewhere.headers, elsewhere.body)
            assert await post(base, moved) == 403
            assert await post(base, elsewhere) == 403
        for provider in clinic.runtime.providers.values():
            await provider.close()
        clinic.runtime.database.close()

    asyncio.run(story())
