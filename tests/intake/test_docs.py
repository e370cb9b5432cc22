"""The page for the clinics' administrators says all that there is."""

import re
from pathlib import Path

import pytest

from reminders.domain.appointment import VisitStatus
from reminders.intake.columns import HEADERS, PEOPLE, Field
from reminders.intake.problems import ProblemCode
from reminders.intake.words import is_over, status_of

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


def test_statuses_are_as_documented() -> None:
    """Each word of the page's lists says what its list says: it stands, is cancelled, is over."""
    section = PAGE.partition("## Statuses")[2].partition("\n* ")[2].partition("\n\n")
    stands, cancelled, over = (re.findall("`([^`]+)`", part) for part in section[0].split("\n* "))
    assert {status_of(word, {}) for word in stands} == {VisitStatus.BOOKED}
    assert {status_of(word, {}) for word in cancelled} == {VisitStatus.CANCELLED}
    assert {(status_of(word, {}), is_over(word)) for word in over} == {(None, True)}
    unclear = re.findall("`([^`]+)`", section[2].partition(" If ")[0])
    assert {(status_of(word, {}), is_over(word)) for word in unclear} == {(None, False)}


def test_nothing_else_is_documented() -> None:
    """The page has no field or problem that is gone."""
    named = {line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")}
    assert named <= {*Field, *ProblemCode}
