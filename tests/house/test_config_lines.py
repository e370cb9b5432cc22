"""A finding about a setting names the line that it stands on."""

import tomllib

import pytest

from reminders.config_lines import line_of
from reminders.resources import example_config

TWO_CLINICS = '''# the sender of each clinic
[clinics.north]
languages = [
  "sv",  # sender = "no"
  "en",
]
note = """
[clinics.south.sms]
sender = "not here"
"""

[clinics.north.sms]
provider = "sandbox"
sender = "North"

["clinics".south]
sms = { provider = "sandbox", sender = "South" }
names.email = "BUP"

[rules.sender]
sender = "x"
'''


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("clinics.north.sms.sender", 14),
        ("clinics.south.sms.sender", 17),
        ("clinics.south.names.email", 18),
        ("clinics.north.names.email", 2),  # not written: its table
        ("clinics.west.sms.sender", 1),
        ("rules.sender.sender", 21),
    ],
)
def test_the_line_of_a_setting(setting: str, line: int) -> None:
    """It is that of the clinic meant, however the file writes it; never one within a text."""
    tomllib.loads(TWO_CLINICS)
    assert line_of(TWO_CLINICS, setting.split(".")) == line


def test_a_setting_of_the_example() -> None:
    """The sender of the built-in example is found."""
    text = example_config()
    line = line_of(text, ("clinics", "internet", "sms", "sender"))
    assert "sender" in text.splitlines()[line - 1]
