"""A template as a value: its text, and the version that its content is."""

from dataclasses import dataclass

from reminders.domain.contact import Channel


@dataclass(frozen=True, slots=True)
class Source:
    """One template in one language for one channel.

    `text` has its partial files put in, and `version` is its digest: what is approved is exactly
    what is sent.
    """

    language: str
    name: str
    channel: Channel
    text: str
    version: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Return (language, name, channel, version): what an approval is for."""
        return self.language, self.name, self.channel.value, self.version
