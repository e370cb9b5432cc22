"""HTTP to a provider: libcurl on the running loop, one try a request, nothing logged.

libcurl's multi interface says which sockets it waits for and when it wants to be woken; asyncio
does the waiting. Connections are reused, certificates checked, no redirect is followed and no proxy
taken from the environment. libcurl itself sends a request again when a reused connection breaks
before any answer: `Call`, which it asks each time, forbids that, as it could text twice.
"""

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import pycurl

from reminders.providers.http_call import (
    Answer,
    BrokenOffError,
    Call,
    CertificateError,
    Connections,
    StaleError,
)
from reminders.providers.http_driver import Driver

__all__ = ["Answer", "BrokenOffError", "CertificateError", "Transport"]

IDLE = 15
"""A connection that lay idle for so many seconds is not used again: the other side may close it."""


class Transport:
    """The connections of one provider, opened in the running loop when they are first needed."""

    def __init__(self, connect_timeout: float, timeout: float) -> None:
        """Take the seconds to get a connection in, and the seconds for the whole request."""
        self._options = [*_OPTIONS, *_trusted()]
        self._options += [
            (pycurl.CONNECTTIMEOUT_MS, max(int(connect_timeout * 1000), 1)),
            (pycurl.TIMEOUT_MS, max(int(timeout * 1000), 1)),
        ]
        self._driver: Driver | None = None
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
        except StaleError:
            answer = await self._on_a_new_connection(driver, call, guard)
        self._free.append(call)
        return answer

    async def _on_a_new_connection(
        self, driver: Driver, call: Call, guard: Callable[[], None] | None
    ) -> Answer:
        """Make a request of which nothing has been written."""
        call.begin(guard)
        call.curl.setopt(pycurl.FRESH_CONNECT, 1)
        answer = await driver.drive(call)
        call.curl.setopt(pycurl.FRESH_CONNECT, 0)
        return answer

    def _running(self) -> Driver:
        loop = asyncio.get_running_loop()
        if self._driver is not None and self._driver.loop is not loop:
            other, self._driver = self._driver, None
            other.close()
        if self._driver is None:
            self._driver = Driver(loop)
        return self._driver

    async def close(self) -> None:
        """Close all connections; a second call does nothing."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()
        while self._free:
            self._free.pop().curl.close()


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
