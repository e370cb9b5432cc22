"""The wheel is the whole program: it works where there is no checkout."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from reminders.resources import migrations, templates

ROOT = Path(__file__).parents[2]
ALONE = ("--no-deps", "--no-index")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and return it."""
    folder = tmp_path_factory.mktemp("dist")
    command = ["build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def run(environment: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of an environment in a folder, with nothing of ours in the variables."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR", "PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL"}
    environ = {name: value for name, value in os.environ.items() if name in kept}
    return subprocess.run(
        [str(environment / "bin" / words[0]), *words[1:]],
        cwd=folder,
        env={**environ, "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def make_environment(folder: Path, *words: str) -> Path:
    """Return a new virtual environment into which this environment's pip has put what is said."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    subprocess.run([*pip, "--quiet", "--disable-pip-version-check", *words], check=True)
    return folder


@pytest.fixture(scope="module")
def borrowed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment of the wheel, with the dependencies of this one.

    A path file is not read for path files of its own, so our editable checkout stays out.
    """
    made = make_environment(tmp_path_factory.mktemp("borrowed"), *ALONE, str(wheel))
    [site] = made.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return made


@pytest.fixture(params=["borrowed", pytest.param("whole", marks=pytest.mark.long)])
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield an environment in which only the wheel can be the program."""
    if request.param == "borrowed":
        yield request.getfixturevalue("borrowed")
        return
    lock = str(ROOT / "requirements.lock")
    made = make_environment(tmp_path / "whole", "--require-hashes", "-r", lock)
    yield make_environment(made, *ALONE, str(wheel))


def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path):
    """The program is imported from the environment, and has all templates and migrations."""
    code = (
        "from reminders import resources as r; print(r.__file__);"
        "print(len(list(r.templates().rglob('*.*'))), len(list(r.migrations().rglob('*.py'))))"
    )
    path, counts = run(installed, tmp_path, "python", "-c", code).stdout.splitlines()
    assert Path(path).is_relative_to(installed)
    here = (len(list(templates().rglob("*.*"))), len(list(migrations().rglob("*.py"))))
    assert tuple(map(int, counts.split())) == here


def test_the_wheel_runs_the_demo(installed: Path, tmp_path: Path):
    """`reminders demo` accounts for every booking, and leaves nothing in the folder."""
    done = run(installed, tmp_path, "reminders", "demo")
    assert done.returncode == 0, done.stderr
    assert "40" in done.stdout
    assert [path for path in tmp_path.iterdir() if path.name != "whole"] == []


def test_the_wheel_makes_and_upgrades_a_database(installed: Path, tmp_path: Path):
    """`reminders init`, `db upgrade` and `db check` work from the wheel alone."""
    for words in (("init",), ("db", "upgrade"), ("db", "check")):
        done = run(installed, tmp_path, "reminders", *words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert (tmp_path / "reminders.db").is_file()
