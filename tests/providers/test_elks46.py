import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from reminders.domain.contact import Channel
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    OutgoingMessage,
    Receipt,
    Refusal,
    Rejected,
)
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.errors import ConfigError
from reminders.providers.elks46 import Elks46, refusal
from tests.fakes.elks46_server import PASSWORD, USERNAME, FakeElks46
from tests.fakes.twilio_server import Fault, Trouble, refused, throttled
from tests.providers.contract import BODY, NOW, PHONE, make_message, make_setup, run, sought

CALLBACK = "https://reminders.example.org/hooks/internet/sms"
ELKS = {"username": USERNAME, "password": PASSWORD}
ABSENT = Rejected("absent", Refusal.THROTTLED)


def text(**more: Any) -> OutgoingMessage:
    return make_message(Channel.SMS, NOW, **more)


@asynccontextmanager
async def elks(**settings: Any) -> AsyncIterator[tuple[FakeElks46, Elks46]]:
    async with FakeElks46(now=lambda: NOW) as fake:
        setup = make_setup(
            fake.settings(**settings), Channel.SMS, Path(), NOW, callback_url=CALLBACK
        )
        provider = Elks46(setup)
        yield fake, provider
        await provider.close()


def test_the_request_says_all_that_46elks_should_know() -> None:
    """Sender, recipient, text and an address for reports go along; the text is kept for looking."""

    async def story() -> None:
        async with elks() as (fake, provider):
            outcome = await provider.send(text())
            (kept,) = fake.kept.values()
            assert outcome == Accepted(kept.ref, segments=1)
            assert (kept.sender, kept.to, kept.message) == ("Videobesok", PHONE, BODY)
            assert kept.logged
            assert kept.callback is not None
            assert kept.callback.startswith(f"{CALLBACK}?token=tok-1&key=")

    run(story())


def test_a_dry_run_reaches_nobody() -> None:
    """With dry_run the text is checked and priced there, and nothing is sent."""

    async def story() -> None:
        async with elks(dry_run=True) as (fake, provider):
            assert await provider.send(text()) == Accepted("dryrun-tok-1", segments=1)
            assert fake.texts() == []
            assert await provider.status("dryrun-tok-1") is None

    run(story())


@pytest.mark.parametrize(
    ("trouble", "taken"),
    [
        (Trouble.ERROR_BEFORE, False),
        (Trouble.ERROR_AFTER, True),
        (Trouble.RESET_BEFORE, False),
        (Trouble.RESET_AFTER, True),
        (Trouble.HANG_BEFORE, False),
        (Trouble.HANG_AFTER, True),
        (Trouble.GARBAGE, True),
    ],
)
def test_a_lost_answer_is_told_by_the_history(trouble: Trouble, *, taken: bool) -> None:
    """Whatever broke, the attempt is ambiguous, and the history says whether it was taken."""

    async def story() -> None:
        async with elks(timeout=0.3) as (fake, provider):
            fake.faults.append(Fault(trouble))
            message = text()
            assert isinstance(await provider.send(message), Ambiguous)
            found = await provider.find(sought(message))
            assert found == (Accepted(next(iter(fake.kept)), 1) if taken else ABSENT)

    run(story())


def test_nobody_there_means_that_nothing_was_sent() -> None:
    """A refused connection is a definite no: the text goes back at once."""

    async def story() -> None:
        async with elks() as (fake, provider):
            await fake.__aexit__()
            expected = Rejected("not_connected", Refusal.THROTTLED)
            assert await provider.send(text()) == expected

    run(story())


@pytest.mark.parametrize(
    ("status", "words", "kind", "code"),
    [
        (400, "Invalid to number +46701740605", Refusal.ADDRESS, "http_400 number"),
        (400, 'Missing key "message"', Refusal.CONTENT, "http_400 message"),
        (400, "You are not allowed to use this sender ID", Refusal.CONFIGURATION, "http_400 from"),
        (400, "Something else about +46701740605", Refusal.CONTENT, "http_400"),
        (401, "API access requires Basic HTTP authentication", Refusal.CONFIGURATION, "http_401"),
        (403, "Not enough credits", Refusal.CONFIGURATION, "http_403"),
        (404, "", Refusal.CONFIGURATION, "http_404"),
        (302, "", Refusal.CONFIGURATION, "http_302"),
        (429, "Slow down", Refusal.THROTTLED, "http_429"),
    ],
)
def test_plain_words_are_read(status: int, words: str, kind: Refusal, code: str) -> None:
    """An error in plain words is sorted by the field that it names, and its words end there."""
    assert refusal(status, words, None, NOW) == Rejected(code, kind)


@pytest.mark.parametrize("status", [500, 502, 503, 408, 202])
def test_a_server_error_is_ambiguous(status: int) -> None:
    """A server error, a gateway's timeout or a strange success may have sent the text."""
    assert isinstance(refusal(status, "oops", None, NOW), Ambiguous)


def test_errors_come_over_http_as_they_are() -> None:
    """A throttled answer keeps its wait, and a refused one its kind."""

    async def story() -> None:
        async with elks() as (fake, provider):
            fake.faults.extend([throttled("7"), refused(403, 0, "Not enough credits")])
            seven = timedelta(seconds=7)
            assert await provider.send(text()) == Rejected("http_429", Refusal.THROTTLED, seven)
            assert await provider.send(text()) == Rejected("http_403", Refusal.CONFIGURATION)
            assert fake.texts() == []

    run(story())


def test_the_history_is_read_to_its_end() -> None:
    """A text that stands behind a hundred others to the number is found."""

    async def story() -> None:
        async with elks() as (fake, provider):
            message = text()
            outcome = await provider.send(message)
            for number in range(150):
                at = NOW + timedelta(milliseconds=number + 1)
                fake.now = partial(at.replace)
                await provider.send(text(body=f"Another {number}"))
            assert await provider.find(sought(message)) == outcome
            assert await provider.find(sought(text(body="Never sent"))) == ABSENT

    run(story())


def test_the_same_words_for_another_reason_are_not_this_text() -> None:
    """A text that is known to be another message is not taken for the one that is looked for."""

    async def story() -> None:
        async with elks() as (_, provider):
            outcome = await provider.send(text())
            assert isinstance(outcome, Accepted)
            known = replace(sought(text(token="tok-2")), others=frozenset({outcome.ref}))
            assert await provider.find(known) == ABSENT

    run(story())


def test_an_older_text_with_the_same_words_is_not_this_one() -> None:
    """A text from long before the attempt began is another one."""

    async def story() -> None:
        async with elks() as (_, provider):
            await provider.send(text())
            later = sought(text(started_at=NOW + timedelta(minutes=31)))
            assert await provider.find(later) == ABSENT

    run(story())


@pytest.mark.parametrize("ahead", [timedelta(minutes=3), timedelta(hours=3)])
def test_a_text_is_found_however_far_our_clock_is_ahead(ahead: timedelta) -> None:
    """What 46elks says of the time tells how far ours is wrong: the text is not sent again."""

    async def story() -> None:
        async with elks() as (fake, provider):
            fake.now = partial((NOW - ahead).replace)
            outcome = await provider.send(text())
            assert await provider.find(sought(text())) == outcome

    run(story())


def test_other_words_leave_it_open_where_the_words_are_not_known() -> None:
    """After a restored backup, a text that nobody knows may be the one that is looked for."""

    async def story() -> None:
        async with elks() as (_, provider):
            outcome = await provider.send(text(body="Another"))
            assert isinstance(outcome, Accepted)
            doubted = replace(sought(text()), any_words=True)
            assert await provider.find(doubted) is None
            assert await provider.find(replace(doubted, others=frozenset({outcome.ref}))) == ABSENT

    run(story())


def test_what_cannot_be_read_cannot_tell() -> None:
    """A history that is away, hidden or unreadable says neither yes nor no."""

    async def story() -> None:
        async with elks() as (fake, provider):
            await provider.send(text(body="Another"))
            next(iter(fake.kept.values())).logged = False
            assert await provider.find(sought(text())) is None
            fake.broken = True
            assert await provider.find(sought(text())) is None

    run(story())


def test_asking_follows_a_text_to_its_end() -> None:
    """A text that is asked for again and again is under way, and then delivered or not."""

    async def story() -> None:
        async with elks() as (fake, provider):
            fake.advance_on_fetch = True
            fake.undeliverable.add("+46701740606")
            for to, last in [
                (PHONE, (State.DELIVERED, None)),
                ("+46701740606", (State.UNDELIVERED, Reason.NOT_DELIVERED)),
            ]:
                outcome = await provider.send(text(to=to))
                assert isinstance(outcome, Accepted)
                receipts = [await provider.status(outcome.ref) for _ in range(3)]
                end = Receipt(outcome.ref, *last)
                assert receipts == [Receipt(outcome.ref, None), end, end]

    run(story())


def test_a_report_with_its_secret_is_read() -> None:
    """A report to the address of its attempt is genuine, in any order and again."""

    async def story() -> None:
        async with elks() as (fake, provider):
            outcome = await provider.send(text(token="a/b c"))
            assert isinstance(outcome, Accepted)
            for status, state in [("delivered", State.DELIVERED), ("sent", None), ("new", None)]:
                request = fake.report(outcome.ref, status)
                inside = f"http://10.0.0.7/x?{urlsplit(request.url).query}"
                said = provider.parse_receipt(replace(request, url=inside))
                assert said == ("a/b c", Receipt(outcome.ref, state))

    run(story())


def test_a_report_without_the_right_secret_is_refused() -> None:
    """A report whose secret is missing, wrong or another attempt's raises ValueError."""

    async def story() -> None:
        async with elks() as (fake, provider):
            one = await provider.send(text())
            other = await provider.send(text(token="tok-2"))
            assert isinstance(one, Accepted)
            assert isinstance(other, Accepted)
            request = fake.report(one.ref, "delivered")
            strange = parse_qs(urlsplit(fake.report(other.ref).url).query)["key"][0]
            for query in ("", "token=tok-1", f"token=tok-1&key={strange}", "key=", "token=&key="):
                with pytest.raises(ValueError) as caught:
                    provider.parse_receipt(replace(request, url=f"{CALLBACK}?{query}"))
                assert "tok" not in str(caught.value)
            for body in (b"", b"status=delivered", b"id=s1", b"id=../x&status=sent", b"\xff"):
                with pytest.raises(ValueError):
                    provider.parse_receipt(replace(request, body=body))

    run(story())


@pytest.mark.parametrize(
    ("settings", "balance", "words"),
    [
        ({}, 1, None),
        ({"password": "wrong"}, 1, "does not accept"),
        ({}, 0, "no money"),
    ],
)
def test_a_probe_says_what_is_wrong(
    settings: dict[str, str], balance: int, words: str | None
) -> None:
    """The probe tells wrong credentials and an empty account in plain words."""

    async def story() -> None:
        async with elks(**settings) as (fake, provider):
            fake.balance = balance
            sentence = await provider.probe()
            assert (words in sentence) if words and sentence else sentence is words

    run(story())


def test_a_probe_tells_a_46elks_that_is_away() -> None:
    """The probe tells a server error from nobody answering."""

    async def story() -> None:
        async with elks() as (fake, provider):
            fake.broken = True
            assert await provider.probe() == "46elks cannot answer just now."
            await fake.__aexit__()
            await asyncio.sleep(0)
            assert await provider.probe() == "46elks cannot be reached from here."

    run(story())


@pytest.mark.parametrize(
    "sender", ["", "Videobesökt", "Video 1", "1234567", "Videobesoket1", "+46"]
)
def test_a_sender_that_46elks_does_not_take_is_refused(sender: str) -> None:
    """A sender is a name of at most 11 letters and digits that begins with a letter, or a number."""
    with pytest.raises(ConfigError, match="sender"):
        Elks46(make_setup(ELKS, Channel.SMS, Path(), NOW, sender=sender))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"username": "u1"}, "providers.elks46.password"),
        (ELKS | {"secret": "x"}, "providers.elks46.secret: no such key"),
        (ELKS | {"base_url": "http://example.org"}, "providers.elks46.base_url"),
    ],
)
def test_the_key_that_is_wrong_is_named(settings: dict[str, Any], key: str) -> None:
    """A wrong or missing setting is named, and no value of it is repeated."""
    with pytest.raises(ConfigError) as caught:
        Elks46(make_setup(settings, Channel.SMS, Path(), NOW))
    assert key in str(caught.value)
    assert PASSWORD not in str(caught.value)
