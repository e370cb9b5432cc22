"""A template as a value: its text, the version that its content is, and whose it is."""

from collections.abc import Iterable
from dataclasses import dataclass

from reminders.domain.contact import Channel

Name = tuple[str, str, Channel]
"""What a template is called: (language, name, channel)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One template in one language for one channel.

    `text` has its partial files put in, and `version` is its digest: what is approved is exactly
    what is sent. `clinic` is whose own text it is; "": every clinic's that has none of its own.
    """

    language: str
    name: str
    channel: Channel
    text: str
    version: str
    clinic: str = ""

    @property
    def key(self) -> Name:
        """Return (language, name, channel)."""
        return self.language, self.name, self.channel

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Return (language, name, channel, version): what an approval is for."""
        return self.language, self.name, self.channel.value, self.version


def sent_by(sources: Iterable[Source], clinic: str) -> list[Source]:
    """Return which of these a clinic sends: its own, and every clinic's where it has none.

    Of two that are called the same, the later one. "": what a clinic without its own texts sends.
    """
    found: dict[Name, Source] = {}
    for source in sources:
        known = found.get(source.key)
        if source.clinic in {"", clinic} and not (known and known.clinic and not source.clinic):
            found[source.key] = source
    return list(found.values())
