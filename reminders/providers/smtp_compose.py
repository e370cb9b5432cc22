"""Builds the email from a message. Values in, values out."""

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import quote

from reminders.domain.outcome import OutgoingMessage

_PLAIN_ADDRESS = re.compile(
    r"[^\s<>@\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s<>@\"(),:;\\\[\]\x00-\x1f\x7f]+"
)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Whom a clinic's emails are from."""

    name: str
    address: str
    reply_to: str

    @property
    def domain(self) -> str:
        """Return the domain of the sender."""
        return self.address.rpartition("@")[2]


def ascii_address(address: str) -> str | None:
    """Return the address as every server takes it, its domain in ASCII; None if there is no way."""
    if not _PLAIN_ADDRESS.fullmatch(address):
        return None
    local, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return f"{local}@{ascii_domain}" if local.isascii() else None


def message_id(message_key: str, domain: str) -> str:
    """Return the Message-ID: the same in every attempt, so that a mailbox can drop a repeat."""
    return f"<{quote(message_key, safe='')}@{domain}>"


def compose(message: OutgoingMessage, to: str, letterhead: Letterhead) -> bytes:
    """Return the email as it goes over the wire: ASCII lines, the body once or as text and HTML.

    Raise ValueError if the subject holds a line break.
    """
    email = EmailMessage(policy=SMTP)
    email["From"] = Address(letterhead.name, addr_spec=letterhead.address)
    email["To"] = Address(addr_spec=to)
    email["Reply-To"] = letterhead.reply_to
    email["Subject"] = message.subject or letterhead.name
    email["Date"] = message.started_at
    email["Message-ID"] = message_id(message.message_key, letterhead.domain)
    email["Auto-Submitted"] = "auto-generated"
    email["List-Unsubscribe"] = f"<mailto:{letterhead.reply_to}?subject=unsubscribe>"
    email.set_content(message.body, cte="quoted-printable")
    if message.html is not None:
        email.add_alternative(message.html, subtype="html", cte="quoted-printable")
    # Last, as making alternatives moves each Content- header that is there into the first of them.
    email["Content-Language"] = message.language
    return email.as_bytes()
