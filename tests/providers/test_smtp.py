import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from reminders.domain.contact import Channel
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    Attachment,
    LeaseLostError,
    OutgoingMessage,
    Refusal,
    Rejected,
)
from reminders.providers.smtp_email import SmtpEmail
from tests.fakes.smtp_server import FakeMail
from tests.providers.contract import BODY, MAILBOX, NOW, make_message, make_setup, run

LOGIN = ("clinic", "not-a-secret")


def letter(**more: Any) -> OutgoingMessage:
    """Return an email to a made-up person."""
    return make_message(Channel.EMAIL, NOW, **more)


@asynccontextmanager
async def smtp_at(settings: dict[str, Any], **setup: Any) -> AsyncIterator[SmtpEmail]:
    """Open a provider with these settings, and close it."""
    provider = SmtpEmail(make_setup(settings, Channel.EMAIL, Path(), NOW, **setup))
    try:
        yield provider
    finally:
        await provider.close()


@asynccontextmanager
async def smtp(fake: FakeMail, **settings: Any) -> AsyncIterator[SmtpEmail]:
    """Open the server and a provider that leads to it."""
    async with fake, smtp_at(fake.settings(**settings)) as provider:
        yield provider


def test_an_email_says_what_it_is() -> None:
    """The headers name sender, reply address, language, an automatic origin and a way out."""
    fake = FakeMail()

    async def story() -> None:
        async with smtp(fake) as provider:
            assert await provider.send(letter()) == Accepted("<m-1@example.org>")

    run(story())
    (got,) = fake.letters
    assert {name: str(got[name]) for name in got if name != "MIME-Version"} == {
        "From": "Videomottagningen <videobesok@example.org>",
        "To": MAILBOX,
        "Reply-To": "svar@example.org",
        "Subject": "Ditt videobesök",
        "Date": "Tue, 24 Nov 2026 09:00:00 +0000",
        "Message-ID": "<m-1@example.org>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "sv",
        "List-Unsubscribe": "<mailto:svar@example.org?subject=unsubscribe>",
        "Content-Type": str(got["Content-Type"]),
    }
    assert got.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in got.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    html = got.get_body(("html",))
    assert isinstance(html, EmailMessage)
    assert f"<p>{BODY}</p>" in str(html.get_content())
    assert got.as_bytes().isascii()


def test_an_email_without_html_is_plain() -> None:
    """An email with no HTML part is plain text, and without a reply address the sender's is used."""
    fake = FakeMail(security="none")

    async def story() -> None:
        async with fake, smtp_at(fake.settings(), reply_to=None) as provider:
            await provider.send(letter(html=None, subject=None))

    run(story())
    (got,) = fake.letters
    assert got.get_content_type() == "text/plain"
    assert (got["Reply-To"], got["Subject"]) == ("videobesok@example.org", "Videomottagningen")


def test_a_repeat_has_the_same_message_id() -> None:
    """Two attempts at one message have one Message-ID, so that a mailbox can drop the repeat."""
    fake = FakeMail(security="none")

    async def story() -> None:
        async with smtp(fake) as provider:
            for token in ("tok-1", "tok-2"):
                await provider.send(letter(token=token, message_key="a key/with <signs>"))

    run(story())
    first, second = (one["Message-ID"] for one in fake.letters)
    assert first == second == "<a%20key%2Fwith%20%3Csigns%3E@example.org>"


@pytest.mark.parametrize(
    ("security", "encrypted"), [("starttls", True), ("tls", True), ("none", False)]
)
def test_the_connection_is_as_secure_as_asked(security: Any, encrypted: bool) -> None:
    """With starttls and tls the address itself already goes encrypted."""
    fake = FakeMail(security=security)

    async def story() -> None:
        async with smtp(fake) as provider:
            await provider.send(letter())

    run(story())
    assert fake.encrypted == [encrypted]


def test_the_lease_is_asked_between_envelope_and_text() -> None:
    """before_write is called when the envelope has been taken and DATA has not begun."""
    fake = FakeMail(login=LOGIN)
    steps: list[str] = []

    async def stamp() -> None:
        await asyncio.sleep(0.02)
        steps.append("stamped")

    def before_write() -> None:
        steps.extend(fake.steps)

    async def story() -> None:
        async with smtp(fake) as provider:
            await provider.send(letter(before_write=before_write, stamp=stamp))

    run(story())
    assert steps == ["stamped", "MAIL", "RCPT"]
    assert fake.steps == ["MAIL", "RCPT", "DATA"]


def never() -> None:
    raise AssertionError("before_write was called for an email that cannot go")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.1.1 unknown", Rejected("550 5.1.1", Refusal.ADDRESS)),
        ("550 no such user", Rejected("550", Refusal.ADDRESS)),
        ("553 bad name", Rejected("553", Refusal.ADDRESS)),
        ("554 5.1.10 null MX", Rejected("554 5.1.10", Refusal.ADDRESS)),
        ("554 5.7.1 policy", Rejected("554 5.7.1", Refusal.BLOCKED)),
        ("530 5.7.0 log in first", Rejected("530 5.7.0", Refusal.CONFIGURATION)),
        ("450 4.7.1 greylisted", Rejected("450 4.7.1", Refusal.DEFERRED)),
        ("452 4.2.2 full", Rejected("452 4.2.2", Refusal.DEFERRED)),
        ("452 4.3.1 our disk is full", Rejected("452 4.3.1", Refusal.THROTTLED)),
        ("421 closing", Rejected("421", Refusal.THROTTLED)),
    ],
)
def test_a_refused_recipient_is_definite(reply: str, expected: Rejected) -> None:
    """A recipient who is refused before DATA is a definite refusal of its kind."""
    fake = FakeMail(security="none", rcpt_replies={MAILBOX: reply})

    async def story() -> None:
        async with smtp(fake) as provider:
            assert await provider.send(letter(before_write=never)) == expected

    run(story())
    assert "DATA" not in fake.steps


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.7.60 not your address", Rejected("550 5.7.60", Refusal.CONFIGURATION)),
        ("451 4.3.0 later", Rejected("451 4.3.0", Refusal.THROTTLED)),
    ],
)
def test_a_refused_sender_is_a_fault_of_the_settings(reply: str, expected: Rejected) -> None:
    """A sender that the server does not take stops the channel; a passing trouble does not."""

    async def story() -> None:
        async with smtp(FakeMail(security="none", mail_reply=reply)) as provider:
            assert await provider.send(letter(before_write=never)) == expected

    run(story())


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("552 5.3.4 too big", Rejected("552 5.3.4", Refusal.CONTENT)),
        ("554 5.6.0 refused", Rejected("554 5.6.0", Refusal.CONTENT)),
        ("550 5.1.1 unknown after all", Rejected("550 5.1.1", Refusal.ADDRESS)),
        ("451 4.7.1 later", Rejected("451 4.7.1", Refusal.THROTTLED)),
        ("452 4.2.2 full after all", Rejected("452 4.2.2", Refusal.DEFERRED)),
    ],
)
def test_a_refused_text_is_definite(reply: str, expected: Rejected) -> None:
    """An answer of no to the text itself is as definite as one before it."""

    async def story() -> None:
        async with smtp(FakeMail(security="none", data_reply=reply)) as provider:
            assert await provider.send(letter()) == expected

    run(story())


@pytest.mark.parametrize("after_data", ["hang", "cut"])
def test_a_lost_answer_to_the_text_is_ambiguous(after_data: Any) -> None:
    """When the server falls silent or goes away after DATA, nobody knows whether it took it."""
    fake = FakeMail(security="none", after_data=after_data)

    async def story() -> None:
        async with smtp(fake, answer_timeout=0.2) as provider:
            assert await provider.send(letter()) == Ambiguous("connection_lost")

    run(story())
    assert len(fake.letters) == 1


def test_a_lost_lease_never_begins_the_text() -> None:
    """When the lease is lost the connection ends without DATA."""
    fake = FakeMail(security="none")

    def lost() -> None:
        raise LeaseLostError

    async def story() -> None:
        async with smtp(fake) as provider:
            with pytest.raises(LeaseLostError):
                await provider.send(letter(before_write=lost))

    run(story())
    assert fake.steps == ["MAIL", "RCPT"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"password": "wrong"}, Refusal.CONFIGURATION),
        ({"username": "x" * 20}, Refusal.CONFIGURATION),
        ({"ca_file": None}, Refusal.CONFIGURATION),
        ({"security": "tls"}, Refusal.CONFIGURATION),
        ({"host": "127.0.0.2"}, Refusal.THROTTLED),
    ],
)
def test_wrong_settings_are_told_from_a_server_that_is_away(
    settings: dict[str, Any], expected: Refusal
) -> None:
    """A wrong login, an unknown certificate or wrong security are settings; no answer is not."""

    async def story() -> None:
        async with smtp(FakeMail(login=LOGIN), **settings) as provider:
            outcome = await provider.send(letter(before_write=never))
            assert isinstance(outcome, Rejected)
            assert outcome.kind is expected
            sentence = await provider.probe()
            assert sentence is not None
            assert LOGIN[0] not in sentence

    run(story())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_stops_the_channel(security: Any) -> None:
    """A server whose certificate is not trusted gets nothing, and the probe names the setting."""
    fake = FakeMail(security=security)

    async def story() -> None:
        async with smtp(fake, ca_file=None) as provider:
            assert await provider.send(letter()) == Rejected("certificate", Refusal.CONFIGURATION)
            sentence = await provider.probe()
            assert sentence is not None
            assert "ca_file" in sentence

    run(story())
    assert fake.steps == []


def test_a_server_without_starttls_gets_nothing() -> None:
    """Where encryption is asked for and not offered, neither login nor address is told."""
    fake = FakeMail(security="none")

    async def story() -> None:
        async with smtp(fake, security="starttls") as provider:
            assert await provider.send(letter()) == Rejected("unsupported", Refusal.CONFIGURATION)

    run(story())
    assert fake.steps == []


@pytest.mark.parametrize("listening", [False, True])
def test_a_server_that_does_not_answer_is_tried_later(listening: bool) -> None:
    """A refused connection, or silence before the greeting, is safe to try again."""

    async def story() -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            if listening:
                other.listen()
            settings = {"host": "127.0.0.1", "port": other.getsockname()[1], "timeout": 0.2}
            async with smtp_at(settings) as provider:
                outcome = await provider.send(letter(before_write=never))
                assert isinstance(outcome, Rejected)
                assert outcome.kind is Refusal.THROTTLED
                sentence = await provider.probe()
                assert sentence is not None
                assert "cannot be reached" in sentence

    run(story())


@pytest.mark.parametrize(
    "address",
    [
        *("", "saga", "saga@", "@example.org", "a@b@example.org", "a@" + "x" * 70),
        *("sägä@example.org", "a b@example.org", "a@example.org>"),
        "a@example.org\r\nRCPT TO:<b@example.org>",
    ],
)
def test_an_address_that_cannot_be_written_is_refused(address: str) -> None:
    """An address that would break the protocol, or that servers do not take, never leaves."""
    fake = FakeMail(security="none")

    async def story() -> None:
        async with smtp(fake) as provider:
            outcome = await provider.send(letter(to=address, before_write=never))
            assert outcome == Rejected("malformed_address", Refusal.ADDRESS)

    run(story())
    assert fake.steps == []


def test_a_domain_in_other_letters_is_written_in_ascii() -> None:
    """A domain with å, ä or ö is written the way that mail servers know it."""
    fake = FakeMail(security="none", rcpt_replies={"saga@xn--rksmrgs-5wao1o.example.org": "550 x"})

    async def story() -> None:
        async with smtp(fake) as provider:
            outcome = await provider.send(letter(to="saga@räksmörgås.example.org"))
            assert outcome == Rejected("550", Refusal.ADDRESS)

    run(story())


def test_a_subject_with_a_line_break_is_refused() -> None:
    """A subject that would smuggle in another header never leaves."""

    async def story() -> None:
        async with smtp(FakeMail(security="none")) as provider:
            outcome = await provider.send(letter(subject="Hej\r\nBcc: x@example.org"))
            assert outcome == Rejected("malformed_content", Refusal.CONTENT)

    run(story())


def test_connections_are_bounded() -> None:
    """No more connections are open at once than the settings allow; the others wait."""
    fake = FakeMail(security="none")
    open_now, most = 0, 0

    async def stamp() -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.03)
        open_now -= 1

    async def story() -> None:
        async with smtp(fake, connections=2) as provider:
            letters = [letter(stamp=stamp, message_key=f"m-{n}") for n in range(6)]
            await asyncio.gather(*map(provider.send, letters))

    run(story())
    assert most == 2
    assert len(fake.letters) == 6


def test_pictures_stand_beside_the_html_and_files_come_last() -> None:
    """A mail program shows the pictures in the HTML, and offers the calendar file by itself."""
    fake = FakeMail(security="none")
    files = (
        Attachment("steps.png", "image/png", b"\x89PNG picture", inline=True),
        Attachment("calendar.ics", "text/calendar; method=PUBLISH", "BEGIN:é".encode()),
    )

    async def story() -> None:
        async with smtp(fake) as provider:
            await provider.send(letter(attachments=files))

    run(story())
    (got,) = fake.letters
    assert got.get_content_type() == "multipart/mixed"
    text, calendar = got.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(calendar, EmailMessage)
    assert text.get_content_type() == "multipart/alternative"
    plain, related = text.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert isinstance(related, EmailMessage)
    assert related.get_content_type() == "multipart/related"
    html, picture = related.iter_parts()
    assert html.get_content_type() == "text/html"
    assert picture["Content-ID"] == "<steps.png>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_payload(decode=True) == b"\x89PNG picture"
    assert calendar["Content-Type"].params["method"] == "PUBLISH"
    assert calendar.get_content() == "BEGIN:é"
    assert calendar.get_filename() == "calendar.ics"
    assert fake.texts() == [BODY]


def test_a_way_out_at_one_request_is_named_only_where_one_answers() -> None:
    """With an address for it, mail programs can show their own button to unsubscribe."""
    fake = FakeMail(security="none")

    async def story() -> None:
        async with smtp(fake) as provider:
            await provider.send(letter(unsubscribe_url="https://example.org/out/1"))

    run(story())
    (got,) = fake.letters
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(got["List-Unsubscribe"]).strip() == (
        "<https://example.org/out/1>, <mailto:svar@example.org?subject=unsubscribe>"
    )
