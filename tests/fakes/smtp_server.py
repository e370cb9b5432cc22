"""A real SMTP server on loopback, run inside the test's own event loop.

async with FakeMail(security="starttls", login=("clinic", "not-a-secret")) as fake:
    ... SmtpEmail(setup with fake.settings()) ...
    assert fake.letters[0]["Subject"] == "..."
"""

import asyncio
import email
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CERTIFICATE = Path(__file__).parent / "localhost.pem"


@dataclass(slots=True)
class FakeMail:
    """The server. Replies can be scripted: by recipient, to the sender, and to the text.

    `after_data` says what happens once the text is there: an answer, silence, or a cut connection.
    `steps` lists the commands in the order in which they came.
    """

    security: Literal["starttls", "tls", "none"] = "starttls"
    login: tuple[str, str] | None = None
    mail_reply: str | None = None
    rcpt_replies: dict[str, str] = field(default_factory=dict)
    data_reply: str = "250 OK"
    after_data: Literal["answer", "hang", "cut"] = "answer"
    letters: list[EmailMessage] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(CERTIFICATE)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._protocol(tls if self.security == "starttls" else None),
            "127.0.0.1",
            0,
            ssl=tls if self.security == "tls" else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the `[providers.smtp]` section that leads here."""
        section: dict[str, Any] = {"host": "localhost", "port": self.port}
        section |= {"security": self.security, "ca_file": str(CERTIFICATE)}
        if self.login is not None:
            section |= {"username": self.login[0], "password": self.login[1]}
        return section | more

    def texts(self) -> list[str]:
        """Return the plain text of each letter taken, without its last line break."""
        return [_plain_text(letter) for letter in self.letters]

    def _protocol(self, tls: ssl.SSLContext | None) -> SMTP:
        return SMTP(
            _Handler(self),
            hostname="localhost",
            tls_context=tls,
            require_starttls=tls is not None,
            auth_required=self.login is not None,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: Any
    ) -> AuthResult:
        given = auth_data if isinstance(auth_data, LoginPassword) else LoginPassword(b"", b"")
        expected = LoginPassword(*(part.encode() for part in self.login or ("", "")))
        return AuthResult(success=given == expected, handled=False)


@dataclass(slots=True)
class _Handler:
    """The hooks that aiosmtpd calls."""

    fake: FakeMail

    async def handle_MAIL(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.fake.steps.append("MAIL")
        self.fake.encrypted.append(session.ssl is not None or self.fake.security == "tls")
        if self.fake.mail_reply is not None:
            return self.fake.mail_reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.fake.steps.append("RCPT")
        if address in self.fake.rcpt_replies:
            return self.fake.rcpt_replies[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.fake.steps.append("DATA")
        if self.fake.data_reply.startswith("2"):
            content = envelope.original_content or b""
            self.fake.letters.append(email.message_from_bytes(content, policy=default))
        if self.fake.after_data == "hang":
            await asyncio.sleep(3600)
        if self.fake.after_data == "cut":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return self.fake.data_reply


def _plain_text(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n").removesuffix("\n")
