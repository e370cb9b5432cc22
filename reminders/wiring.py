"""Builds the frozen Runtime from the configuration. Only the edges and the simulation call it."""

import hashlib
import hmac
import os
import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reminders.clock import Clock, SystemClock
from reminders.config import Config
from reminders.domain.contact import Channel, canonical
from reminders.domain.rules import Practice
from reminders.engine.runtime import Runtime, digest
from reminders.errors import ConfigError
from reminders.intake.addresses import email_address, mobile_number
from reminders.intake.problems import Fault
from reminders.providers.base import Provider, Setup, load_provider
from reminders.store.contacts import rekey
from reminders.store.database import Database, open_database
from reminders.store.server_time import clock_offset
from reminders.store.upgrade import require_current, upgrade

KEY_BYTES = 32

MakeProvider = Callable[[str, Setup], Provider]
"""Makes the provider of this name; the simulation gives its own."""


def make_key(config: Config) -> bool:
    """Write a new key file that only its owner can read; tell whether there was none before."""
    path = config.path(config.key_file)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"The key file {path} cannot be written ({error.strerror}).") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
    return True


def read_secret(config: Config) -> bytes:
    """Return the key: 32 bytes. Raise ConfigError if the file is missing or is not a key."""
    path = config.path(config.key_file)
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise ConfigError(
            f"There is no key file at {path}. 'reminders init' makes one; for a database that is"
            " already there, put its own key back from your copy."
        ) from None
    except (OSError, ValueError):
        raise ConfigError(f"The key file {path} cannot be read as a key.") from None
    if len(secret) != KEY_BYTES:
        raise ConfigError(f"The key file {path} is not whole: it must hold {KEY_BYTES * 2} digits.")
    return secret


def _secret_of_digests(config: Config) -> bytes:
    return hmac.new(read_secret(config), b"digests", hashlib.sha256).digest()


def bring_up_to_date(config: Config, database: Database) -> None:
    """Upgrade a database, and what is kept in it under the installation's key."""
    upgrade(database)
    with database.transaction() as conn:
        rekey(conn, partial(digest, _secret_of_digests(config)))


def is_set_up(config: Config) -> bool:
    """Tell whether 'reminders init' has made an installation here."""
    return config.path(config.key_file).is_file()


def open_store(config: Config, *, create: bool = False) -> Database:
    """Open the database alone, whatever its version."""
    return open_database(config.database_url, read_secret(config), create=create)


def build(
    config: Config,
    *,
    clock: Clock | None = None,
    actor: str = "system",
    make_provider: MakeProvider | None = None,
    seed: int | None = None,
    database: Database | None = None,
) -> Runtime:
    """Open the database, which must be current, and make each clinic's providers.

    `seed` makes chance repeatable, and `database` is one that is open: for the simulation.
    """
    database = database or open_store(config)
    try:
        require_current(database)
        time = clock or SystemClock(clock_offset(database, SystemClock().now))
        secret = _secret_of_digests(config)
        providers = _providers(config, time, make_provider or _make)
        chance = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 - jitter
        return Runtime(
            config=config,
            database=database,
            clock=time,
            secret=secret,
            practices={key: _practice(config, key, providers, secret) for key in config.clinics},
            providers=providers,
            random=chance.random,
            token=secrets.token_urlsafe if seed is None else _repeatable_tokens(chance),
            session=chance.randrange(1, 2**31),
            actor=actor,
        )
    except BaseException:
        database.close()
        raise


def _practice(
    config: Config, key: str, providers: Mapping[tuple[str, Channel], Provider], secret: bytes
) -> Practice:
    """Return how a clinic works, and to whom it may write before it is in production."""
    practice = config.practice(key)
    real = frozenset(c for c in Channel if providers[key, c].real)
    allowed = frozenset(digest(secret, canonical(address)) for address in _allowed(config, key))
    if config.environment == "production" or not real:
        return practice
    return replace(practice, guarded=real, allowed=allowed)


def _allowed(config: Config, key: str) -> Iterator[str]:
    """Yield the addresses of the guard's list, as an import would write them down."""
    region = config.clinics[key].imports.region
    for number, entry in enumerate(config.allowed_recipients, start=1):
        read = email_address(entry) if "@" in entry else mobile_number(entry, region)
        if isinstance(read, Fault):
            raise ConfigError(f"allowed_recipients, entry {number}: {read.message}")
        yield read


def _repeatable_tokens(chance: random.Random) -> Callable[[], str]:
    return lambda: f"{chance.getrandbits(128):032x}"


def _make(name: str, setup: Setup) -> Provider:
    return load_provider(name)(setup)


def _providers(
    config: Config, clock: Clock, make: MakeProvider
) -> Mapping[tuple[str, Channel], Provider]:
    made: dict[tuple[str, Channel], Provider] = {}
    for key, clinic in config.clinics.items():
        for channel in Channel:
            name = clinic.channel(channel).provider
            settings: Mapping[str, Any] = config.providers.get(name, {})
            provider = make(name, _setup(config, key, channel, settings, clock))
            if channel not in provider.channels:
                raise ConfigError(
                    f"clinics.{key}.{channel.value}.provider: {name!r} does not send"
                    f" {channel.value}; choose another provider."
                )
            made[key, channel] = provider
    return made


def _setup(
    config: Config,
    key: str,
    channel: Channel,
    settings: Mapping[str, Any],
    clock: Clock,
) -> Setup:
    clinic = config.clinics[key]
    chosen = clinic.channel(channel)
    public = config.web.public_url
    place = f"{public}/hooks/{quote(key)}/{channel.value}"
    return Setup(
        settings=settings,
        channel=channel,
        sender=chosen.sender,
        sender_name=clinic.names.get(channel, ""),
        reply_to=chosen.reply_to,
        zone=clinic.zone,
        clock=clock,
        folder=Path(config.path(config.sandbox_folder)),
        callback_url=place if public else None,
        inbound_url=f"{place}/inbound" if public else None,
    )


async def close(runtime: Runtime) -> None:
    """Close the providers' connections and the database."""
    for provider in runtime.providers.values():
        await provider.close()
    if runtime.executor is not None:
        runtime.executor.shutdown()
    runtime.database.close()
