"""The processes that are killed: the real daemon, forked from one that has it loaded already."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select, update

from reminders import daemon
from reminders.cli import logs
from reminders.clock import SystemClock
from reminders.config import load_config
from reminders.domain.contact import Channel
from reminders.domain.outcome import Accepted, OutgoingMessage
from reminders.engine.planning import plan_pending
from reminders.engine.runtime import Runtime
from reminders.store import schema
from reminders.wiring import build
from tests.kill.place import ZONE

CLOCK = SystemClock()
PATIENCE = 60.0

Work = Callable[[Runtime], object]


class Crew:
    """So many workers of one installation."""

    def __init__(self, config: Path, size: int, work: Work = daemon.run) -> None:
        self._config = config
        self._size = size
        self._work = work
        self._ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ready.bind(str(config.parent / "notify"))
        self._ready.settimeout(PATIENCE)
        self.pids: list[int] = []

    def fill(self) -> None:
        """Start the workers that are missing, and wait until each has begun."""
        missing = self._size - len(self.pids)
        self.pids += [self._fork() for _ in range(missing)]
        while missing:
            if self._ready.recv(200).startswith(b"READY"):
                missing -= 1

    def _fork(self) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            os.environ["NOTIFY_SOCKET"] = str(self._config.parent / "notify")
            said = os.open(
                self._config.parent / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND
            )
            os.dup2(said, 1)
            os.dup2(said, 2)
            logs.configure(verbose=True)
            self._work(build(load_config(self._config, {})))
        finally:
            os._exit(1)

    def kill(self, pid: int) -> None:
        """Kill a worker, and wait until it is gone."""
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.pids.remove(pid)

    def alive(self) -> bool:
        """Tell whether all workers are there still; forget those that are not."""
        for pid in list(self.pids):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.pids.remove(pid)
        return len(self.pids) == self._size

    def stop(self) -> None:
        """Kill them all."""
        for pid in list(self.pids):
            self.kill(pid)
        self._ready.close()


def send_first(runtime: Runtime) -> None:
    """Work as a naive program does: send what is due, and mark it afterwards."""
    daemon._notify("READY=1")
    asyncio.run(_send_first(runtime))


async def _send_first(runtime: Runtime) -> None:
    provider = runtime.providers["internet", Channel.SMS]

    async def nothing() -> None:
        pass

    def at_once() -> None:
        pass

    while True:
        runtime.in_transaction(plan_pending, runtime, CLOCK.now())
        query = (
            select(schema.message.c.id, schema.contact.c.phone, schema.appointment.c.starts_at)
            .join(schema.contact, schema.contact.c.id == schema.message.c.contact_id)
            .join(schema.appointment, schema.appointment.c.id == schema.message.c.appointment_id)
            .where(schema.message.c.state == "planned")
            .limit(20)
        )
        with runtime.database.reading() as conn:
            due = conn.execute(query).all()
        calls = [
            provider.send(
                OutgoingMessage(
                    channel=Channel.SMS,
                    to=row.phone,
                    body=f"Text {row.id} {row.starts_at.astimezone(ZONE):%H:%M}",
                    token=str(row.id),
                    message_key=str(row.id),
                    started_at=CLOCK.now(),
                    valid_for=CLOCK.now() - CLOCK.now(),
                    language="sv",
                    before_write=at_once,
                    stamp=nothing,
                )
            )
            for row in due
        ]
        outcomes = await asyncio.gather(*calls)
        for row, outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, Accepted):
                with runtime.database.transaction() as conn:
                    conn.execute(
                        update(schema.message)
                        .where(schema.message.c.id == row.id)
                        .values(state="accepted", next_at=None)
                    )
        if not due:
            await asyncio.sleep(0.02)
