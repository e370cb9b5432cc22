"""libcurl on the running loop: which sockets it waits for, and when it wants to be woken."""

import asyncio
import math
import selectors

import pycurl

from reminders.providers.http_call import MOST_KEPT, Answer, BrokenOffError, Call


class Driver:
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
