"""Reports replayed, in any order and forged: one final state, and never a forger's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from reminders.domain.contact import Channel
from reminders.engine import receipts
from reminders.engine.approval import Shelf
from reminders.engine.claiming import claim
from reminders.providers.base import CallbackRequest, Provider, load_provider
from reminders.providers.elks46 import Elks46
from reminders.store import schema
from tests.engine.clinic import Clinic, at, row
from tests.fakes.elks46_server import PASSWORD, USERNAME
from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, sign

PUBLIC = "https://reminders.example.org"
URL = f"{PUBLIC}/hooks/internet/sms"
NOWHERE = "http://127.0.0.1:9"
SETTINGS = {
    "twilio": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "base_url": NOWHERE},
    "elks46": {"username": USERNAME, "password": PASSWORD, "base_url": NOWHERE},
}
COURSES = {
    "twilio": (("queued", "sending", "sent"), {"delivered": "delivered", "undelivered": "undelivered"}),
    "elks46": (("created", "sent"), {"delivered": "delivered", "failed": "undelivered"}),
}  # fmt: skip


@dataclass
class Hooked:
    """A clinic with one text on its way, and the provider that reports on it."""

    clinic: Clinic
    provider: Provider
    name: str
    token: str

    def reset(self, state: str) -> None:
        """Put the text back to where reports on it are waited for."""
        with self.clinic.runtime.database.transaction() as conn:
            conn.execute(
                update(schema.message)
                .where(schema.message.c.attempts == 1)
                .values(state=state, reason=None, provider_ref=None, lease_token=1)
            )

    def state(self) -> str:
        with self.clinic.runtime.database.reading() as conn:
            query = select(schema.message.c.state).where(schema.message.c.attempts == 1)
            found: str = conn.execute(query).scalar_one()
        return found

    def report(self, status: str) -> CallbackRequest:
        """Return a genuine report."""
        if isinstance(self.provider, Elks46):
            key = self.provider._key(self.token)
            url = f"{URL}?{urlencode({'token': self.token, 'key': key})}"
            return CallbackRequest(url, {}, urlencode({"id": "s1", "status": status}).encode())
        url = f"{URL}?{urlencode({'token': self.token})}"
        fields = {"AccountSid": ACCOUNT_SID, "MessageSid": "SM1", "MessageStatus": status}
        headers = {"X-Twilio-Signature": sign(url, fields)}
        return CallbackRequest(url, headers, urlencode(fields).encode())

    def forge(self, status: str, how: int) -> CallbackRequest:
        """Return a report that somebody made who does not know the secret."""
        genuine = self.report("sent")
        if isinstance(self.provider, Elks46):
            body = urlencode({"id": "s1", "status": status}).encode()
            query = ("", f"token={self.token}", f"token={self.token}&key=0000", "key=&token=")
            return CallbackRequest(f"{URL}?{query[how % 4]}", {}, body)
        body = genuine.body.replace(b"MessageStatus=sent", f"MessageStatus={status}".encode())
        body += b"&Forged=1"
        name = "X-Twilio-Signature"
        signatures = (genuine.headers[name], "", "x", "=")
        return CallbackRequest(genuine.url, {name: signatures[how % 4]}, body)

    def take_in(self, request: CallbackRequest) -> bool:
        """Do what the hook does; tell whether the report was believed."""
        try:
            token, receipt = self.provider.parse_receipt(request)
        except ValueError:
            return False
        assert token is not None
        runtime = self.clinic.runtime
        now = self.clinic.clock.now()
        return runtime.in_transaction(receipts.by_callback, runtime, token, receipt, now)


@pytest.fixture(params=sorted(SETTINGS))
def hooked(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[Hooked]:
    """Return a clinic whose one text is with its provider."""
    name: str = request.param
    clinic = Clinic(
        tmp_path,
        sqlite_url,
        at("2026-11-30 12:00"),
        make_provider=lambda named, setup: load_provider(named)(setup),
        WEB__PUBLIC_URL=PUBLIC,
        ENVIRONMENT="production",
        CLINICS__INTERNET__SMS={"provider": name, "sender": "Videobesok"},
        PROVIDERS={name: SETTINGS[name], "sandbox": {"show": "none"}},
    )
    clinic.read(row())
    clinic.plan()
    clinic.clock.set(at("2026-12-01 10:00"))
    batch = clinic.runtime.in_transaction(claim, clinic.runtime, Shelf(), clinic.clock.now(), 10)
    (claimed,) = batch.claimed
    provider = clinic.runtime.providers["internet", Channel.SMS]
    yield Hooked(clinic, provider, name, claimed.callback_token)
    clinic.end()


def any_order(hooked: Hooked, examples: int | None) -> None:
    """Deliver reports in any order, again and again, among forged ones; see one final state."""
    steps, ends = COURSES[hooked.name]

    def story(data: st.DataObject) -> None:
        end = data.draw(st.sampled_from(sorted(ends)))
        hooked.reset(data.draw(st.sampled_from(["sending", "accepted", "unknown", "planned"])))
        again = data.draw(st.lists(st.sampled_from([*steps, end]), max_size=4))
        genuine = [*steps, end, *again]
        other = next(one for one in sorted(ends) if one != end)
        forged = data.draw(st.lists(st.integers(0, 3), max_size=4))
        reports = [(hooked.report(one), True) for one in genuine]
        reports += [(hooked.forge(other, how), False) for how in forged]
        for request, real in data.draw(st.permutations(reports)):
            assert hooked.take_in(request) is real
        assert hooked.state() == ends[end]

    tried = given(st.data())(story)
    (settings(max_examples=examples)(tried) if examples else tried)()


def test_reports_in_any_order_give_one_state(hooked: Hooked) -> None:
    """However reports are replayed and mixed with forged ones, the text ends where it ended."""
    any_order(hooked, None)


@pytest.mark.long
def test_ten_thousand_orders_give_one_state(hooked: Hooked) -> None:
    """Of ten thousand orders, each ends where the text ended, and no forged report is believed."""
    any_order(hooked, 10_000)
