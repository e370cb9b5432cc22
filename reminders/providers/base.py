"""What a provider is: one small module that hands messages over and tells what became of them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from reminders.clock import Clock
from reminders.domain.contact import Channel
from reminders.domain.inbound import Signal
from reminders.domain.outcome import Outcome, OutgoingMessage, Receipt, Sought
from reminders.errors import ConfigError

GROUP = "reminders.providers"
"""The entry-point group that providers are loaded from, ours and a clinic's own."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a provider is made from.

    `settings` is its `[providers.<name>]` section; `sender`, `reply_to` and `sender_name` are the
    clinic's for this channel; `callback_url` is the public address for receipts and `inbound_url`
    the one for what people write to us, if there are such.
    """

    settings: Mapping[str, Any]
    channel: Channel
    sender: str
    sender_name: str
    reply_to: str | None
    zone: ZoneInfo
    clock: Clock
    folder: Path
    callback_url: str | None = None
    inbound_url: str | None = None


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """A provider's request as it came over HTTP: for `parse_receipt` and `parse_inbound`."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Inbound:
    """A text that somebody sent to one of our numbers. It lives in memory only.

    `provider` and `ref` name it for good: the same text may be reported again. `signal` is what
    the provider itself has understood and acted on. `sender` and `to` are E.164 where they are
    numbers; a sender may be a name.
    """

    provider: str
    ref: str
    sender: str = field(repr=False)
    to: str
    text: str = field(repr=False)
    signal: Signal | None = None


class Provider(Protocol):
    """One provider for one clinic and channel.

    `real` says whether messages reach people: only then does the environment guard apply.
    `stamps` says that an attempt must be recorded before the write that the far side may act on,
    because nothing can be asked afterwards (SMTP).
    """

    name: ClassVar[str]
    channels: ClassVar[frozenset[Channel]]
    real: ClassVar[bool]
    stamps: ClassVar[bool]

    def __init__(self, setup: Setup) -> None:
        """Check the settings; raise ConfigError naming the key. Open nothing yet."""

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Hand one message over. Never raise for what the far side does; LeaseLostError passes."""

    async def find(self, sought: Sought) -> Outcome | None:
        """Look for an attempt whose answer was lost.

        Return Accepted if it is there; Rejected with kind THROTTLED if it certainly is not; None if
        this provider cannot tell.
        """

    async def status(self, ref: str) -> Receipt | None:
        """Ask what became of an accepted message; None if there is nothing to ask."""

    def parse_receipt(self, request: CallbackRequest) -> tuple[str | None, Receipt]:
        """Return the attempt's token and the report. Raise ValueError on a forged or broken one."""

    def parse_inbound(self, request: CallbackRequest) -> Inbound:
        """Return a text that came in. Raise ValueError on a forged or broken one.

        The answer to the request has no body, whatever the provider: Twilio and 46elks would both
        send a body back as a text, and answers go out through the outbox alone. A provider whose
        requests are not signed is told apart from others by a secret in the address, which whoever
        serves the address has checked.
        """

    async def probe(self) -> str | None:
        """Check credentials without sending; return a plain sentence on what is wrong, or None."""

    async def close(self) -> None:
        """Close connections."""


def load_provider(name: str) -> type[Provider]:
    """Return the provider class called `name`. Raise ConfigError listing those there are."""
    found = _installed()
    if name not in found:
        known = ", ".join(sorted(found))
        raise ConfigError(f"There is no provider called {name!r}. There are: {known}.")
    provider: type[Provider] = found[name].load()
    return provider


@functools.cache
def _installed() -> dict[str, EntryPoint]:
    """Return the providers there are. All that is installed is looked through for them, once."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@runtime_checkable
class CallsBack(Protocol):
    """A provider that brings what people write, to an address that is set there by hand."""

    def inbound_address(self) -> str | None:
        """Return that address, with any secret that it needs; None without a public one."""
