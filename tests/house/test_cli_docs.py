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


def sections() -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each command that has a heading, as `family one|two` or alone, and what stands below."""
    for part in re.split(r"^(?=###? )", PAGE, flags=re.MULTILINE):
        heading, _, text = part.partition("\n")
        if not heading.startswith("### "):
            continue
        for name in re.findall(r"`reminders ([a-z|\- ]+?)(?: [^a-z`][^`]*)?`", heading):
            *family, last = name.split()
            yield from (((*family, one), text) for one in last.split("|"))


SECTIONS = dict(sections())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_is_documented(words: tuple[str, ...]):
    """A command has its heading, and below it every option that not all commands have."""
    assert words in SECTIONS, f"no heading '### `reminders {' '.join(words)}…`'"
    options = {o for p in COMMANDS[words].params for o in p.opts if o.startswith("--")}
    assert sorted(o for o in options if o not in SECTIONS[words] and o not in COMMON) == []


def test_no_command_is_documented_that_is_not_there():
    """Each heading of a command names one that there is."""
    assert sorted(words for words in SECTIONS if words not in COMMANDS) == []
