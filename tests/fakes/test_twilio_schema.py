"""The pretended Twilio is held against the published shape of Twilio's message resource.

FIELDS was written by hand from the library's MessageInstance, which Twilio generates from its
published OpenAPI description, and from the dates, codes and paging that the REST reference shows.
"""

import asyncio
import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from twilio.rest.api.v2010.account.message import MessageInstance

from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, FakeTwilio, throttled

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages"
FORM = {"To": "+46701740605", "From": "Videobesok", "Body": "Hej!"}

Check = Callable[[Any], bool]


def text(pattern: str = ".*") -> Check:
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value, re.DOTALL))


def number(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def one_of(kind: type) -> Check:
    """Accept the values of one of the library's lists of words."""
    words = {value for name, value in vars(kind).items() if name.isupper()}
    return lambda value: value in words


def or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def rfc2822(value: Any) -> bool:
    pattern = r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000"
    return text(pattern)(value) and parsedate_to_datetime(value).tzinfo is not None


def links(value: Any) -> bool:
    return isinstance(value, dict) and all(text(r"/2010-04-01/.*")(link) for link in value.values())


FIELDS: dict[str, Check] = {
    "account_sid": text("AC[0-9a-f]{32}"),
    "api_version": text("2010-04-01"),
    "body": text(),
    "date_created": rfc2822,
    "date_sent": or_null(rfc2822),
    "date_updated": rfc2822,
    "direction": one_of(MessageInstance.Direction),
    "error_code": or_null(number(10000, 99999)),
    "error_message": or_null(text()),
    "from": or_null(text()),
    "messaging_service_sid": or_null(text("MG[0-9a-f]{32}")),
    "num_media": text(r"\d+"),
    "num_segments": text(r"\d+"),
    "price": or_null(text(r"-?\d+\.\d+")),
    "price_unit": or_null(text("[A-Za-z]{3}")),
    "sid": text("(SM|MM)[0-9a-f]{32}"),
    "status": one_of(MessageInstance.Status),
    "subresource_uris": links,
    "to": text(r"\+\d+"),
    "uri": text(r"/2010-04-01/Accounts/AC[0-9a-f]{32}/Messages/SM[0-9a-f]{32}\.json"),
}
PAGE: dict[str, Check] = {
    "end": number(0, 10**6),
    "first_page_uri": text(r"/2010-04-01/.*"),
    "messages": lambda value: isinstance(value, list),
    "next_page_uri": or_null(text(r"/2010-04-01/.*")),
    "page": number(0, 10**6),
    "page_size": number(1, 1000),
    "previous_page_uri": or_null(text(r"/2010-04-01/.*")),
    "start": number(0, 10**6),
    "uri": text(r"/2010-04-01/.*"),
}
ERROR: dict[str, Check] = {
    "code": number(10000, 99999),
    "message": text(".+"),
    "more_info": text(r"https://www\.twilio\.com/docs/errors/\d+"),
    "status": number(400, 599),
}


def faults(found: dict[str, Any], schema: dict[str, Check]) -> list[str]:
    """Return the fields that are missing, too many, or of a wrong shape."""
    wrong = [name for name, check in schema.items() if name in found and not check(found[name])]
    return sorted(wrong + list(found.keys() ^ schema.keys()))


class Caller:
    """Asks the fake, and holds each answer against the schema that it should have."""

    def __init__(self, fake: FakeTwilio, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.session = session

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        async with self.session.request(method, self.fake.base_url + path, **more) as response:
            assert response.content_type == "application/json"
            found: dict[str, Any] = await response.json()
        if response.status >= 400:
            assert faults(found, ERROR) == []
            assert found["status"] == response.status
        elif "messages" in found:
            assert faults(found, PAGE) == []
            assert all(faults(message, FIELDS) == [] for message in found["messages"])
        else:
            assert faults(found, FIELDS) == []
        return response.status, found

    async def create(self, **fields: str) -> dict[str, Any]:
        status, found = await self.ask("POST", f"{MESSAGES}.json", data=FORM | fields)
        assert status == 201
        return found


def with_fake(story: Callable[[Caller], Any], token: str = AUTH_TOKEN, **more: Any) -> None:
    """Run a story against a fresh fake."""

    async def told() -> None:
        basic = base64.b64encode(f"{ACCOUNT_SID}:{token}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        async with (
            FakeTwilio(**({"now": lambda: NOW} | more)) as fake,
            aiohttp.ClientSession(headers=headers) as session,
        ):
            await story(Caller(fake, session))

    asyncio.run(asyncio.wait_for(told(), 10))


def test_the_schema_is_the_librarys() -> None:
    """The fields listed here are those that the library reads from a message."""
    read = MessageInstance(None, {}, account_sid=ACCOUNT_SID)
    names = {name.rstrip("_") for name in vars(read) if not name.startswith("_")}
    assert names == set(FIELDS)


def test_a_message_has_its_shape_all_its_life() -> None:
    """A message is as published from its creation through every status to its redaction."""

    async def story(caller: Caller) -> None:
        sid = (await caller.create())["sid"]
        path = f"{MESSAGES}/{sid}.json"
        seen = []
        for _ in range(4):
            seen.append((await caller.ask("GET", path))[1]["status"])
            caller.fake.account.advance(sid)
        assert seen == ["queued", "sending", "sent", "delivered"]
        assert (await caller.ask("POST", path, data={"Body": ""}))[1]["body"] == ""
        assert (await caller.ask("GET", path))[1]["body"] == ""

    with_fake(story)


def test_an_undelivered_message_has_its_code() -> None:
    """A message to a number that cannot be reached ends undelivered, with the code."""

    async def story(caller: Caller) -> None:
        caller.fake.account.undeliverable[FORM["To"]] = 30003
        sid = (await caller.create(MessagingServiceSid="MG" + "a" * 32))["sid"]
        for _ in range(5):
            caller.fake.account.advance(sid)
        _, found = await caller.ask("GET", f"{MESSAGES}/{sid}.json")
        assert (found["status"], found["error_code"]) == ("undelivered", 30003)

    with_fake(story)


def test_the_list_is_filtered_and_paged() -> None:
    """The list is newest first, filtered by number, and its pages lead to one another."""

    async def story(caller: Caller) -> None:
        for number_ in range(5):
            await caller.create(Body=f"Text {number_}")
        await caller.create(To="+46701740699")
        query = {"To": FORM["To"], "PageSize": "2"}
        _, page = await caller.ask("GET", f"{MESSAGES}.json", params=query)
        bodies, pages = [], 1
        while True:
            bodies += [message["body"] for message in page["messages"]]
            if page["next_page_uri"] is None:
                break
            assert "To=%2B46701740605" in urlsplit(page["next_page_uri"]).query
            _, page = await caller.ask("GET", page["next_page_uri"])
            pages += 1
        assert bodies == [f"Text {number_}" for number_ in (4, 3, 2, 1, 0)]
        assert pages == 3
        assert page["previous_page_uri"] is not None

    with_fake(story)


def test_a_queued_message_has_no_date_to_be_found_by() -> None:
    """The DateSent filters miss what was not sent yet, and find the right days afterwards."""
    day, next_day = NOW.date().isoformat(), (NOW + timedelta(days=1)).date().isoformat()

    async def count(caller: Caller, **query: str) -> int:
        query = {key.replace("_after", ">").replace("_before", "<"): query[key] for key in query}
        _, page = await caller.ask("GET", f"{MESSAGES}.json", params=query)
        return len(page["messages"])

    async def story(caller: Caller) -> None:
        sid = (await caller.create())["sid"]
        assert await count(caller, DateSent=day) == 0
        caller.fake.account.settle(sid, "sent")
        assert await count(caller, DateSent=day) == 1
        assert await count(caller, DateSent=next_day) == 0
        assert await count(caller, DateSent_after=day, DateSent_before=next_day) == 1
        assert await count(caller, DateSent_after=next_day) == 0

    with_fake(story)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"ValidityPeriod": "0"}, 21624),
        ({"ValidityPeriod": "36001"}, 21624),
        ({"StatusCallback": "https://our_host.example.org/"}, 21609),
        ({"StatusCallback": "nonsense"}, 21609),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
        ({"To": "0701740605"}, 21211),
    ],
)
def test_what_is_refused_has_its_code(fields: dict[str, str], code: int) -> None:
    """A message that Twilio refuses is refused with the published code, and is not kept."""

    async def story(caller: Caller) -> None:
        status, error = await caller.ask("POST", f"{MESSAGES}.json", data=FORM | fields)
        assert (status, error["code"]) == (400, code)
        assert caller.fake.texts() == []

    with_fake(story)


def test_errors_of_access_and_of_haste_have_their_shape() -> None:
    """Wrong credentials, unknown things, too much haste and outages are errors as published."""

    async def story(caller: Caller) -> None:
        assert (await caller.ask("GET", f"{MESSAGES}/SMnone.json"))[1]["code"] == 20404
        caller.fake.faults.append(throttled("1"))
        assert (await caller.ask("POST", f"{MESSAGES}.json", data=FORM))[1]["code"] == 20429
        caller.fake.broken = True
        assert (await caller.ask("GET", f"{MESSAGES}.json"))[1]["code"] == 20503

    async def stranger(caller: Caller) -> None:
        assert (await caller.ask("GET", f"{MESSAGES}.json"))[1]["code"] == 20003

    with_fake(story)
    with_fake(stranger, token="wrong")
