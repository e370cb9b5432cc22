"""Emails through an SMTP server.

Everything that can be refused is asked before DATA. After DATA begins, a lost answer cannot be
asked for again, so the attempt is stamped right before it.
"""

import asyncio
import re
import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from reminders.domain.contact import Channel
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
from reminders.errors import ConfigError
from reminders.providers.base import CallbackRequest, Inbound, Setup
from reminders.providers.settings import Settings, read_settings
from reminders.providers.smtp_compose import Letterhead, ascii_address, compose, message_id

PORTS = {"starttls": 587, "tls": 465, "none": 25}
QUIT_TIMEOUT = 2.0

_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
_OK = 250
_RECIPIENT_OK = frozenset({250, 251, 252})
_LOGIN_NEEDED = frozenset({530, 535})
_MAILBOX = frozenset({501, 550, 551, 552, 553})
_CLOSING = 421
_PERMANENT = 500


class SmtpSettings(Settings):
    """The `[providers.smtp]` section; times in seconds.

    `timeout` is for each step before the text, `answer_timeout` for the answer to the text itself.
    """

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    timeout: float = Field(default=10.0, gt=0, le=60)
    answer_timeout: float = Field(default=60.0, gt=0, le=600)
    connections: int = Field(default=8, ge=1, le=100)

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.username is not None and self.security == "none":
            raise ValueError("with security = 'none' the password could be read on its way")
        if self.password is not None:
            login = f"{self.username}{self.password.get_secret_value()}"
            if not login.isascii():
                raise ValueError(
                    "username and password can only hold the letters a-z, digits, signs"
                )
        return self


class SmtpEmail:
    """A clinic's emails, through one SMTP server; a connection a message."""

    name: ClassVar[str] = "smtp"
    channels: ClassVar[frozenset[Channel]] = frozenset({Channel.EMAIL})
    real: ClassVar[bool] = True
    stamps: ClassVar[bool] = True

    def __init__(self, setup: Setup) -> None:
        """Check the settings and the sender; open nothing yet."""
        self._settings = read_settings(SmtpSettings, self.name, setup.settings)
        self._letterhead = _letterhead(setup)
        self._tls = _tls_context(self._settings)
        # Its own threads: a mail server that hangs must not hold up anything else.
        self._threads = ThreadPoolExecutor(self._settings.connections, "smtp")
        self._free = asyncio.Semaphore(self._settings.connections)

    async def send(self, message: OutgoingMessage) -> Outcome:
        """Hand one email over."""
        to = ascii_address(message.to)
        if to is None:
            return Rejected("malformed_address", Refusal.ADDRESS)
        try:
            content = compose(message, to, self._letterhead)
        except ValueError:
            return Rejected("malformed_content", Refusal.CONTENT)
        run = asyncio.get_running_loop().run_in_executor
        async with self._free:
            session = await run(self._threads, self._open_envelope, to)
            if isinstance(session, Rejected):
                return session
            try:
                await message.stamp()
                message.before_write()
                outcome = await run(self._threads, self._hand_over, session, content)
                await run(self._threads, _hang_up, session)
            finally:
                session.close()
        if outcome is not None:
            return outcome
        return Accepted(message_id(message.message_key, self._letterhead.domain))

    async def find(self, sought: Sought) -> Outcome | None:  # noqa: ARG002 - the interface's
        """Return None: a mail server cannot be asked."""
        return None

    async def status(self, ref: str) -> Receipt | None:  # noqa: ARG002 - the interface's
        """Return None: a mail server cannot be asked."""
        return None

    def parse_receipt(self, request: CallbackRequest) -> tuple[str | None, Receipt]:  # noqa: ARG002
        """Raise ValueError: a mail server sends no reports."""
        raise ValueError("a mail server sends no reports over HTTP")

    def parse_inbound(self, request: CallbackRequest) -> Inbound:  # noqa: ARG002 - the contract's
        """Raise ValueError: answers to emails go to the clinic's own mailbox."""
        raise ValueError("a mail server brings no texts over HTTP")

    async def probe(self) -> str | None:
        """Connect and log in; return a sentence on what is wrong, or None."""
        loop = asyncio.get_running_loop()
        async with self._free:
            session = await loop.run_in_executor(self._threads, self._connect)
            if not isinstance(session, Rejected):
                await loop.run_in_executor(self._threads, _hang_up, session)
                return None
        if session.code == "certificate":
            return "The mail server's certificate is not one that we trust (see ca_file)."
        if session.kind is Refusal.CONFIGURATION:
            return f"The mail server does not take our settings or login ({session.code})."
        return f"The mail server cannot be reached just now ({session.code})."

    async def close(self) -> None:
        """Let the threads go; a second call does nothing."""
        self._threads.shutdown(wait=False)

    def _connect(self) -> smtplib.SMTP | Rejected:
        """Return a session that is connected, encrypted and logged in, or why there is none."""
        try:
            session = self._dial()
        except OSError as error:
            return _failed(error)
        return _attempt(session, self._log_in)

    def _dial(self) -> smtplib.SMTP:
        settings = self._settings
        port = settings.port or PORTS[settings.security]
        if settings.security == "tls":
            return smtplib.SMTP_SSL(
                settings.host, port, timeout=settings.timeout, context=self._tls
            )
        return smtplib.SMTP(settings.host, port, timeout=settings.timeout)

    def _log_in(self, session: smtplib.SMTP) -> Rejected | None:
        if self._settings.security == "starttls":
            session.starttls(context=self._tls)
        session.ehlo_or_helo_if_needed()
        if self._settings.username is not None and self._settings.password is not None:
            session.login(self._settings.username, self._settings.password.get_secret_value())
        return None

    def _open_envelope(self, to: str) -> smtplib.SMTP | Rejected:
        """Return a session that waits for DATA, or why there is none: then nothing was sent."""
        session = self._connect()
        if isinstance(session, Rejected):
            return session
        return _attempt(session, lambda open_session: self._address(open_session, to))

    def _address(self, session: smtplib.SMTP, to: str) -> Rejected | None:
        code, reply = session.mail(self._letterhead.address)
        if code != _OK:
            return _refused(code, reply, Refusal.CONFIGURATION)
        code, reply = session.rcpt(to)
        if code not in _RECIPIENT_OK:
            return _refused(
                code, reply, _recipient_kind(code, _detail(reply)), _passing(code, reply)
            )
        return None

    def _hand_over(self, session: smtplib.SMTP, content: bytes) -> Outcome | None:
        """Send the text; return None if it was taken."""
        if session.sock is not None:
            session.sock.settimeout(self._settings.answer_timeout)
        try:
            code, reply = session.data(content)
        except smtplib.SMTPDataError as error:
            code, reply = error.smtp_code, _as_bytes(error.smtp_error)
        except (smtplib.SMTPException, OSError):
            return Ambiguous("connection_lost")
        if code == _OK:
            return None
        if code < 400:  # noqa: PLR2004 - neither yes nor no in SMTP
            return Ambiguous("unreadable_answer")
        permanent = Refusal.ADDRESS if _detail(reply).startswith("5.1.") else Refusal.CONTENT
        mailbox = _detail(reply).startswith(("4.1.", "4.2."))
        return _refused(code, reply, permanent, Refusal.DEFERRED if mailbox else Refusal.THROTTLED)


def _attempt(
    session: smtplib.SMTP, step: Callable[[smtplib.SMTP], Rejected | None]
) -> smtplib.SMTP | Rejected:
    """Return the session if it got through the step; else hang up and return why not."""
    try:
        rejected = step(session)
    except OSError as error:
        rejected = _failed(error)
    if rejected is None:
        return session
    _hang_up(session)
    return rejected


def _failed(error: OSError) -> Rejected:
    """Return what a failure before DATA means. All of smtplib's errors are OSErrors."""
    match error:
        case smtplib.SMTPResponseException():
            reply = _as_bytes(error.smtp_error)
            return _refused(error.smtp_code, reply, Refusal.CONFIGURATION)
        case ssl.SSLCertVerificationError():
            return Rejected("certificate", Refusal.CONFIGURATION)
        case smtplib.SMTPServerDisconnected() | ssl.SSLEOFError():
            return Rejected("disconnected", Refusal.THROTTLED)
        case ssl.SSLError():
            return Rejected("tls", Refusal.CONFIGURATION)
        case smtplib.SMTPException():
            return Rejected("unsupported", Refusal.CONFIGURATION)
        case _:
            return Rejected("not_connected", Refusal.THROTTLED)


def _refused(
    code: int, reply: bytes, permanent: Refusal, passing: Refusal = Refusal.THROTTLED
) -> Rejected:
    """Return a refusal; its code is the numbers alone, as the words may repeat the address."""
    kind = permanent if code >= _PERMANENT else passing
    return Rejected(f"{code} {_detail(reply)}".strip(), kind)


def _detail(reply: bytes) -> str:
    """Return the enhanced status code that a reply begins with, such as '5.1.1'; or ''."""
    found = _ENHANCED.match(reply)
    return found[0].decode() if found else ""


def _as_bytes(reply: bytes | str) -> bytes:
    return reply if isinstance(reply, bytes) else reply.encode()


def _passing(code: int, reply: bytes) -> Refusal:
    """Return what a passing refusal of the recipient means: a full mailbox stops no others."""
    whole_server = code == _CLOSING or _detail(reply).startswith("4.3.")
    return Refusal.THROTTLED if whole_server else Refusal.DEFERRED


def _recipient_kind(code: int, detail: str) -> Refusal:
    """Return what a permanent refusal of the recipient means."""
    if detail.startswith("5.1."):
        return Refusal.ADDRESS
    if code in _LOGIN_NEEDED:
        return Refusal.CONFIGURATION
    if detail.startswith("5.7."):
        return Refusal.BLOCKED
    return Refusal.ADDRESS if code in _MAILBOX else Refusal.BLOCKED


def _hang_up(session: smtplib.SMTP) -> None:
    with suppress(OSError):
        if session.sock is not None:
            session.sock.settimeout(QUIT_TIMEOUT)
        session.quit()
    session.close()


def _letterhead(setup: Setup) -> Letterhead:
    sender = ascii_address(setup.sender)
    if sender is None:
        raise ConfigError(
            f"email.sender: {setup.sender!r} is not an email address; write one like"
            " 'videobesok@example.org'."
        )
    reply_to = ascii_address(setup.reply_to) if setup.reply_to else sender
    if reply_to is None:
        raise ConfigError(f"email.reply_to: {setup.reply_to!r} is not an email address.")
    if not setup.sender_name.isprintable():
        raise ConfigError("names.email: should be one line of ordinary letters.")
    return Letterhead(setup.sender_name, sender, reply_to)


def _tls_context(settings: SmtpSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise ConfigError(
            f"providers.smtp.ca_file: {settings.ca_file} cannot be read as certificates"
            f" ({error.strerror})."
        ) from None
