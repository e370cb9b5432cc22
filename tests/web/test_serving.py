"""The pages are served beside the daemon, and alone."""

import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.cli.conftest import Installation, fresh, today

__all__ = ["fresh", "today"]

PORT = {"REMINDERS_WEB__PORT": "0"}


def _address(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if b"http://" in line:
            return line.decode().split()[-1]
    raise AssertionError("it never said where the pages are")


@pytest.mark.parametrize("words", [("run", "--web"), ("web",)])
def test_serves_until_told_to_stop(
    today: Installation, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """`run --web` and `web` say where the pages are, serve them, and end well on SIGTERM."""
    for name, value in PORT.items():
        monkeypatch.setenv(name, value)
    process = today.start(*words, stderr=subprocess.PIPE)
    try:
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(_address(process) + "nothing", timeout=30)
        assert error.value.code == 404
        error.value.close()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_a_taken_port_is_told_in_plain_words(today: Installation, monkeypatch: pytest.MonkeyPatch):
    """A port that another program has ends the command with a sentence, not a traceback."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("REMINDERS_WEB__PORT", str(taken.getsockname()[1]))
        result = today.run("web")
    assert (result.exit_code, "Choose another" in result.output) == (1, True)


@pytest.mark.parametrize("words", [("run", "--web"), ("web",)])
def test_providers_may_call_at_a_port_of_their_own(
    today: Installation, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    """With a port of their own, the providers' address has no pages, and the pages' has no hooks."""
    for name, value in {**PORT, "REMINDERS_WEB__HOOKS_PORT": "0"}.items():
        monkeypatch.setenv(name, value)
    process = today.start(*words, stderr=subprocess.PIPE)
    try:
        pages, hooks = _address(process), _address(process)
        assert pages != hooks
        for address in (f"{hooks}login", f"{pages}hooks/internet/sms"):
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(address, timeout=30)
            assert error.value.code == 404
            error.value.close()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
