"""A daemon in a process of its own, on a real clock, that a test can stop and kill."""

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select

from reminders.clock import SystemClock
from reminders.config import load_config
from reminders.resources import example_config
from reminders.store import clinics, schema, turns, workers
from reminders.store.cases import messages_of
from reminders.wiring import open_store

CLOCK = SystemClock()
PATIENCE = 120.0  # a hang is a failure; a busy machine is not


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fail after a while."""
    ends = CLOCK.elapsed() + PATIENCE
    while CLOCK.elapsed() < ends:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"never came: {what}")


class Installation:
    """A folder with a configuration, a key and a database, made by `reminders init`."""

    def __init__(self, folder: Path, *changes: tuple[str, str]) -> None:
        """Set up; `changes` are (old, new) pairs of text in the example configuration."""
        self.folder = folder
        self.path = folder / "config.toml"
        text = example_config()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        tomllib.loads(text)
        self.path.write_text(text, encoding="utf-8")
        assert self.command("init").returncode == 0

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "reminders", "--config", str(self.path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ},
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def book(self, ref: str, starts_in: timedelta, phone: str = "+46701740605") -> None:
        """Write a visit straight into the documented columns, as another system may."""
        database = open_store(load_config(self.path, {}))
        with database.transaction() as conn:
            clinic_id = conn.execute(select(schema.clinic.c.id)).scalar()
            if clinic_id is None:
                clinic_id = conn.execute(
                    insert(schema.clinic).values(key="internet").returning(schema.clinic.c.id)
                ).scalar_one()
            patient_id = conn.execute(
                insert(schema.patient)
                .values(clinic_id=clinic_id, external_key=ref)
                .returning(schema.patient.c.id)
            ).scalar_one()
            contact_id = conn.execute(
                insert(schema.contact)
                .values(patient_id=patient_id, role="patient", phone=phone)
                .returning(schema.contact.c.id)
            ).scalar_one()
            conn.execute(
                insert(schema.consent).values(
                    contact_id=contact_id, channel="sms", status="given", source="test"
                )
            )
            conn.execute(
                insert(schema.appointment).values(
                    clinic_id=clinic_id,
                    ref=ref,
                    patient_id=patient_id,
                    kind="Video",
                    starts_at=CLOCK.now() + starts_in,
                )
            )
        database.close()

    def book_many(self, count: int, starts_in: timedelta) -> None:
        """Write so many visits, each with a phone of its own."""
        database = open_store(load_config(self.path, {}))
        starts_at = CLOCK.now() + starts_in
        with database.transaction() as conn:
            clinic_id = clinics.clinic_id(conn, "internet")
            ids = range(1, count + 1)
            for table, rows in (
                (schema.patient, [{"clinic_id": clinic_id, "external_key": f"P{i}"} for i in ids]),
                (
                    schema.contact,
                    [
                        {"patient_id": i, "role": "patient", "phone": f"+46701740{i:03}"}
                        for i in ids
                    ],
                ),
                (
                    schema.consent,
                    [
                        {"contact_id": i, "channel": "sms", "status": "given", "source": "test"}
                        for i in ids
                    ],
                ),
                (
                    schema.appointment,
                    [
                        {
                            "clinic_id": clinic_id,
                            "ref": f"B{i}",
                            "patient_id": i,
                            "kind": "Video",
                            "starts_at": starts_at,
                        }
                        for i in ids
                    ],
                ),
            ):
                conn.execute(insert(table), rows)
            turns.hint(conn)
        database.close()

    def workers(self) -> int:
        """Return how many workers are at work."""
        database = open_store(load_config(self.path, {}))
        with database.reading() as conn:
            found = workers.alive(conn, CLOCK.now())
        database.close()
        return found

    def states(self) -> list[str]:
        """Return the states of the messages that were not suppressed."""
        database = open_store(load_config(self.path, {}))
        with database.reading() as conn:
            ids = list(conn.execute(select(schema.appointment.c.id)).scalars())
            found = [m.state.value for rows in messages_of(conn, ids).values() for m in rows]
        database.close()
        return [state for state in found if state != "suppressed"]

    def phones(self) -> int:
        """Return how many texts the pretended phones have got."""
        return len(list(self.folder.glob("sandbox/sms/*.txt")))

    def readers(self) -> list[str]:
        """Return whom each text went to, by the last digits of the number."""
        kept = self.folder.glob("sandbox/sms/*.txt")
        return [path.read_text("utf-8").split("\n")[1] for path in kept]


def listen(folder: Path) -> socket.socket:
    """Return a socket that takes what a service tells systemd."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(folder / "notify"))
    channel.settimeout(PATIENCE)
    return channel


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> tuple[str, str]:
    """Send a signal and return what the process said until its end."""
    process.send_signal(how)
    return process.communicate(timeout=PATIENCE)
