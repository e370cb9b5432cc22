"""Reads a provider's `[providers.<name>]` section into its model."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from reminders.errors import ConfigError

_PLAIN = {
    "missing": "is needed, and is not there",
    "extra_forbidden": "no such key; is it misspelt? docs/configuration.md lists them all",
}


class Settings(BaseModel):
    """What every provider's section is: frozen, strict about unknown keys, silent about values."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def safe_url(value: str) -> str:
    """Return the address of an API. Raise ValueError if its traffic could be read."""
    parts = urlsplit(value)
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not parts.hostname or not (local or parts.scheme == "https"):
        raise ValueError("should begin with https:// (http:// only for this computer itself)")
    if not value.isascii() or parts.username is not None:
        raise ValueError("should have plain letters alone, and neither a name nor a password")
    return value


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_settings(model: type[SettingsT], provider: str, settings: Mapping[str, Any]) -> SettingsT:
    """Return the settings as `model`. Raise ConfigError naming each key, and never its value."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        lines = [f"[providers.{provider}] cannot be used."]
        for fault in error.errors(include_input=False, include_url=False):
            key = ".".join(("providers", provider, *map(str, fault["loc"])))
            message = _PLAIN.get(fault["type"], fault["msg"].removeprefix("Value error, "))
            lines.append(f"  {key}: {message}")
    raise ConfigError("\n".join(lines))
