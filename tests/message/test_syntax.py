"""Which values a template's text depends on."""

import pytest

from reminders.message.syntax import uses


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("From age {{ eid.own_from_age }} you log in.", False),
        ("{# age #}You log in.", False),
        ("You are {{ age }}.", True),
        ("{% if age is not none and age > 15 %}You log in.{% endif %}", True),
        ("{% set age = 3 %}{{ age }}", False),
        ("{{ age", True),  # it cannot be read: it may
    ],
)
def test_a_word_is_not_a_value(text: str, does: bool) -> None:
    """A text depends on a value that its expressions use, not on the same word in its prose."""
    assert uses(text, "age") is does
