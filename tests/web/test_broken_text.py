"""A template file that cannot be read: the pages say so, and everything else works as before."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reminders.engine import approval
from tests.engine.clinic import Clinic, row

HERE = "/c/internet"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the clinic's own folder of Swedish texts."""
    path = tmp_path / "texts" / "sv"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def clinic(open_clinic: Callable[..., Clinic], folder: Path) -> Clinic:
    """Return a clinic that has a visit, and then a broken file and an edited one."""
    made = open_clinic(templates_folder=str(folder.parent))
    made.read(row(), confirmations=True)
    (folder / "help.sms.txt").write_text("Ring\n{% if %} oss\n", "utf-8")
    (folder / "moved.sms.txt").write_text("Ny tid: {{ visit.time }}. {{ clinic.phone }}\n", "utf-8")
    return made


def test_a_broken_file_is_named_on_the_pages(web: TestClient) -> None:
    """Today and the texts say that a file is broken; the page of edits which, where and what."""
    assert "En av texternas filer går inte att läsa" in web.get(f"{HERE}/today").text
    texts = web.get(f"{HERE}/texts?name=help").text
    assert "En av texternas filer går inte att läsa" in texts
    assert 'class="bubble"' in texts
    page = web.get(f"{HERE}/texts/waiting").text
    assert "sv/help.sms.txt, rad 2" in page
    assert "Expected an expression" in page


def test_another_text_is_approved_meanwhile(clinic: Clinic, web: TestClient) -> None:
    """A text in another file is compared and approved, and messages go out."""
    page = web.get(f"{HERE}/texts/waiting").text
    values = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', page))
    assert values["name"] == "moved"
    answer = web.post(f"{HERE}/texts/approve", data=values)
    assert answer.headers["location"] == f"{HERE}/texts/waiting?note=approved"
    assert "moved" not in web.get(f"{HERE}/texts/waiting").text
    clinic.until("2026-11-30 12:05")
    assert len(clinic.texts()) == 1


def test_a_text_that_says_too_much_is_refused_in_words(
    clinic: Clinic, web: TestClient, folder: Path
) -> None:
    """Whoever sends the form all the same is told in the user's language what to put right."""
    (folder / "moved.sms.txt").write_text("Ny tid hos {{ clinic.name }}.\n", "utf-8")
    token = re.findall(r'name="csrf_token" value="(\w+)"', web.get(f"{HERE}/today").text)
    with clinic.runtime.database.reading() as conn:
        [waiting] = approval.waiting(conn, clinic.runtime)
    names = ("language", "name", "channel", "version")
    data = {**dict(zip(names, waiting.source.identity, strict=True)), "csrf_token": token[0]}
    answer = web.post(f"{HERE}/texts/approve", data=data)
    assert answer.status_code == 400
    assert "Inget är godkänt" in answer.text
    assert "moved.sms.txt, rad 1: Den säger mottagningens namn" in answer.text


@pytest.mark.parametrize("wrong", ["a wrong name", "no folder", "not text"])
def test_whatever_is_wrong_with_the_files_is_said(
    clinic: Clinic, web: TestClient, folder: Path, wrong: str
) -> None:
    """A misspelt name, a folder that is gone and a file that is no text are said as well."""
    (folder / "help.sms.txt").unlink()
    expected = "sv/Hello.txt"
    if wrong == "a wrong name":
        (folder / "Hello.txt").write_text("Hej\n", "utf-8")
    elif wrong == "not text":
        (folder / "help.sms.txt").write_bytes(b"Hj\xe4lp\n")
        expected = "sv/help.sms.txt"
    else:
        (folder / "moved.sms.txt").unlink()
        folder.rmdir()
        folder.parent.rmdir()
        expected = "There is no template folder"
    assert expected in web.get(f"{HERE}/texts/waiting").text
    assert web.get(f"{HERE}/today").status_code == 200
    assert web.get(f"{HERE}/texts").status_code == 200
