"""The configuration file, its defaults and its checks. Values in, frozen models out.

Any scalar can be set from the environment as REMINDERS_<SECTION>__<KEY>; with `_FILE` after the
key, the value is read from the file named (for secrets).
"""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from reminders.config_rules import RuleConfig, parse_duration, parse_quiet
from reminders.domain.contact import Channel, Consent
from reminders.domain.replies import REPLIES, REPLY_KEYS
from reminders.domain.rules import Practice
from reminders.errors import ConfigError
from reminders.resources import example_config

ENV_PREFIX = "REMINDERS_"
ENV_OWN = frozenset({"REMINDERS_CONFIG"})


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"no such time zone: {value!r}; write one like 'Europe/Stockholm'"
        ) from None
    return value


def _duration(value: str) -> str:
    parse_duration(value)
    return value


def _quiet(value: str) -> str:
    parse_quiet(value)
    return value


def _some_kind(value: tuple[str, ...]) -> tuple[str, ...]:
    if not any(map(str.strip, value)):
        raise ValueError("names no kind of visit, so nothing is ever sent; write one like 'Video'")
    return value


_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{5,6}")
"""Senders that can receive: a number with its country, or a short code."""

Duration = Annotated[str, AfterValidator(_duration)]


class Model(BaseModel):
    """What every section is: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AppConfig(Model):
    """The app that the visits take place in, and the words on its screens."""

    name: str = "Alltid Öppet"
    cases: str = "Mina ärenden"
    meeting: str = "Videomöte"
    start: str = "Starta video"
    proxy: str = "Agera ombud"
    proxy_first: str = "Agera ombud för ditt barn"


class EidConfig(Model):
    """The e-IDs that the app accepts and refuses, and from what age one's own is needed."""

    accepted: tuple[str, ...] = ("Mobilt BankID", "Freja eID Plus")
    refused: tuple[str, ...] = ("SäkerhetsID",)
    short: str = "BankID"
    own_from_age: int = Field(default=13, ge=0, le=130)


class ChannelConfig(Model):
    """Which provider a clinic's channel uses, and the sender it shows."""

    provider: str = "sandbox"
    sender: str = ""
    reply_to: str | None = None
    messages_per_second: float | None = Field(default=None, gt=0, le=10_000)
    two_way: bool = False


class ImportConfig(Model):
    """How a clinic's files are read: its own column names, kinds of visit and words."""

    columns: Mapping[str, str] = {}
    video_kinds: Annotated[tuple[str, ...], AfterValidator(_some_kind)] = (
        "videobesök",
        "video",
        "videomöte",
    )
    booked_words: tuple[str, ...] = ()
    cancelled_words: tuple[str, ...] = ()
    region: str = Field(default="SE", pattern="^[A-Z]{2}$")
    default_consent: Mapping[Channel, Consent] = {
        Channel.SMS: Consent.GIVEN,
        Channel.EMAIL: Consent.GIVEN,
    }

    @model_validator(mode="after")
    def _a_word_says_one_thing(self) -> "ImportConfig":
        cancelled = {word.strip().casefold() for word in self.cancelled_words}
        for word in self.booked_words:
            if word.strip().casefold() in cancelled:
                raise ValueError(
                    f"{word!r} stands in 'booked_words' and in 'cancelled_words'; leave it in one"
                )
        return self


class WatchConfig(Model):
    """A folder whose files are imported by themselves, and which of them wait for a person."""

    folder: str | None = None
    settle: Duration = "30s"
    full: bool = False
    cancel_missing: bool = False
    strict: bool = False
    most_changed: int = Field(default=20, ge=0, le=100)


class ClinicConfig(Model):
    """One clinic: how patients reach it, how it is named, when it rests."""

    phone: str
    phone_hours: str | Mapping[str, str] = ""
    time_zone: Annotated[str, AfterValidator(_zone)] = "Europe/Stockholm"
    languages: tuple[str, ...] = Field(default=("sv", "en"), min_length=1)
    names: Mapping[Channel, str] = {}
    faq_url: str = ""
    cancel_deadline: Duration = "24h"
    closed_days: tuple[date, ...] = ()
    visit_length: Duration = "45m"
    quiet_hours: Annotated[str, AfterValidator(_quiet)] = "21:00-08:00"
    confirm_within: Duration = "3d"
    check_login_before: Duration = "7d"
    private_words: tuple[str, ...] = ()
    app: AppConfig = AppConfig()
    eid: EidConfig = EidConfig()
    sms: ChannelConfig = ChannelConfig()
    email: ChannelConfig = ChannelConfig()
    imports: ImportConfig = Field(default=ImportConfig(), alias="import")
    watch: WatchConfig = WatchConfig()
    rules: tuple[str, ...] | None = None
    templates_folder: str | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _only_a_number_can_be_answered(self) -> "ClinicConfig":
        if self.email.two_way:
            raise ValueError(
                "'two_way' is for sms: answers to emails go to the email section's 'reply_to'"
            )
        if self.sms.two_way and not _NUMBER.fullmatch(self.sms.sender):
            raise ValueError(
                "with sms.two_way, sms.sender must be a number that can receive, like +46701740605"
                " or 71456: nobody can answer a sender that is a name"
            )
        return self

    @property
    def can_reply(self) -> bool:
        """Tell whether a text of this clinic may invite an answer."""
        return self.sms.two_way

    @property
    def zone(self) -> ZoneInfo:
        """Return the clinic's time zone."""
        return ZoneInfo(self.time_zone)

    def phone_hours_in(self, language: str) -> str:
        """Return when the phone is answered, in words of a language; "" where nobody wrote them.

        Words without a language are in the clinic's first.
        """
        hours = self.phone_hours
        written = {self.languages[0]: hours} if isinstance(hours, str) else hours
        return written.get(language, "")

    def channel(self, channel: Channel) -> ChannelConfig:
        """Return the settings of one channel."""
        return self.sms if channel is Channel.SMS else self.email


class DatabaseConfig(Model):
    """Where the data is. A relative path is beside the configuration file."""

    url: str = "sqlite:///reminders.db"


class DeliveryConfig(Model):
    """How messages leave."""

    lease: Duration = "2m"
    in_flight: int = Field(default=20, ge=1, le=1000)
    horizon: Duration = "2m"


class RetentionConfig(Model):
    """How long what is over is kept."""

    keep: Duration = "400d"


class WebConfig(Model):
    """Where the web side listens, and how the world outside reaches it."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str = Field(default="", pattern=r"^(https?://[^\s?#]+[^\s?#/])?$")
    hooks_port: int | None = Field(default=None, ge=0, le=65535)
    session_idle: Duration = "2h"
    session_length: Duration = "12h"
    upload_megabytes: int = Field(default=50, ge=1, le=1000)
    api_per_minute: int = Field(default=1200, ge=1)
    metrics_token: str = ""


class CostConfig(Model):
    """What an SMS segment costs, for the estimate at an import."""

    sms_segment: float = Field(default=0.0, ge=0)
    currency: str = "SEK"


class Config(Model):
    """The whole configuration. `folder` is where relative paths begin; `file`: None, built in."""

    environment: Literal["test", "production"] = "test"
    allowed_recipients: tuple[str, ...] = ()
    key_file: str = "reminders.key"
    sandbox_folder: str = "sandbox"
    templates_folder: str | None = None
    database: DatabaseConfig = DatabaseConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    cost: CostConfig = CostConfig()
    retention: RetentionConfig = RetentionConfig()
    web: WebConfig = WebConfig()
    clinics: Mapping[str, ClinicConfig] = Field(min_length=1)
    providers: Mapping[str, Mapping[str, Any]] = {}
    rules: Mapping[str, RuleConfig] = {}
    folder: Path = Field(default=Path(), exclude=True)
    file: Path | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _clinics_name_rules(self) -> "Config":
        for reserved in sorted(REPLY_KEYS & set(self.rules)):
            raise ValueError(
                f"rules.{reserved}: this name is the program's own, for its answers to what"
                " patients write; choose another"
            )
        for key, clinic in self.clinics.items():
            for rule in clinic.rules or ():
                if rule not in self.rules:
                    raise ValueError(f"clinics.{key}.rules names {rule!r}, which is not a rule")
        return self

    def path(self, relative: str) -> Path:
        """Return a path of the configuration, made absolute."""
        return (self.folder / relative).resolve()

    def elsewhere(self, folder: Path) -> "Config":
        """Return the same for another folder, with the texts where they are."""

        def texts(own: str | None) -> dict[str, str | None]:
            return {"templates_folder": own and str(self.path(own))}

        clinics = {
            key: clinic.model_copy(update=texts(clinic.templates_folder))
            for key, clinic in self.clinics.items()
        }
        mine = texts(self.templates_folder)
        return self.model_copy(update={"folder": folder, "clinics": clinics, **mine})

    @property
    def database_url(self) -> str:
        """Return the database's URL with a SQLite path made absolute."""
        scheme = "sqlite:///"
        if self.database.url.startswith(scheme):
            return f"{scheme}{self.path(self.database.url.removeprefix(scheme))}"
        return self.database.url

    def practice(self, clinic_key: str) -> Practice:
        """Return how a clinic works, as the planner takes it."""
        clinic = self.clinics[clinic_key]
        keys = clinic.rules if clinic.rules is not None else tuple(self.rules)
        return Practice(
            clinic=clinic_key,
            zone=clinic.zone,
            video_kinds=frozenset(kind.casefold() for kind in clinic.imports.video_kinds),
            rules=(
                *(self.rules[key].rule(key) for key in self.rules if key in keys),
                *(REPLIES if clinic.can_reply else ()),
            ),
            quiet=parse_quiet(clinic.quiet_hours),
            confirm_within=parse_duration(clinic.confirm_within),
            own_from_age=clinic.eid.own_from_age,
        )


def find_config(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file to use; None means the embedded default."""
    named = given or (Path(environ["REMINDERS_CONFIG"]) if "REMINDERS_CONFIG" in environ else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"{named}: no such file. 'reminders init' writes a new one.")
        return named
    for candidate in (Path("config.toml"), Path("/etc/reminders/config.toml")):
        if candidate.is_file():
            return candidate
    return None


def load_config(given: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read, override from the environment, and check the configuration.

    Raise ConfigError naming the file, the key and what would be right.
    """
    environ = os.environ if environ is None else environ
    return _read(find_config(given, environ), environ)


def example() -> Config:
    """Return the built-in example, whatever lies in this folder or stands in the environment."""
    return _read(None, {})


def _read(path: Path | None, environ: Mapping[str, str]) -> Config:
    name = str(path) if path else "the embedded default"
    try:
        text = path.read_text("utf-8") if path else example_config()
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read ({error}).") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}.") from None
    _apply_environment(data, environ)
    data["file"] = path
    data["folder"] = path.resolve().parent if path else Path.cwd()
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_explain(name, error)) from None


def _apply_environment(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    for variable, value in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable in ENV_OWN:
            continue
        path = variable.removeprefix(ENV_PREFIX).lower().split("__")
        final = value
        if path[-1].endswith("_file") and path[-1] != "key_file":
            path[-1] = path[-1].removesuffix("_file")
            try:
                final = Path(value).read_text("utf-8").strip()
            except OSError as error:
                raise ConfigError(
                    f"{variable}: {value} cannot be read ({error.strerror})."
                ) from None
        section: Any = data
        for part in path[:-1]:
            section = section.setdefault(_same_key(section, part), {})
            if not isinstance(section, dict):
                raise ConfigError(f"{variable}: {part!r} is a value, not a section.")
        section[_same_key(section, path[-1])] = final


def _same_key(section: Mapping[str, Any], name: str) -> str:
    """Return the key that stands in the file, whatever its case and dashes; else the name."""
    plain = name.replace("-", "_")
    return next((k for k in section if k.lower().replace("-", "_") == plain), name)


def _explain(name: str, error: ValidationError) -> str:
    lines = [f"{name}: the configuration cannot be used."]
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "no such key; is it misspelt? docs/configuration.md lists them all"
        lines.append(f"  {key}: {message}")
    return "\n".join(lines)
