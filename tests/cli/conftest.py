"""A clinic's installation in a folder of its own, worked through the command line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from typer.testing import CliRunner, Result

from reminders.cli.app import app

NOW = "2026-11-30 11:00:00"
"""Noon in Stockholm, the day before most of the visits of the tests."""

HEADER = "Boknings-ID;Datum;Tid;Besökstyp;Status;Patient;Födelsedatum;Roll;Mobil;E-post;Skyddad"

PAGE = 80
QUIET_PHONE = '\n[providers.sandbox]\nshow = "none"\n'


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with a configuration, a key and a database."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        return self.folder / "config.toml"

    def run(self, *words: object, env: Mapping[str, str] | None = None) -> Result:
        """Run one command in this process. What it tells people fits the page."""
        result = CliRunner().invoke(
            app,
            ["--config", str(self.config), *map(str, words)],
            prog_name="reminders",
            env={"COLUMNS": "80", "LANG": "C.UTF-8", "LC_ALL": "", **(env or {})},
        )
        if not {"--json", "--html"} & set(words) and env is None:
            assert [line for line in result.output.splitlines() if wide(line)] == []
        return result

    def ok(self, *words: object) -> str:
        """Run a command that succeeds; return what it printed."""
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: object, exits: int = 0) -> Any:
        """Run a command with --json; return what standard output held, all of it JSON."""
        result = self.run(*words, "--json")
        assert result.exit_code == exits, result.output
        return json.loads(result.stdout)

    def file(self, *rows: str, name: str = "bookings.csv") -> Path:
        """Write a file of bookings."""
        path = self.folder / name
        path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
        return path

    def take(self, *rows: str) -> None:
        """Import these bookings."""
        result = self.run("import", self.file(*rows), "--yes", "--older-ok")
        assert result.exit_code in {0, 3}, result.output

    def start(self, *words: object, **more: Any) -> subprocess.Popen[bytes]:
        """Start a command in a process of its own, which sees the real time."""
        command = [sys.executable, "-m", "reminders", "--config", str(self.config)]
        environ = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
        return subprocess.Popen([*command, *map(str, words)], env=environ, **more)


def wide(line: str) -> bool:
    """Tell whether a line is wider than the page, with no path in it to blame; a log's may be."""
    said = len(line) > PAGE and not line.startswith("{")
    return said and max(map(len, line.split())) <= PAGE // 2


def booking(
    ref: str,
    day: str = "2026-12-01",
    time: str = "14:00",
    *,
    status: str = "Bokad",
    phone: str = "070-174 06 05",
    email: str = "",
    kind: str = "Videobesök",
    protected: str = "",
) -> str:
    """Return one row of a file."""
    born = "2012-05-01"
    return f"{ref};{day};{time};{kind};{status};P-{ref};{born};patient;{phone};{email};{protected}"


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `init` has been run, to be copied."""
    folder = tmp_path_factory.mktemp("fresh")
    installation = Installation(folder)
    with freeze_time(NOW, real_asyncio=True):
        assert installation.run("init").exit_code == 0
    with installation.config.open("a", encoding="utf-8") as file:
        file.write(QUIET_PHONE)
    return folder


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    """Yield the time, which stands still at NOW until it is moved."""
    with freeze_time(NOW, real_asyncio=True) as frozen:
        assert isinstance(frozen, FrozenDateTimeFactory)
        yield frozen


@pytest.fixture
def here(tmp_path: Path, fresh: Path, clock: FrozenDateTimeFactory) -> Installation:
    """Return an installation at NOW, empty but for the approved texts."""
    shutil.copytree(fresh, tmp_path / "clinic")
    return Installation(tmp_path / "clinic")


@pytest.fixture
def today(tmp_path: Path, fresh: Path) -> Installation:
    """Return an installation in real time."""
    shutil.copytree(fresh, tmp_path / "clinic")
    return Installation(tmp_path / "clinic")
