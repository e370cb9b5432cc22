"""HTTP to a provider: libcurl on the running loop, one try a request, nothing logged.

libcurl's multi interface says which sockets it waits for and when it wants to be woken; asyncio
does the waiting. Connections are reused, certificates checked, no redirect is followed and no proxy
taken from the environment. libcurl itself sends a request again when a reused connection breaks
before any answer: `Call`, which it asks each time, forbids that, as it could text twice.
"""

import asyncio
import math
import os
import select
import selectors
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pycurl

MOST_BYTES = 8 << 20
MOST_KEPT = 512
"""So many connections stay open: of itself libcurl closes them as there is less to do."""

IDLE = 15
"""A connection that lay idle for so many seconds is not used again: the other side may close it."""

_CERTIFICATE = frozenset(
    {
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
    }
)


class BrokenOffError(OSError):
    """There was no connection, or no whole answer. The text names no address: it may be logged."""


class CertificateError(BrokenOffError):
    """The other side's certificate is not to be trusted, or ours cannot be read.

    A handshake that breaks off is none of these: whoever restarts a server breaks some.
    """


class _StaleError(BrokenOffError):
    """There was something to read on a connection that lay idle: nothing was written to it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    text: str = field(repr=False)
    head: tuple[bytes, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers, their names in small letters; hardly anybody asks."""
        headers: dict[str, str] = {}
        for line in self.head:
            if line.startswith(b"HTTP/"):
                headers.clear()  # of an answer that went before this one
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        return headers


class Connections:
    """Which socket each connection is, by its four addresses.

    libcurl looks whether a connection still stands only after a second of rest. What came on one
    that nothing was asked on, its end or an answer to nothing, would be taken for the next answer.
    """

    def __init__(self) -> None:
        self._sockets: dict[tuple[object, ...], int] = {}
        self._poll = select.poll()

    def made(self, addresses: tuple[object, ...], opened: Sequence[int]) -> None:
        """Note a new connection: one of the sockets just opened."""
        if len(self._sockets) > 2 * MOST_KEPT:
            self._sockets.clear()  # what is not known is not looked at
        for fd in opened:
            if _name_of(fd) == (addresses[1], addresses[3]):
                self._sockets[addresses] = fd

    def is_stale(self, addresses: tuple[object, ...]) -> bool:
        """Tell whether there is anything to read on a connection that is used again."""
        fd = self._sockets.get(addresses)
        if fd is None:
            return False
        self._poll.register(fd, select.POLLIN)
        try:
            return bool(self._poll.poll(0))
        finally:
            self._poll.unregister(fd)


def _name_of(fd: int) -> tuple[object, ...]:
    """Return a socket's own address and port; nothing if it has been given up for another."""
    try:
        one = socket.socket(fileno=fd)
    except OSError:
        return ()
    try:
        return tuple(one.getsockname()[:2])
    except OSError:
        return ()
    finally:
        one.detach()


class Call:
    """One request on a handle of libcurl's, which is used again for others.

    `guard` is asked once there is a live connection, directly before the first byte; what it raises
    goes to who made the request. `written` tells whether the other side may have seen a byte.
    """

    __slots__ = (
        "answer", "asked", "connections", "curl", "failed", "guard", "head", "opened", "parts",
        "size", "written",
    )  # fmt: skip

    def __init__(self, options: Sequence[tuple[int, object]], connections: Connections) -> None:
        self.curl = pycurl.Curl()
        self.connections = connections
        self.opened: list[int] = []
        self.parts: list[bytes] = []
        self.head: list[bytes] = []
        self.answer: asyncio.Future[Answer] | None = None
        self.failed: BaseException | None = None
        self.asked: tuple[object, ...] = ()
        self.begin(None)
        for option, value in options:
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)
        self.curl.setopt(pycurl.HEADERFUNCTION, self.head.append)
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._open)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._may_write)

    def ask(self, method: str, url: str, headers: tuple[str, ...], body: bytes | None) -> None:
        """Say what is asked: mostly what was asked before, with another body."""
        same = self.asked == (method, url, headers, body is None)
        if not same and any("\n" in line or "\r" in line for line in (url, *headers)):
            raise ValueError("a line break in a header")
        if body is not None:
            self.curl.setopt(pycurl.POSTFIELDS, body)
        if same:
            return
        self.asked = ()
        self.curl.setopt(pycurl.URL, url)
        self.curl.setopt(pycurl.HTTPHEADER, ["Expect:", *headers])
        if body is None:
            self.curl.setopt(pycurl.HTTPGET, 1)
        self.curl.setopt(pycurl.CUSTOMREQUEST, method)
        self.asked = (method, url, headers, body is None)

    def begin(self, guard: Callable[[], None] | None) -> None:
        """Forget the request before."""
        self.opened.clear()
        self.parts.clear()
        self.head.clear()
        self.guard, self.failed, self.answer = guard, None, None
        self.written, self.size = False, 0

    def _open(self, fd: int, _purpose: int) -> int:
        self.opened.append(fd)
        return pycurl.SOCKOPT_OK

    def _take(self, part: bytes) -> int | None:
        self.size += len(part)
        if self.size > MOST_BYTES:
            return 0
        self.parts.append(part)
        return None

    def _may_write(self, *addresses: object) -> int:
        if self.written:
            return pycurl.PREREQFUNC_ABORT  # what has gone out once does not go out again
        try:
            if self.opened:
                self.connections.made(addresses, self.opened)
            elif self.connections.is_stale(addresses):
                raise _StaleError("not connected")  # noqa: TRY301 - told like the guard's
            if self.guard is not None:
                self.guard()
        except BaseException as error:  # noqa: BLE001 - libcurl would print it
            self.failed = error
            return pycurl.PREREQFUNC_ABORT
        self.written = True
        return pycurl.PREREQFUNC_OK

    def outcome(self) -> Answer | BaseException:
        """Return the answer, which has come whole, or what went wrong in reading it."""
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001 - whoever waits has to be told something
            return error

    def _read(self) -> Answer:
        status = int(self.curl.getinfo(pycurl.RESPONSE_CODE))
        text = b"".join(self.parts).decode("utf-8", "replace")
        return Answer(status, text, tuple(self.head))

    def problem(self, code: int) -> BaseException:
        """Return what libcurl's error means."""
        if self.failed is not None:
            return self.failed
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return TimeoutError("no answer in time")
        if code in _CERTIFICATE:
            return CertificateError("no safe connection")
        return BrokenOffError("not connected" if not self.written else "broken off")


class Transport:
    """The connections of one provider, opened in the running loop when they are first needed."""

    def __init__(self, connect_timeout: float, timeout: float) -> None:
        """Take the seconds to get a connection in, and the seconds for the whole request."""
        self._options = [*_OPTIONS, *_trusted()]
        self._options += [
            (pycurl.CONNECTTIMEOUT_MS, max(int(connect_timeout * 1000), 1)),
            (pycurl.TIMEOUT_MS, max(int(timeout * 1000), 1)),
        ]
        self._driver: _Driver | None = None
        self._free: list[Call] = []
        self._connections = Connections()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[str] = (),
        body: bytes | None = None,
        guard: Callable[[], None] | None = None,
    ) -> Answer:
        """Make one request, once; `guard` is called before its first byte.

        Raise BrokenOffError, CertificateError, TimeoutError, and what `guard` raises.
        """
        driver = self._running()
        call = self._free.pop() if self._free else Call(self._options, self._connections)
        call.ask(method, url, tuple(headers), body)
        call.begin(guard)
        try:
            answer = await driver.drive(call)
        except _StaleError:
            answer = await self._on_a_new_connection(driver, call, guard)
        self._free.append(call)
        return answer

    async def _on_a_new_connection(
        self, driver: "_Driver", call: Call, guard: Callable[[], None] | None
    ) -> Answer:
        """Make a request of which nothing has been written."""
        call.begin(guard)
        call.curl.setopt(pycurl.FRESH_CONNECT, 1)
        answer = await driver.drive(call)
        call.curl.setopt(pycurl.FRESH_CONNECT, 0)
        return answer

    def _running(self) -> "_Driver":
        loop = asyncio.get_running_loop()
        if self._driver is not None and self._driver.loop is not loop:
            other, self._driver = self._driver, None
            other.close()
        if self._driver is None:
            self._driver = _Driver(loop)
        return self._driver

    async def close(self) -> None:
        """Close all connections; a second call does nothing."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()
        while self._free:
            self._free.pop().curl.close()


class _Driver:
    """libcurl's multi interface on one loop.

    Its sockets are watched by a selector of our own, which the loop watches as one file: the loop
    itself takes several times as long for each.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wake_in)
        self._multi.setopt(pycurl.M_MAXCONNECTS, MOST_KEPT)
        self._calls: dict[pycurl.Curl, Call] = {}
        self._selector = selectors.DefaultSelector()
        self._watched: dict[int, int] = {}
        self._wake_at = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        loop.add_reader(self._selector.fileno(), self._ready)

    async def drive(self, call: Call) -> Answer:
        """Make a call; whoever stops waiting for it ends it, and its connection with it."""
        answer: asyncio.Future[Answer] = self.loop.create_future()
        call.answer = answer
        self._multi.add_handle(call.curl)
        self._calls[call.curl] = call
        try:
            return await answer
        finally:
            if self._calls.pop(call.curl, None) is not None:
                self._multi.remove_handle(call.curl)

    def close(self) -> None:
        """End what is under way, and let go of all sockets."""
        for call in list(self._calls.values()):
            self._end(call, BrokenOffError("closed"))
        for handle in (self._timer, self._soon):
            if handle is not None:
                handle.cancel()
        if not self.loop.is_closed():
            self.loop.remove_reader(self._selector.fileno())
        self._multi.close()
        self._selector.close()

    def _watch(self, wanted: int, fd: int, *_of_pycurl: object) -> None:
        """Wait for what libcurl waits for at a socket, and for nothing else."""
        events, before = _EVENTS[wanted], self._watched.pop(fd, 0)
        if not events:
            if before:
                self._selector.unregister(fd)
            return
        if events != before:
            (self._selector.modify if before else self._selector.register)(fd, events)
        self._watched[fd] = events

    def _ready(self) -> None:
        """Let libcurl read and write what it can, and hand out what has ended."""
        for key, events in self._selector.select(0):
            self._multi.socket_action(key.fd, _ACTIONS[events])
        self._hand_out()

    def _wake_in(self, milliseconds: int) -> None:
        """Wake libcurl after so long, and not when it wanted before; -1: not at all.

        A timer that stands is left to ring, as each request would set its own: it is then set anew.
        """
        self._wake_at = math.inf
        if milliseconds == 0:
            if self._soon is None:
                self._soon = self.loop.call_soon(self._wake_now)
        elif milliseconds > 0:
            self._wake_at = self.loop.time() + milliseconds / 1000
            if self._timer is None or self._timer.when() > self._wake_at:
                self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._wake_at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self.loop.time() >= self._wake_at:
            self._wake_now()
        elif self._wake_at < math.inf:
            self._set_timer()

    def _wake_now(self) -> None:
        self._soon, self._wake_at = None, math.inf
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._hand_out()

    def _hand_out(self) -> None:
        more = 1
        while more:
            more, good, bad = self._multi.info_read()
            for curl in good:
                self._end(self._calls[curl], self._calls[curl].outcome())
            for curl, code, _message in bad:
                self._end(self._calls[curl], self._calls[curl].problem(code))

    def _end(self, call: Call, what: Answer | BaseException) -> None:
        del self._calls[call.curl]
        self._multi.remove_handle(call.curl)
        answer = call.answer
        if answer is None or answer.done() or self.loop.is_closed():
            return
        if isinstance(what, Answer):
            answer.set_result(what)
        else:
            answer.set_exception(what)


_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_REMOVE: 0,
    pycurl.POLL_IN: _READ,
    pycurl.POLL_OUT: _WRITE,
    pycurl.POLL_INOUT: _READ | _WRITE,
}
_ACTIONS = {
    _READ: pycurl.CSELECT_IN,
    _WRITE: pycurl.CSELECT_OUT,
    _READ | _WRITE: pycurl.CSELECT_IN | pycurl.CSELECT_OUT,
}

_OPTIONS: tuple[tuple[int, object], ...] = (
    (pycurl.NOSIGNAL, 1),
    (pycurl.PROXY, ""),
    (pycurl.FOLLOWLOCATION, 0),
    (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
    (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
    (pycurl.USERAGENT, "reminders"),
    (pycurl.MAXAGE_CONN, IDLE),
    (pycurl.SSL_VERIFYPEER, 1),
    (pycurl.SSL_VERIFYHOST, 2),
)


def _trusted() -> list[tuple[int, object]]:
    """Return where this system keeps the certificates that it trusts, as OpenSSL finds them."""
    paths = ssl.get_default_verify_paths()
    folders = os.environ.get(paths.openssl_capath_env, paths.openssl_capath).split(os.pathsep)
    there = os.pathsep.join(folder for folder in folders if Path(folder).is_dir())
    found: list[tuple[int, object]] = []
    if paths.cafile and Path(paths.cafile).is_file():
        found.append((pycurl.CAINFO, paths.cafile))
    if there:
        found.append((pycurl.CAPATH, there))
    return found
