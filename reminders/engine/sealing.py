"""Sealing: what patients write is kept so that only this installation can read it."""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from reminders.errors import DatabaseError

NONCE_BYTES = 12


def seal(secret: bytes, text: str) -> bytes:
    """Return the text encrypted and signed. SQLite's own encryption does not cover PostgreSQL."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, text.encode("utf-8", "replace"), None)


def unseal(secret: bytes, sealed: bytes) -> str:
    """Return the text. Raise DatabaseError if another key sealed it, or it was changed."""
    try:
        plain = AESGCM(_key(secret)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        raise DatabaseError(
            "What a patient wrote cannot be read: it was sealed with another key. Put the"
            " database's own key file back."
        ) from None
    return plain.decode("utf-8")


def _key(secret: bytes) -> bytes:
    return hmac.new(secret, b"what patients write", hashlib.sha256).digest()
