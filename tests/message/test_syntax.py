"""Which values a template's text depends on, and which it can never reach."""

import pytest
from jinja2.exceptions import SecurityError

from reminders.message.syntax import environment, uses


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


@pytest.mark.parametrize(
    "text",
    [
        "{{ word.__class__.__mro__ }}",
        "{{ word|attr('__class__') }}",
        "{{ make.__globals__ }}",
        "{{ many.append(1) }}",
        "{{ kind.mro() }}",
        "{{ word.format_map({}).__init__ }}",
    ],
)
def test_what_python_keeps_to_itself_no_text_reaches(text: str) -> None:
    """The sandbox refuses it each time that it is asked for, not only the first."""
    tools = environment(str)
    values = {"word": "A", "make": environment, "many": [], "kind": str}
    for _ in range(2):
        with pytest.raises(SecurityError):
            tools.from_string(text).render(values)
    assert tools.from_string("{{ word.upper() }}{{ many.count(1) }}").render(values) == "A0"
