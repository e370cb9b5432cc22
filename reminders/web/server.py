"""Serving the web side in the loop that is there already."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from fastapi import FastAPI

from reminders.errors import RemindersError
from reminders.interrupts import stop_on_signals

GRACE_SECONDS = 5
BACKLOG = 256


class CannotListenError(RemindersError):
    """The address of the web side is taken, or is not this machine's."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever started the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal: the daemon has them."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raise CannotListenError in plain words."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListenError(
            f"The pages cannot be served at {host}, port {port} ({error.strerror}). Choose another"
            " one in the configuration: [web] host and port."
        ) from None


def address(listener: socket.socket) -> str:
    """Return where the pages are, for a person to open."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _without_values(record: logging.LogRecord) -> bool:
    """Let a record through without its traceback: the application has told of it already."""
    record.exc_info = None
    return True


async def serve(app: FastAPI, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then let answers that are under way go out."""
    logging.getLogger("uvicorn.error").addFilter(_without_values)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


async def serve_all(parts: Sequence[tuple[FastAPI, socket.socket]], stop: asyncio.Event) -> None:
    """Serve several applications, each at its own address, until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        for app, listener in parts:
            group.create_task(serve(app, listener, stop))


async def serve_alone(parts: Sequence[tuple[FastAPI, socket.socket]]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    await serve_all(parts, stop)
