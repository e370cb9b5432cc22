import io
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reminders.domain.contact import Channel
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    Outcome,
    OutgoingMessage,
    Receipt,
    Refusal,
    Rejected,
)
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.providers.sandbox import Sandbox, masked
from tests.providers.contract import BODY, MAILBOX, NOW, make_message, make_setup, run, sought


def terminal(width: int = 80, **more: Any) -> Console:
    """Return a terminal without colour whose screen can be read."""
    return Console(file=io.StringIO(), force_terminal=True, no_color=True, width=width, **more)


def screen(console: Console) -> str:
    """Return the letters on a terminal's screen, without what makes them bold or dim."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[12]?m|\x1b\[0m", "", console.file.getvalue())


def sandbox(
    folder: Path,
    settings: dict[str, Any] | None = None,
    channel: Channel = Channel.SMS,
    console: Console | None = None,
) -> Sandbox:
    return Sandbox(make_setup(settings or {"show": "none"}, channel, folder, NOW), console)


def send(provider: Sandbox, message: OutgoingMessage) -> Outcome:
    return run(provider.send(message))


def text(**more: Any) -> OutgoingMessage:
    return make_message(Channel.SMS, NOW, **more)


def test_a_text_is_kept_where_only_its_owner_reads_it(tmp_path: Path) -> None:
    """A text is kept in a private file, under the clinic's local time and a masked number."""
    folder = tmp_path / "sandbox"
    outcome = send(sandbox(folder), text())
    assert isinstance(outcome, Accepted)
    kept = folder / "sms" / f"{outcome.ref}.txt"
    assert kept.read_text("utf-8") == f"Time: 2026-11-24 10:00\nTo: •••• 605\n\n{BODY}"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_email_is_kept_with_its_html_beside_it(tmp_path: Path) -> None:
    """An email is kept with its subject, and its HTML in a file that a browser opens."""
    message = make_message(Channel.EMAIL, NOW)
    outcome = send(sandbox(tmp_path, channel=Channel.EMAIL), message)
    assert isinstance(outcome, Accepted)
    kept = tmp_path / "email" / f"{outcome.ref}.txt"
    head = "Time: 2026-11-24 10:00\nTo: s…@example.org\nSubject: Ditt videobesök\n\n"
    assert kept.read_text("utf-8") == head + BODY
    assert kept.with_suffix(".html").read_text("utf-8") == f"<p>{BODY}</p>"


def test_the_phone_shows_the_text_in_eighty_columns(tmp_path: Path) -> None:
    """On a terminal the text stands in a bubble: sender, words, local time, last digits."""
    console = terminal()
    send(sandbox(tmp_path, {"show": "phone"}, console=console), text())
    shown = screen(console)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert "Videobesok" in lines[0]
    assert "10:00 · •••• 605" in lines[-1]
    assert " ".join(line.strip("│ ") for line in lines[1:-1]) == BODY
    assert "\x1b" not in shown
    assert "70174" not in shown


def test_a_narrow_terminal_gets_a_narrow_phone(tmp_path: Path) -> None:
    """The bubble is never wider than the terminal."""
    console = terminal(width=30)
    send(sandbox(tmp_path, {"show": "phone"}, console=console), text())
    assert max(map(len, screen(console).splitlines())) <= 30


def test_what_looks_like_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    """Square brackets in a text are letters, not colours."""
    console = terminal()
    send(sandbox(tmp_path, {"show": "phone"}, console=console), text(body="[red]Hej[/red] [1]"))
    assert "[red]Hej[/red] [1]" in screen(console)


def test_where_there_is_no_terminal_the_text_is_plain(tmp_path: Path) -> None:
    """Into a file or a pipe the text is written without a frame, and in one line a line."""
    console = Console(file=io.StringIO(), width=40)
    send(sandbox(tmp_path, {"show": "phone"}, console=console), text())
    assert screen(console) == f"Videobesok · 10:00 · •••• 605\n{BODY}\n\n"


def test_no_text_reaches_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, as under systemd or cron, the text is kept and not printed."""
    send(sandbox(tmp_path, {"show": "phone"}), text())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_nothing_is_shown_if_so_asked(tmp_path: Path) -> None:
    """With show = "none" the text is kept and not shown."""
    console = terminal()
    assert isinstance(send(sandbox(tmp_path, {"show": "none"}, console=console), text()), Accepted)
    assert screen(console) == ""


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+15005550001", Refusal.ADDRESS),
        ("+15005550002", Refusal.CONFIGURATION),
        ("+15005550003", Refusal.CONFIGURATION),
        ("+15005550004", Refusal.OPT_OUT),
        ("+15005550009", Refusal.ADDRESS),
    ],
)
def test_twilios_test_numbers_fail_here_too(tmp_path: Path, number: str, kind: Refusal) -> None:
    """The numbers that fail with Twilio's test credentials fail in the same way."""
    outcome = send(sandbox(tmp_path), text(to=number))
    assert outcome == Rejected(f"sandbox_{kind}", kind)
    assert list(tmp_path.rglob("*.txt")) == []


def test_what_fails_can_be_chosen(tmp_path: Path) -> None:
    """Endings of addresses can be made to fail; the longest that fits decides."""
    provider = sandbox(tmp_path, {"show": "none", "fail": {"05": "blocked", "605": "throttled"}})
    assert send(provider, text()) == Rejected("sandbox_throttled", Refusal.THROTTLED)
    outcome = send(provider, text(to="+46701740705"))
    assert outcome == Rejected("sandbox_blocked", Refusal.BLOCKED)
    assert isinstance(send(provider, text(to="+46701740699")), Accepted)


def test_a_text_can_fail_to_arrive(tmp_path: Path) -> None:
    """A text that is set to be undelivered is taken, and its status says so afterwards."""
    provider = sandbox(tmp_path, {"show": "none", "fail": {"605": "undelivered"}})
    outcome = send(provider, text())
    assert isinstance(outcome, Accepted)
    expected = Receipt(outcome.ref, State.UNDELIVERED, Reason.NOT_DELIVERED, "sandbox")
    assert run(provider.status(outcome.ref)) == expected


def test_a_text_cannot_say_that_it_failed(tmp_path: Path) -> None:
    """Only the head of the file tells what became of a text, not the text."""
    provider = sandbox(tmp_path)
    outcome = send(provider, text(body="Hej\nResult: undelivered\n\nResult: undelivered"))
    assert isinstance(outcome, Accepted)
    assert run(provider.status(outcome.ref)) == Receipt(outcome.ref, State.DELIVERED)


def test_a_lost_answer_can_be_tried_out(tmp_path: Path) -> None:
    """A text whose answer is set to be lost is ambiguous, and is found when looked for."""
    provider = sandbox(tmp_path, {"show": "none", "fail": {"605": "ambiguous"}})
    message = text()
    assert send(provider, message) == Ambiguous("sandbox")
    assert isinstance(run(provider.find(sought(message))), Accepted)


def test_tokens_are_names_and_not_paths(tmp_path: Path) -> None:
    """Whatever a token or a name holds, nothing is written or read outside the folder."""
    provider = sandbox(tmp_path / "inside")
    outcome = send(provider, text(token="../../a/b"))
    assert isinstance(outcome, Accepted)
    assert [one.parent for one in tmp_path.rglob("*.txt")] == [tmp_path / "inside" / "sms"]
    (tmp_path / "outside.txt").write_text("x")
    assert run(provider.status("../../outside")) is None


def test_a_folder_that_cannot_be_written_stops_the_channel(tmp_path: Path) -> None:
    """Where the sandbox cannot keep its files, the settings are at fault, and nothing is raised."""
    (tmp_path / "sandbox").write_text("a file in the place of the folder")
    outcome = send(sandbox(tmp_path / "sandbox"), text())
    assert outcome == Rejected("sandbox_folder", Refusal.CONFIGURATION)


@pytest.mark.parametrize(
    ("address", "shown"),
    [("+46701740605", "•••• 605"), (MAILBOX, "s…@example.org"), ("", "•••• ")],
)
def test_addresses_are_shown_in_part(address: str, shown: str) -> None:
    """An address is shown by its last digits, or by its first letter and domain."""
    assert masked(address) == shown
