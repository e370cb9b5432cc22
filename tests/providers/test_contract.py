from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reminders.domain.contact import Channel
from reminders.domain.outcome import Refusal
from reminders.providers.base import load_provider
from reminders.providers.elks46 import Elks46
from reminders.providers.sandbox import Sandbox
from reminders.providers.smtp_email import SmtpEmail
from reminders.providers.twilio_sms import TwilioSms
from tests.fakes.elks46_server import FakeElks46
from tests.fakes.smtp_server import FakeMail
from tests.fakes.twilio_server import FakeTwilio
from tests.providers.contract import NOW, Bench, Contract, OpenBench, make_setup

CALLBACK = "https://reminders.example.org/receipts/twilio"


def kept(folder: Path) -> list[str]:
    """Return the bodies that the sandbox has kept, oldest first."""
    return [one.read_text("utf-8").partition("\n\n")[2] for one in sorted(folder.rglob("*.txt"))]


@asynccontextmanager
async def sandbox_sms(folder: Path) -> AsyncIterator[Bench]:
    setup = make_setup({"show": "none"}, Channel.SMS, folder, NOW)
    refused = {"+15005550001": Refusal.ADDRESS, "+15005550004": Refusal.OPT_OUT}
    yield Bench(Sandbox(setup), Channel.SMS, lambda: kept(folder), refused)


@asynccontextmanager
async def sandbox_email(folder: Path) -> AsyncIterator[Bench]:
    settings = {"show": "none", "fail": {"nobody.berg@example.org": "address"}}
    setup = make_setup(settings, Channel.EMAIL, folder, NOW)
    refused = {"nobody.berg@example.org": Refusal.ADDRESS}
    yield Bench(Sandbox(setup), Channel.EMAIL, lambda: kept(folder), refused)


@asynccontextmanager
async def twilio(folder: Path) -> AsyncIterator[Bench]:
    async with FakeTwilio(now=lambda: NOW) as fake:
        setup = make_setup(fake.settings(), Channel.SMS, folder, NOW, callback_url=CALLBACK)
        provider = TwilioSms(setup)
        refused = {
            "+15005550001": Refusal.ADDRESS,
            "+15005550003": Refusal.BLOCKED,
            "+15005550004": Refusal.OPT_OUT,
            "46701740605": Refusal.ADDRESS,
        }
        yield Bench(provider, Channel.SMS, fake.texts, refused)
        await provider.close()


@asynccontextmanager
async def elks46(folder: Path) -> AsyncIterator[Bench]:
    async with FakeElks46(now=lambda: NOW) as fake:
        setup = make_setup(fake.settings(), Channel.SMS, folder, NOW, callback_url=CALLBACK)
        provider = Elks46(setup)
        refused = {"46701740605": Refusal.ADDRESS, "070-174 06 05": Refusal.ADDRESS}
        yield Bench(provider, Channel.SMS, fake.texts, refused)
        await provider.close()


@asynccontextmanager
async def smtp(folder: Path, fake: FakeMail) -> AsyncIterator[Bench]:
    replies = {
        "gone.berg@example.org": ("550 5.1.1 <gone.berg@example.org> unknown", Refusal.ADDRESS),
        "full.berg@example.org": ("452 4.2.2 <full.berg@example.org> is full", Refusal.DEFERRED),
        "shut.berg@example.org": ("550 5.7.1 <shut.berg@example.org> refuses you", Refusal.BLOCKED),
    }
    fake.rcpt_replies = {address: reply for address, (reply, _) in replies.items()}
    async with fake:
        provider = SmtpEmail(make_setup(fake.settings(), Channel.EMAIL, folder, NOW))
        refused = {address: kind for address, (_, kind) in replies.items()}
        yield Bench(provider, Channel.EMAIL, fake.texts, refused)
        await provider.close()


def smtp_plain(folder: Path) -> OpenBench:
    return smtp(folder, FakeMail(security="none"))


def smtp_tls(folder: Path) -> OpenBench:
    return smtp(folder, FakeMail(security="tls"))


def smtp_starttls_and_login(folder: Path) -> OpenBench:
    return smtp(folder, FakeMail(security="starttls", login=("clinic", "not-a-secret")))


BENCHES: list[Callable[[Path], OpenBench]] = [
    sandbox_sms,
    sandbox_email,
    twilio,
    elks46,
    smtp_plain,
    smtp_tls,
    smtp_starttls_and_login,
]


class TestContract(Contract):
    @pytest.fixture(params=BENCHES, ids=lambda bench: bench.__name__)
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path) -> OpenBench:
        opened: OpenBench = request.param(tmp_path)
        return opened


@pytest.mark.parametrize("name", ["elks46", "sandbox", "smtp", "twilio"])
def test_the_built_in_providers_are_found_by_name(name: str) -> None:
    """A built-in provider loads through the entry points, as a clinic's own does."""
    assert load_provider(name).name == name
