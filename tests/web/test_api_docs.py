"""The page on the API says what is true: its examples are sent as they stand."""

import re
import shlex
from pathlib import Path

from reminders.domain.access import Scope
from reminders.web.problems import TITLES
from tests.engine.clinic import Clinic
from tests.web.test_api import program

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")


def test_each_example_works(clinic: Clinic):
    """Each curl command of the page, sent in their order, is answered with success."""
    client = program(clinic, *Scope)
    blocks = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    commands = [line for line in re.split(r"\n(?=curl|reminders|\n)", joined) if "curl" in line]
    assert len(commands) == 8
    for command in commands:
        words = shlex.split(command)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        url = next(word for word in words if word.startswith("$URL"))
        kind = {"content-type": "application/json"} if "-d" in words else {}
        body = words[words.index("-d") + 1] if "-d" in words else None
        answer = client.request(method, url.removeprefix("$URL/api/v1"), content=body, headers=kind)
        assert answer.status_code in {200, 201}, answer.text


def test_each_status_is_told():
    """Each status that an error can have is in the page's table."""
    assert {int(status) for status in re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)} == set(
        TITLES
    )
