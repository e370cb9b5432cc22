"""A run of `make bench`: each case in a database and a group of processes of its own.

What goes wrong with a case costs that case alone, and what is known is written down after each.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench import measure

HERE = Path(__file__).resolve().parent
PEERS_PYTHON = HERE / ".venv/bin/python"
PATIENCE = 900
"""So many seconds a case may take, and more where it has to prepare many rows."""


class CaseError(Exception):
    """A case that gave no figures."""


def child(command: Sequence[str], patience: float = PATIENCE) -> dict[str, object]:
    """Run a program; return the line of JSON that it prints. Nothing of what it started is left.

    Its output goes to files: a process left behind would hold a pipe open, and be waited for.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=err,
            cwd=HERE.parent,
            env={**os.environ, "TMPDIR": folder},
            start_new_session=True,
        )
        try:
            code = process.wait(patience)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code:
            raise CaseError(_last_line(err) or f"ended with {code}")
        return json.loads(_last_line(out))


def _last_line(file) -> str:
    file.seek(0)
    return next((line for line in reversed(file.read().splitlines()) if line.strip()), "")


@dataclass
class Template:
    """A database with rows that are not due, made when its first copy is asked for."""

    future: int
    history: int
    folder: Path
    name: str = ""
    failed: str = ""


@dataclass
class Bench:
    """The rows of a run, and the server that it has.

    `kept`: of an earlier run that this one goes on with, the rows that it has not come to yet.
    """

    server: str
    due: int
    save: Callable[[list], None]
    kept: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    round: int = 1
    made: int = 0

    def take(self, case: str, engine: str, work: Callable[[], dict]) -> None:
        """Run one engine once, and keep what it tells, or why it tells nothing."""
        head = {"case": case, "engine": engine, "round": self.round}
        row = next((row for row in self.kept if head.items() <= row.items()), None)
        began, told = time.monotonic(), "kept"
        if row:
            self.kept.remove(row)
        else:
            try:
                row = {**head, **work()}
            except Exception as error:  # noqa: BLE001 - hours of other cases are not to be lost
                row = {**head, "failed": f"{type(error).__name__}: {error}"[:200]}
            told = f"{time.monotonic() - began:.0f} s"
        self.rows.append(row)
        self.save(self.rows + self.kept)
        figures = ("per_second", "rows_per_second", "p99_ms", "claim_ms", "rss_mib", "failed")
        told_of = next((f"{row[name]} {name}" for name in figures if name in row), "")
        print(f"{case:18} {engine:14} {told_of:>24}  ({told})", flush=True)

    def _sql(self, statement: str) -> None:
        with psycopg.connect(self.server.replace("+psycopg", ""), autocommit=True) as conn:
            conn.execute(statement)

    def _new(self, template: Template | None = None) -> str:
        self.made += 1
        name = f"bench_{self.made}"
        # The files are copied: through the log, as is the default, each page would be written twice.
        of = f" TEMPLATE {template.name} STRATEGY file_copy" if template else ""
        self._sql(f"CREATE DATABASE {name}{of}")
        return name

    def _drop(self, name: str) -> None:
        try:
            self._sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        except psycopg.Error as error:
            print(f"{name} is left: {error}", flush=True)

    def _url(self, name: str) -> str:
        return self.server.replace("/postgres?", f"/{name}?")

    @contextlib.contextmanager
    def database(self, kind: str, template: Template | None = None) -> Iterator[str]:
        """Give the URL of a database of its own, and take it away afterwards."""
        if kind == "sqlite":
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                yield f"sqlite:///{folder}/bench.db"
            return
        if template:
            self._fill(template)
        name = self._new(template)
        try:
            yield self._url(name)
        finally:
            self._drop(name)

    @contextlib.contextmanager
    def template(self, future: int = 0, history: int = 0) -> Iterator[Template]:
        """Give a template for `database`, and take it away afterwards."""
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            template = Template(future, history, Path(folder))
            try:
                yield template
            finally:
                if template.name:
                    self._drop(template.name)

    def _fill(self, template: Template) -> None:
        if template.failed:
            raise CaseError(template.failed)
        if template.name:
            return
        template.name = self._new()
        rows = ("--future", str(template.future), "--history", str(template.history))
        where = ("--url", self._url(template.name), "--folder", str(template.folder))
        # Also what ends the program: a template that is half full is not to be copied.
        template.failed = "its rows could not be written"
        patience = PATIENCE + (template.future + template.history) / 1000
        row = child([sys.executable, str(HERE / "fill.py"), *where, *rows], patience)
        template.failed = ""
        print(f"{'':18} {'template':14} {template.future + template.history:>19} rows", end="")
        print(f"  ({row['seconds']} s)", flush=True)

    def program(
        self,
        case: str,
        name: str,
        *more: str,
        kind: str = "postgresql",
        template: Template | None = None,
    ) -> None:
        """Run a program of ours on a database of its own; with a template, on a copy of it."""

        def work() -> dict:
            with self.database(kind, template) as url:
                command = [sys.executable, str(HERE / name), "--url", url, *more]
                if template:
                    command += ["--folder", str(template.folder), "--future", str(template.future)]
                return child(command)

        self.take(case, "reminders", work)

    def ours(
        self,
        case: str,
        *more: str,
        kind: str = "postgresql",
        due: int | None = None,
        template: Template | None = None,
    ) -> None:
        """Let our side send."""
        due = due or self.due
        self.program(case, "ours.py", "--due", str(due), *more, kind=kind, template=template)

    def peer(
        self, case: str, name: str, *more: str, kind: str = "postgresql", future: int = 0
    ) -> None:
        """Let a peer send; the slow ones get less to do."""
        due = self.due // 4 if name in {"procrastinate", "apscheduler"} else self.due

        def work() -> dict:
            with self.database(kind) as url, measure.stub() as port:
                size = ["--due", str(due), "--future", str(future), "--stub", str(port)]
                script = str(HERE / f"peers/with_{name}.py")
                command = [str(PEERS_PYTHON), script, "--url", url, *size, *more]
                return child(command, PATIENCE + future / 500)

        if PEERS_PYTHON.exists():
            self.take(case, name, work)

    def limit(self, client: str) -> None:
        """Let a client post, with nothing behind it."""

        def work() -> dict:
            with measure.stub() as port:
                more = ["--client", client, "--stub", str(port), "--due", str(self.due * 2)]
                return child([str(PEERS_PYTHON), str(HERE / "limits.py"), *more])

        if PEERS_PYTHON.exists():
            self.take("limit", f"bare {client}", work)

    def imports(self, kind: str, rows: int) -> None:
        """Import a file."""

        def work() -> dict:
            with self.database(kind) as url, self.database(kind) as other:
                more = ["--url", url, "--other", other, "--rows", str(rows)]
                command = [sys.executable, str(HERE / "imports.py"), *more]
                return child(command, PATIENCE + rows / 50)

        self.take(f"import_{kind}", "import", work)

    def redis(self, name: str, server: str | None) -> None:
        """Let a queue that needs Redis send, where a server of it is installed."""

        def work() -> dict:
            if server is None:
                raise CaseError("no redis-server here")
            with measure.stub() as port:
                size = ["--due", str(self.due), "--stub", str(port), "--url", server]
                return child([str(PEERS_PYTHON), str(HERE / f"peers/with_{name}.py"), *size])

        self.take("redis", name, work)
