"""The phone on the terminal: shows each message and keeps it as a file. It reaches nobody."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from reminders.domain.contact import Channel
from reminders.domain.inbound import Signal
from reminders.domain.outcome import (
    Accepted,
    Ambiguous,
    Outcome,
    OutgoingMessage,
    Receipt,
    Refusal,
    Rejected,
    Sought,
)
from reminders.domain.reasons import Reason
from reminders.domain.state import State
from reminders.providers.base import CallbackRequest, Inbound, Setup
from reminders.providers.settings import Settings, read_settings

PHONE_WIDTH = 46
PAGE_WIDTH = 76

UNDELIVERED = "Result: undelivered"
"""The line in a file's head that says its message did not arrive."""

Trouble = Literal[
    "address",
    "opt_out",
    "blocked",
    "content",
    "configuration",
    "throttled",
    "ambiguous",
    "undelivered",
]

TWILIO_TEST_NUMBERS: Mapping[str, Trouble] = {
    "+15005550001": "address",
    "+15005550002": "configuration",
    "+15005550003": "configuration",
    "+15005550004": "opt_out",
    "+15005550009": "address",
}
"""The numbers that fail with Twilio's own test credentials fail here in the same way."""


class SandboxSettings(Settings):
    """The `[providers.sandbox]` section.

    `fail` names endings of addresses and what goes wrong with them, to try it out. `ambiguous` is
    kept like a message whose answer was lost; `undelivered` is taken and does not arrive.
    """

    show: Literal["phone", "none"] = "phone"
    fail: Mapping[str, Trouble] = TWILIO_TEST_NUMBERS


class _InboundForm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    ref: str = Field(min_length=1, max_length=255)
    sender: str = Field(alias="from", min_length=1)
    to: str = Field(min_length=1)
    text: str = ""
    signal: Signal | None = None


class Sandbox:
    """A pretended phone and mailbox."""

    name: ClassVar[str] = "sandbox"
    channels: ClassVar[frozenset[Channel]] = frozenset(Channel)
    real: ClassVar[bool] = False
    stamps: ClassVar[bool] = False

    def __init__(self, setup: Setup, console: Console | None = None) -> None:
        """Check the settings. Messages are shown on `console`, else on standard error.

        Standard output stays free for the JSON that scripts read.
        """
        self._settings = read_settings(SandboxSettings, self.name, setup.settings)
        self._setup = setup
        self._console = console

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Show and keep one message, or refuse it if its address is one that fails."""
        trouble = self._trouble(message.to)
        message.before_write()
        if trouble not in {None, "ambiguous", "undelivered"}:
            return Rejected(f"sandbox_{trouble}", Refusal(trouble))
        now = self._setup.clock.now()
        ref = f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{_plain(message.token)}"
        try:
            self._keep(ref, message, now, trouble)
        except OSError:
            return Rejected("sandbox_folder", Refusal.CONFIGURATION)
        self._show(message, now)
        return Ambiguous("sandbox") if trouble == "ambiguous" else Accepted(ref)

    async def find(self, sought: Sought) -> Outcome | None:
        """Look for the attempt among the files."""
        name = f"-{_plain(sought.token)}.txt"
        for kept in self._folder().glob("*.txt"):
            if kept.name.endswith(name):
                return Accepted(kept.stem)
        return Rejected("absent", Refusal.THROTTLED)

    async def status(self, ref: str) -> Receipt | None:
        """Return delivered for a message that is kept; None for one that is not."""
        kept = self._folder() / f"{Path(ref).name}.txt"
        if not kept.is_file():
            return None
        head, _, _ = kept.read_text("utf-8").partition("\n\n")
        if UNDELIVERED in head.splitlines():
            return Receipt(ref, State.UNDELIVERED, Reason.NOT_DELIVERED, "sandbox")
        return Receipt(ref, State.DELIVERED)

    def parse_receipt(self, request: CallbackRequest) -> tuple[str | None, Receipt]:  # noqa: ARG002
        """Raise ValueError: the sandbox sends no reports."""
        raise ValueError("the sandbox sends no reports over HTTP")

    def parse_inbound(self, request: CallbackRequest) -> Inbound:
        """Return a text from JSON with `ref`, `from`, `to` and `text`: to try answers out.

        Raise ValueError on anything else.
        """
        try:
            said = _InboundForm.model_validate_json(request.body)
        except ValidationError:
            raise ValueError("it is not JSON with 'ref', 'from', 'to' and 'text'") from None
        return Inbound(self.name, said.ref, said.sender, said.to, said.text, said.signal)

    async def probe(self) -> str | None:
        """Return None: there are no credentials to be wrong."""
        return None

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _trouble(self, address: str) -> Trouble | None:
        """Return what goes wrong with an address: the longest ending that fits decides."""
        fail = self._settings.fail
        fitting = [ending for ending in fail if address.endswith(ending)]
        return fail[max(fitting, key=len)] if fitting else None

    def _folder(self) -> Path:
        return self._setup.folder / self._setup.channel

    def _local(self, now: datetime) -> datetime:
        return now.astimezone(self._setup.zone)

    def _keep(
        self, ref: str, message: OutgoingMessage, now: datetime, trouble: Trouble | None
    ) -> None:
        """Write the message to a file for its owner alone, with its HTML and files beside it."""
        for folder in (self._setup.folder, self._folder()):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        head = [f"Time: {self._local(now):%Y-%m-%d %H:%M}", f"To: {masked(message.to)}"]
        if message.subject is not None:
            head.append(f"Subject: {message.subject}")
        if trouble == "undelivered":
            head.append(UNDELIVERED)
        _write_private(self._folder() / f"{ref}.txt", "\n".join([*head, "", message.body]))
        html = message.html
        for file in message.attachments:
            beside = f"{ref}-{file.name}"
            _write_private(self._folder() / beside, file.content)
            html = html.replace(f"cid:{file.name}", beside) if html else None
        if html is not None:
            _write_private(self._folder() / f"{ref}.html", html)

    def _show(self, message: OutgoingMessage, now: datetime) -> None:
        if self._settings.show == "none":
            return
        console = self._console or Console(stderr=True)
        if self._console is None and not console.is_terminal:
            # Under systemd or cron this would be a log, and no text belongs in a log.
            return
        title = message.subject or self._setup.sender
        below = f"{self._local(now):%H:%M} · {masked(message.to)}"
        if not console.is_terminal:
            console.print(Text(f"{title} · {below}\n{message.body}\n"), soft_wrap=True)
            return
        width = PHONE_WIDTH if message.channel is Channel.SMS else PAGE_WIDTH
        bubble = Panel(
            Text(message.body),
            title=Text(title, style="bold"),
            subtitle=Text(below, style="dim"),
            title_align="left",
            subtitle_align="right",
            box=box.ROUNDED,
            padding=(0, 1),
            width=min(width, console.width),
        )
        console.print(bubble)


def masked(address: str) -> str:
    """Return the address with most of it hidden: '•••• 605', or 'a…@example.org'."""
    if "@" in address:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}…@{domain}"
    return f"•••• {address[-3:]}"


def _plain(token: str) -> str:
    """Return the token as it can stand in a file's name."""
    return quote(token, safe="")


def _write_private(path: Path, content: str | bytes) -> None:
    """Write a new file: all of it or none, even if the process is killed on the way."""
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    part.rename(path)
