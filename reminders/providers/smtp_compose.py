"""Builds the email from a message. Values in, values out."""

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import quote

from reminders.domain.outcome import Attachment, OutgoingMessage

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
    """Return the email as it goes over the wire, in ASCII lines.

    The text is there once, or as plain text and as HTML with its pictures; files come last. Raise
    ValueError if the subject holds a line break.
    """
    email = EmailMessage(policy=SMTP)
    email["From"] = Address(letterhead.name, addr_spec=letterhead.address)
    email["To"] = Address(addr_spec=to)
    email["Reply-To"] = letterhead.reply_to
    email["Subject"] = message.subject or letterhead.name
    email["Date"] = message.started_at
    email["Message-ID"] = message_id(message.message_key, letterhead.domain)
    email["Auto-Submitted"] = "auto-generated"
    _add_way_out(email, message, letterhead)
    email.set_content(message.body, cte="quoted-printable")
    if message.html is not None:
        email.add_alternative(message.html, subtype="html", cte="quoted-printable")
        _add_pictures(email, message)
    for file in message.attachments:
        if not file.inline:
            _add_file(email, file)
    # Last, as making alternatives moves each Content- header that is there into the first of them.
    email["Content-Language"] = message.language
    return email.as_bytes()


def _add_way_out(email: EmailMessage, message: OutgoingMessage, letterhead: Letterhead) -> None:
    ways = [f"<mailto:{letterhead.reply_to}?subject=unsubscribe>"]
    if message.unsubscribe_url:
        ways.insert(0, f"<{message.unsubscribe_url}>")
        email["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    email["List-Unsubscribe"] = ", ".join(ways)


def _add_pictures(email: EmailMessage, message: OutgoingMessage) -> None:
    """Put the pictures beside the HTML that shows them."""
    page = email.get_body(("html",))
    if not isinstance(page, EmailMessage):
        return
    for file in message.attachments:
        if file.inline:
            main, _, sub = file.kind.partition("/")
            page.add_related(
                file.content, main, sub, cid=f"<{file.name}>", disposition="inline",
                filename=file.name,
            )  # fmt: skip


def _add_file(email: EmailMessage, file: Attachment) -> None:
    kind, *more = (part.strip() for part in file.kind.split(";"))
    main, _, sub = kind.partition("/")
    values = dict(part.split("=", 1) for part in more)
    if main == "text":
        values["charset"] = "utf-8"
    email.add_attachment(file.content, main, sub, filename=file.name, params=values)
