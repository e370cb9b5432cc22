"""docs/cli.md tells of every command and every option."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from reminders.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
COMMON = PAGE.split("\n## For every command")[1].split("\n## ")[0]


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each command that does something, with its words."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
    for name, one in (below or {}).items():
        yield from leaves(one, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))


def section(words: tuple[str, ...]) -> str:
    """Return what stands under the command's heading."""
    name = re.escape(" ".join(words))
    found = re.search(
        rf"^### [^\n]*`reminders {name}[ `].*?(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    return found[0] if found else ""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_is_documented(words: tuple[str, ...]):
    """A command has its heading, and below it every option that not all commands have."""
    told = section(words)
    assert told, f"no heading '### `reminders {' '.join(words)}…`'"
    options = {o for p in COMMANDS[words].params for o in p.opts if o.startswith("--")}
    assert sorted(o for o in options if o not in told and o not in COMMON) == []


def test_no_command_is_documented_that_is_not_there():
    """Each heading of a command names one that there is."""
    named = re.findall(
        r"`reminders ([a-z ]+?)(?: [^a-z`][^`]*)?`",
        "\n".join(re.findall(r"^### .*", PAGE, re.MULTILINE)),
    )
    assert sorted(n for n in named if tuple(n.split()) not in COMMANDS) == []
