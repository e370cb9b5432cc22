"""What needs a real terminal or a process of its own: questions, interrupts, width, errors."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from sqlalchemy import select

from reminders.cli import logs, screen, session
from reminders.clock import SystemClock
from reminders.config import example, load_config
from reminders.engine import applying
from reminders.store import clearing
from reminders.store.database import Connection
from reminders.store.schema import template_version
from reminders.store.schema_intake import import_run, staged_visit
from reminders.wiring import open_store
from tests.cli.conftest import Installation, booking

SOON = (SystemClock().now() + timedelta(days=10)).date().isoformat()
PATIENCE = 30.0


def answer(
    here: Installation, text: str, *words: object, meanwhile: Callable[[], object] = int
) -> tuple[int, str]:
    """Run a command on a terminal and type an answer; return exit status and what was shown.

    `meanwhile` is done while the question waits.
    """
    ours, theirs = pty.openpty()
    process = here.start(
        *words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown = b""
    for part in iter(lambda: read_on(ours), b""):
        shown += part
        if b"[y/N] " in part:
            meanwhile()
            os.write(ours, text.encode())
    os.close(ours)
    return process.wait(PATIENCE), shown.decode()


def read_on(terminal: int) -> bytes:
    """Return what came next; nothing at the end, which Linux tells by an error."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("ja\n", 0), ("n\n", 1), ("\n", 1)])
def test_import_asks_on_a_terminal(today: Installation, typed: str, status: int):
    """On a terminal the file is applied after a yes, in English or Swedish, and only then."""
    file = today.file(booking("B1", day=SOON))
    ended, shown = answer(today, typed, "import", file)
    assert ended == status
    assert "Apply? [y/N]" in shown
    assert today.run("show", "B1").exit_code == (0 if status == 0 else 4)


def test_ctrl_c_at_the_question_changes_nothing(today: Installation):
    """An interrupt at the question ends with 130 and one line, and leaves nothing staged."""
    ended, shown = answer(today, "\x03", "import", today.file(booking("B1", day=SOON)))
    assert ended == 130
    assert shown.rstrip().endswith("Nothing was changed.")
    assert "Traceback" not in shown
    assert left_over(today) == (0, 0)


def left_over(here: Installation) -> tuple[int, int]:
    """Return how many imports and staged visits the database has."""
    database = open_store(load_config(here.config, {}))
    with database.reading() as conn:
        counts = tuple(len(conn.execute(t.select()).all()) for t in (import_run, staged_visit))
    database.close()
    return counts[0], counts[1]


@pytest.mark.parametrize(
    ("moment", "applied"),
    [
        ("reminders.engine.importing.read", False),
        ("reminders.engine.importing.staging.add", False),
        ("reminders.engine.importing.look", False),
        ("reminders.engine.importing.apply", False),
        ("reminders.engine.importing.staging.applied", False),
        ("reminders.cli.importing.catch_up", True),
    ],
)
def test_an_interrupt_leaves_nothing_half_done(
    here: Installation, monkeypatch: pytest.MonkeyPatch, moment: str, applied: bool
):
    """Whatever an import is doing when it is interrupted, it is applied whole or not at all."""
    file = here.file(booking("B1"))
    with monkeypatch.context() as patch:
        patch.setattr(moment, interrupt)
        result = here.run("import", file, "--yes")
    assert result.exit_code == 130
    assert len(result.stderr.splitlines()) == (2 if applied else 1)
    assert here.run("show", "B1").exit_code == (0 if applied else 4)
    assert left_over(here) == ((1, 0) if applied else (0, 0))


def interrupt(*_words: object) -> NoReturn:
    """Do what Ctrl-C does."""
    raise KeyboardInterrupt


def test_a_second_interrupt_does_not_stop_the_clearing_up(
    here: Installation, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C while an interrupted import clears up waits until it has: no number stays behind."""
    clear_some = clearing.clear_some

    def interrupted(conn: Connection, run_id: int) -> int:
        signal.raise_signal(signal.SIGINT)
        return clear_some(conn, run_id)

    for moment in ("look", "staging.join_patients"):
        with monkeypatch.context() as patch:
            patch.setattr(f"reminders.engine.importing.{moment}", interrupt)
            patch.setattr("reminders.engine.importing.clearing.clear_some", interrupted)
            result = here.run("import", here.file(booking("B1")), "--yes")
        assert result.exit_code == 130
        assert "Nothing was changed." in result.stderr
        assert left_over(here) == (0, 0)


def test_an_interrupt_within_a_large_file_tells_what_is_true(
    here: Installation, monkeypatch: pytest.MonkeyPatch
):
    """A file that is being applied when Ctrl-C is pressed twice goes on later, and it says so."""
    apply_some = applying.apply_some

    def interrupted(*given: Any) -> object:
        signal.raise_signal(signal.SIGINT)
        return apply_some(*given)

    with monkeypatch.context() as patch:
        patch.setattr("reminders.engine.applying.AT_ONCE", 1)
        patch.setattr("reminders.engine.applying.PART", 1)
        patch.setattr("reminders.engine.importing.apply_some", interrupted)
        rows = [booking(f"B{n}", phone=f"070-174 06 {n + 10}") for n in range(4)]
        result = here.run("import", here.file(*rows), "--yes")
    assert result.exit_code == 130
    assert "Nothing was changed" not in result.stderr
    assert "goes on with it to the end" in result.stderr
    here.ok("tick")
    assert all(here.run("show", f"B{n}").exit_code == 0 for n in range(4))


def test_ctrl_c_while_the_program_loads():
    """From its first moment a command that is interrupted says so, and ends with 130."""
    press = """
import signal, sys

class Finder:
    def find_spec(name, path, target=None):
        if name == "reminders.cli.session":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder)
sys.argv = ["reminders", "demo"]
from reminders.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", press], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_ctrl_c_when_all_is_done():
    """A command that has done its work ends as it ended, also if Ctrl-C comes a moment too late."""
    late = """
import atexit, signal, sys

atexit.register(signal.raise_signal, signal.SIGINT)
sys.argv = ["reminders", "--version"]
from reminders.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", late], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_ctrl_c_while_reading(today: Installation):
    """A signal while a file is being read ends with 130, and leaves nothing staged."""
    rows = [booking(f"B{n}", day=SOON, phone=f"070-174 06 {n % 95 + 5:02}") for n in range(2000)]
    process = today.start("import", today.file(*rows), "--yes", stdout=-1, stderr=-1)
    while left_over(today) == (0, 0):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert b"Traceback" not in told
    assert process.returncode == 130
    assert left_over(today) == (0, 0)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_tables_fit_the_page(here: Installation, columns: int):
    """Tables never pass 80 columns, nor the terminal, however long a reference is."""
    long_ref = "B" + "0123456789" * 12
    here.take(booking(long_ref), booking("B2", email="some.one@example.org"))
    for words in (("timeline", "--hours", 100), ("show", long_ref), ("show", "B2"), ("worklist",)):
        shown = here.run(*words, env={"COLUMNS": str(columns)}).stdout
        assert max(map(len, shown.splitlines())) <= max(min(columns, 80), 60)
        assert "\x1b" not in shown


def test_what_steers_a_terminal_is_not_printed():
    """An escape sequence in a reference is shown as a mark, not obeyed."""
    shown = screen.table(["Visit"], [screen.Line(("B1\x1b[2J",), "note\x07")])
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_the_unexpected_is_told_without_values(here: Installation, monkeypatch: pytest.MonkeyPatch):
    """A defect is told by its kind alone: the text of an exception may hold a patient's number."""

    def fail(*_words: object) -> None:
        raise ValueError("070-174 06 05")

    monkeypatch.setattr("reminders.cli.visits.catch_up", fail)
    result = here.run("show", "B1")
    assert result.exit_code == 1
    assert "ValueError" in result.stderr
    assert "--debug" in result.stderr
    assert "070" not in result.output
    with_debug = here.run("show", "B1", "--debug")
    assert isinstance(with_debug.exception, ValueError)


def test_an_edit_behind_the_question_is_not_approved(today: Installation):
    """What is approved is what was shown: a text that is edited meanwhile waits again."""
    text = today.folder / "texts" / "sv" / "day_before.sms.txt"
    text.parent.mkdir(parents=True)
    text.write_text("Ring {{ clinic.phone }}.\n", "utf-8")
    config = today.config.read_text("utf-8")
    today.config.write_text(f'templates_folder = "texts"\n{config}', "utf-8")
    status, _ = answer(
        today, "y\n", "templates", "approve", meanwhile=lambda: text.write_text("Annat.\n", "utf-8")
    )
    assert status == 0
    database = open_store(load_config(today.config, environ={}))
    with database.reading() as conn:
        sources = list(conn.execute(select(template_version.c.source)).scalars())
    database.close()
    assert any("Ring {{ clinic.phone }}." in source for source in sources)
    assert not any("Annat." in source for source in sources)


def test_an_old_terminal_gets_a_question_mark(today: Installation):
    """A terminal that cannot show a sign gets another one, never a failure."""
    today.take(booking("B1", day=SOON))
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "LANG": "sv_SE"}
    command = [sys.executable, "-m", "reminders", "--config", str(today.config), "show", "B1"]
    done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_daemon_stops_when_asked(today: Installation):
    """`run` logs JSON away from a terminal, and SIGTERM ends it with 0."""
    process = today.start("run", stdout=-1, stderr=-1)
    assert process.stderr is not None
    first = json.loads(process.stderr.readline())
    assert first["event"] == "started"
    assert {"level", "timestamp"} <= set(first)
    second = today.start("run", stdout=-1, stderr=-1)
    assert b"sending from this database" in second.communicate(timeout=PATIENCE)[1]
    assert second.returncode == 1
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_warnings_alone_are_logged_outside_the_daemon(capsys: pytest.CaptureFixture[str]):
    """A command shows warnings, and not what a daemon tells of its work."""
    logs.configure()
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud", code=1)
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "loud"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-12-01 09:30", "2026-12-01T08:30+00:00"),
        ("2026-07-01T09:30", "2026-07-01T07:30+00:00"),
        ("2027-10-31T02:30+01:00", "2027-10-31T01:30+00:00"),
        ("2027-10-31T02:30+02:00", "2027-10-31T00:30+00:00"),
        ("2027-10-31T00:30Z", "2027-10-31T00:30+00:00"),
    ],
)
def test_times_are_read_in_the_clinics_zone(text: str, instant: str):
    """A time without an offset is the clinic's, and one with an offset is that instant."""
    zone = session.zone_of(example())
    read = session.instant(text, zone)
    assert read.isoformat(timespec="minutes") == instant
    again = screen.iso(read, zone)
    assert again is not None
    assert datetime.fromisoformat(again) == read


def test_without_a_configuration_the_example_is_used(tmp_path: Path, today: Installation):
    """With no configuration anywhere, a command says how to begin."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("REMINDERS_")}
    command = [sys.executable, "-m", "reminders", "status"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert done.returncode != 0
    assert b"reminders init" in done.stderr
