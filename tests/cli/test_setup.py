"""`init`, `doctor`, the configuration, and help."""

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reminders.cli.app import app
from tests.cli.conftest import Installation


def test_init_sets_everything_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In an empty folder, `init` and `doctor` succeed with no option and no question."""
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    assert run(app, ["init"]).exit_code == 0
    tomllib.loads(Path("config.toml").read_text("utf-8"))
    assert stat.S_IMODE(Path("reminders.key").stat().st_mode) == 0o600
    result = run(app, ["doctor"])
    assert result.exit_code == 0, result.output


def test_init_overwrites_nothing(here: Installation):
    """A second `init` leaves the configuration, the key and the database as they are."""
    before = {name: (here.folder / name).read_bytes() for name in ("config.toml", "reminders.key")}
    assert "stays as it is" in here.ok("init")
    assert before == {name: (here.folder / name).read_bytes() for name in before}


def test_doctor_sees_a_key_that_others_may_read(here: Installation):
    """A key file with loose permissions is WRONG, with the command that puts it right."""
    (here.folder / "reminders.key").chmod(0o644)
    result = here.run("doctor")
    assert result.exit_code == 1
    assert "chmod 600" in result.stdout
    wrong = [c["name"] for c in here.json("doctor", exits=1)["checks"] if not c["ok"]]
    assert wrong == ["key file"]


def test_doctor_tells_of_a_missing_database(tmp_path: Path):
    """Before `init` has been run, `doctor` says what is missing instead of failing."""
    here = Installation(tmp_path)
    here.config.write_text('[clinics.a]\nphone = "08-465 004 00"\n')
    told = here.json("doctor", exits=1)
    assert any("reminders init" in check["message"] for check in told["checks"])


TWO_WAY = """
[clinics.a]
phone = "08-465 004 00"
[clinics.a.sms]
provider = "elks46"
sender = "+46701740699"
two_way = true
[providers.elks46]
username = "u"
password = "p"
base_url = "http://127.0.0.1:9"
[web]
public_url = "https://visits.example.org"
"""


def test_doctor_tells_the_address_for_what_people_write(here: Installation):
    """Where a clinic can be answered, doctor shows what the provider has to call, or what lacks."""
    here.config.write_text(TWO_WAY, "utf-8")
    checks = {one["name"]: one for one in here.json("doctor", exits=1)["checks"]}
    told = checks["answers to a"]
    assert told["ok"]
    assert "https://visits.example.org/hooks/a/sms/inbound?" in told["message"]
    here.config.write_text(TWO_WAY.replace("public_url", "host = 'localhost' #"), "utf-8")
    checks = {one["name"]: one for one in here.json("doctor", exits=1)["checks"]}
    told = checks["answers to a"]
    assert (told["ok"], "web.public_url" in told["message"]) == (False, True)


def test_doctor_says_nothing_of_answers_where_none_can_come(here: Installation):
    """A sender that is a name has no address to give."""
    assert "answers to" not in here.run("doctor").stdout


def test_init_approves_no_draft(here: Installation):
    """`init` approves the shipped Swedish and English; every other language stays a draft."""
    drafts = here.json("templates", "approve", "--language", "ar", "--language", "ti", exits=1)
    assert len(drafts["waiting"]) == 2 * 22
    assert here.json("templates", "approve")["waiting"] == []


def test_a_faulty_configuration_is_named(here: Installation):
    """A key that does not exist is told with the file and the key, and ends with 2."""
    here.config.write_text('[clinics.a]\nphone = "08-465 004 00"\nphoen = "1"\n')
    result = here.run("status")
    assert result.exit_code == 2
    assert "clinics.a.phoen" in result.stderr
    assert "config.toml" in result.stderr


@pytest.mark.parametrize("kinds", ["[]", '[" "]'])
def test_a_clinic_has_a_kind_of_video_visit(here: Installation, kinds: str):
    """Without one nothing would ever be sent, and nothing would tell of it."""
    section = f"[clinics.a.import]\nvideo_kinds = {kinds}\n"
    here.config.write_text(f'[clinics.a]\nphone = "08-465 004 00"\n{section}')
    result = here.run("doctor")
    assert result.exit_code == 2
    assert "clinics.a.import.video_kinds: names no kind of visit" in result.stderr


def test_a_word_is_not_booked_and_cancelled(here: Installation):
    """A word of a status that stands in both settings is named."""
    section = '[clinics.a.import]\nbooked_words = ["Kallad"]\ncancelled_words = ["kallad "]\n'
    here.config.write_text(f'[clinics.a]\nphone = "08-465 004 00"\n{section}')
    result = here.run("doctor")
    assert result.exit_code == 2
    assert "clinics.a.import: 'Kallad' stands in 'booked_words'" in " ".join(result.stderr.split())


def test_doctor_tells_line_by_line(here: Installation):
    """What is wrong with a provider's section stands on a line of its own, and all can be read."""
    with here.config.open("a", encoding="utf-8") as file:
        file.write('fail = { "605" = "xx" }\n')
    result = here.run("doctor")
    assert result.exit_code == 1
    assert "\N{REPLACEMENT CHARACTER}" not in result.stdout
    assert "cannot be used.\n         providers.sandbox.fail" in result.stdout


def test_the_configuration_may_be_named_after_the_command(here: Installation):
    """`--config` and `--debug` are understood before and after the command."""
    words = ["status", "--config", str(here.config), "--debug"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert CliRunner().invoke(app, ["status", f"--config={here.config}"]).exit_code == 0


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_is_plain_and_narrow(path: tuple[str, ...]):
    """Help fits 80 columns, uses no colour or boxes, and each command has examples."""
    environ = {"COLUMNS": "80", "NO_COLOR": "1"}
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="reminders", env=environ)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    assert not set("─│╭╮╰╯") & set(result.stdout)
    is_group = any(other[: len(path)] == path and other != path for other in ALL)
    assert is_group or "Examples:\n    reminders " in result.stdout.replace("* * * * *  ", "")


def test_the_version_is_shown():
    """`--version` tells the program and its version."""
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("reminders ")


def test_demo_ends_with_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The demo runs from anywhere, asks nothing, and accounts for every booking."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["demo", "--pace", "0"])
    assert result.exit_code == 0, result.output
    assert list(tmp_path.iterdir()) == []


def test_demo_plays_the_example_wherever_it_is_begun(
    here: Installation, monkeypatch: pytest.MonkeyPatch
):
    """A configuration in the folder, or named in the environment, is not the demo's."""
    broken = 'templates_folder = "nowhere"\n' + here.config.read_text("utf-8")
    here.config.write_text(broken, "utf-8")
    monkeypatch.chdir(here.folder)
    environ = {"REMINDERS_CONFIG": str(here.config)}
    result = CliRunner().invoke(app, ["demo", "--pace", "0"], env=environ)
    assert result.exit_code == 0, result.output
