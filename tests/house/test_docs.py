"""The documents say what the program is."""

import re
from pathlib import Path

import pytest

from reminders.config import (
    ClinicConfig,
    Config,
    DatabaseConfig,
    DeliveryConfig,
    WatchConfig,
    WebConfig,
)
from reminders.config_rules import RuleConfig
from reminders.domain.lifecycle import TRANSITIONS
from reminders.domain.reasons import SENTENCES, Reason
from tests.house import messages

ROOT = Path(__file__).parents[2]


def test_the_state_diagram_is_the_table() -> None:
    """The diagram in docs/architecture.md has exactly the steps of the table."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", page, re.MULTILINE))
    assert drawn == {(a.value, b.value) for a, steps in TRANSITIONS.items() for b in steps}


def test_the_paths_are_walked_by_functions_that_there_are() -> None:
    """Each function and module that the table of paths in docs/architecture.md names is there."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition("| capability |")[2].partition("\n\n")[0]
    texts = {path: path.read_text("utf-8") for path in (ROOT / "reminders").rglob("*.py")}
    named = re.findall(r"`(?:\w+/)*(\w+)\.(\w+)`", table)
    assert len(named) > 10
    missing = [
        f"{place}.{name}"
        for place, name in named
        if not any(
            re.search(rf"^\s*(async )?(def|class) {name}\b", text, re.MULTILINE)
            for path, text in texts.items()
            if place in path.parts or path.stem == place or f"class {place}" in text
        )
    ]
    assert missing == []
    capabilities = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)
    assert len(capabilities) == len(set(capabilities))


@pytest.mark.parametrize(
    "model",
    [Config, ClinicConfig, DatabaseConfig, DeliveryConfig, RuleConfig, WatchConfig, WebConfig],
)
def test_each_key_is_documented(model) -> None:
    """Each key of the configuration has its line."""
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    read = {"folder", "file"}  # where it was read from
    names = [field.alias or name for name, field in model.model_fields.items() if name not in read]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_each_reason_has_its_sentences() -> None:
    """Each reason is a sentence in Swedish and in English."""
    assert set(SENTENCES) == set(Reason)
    assert all(text.endswith(".") for pair in SENTENCES.values() for text in pair)


def test_each_test_that_a_promise_names_is_there() -> None:
    """Each test that docs/reliability.md names exists."""
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", page))
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("*/*.py"))
    assert len(named) > 30
    assert sorted(name for name in named if f"def {name}(" not in tests) == []


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]))
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file of the project leads to one."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [t for t in targets if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("language", ["sv", "en"])
def test_the_book_of_texts_is_the_texts(language: str) -> None:
    """docs/messages.*.md is what `make messages` would write now."""
    page = (ROOT / "docs" / f"messages.{language}.md").read_text("utf-8")
    assert page == messages.book(language)
