"""One request on a handle of libcurl: what is asked, whether it may go out, what comes of it."""

import asyncio
import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pycurl

MOST_BYTES = 8 << 20
MOST_KEPT = 512
"""So many connections stay open: of itself libcurl closes them as there is less to do."""

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


class StaleError(BrokenOffError):
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
                raise StaleError("not connected")  # noqa: TRY301 - told like the guard's
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
