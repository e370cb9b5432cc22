"""The transport under the providers, against servers on loopback that behave badly."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reminders.domain.outcome import LeaseLostError
from reminders.providers.http import Transport
from reminders.providers.http_call import (
    MOST_BYTES,
    Answer,
    BrokenOffError,
    Call,
    CertificateError,
    Connections,
)
from tests.providers.contract import run

CERTIFICATE = Path(__file__).parent.parent / "fakes" / "localhost.pem"
HASHED_NAME = "ce275665.0"
"""What `openssl rehash` calls it."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nok"
FORM: dict[str, Any] = {
    "headers": ["Content-Type: application/x-www-form-urlencoded"],
    "body": b"To=%2B467",
}


class Server:
    """Counts connections and requests, and answers the so-manieth request with what it is told."""

    def __init__(
        self, *answers: bytes | None, hangs: bool = False, idle: float | None = None
    ) -> None:
        self.answers, self.hangs, self.idle = answers, hangs, idle
        self.connections = self.requests = self.ended = 0
        self.last = b""
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read request after request; None as an answer closes the connection without a word."""
        self.connections += 1
        try:
            while head := await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.idle):
                lower = head.lower()
                size = (
                    int(lower.split(b"content-length:")[1].split()[0])
                    if b"content-length" in lower
                    else 0
                )
                self.last = head + await reader.readexactly(size)
                self.requests += 1
                if self.hangs:
                    await reader.read()
                    return
                answer = self.answers[min(self.requests, len(self.answers)) - 1]
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            self.ended += 1
            writer.close()

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Server"]:
        """Listen."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/"
        try:
            yield self
        finally:
            server.close()


@asynccontextmanager
async def transport(connect: float = 2.0, whole: float = 5.0) -> AsyncIterator[Transport]:
    """Give a transport, and close it."""
    made = Transport(connect, whole)
    try:
        yield made
    finally:
        await made.close()


def test_an_answer_is_read_whole() -> None:
    """Status, text and headers come back; the request's own body and headers arrive."""

    async def story() -> None:
        async with Server(OK).open() as server, transport() as http:
            got = await http.request("POST", server.url, **FORM)
            assert (got.status, got.text) == (200, "ok")
            assert got.headers == {"content-length": "2", "retry-after": "7"}
            assert server.last.endswith(b"\r\n\r\nTo=%2B467")
            assert b"expect" not in server.last.lower()
            await http.request("GET", server.url)
            assert server.last.startswith(b"GET / HTTP/1.1\r\n")
            assert b"content-length" not in server.last.lower()
            assert (server.connections, server.requests) == (1, 2)

    run(story())


def test_a_reused_connection_that_breaks_is_not_asked_twice() -> None:
    """Of itself libcurl would send the request again on a fresh connection: the text could go twice."""

    async def story() -> None:
        async with Server(OK, None, OK).open() as server, transport() as http:
            await http.request("POST", server.url, **FORM)
            asked = 0

            def guard() -> None:
                nonlocal asked
                asked += 1

            with pytest.raises(BrokenOffError):
                await http.request("POST", server.url, **FORM, guard=guard)
            await asyncio.sleep(0.1)
            assert (server.requests, asked) == (2, 1)
            assert (await http.request("POST", server.url, **FORM)).status == 200
            assert server.requests == 3

    run(story())


@pytest.mark.parametrize("rest", [0.1, 1.2])
def test_a_connection_closed_while_idle_is_left(rest: float) -> None:
    """One that the other side has closed is not written to: the text goes on a new one."""
    asked = 0

    def guard() -> None:
        nonlocal asked
        asked += 1

    async def story() -> None:
        async with Server(OK, idle=0.05).open() as server, transport() as http:
            # Several: whoever finds one closed must not try the next, which is closed as well.
            await asyncio.gather(*(http.request("POST", server.url, **FORM) for _ in range(4)))
            opened = server.connections
            assert opened > 1
            for times in (1, 2):
                await asyncio.sleep(rest)
                answer = await http.request("POST", server.url, **FORM, guard=guard)
                assert (answer.status, asked) == (200, times)
                assert (server.connections, server.requests) == (opened + times, 4 + times)

    run(story())


def test_an_answer_to_nothing_is_nobodys() -> None:
    """What comes on an idle connection is not taken for the answer to the next text."""
    stray = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nstray"

    class Talkative(Server):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asyncio.get_running_loop().call_later(0.05, writer.write, stray)
            await super().serve(reader, writer)

    async def story() -> None:
        async with Talkative(OK).open() as server, transport() as http:
            for times in (1, 2):
                assert (await http.request("POST", server.url, **FORM)).text == "ok"
                assert (server.connections, server.requests) == (times, times)
                await asyncio.sleep(0.15)

    run(story())


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("reads", [False, True])
def test_a_handshake_that_breaks_off_is_no_question_of_trust(*, resets: bool, reads: bool) -> None:
    """A server that is restarted breaks handshakes: that must not stop a channel."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reads:
            await reader.read(100)
        if resets:
            writer.transport.abort()
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server, transport() as http:
            with pytest.raises(BrokenOffError) as told:
                await http.request("POST", url, **FORM)
            assert not isinstance(told.value, CertificateError)

    run(story())


def test_a_host_with_two_addresses_is_reached_by_the_one_that_answers(tmp_path: Path) -> None:
    """A socket that was tried first and given up, even one whose number is another file's now, harms nothing."""
    known = Connections()
    gone, other = os.open(tmp_path, os.O_RDONLY), os.open(tmp_path, os.O_RDONLY)
    with (
        socket.socket() as unused,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as ours,
    ):
        os.close(gone)
        key = ("127.0.0.1", "127.0.0.1", server.getsockname()[1], ours.getsockname()[1])
        known.made(key, [gone, other, unused.fileno(), ours.fileno()])
        assert not known.is_stale(key)
        theirs, _ = server.accept()
        theirs.close()
        assert known.is_stale(key)
        assert not known.is_stale(("another",))
    os.close(other)


def test_a_line_break_in_a_header_is_refused() -> None:
    """Nothing can be slipped into a request."""

    async def story() -> None:
        async with Server(OK).open() as server, transport() as http:
            with pytest.raises(ValueError, match="line break"):
                await http.request("GET", server.url, headers=["X: y\r\nZ: w"])
            assert server.connections == 0

    run(story())


def test_a_fault_of_our_own_in_reading_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for an answer that cannot be read; the others get theirs."""
    read, calls = Call._read, 0

    def fails_once(self: Call) -> Answer:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise MemoryError
        return read(self)

    monkeypatch.setattr(Call, "_read", fails_once)

    async def story() -> None:
        async with Server(OK).open() as server, transport() as http:
            calls = [http.request("GET", server.url) for _ in range(5)]
            got = await asyncio.gather(*calls, return_exceptions=True)
            assert sorted(type(one).__name__ for one in got) == ["Answer"] * 4 + ["MemoryError"]

    run(story())


def test_many_at_once_have_connections_of_their_own() -> None:
    """Two hundred at once go once each, and the connections are used again."""

    async def story() -> None:
        async with Server(OK).open() as server, transport() as http:
            for round_ in (1, 2):
                calls = [http.request("POST", server.url, **FORM) for _ in range(200)]
                assert {one.status for one in await asyncio.gather(*calls)} == {200}
                assert server.requests == 200 * round_
            assert server.connections <= 200

    run(story())


def test_who_stops_waiting_ends_the_request() -> None:
    """A cancelled call closes its connection; the handle is not used for another's answer."""

    async def story() -> None:
        async with Server(OK, hangs=True).open() as server, transport() as http:
            call = asyncio.create_task(http.request("POST", server.url, **FORM))
            while not server.requests:  # noqa: ASYNC110 - the server need not announce itself
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.sleep(0.1)
            assert server.ended == 1
            server.hangs = False
            assert (await http.request("POST", server.url, **FORM)).text == "ok"
            assert server.connections == 2

    run(story())


def test_no_answer_in_time_is_a_timeout() -> None:
    """The whole request has its time, however the other side hangs."""

    async def story() -> None:
        async with Server(OK, hangs=True).open() as server, transport(whole=0.2) as http:
            with pytest.raises(TimeoutError):
                await http.request("POST", server.url, **FORM)
            assert server.requests == 1

    run(story())


def test_what_the_guard_raises_comes_out_and_nothing_is_written() -> None:
    """Not a byte of the request goes out; the transport goes on."""

    def lost() -> None:
        raise LeaseLostError

    async def story() -> None:
        async with Server(OK).open() as server, transport() as http:
            for _ in range(2):
                with pytest.raises(LeaseLostError):
                    await http.request("POST", server.url, **FORM, guard=lost)
            assert (await http.request("POST", server.url, **FORM)).status == 200
            assert server.requests == 1

    run(story())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_BYTES + 1)
        + b"x" * (MOST_BYTES + 1),
    ],
    ids=["cut off", "not HTTP", "without end"],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    """An answer that is cut off, cannot be read or does not end is an error, not a text."""

    class Once(Server):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

    async def story() -> None:
        async with Once().open() as server, transport() as http:
            with pytest.raises(BrokenOffError) as told:
                await http.request("POST", server.url, **FORM)
            assert "127.0.0.1" not in str(told.value)

    run(story())


def test_a_redirect_is_an_answer() -> None:
    """A text is not taken to where somebody else says."""
    moved = b"HTTP/1.1 307 Gone\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"

    async def story() -> None:
        async with Server(moved).open() as server, transport() as http:
            got = await http.request("POST", server.url, **FORM)
            assert (got.status, got.headers["location"]) == (307, "http://127.0.0.1:9/")

    run(story())


def test_what_goes_before_an_answer_is_not_the_answer() -> None:
    """Headers of an interim answer are forgotten."""
    early = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n"

    async def story() -> None:
        async with Server(early + OK).open() as server, transport() as http:
            assert (await http.request("GET", server.url)).headers["retry-after"] == "7"

    run(story())


def test_only_a_trusted_certificate_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that nobody vouches for gets nothing; one that the system trusts does."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)

    async def story(*, trusted: bool) -> int:
        async with Server(OK).open(tls) as server, transport() as http:
            url = server.url.replace("127.0.0.1", "localhost")
            if not trusted:
                with pytest.raises(CertificateError):
                    await http.request("POST", url, **FORM)
            else:
                assert (await http.request("POST", url, **FORM)).status == 200
            return server.requests

    assert run(story(trusted=False)) == 0
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert run(story(trusted=True)) == 1
    # Or a list of folders, in which certificates are named by their digests.
    monkeypatch.delenv("SSL_CERT_FILE")
    folder = tmp_path / "trusted"
    folder.mkdir()
    (folder / HASHED_NAME).write_bytes(CERTIFICATE.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{folder}")
    assert run(story(trusted=True)) == 1


def test_it_goes_on_in_another_loop() -> None:
    """A transport whose loop has ended opens its connections anew in the next one."""
    http = Transport(2.0, 5.0)

    async def story() -> int:
        async with Server(OK).open() as server:
            return (await http.request("POST", server.url, **FORM)).status

    assert [run(story()), run(story())] == [200, 200]
    run(http.close())
    run(http.close())


def test_closing_ends_what_is_under_way() -> None:
    """Who waits for an answer as the transport is closed is told."""

    async def story() -> None:
        async with Server(OK, hangs=True).open() as server:
            http = Transport(2.0, 5.0)
            call = asyncio.create_task(http.request("POST", server.url, **FORM))
            while not server.requests:  # noqa: ASYNC110 - the server need not announce itself
                await asyncio.sleep(0.01)
            await http.close()
            with pytest.raises(BrokenOffError):
                await call

    run(story())
