"""The page for the clinics' administrators says all that there is."""

from pathlib import Path

import pytest

from reminders.intake.columns import HEADERS, PEOPLE, Field
from reminders.intake.problems import ProblemCode

PAGE = (Path(__file__).parents[2] / "docs" / "csv-format.md").read_text("utf-8")


@pytest.mark.parametrize("field", Field)
def test_headers_are_documented(field: Field) -> None:
    """Each field has its line, with every header that is known for it."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{field}` |")]
    missing = [header for header in HEADERS[field] if f"`{header}`" not in line]
    assert missing == []


@pytest.mark.parametrize("label", PEOPLE)
def test_people_are_documented(label: str) -> None:
    """Each word for a person in a header is there."""
    _, words = PEOPLE[label]
    assert [word for word in words if f"`{word}`" not in PAGE] == []


@pytest.mark.parametrize("code", ProblemCode)
def test_problems_are_documented(code: ProblemCode) -> None:
    """Each code of a problem has its line."""
    assert f"\n| `{code}` |" in PAGE


def test_nothing_else_is_documented() -> None:
    """The page has no field or problem that is gone."""
    named = {line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")}
    assert named <= {*Field, *ProblemCode}
