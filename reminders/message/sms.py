"""SMS text: which alphabet it needs and how many segments it takes (GSM 03.38, 3GPP 23.038)."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ONLY_BASIC = re.compile(f"[{re.escape(''.join(sorted(_BASIC)))}]*")
_EXTENSION = frozenset("\f^{}\\[~]|€")
_OUTSIDE = re.compile(f"[^{re.escape(''.join(sorted(_BASIC | _EXTENSION)))}]")
_PLAIN_SIGNS = {
    '"': "“”„‟«»″",
    "'": "‘’‚‛´`′",
    "-": "‐‑‒–—―−•·",
    " ": "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f",
    "...": "…",
    "": "\u00ad\u200b\u2060\ufeff",
}
_REPAIRS = str.maketrans({sign: plain for plain, signs in _PLAIN_SIGNS.items() for sign in signs})


class Charset(StrEnum):
    """The alphabets of SMS."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Measure:
    """How long a text is: in units of its alphabet (septets, or UTF-16 units), and in segments."""

    charset: Charset
    units: int
    segments: int


_ALONE = {Charset.GSM7: 160, Charset.UCS2: 70}
_JOINED = {Charset.GSM7: 153, Charset.UCS2: 67}
_LAST_UNIT = "\uffff"
"""The last character that is one unit of UTF-16."""


def repair(text: str) -> str:
    """Return the text with typographic signs made plain, where that keeps it in the cheap alphabet.

    Line ends and spaces are put right in any case. A text that needs UCS-2 anyway keeps its signs.
    """
    tidy = _tidy(text)
    if not _OUTSIDE.search(tidy):
        return tidy  # the signs that are made plain are all outside
    plain = _tidy(plain_signs(tidy))
    if _OUTSIDE.search(plain) or measure(plain).segments > measure(tidy).segments:
        return tidy
    return plain


def plain_signs(text: str) -> str:
    """Return the text with every typographic sign that has a plain counterpart replaced."""
    bare = text.translate(dict.fromkeys(map(ord, _PLAIN_SIGNS[""])))
    return unicodedata.normalize("NFC", bare).translate(_REPAIRS)


def _tidy(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip(" \t") for line in lines).strip(" \t\n")


def outside_gsm(text: str) -> list[str]:
    """Return the characters that GSM-7 does not have, each once, in order."""
    return list(dict.fromkeys(_OUTSIDE.findall(text)))


def measure(text: str) -> Measure:
    """Count a text's segments; an escape pair or a surrogate pair never straddles two."""
    if _ONLY_BASIC.fullmatch(text):
        return _even(Charset.GSM7, len(text))
    charset = Charset.UCS2 if _OUTSIDE.search(text) else Charset.GSM7
    if charset is Charset.UCS2 and max(text) <= _LAST_UNIT:
        return _even(charset, len(text))
    sizes = [_size(character, charset) for character in text]
    units = sum(sizes)
    if units <= _ALONE[charset]:
        return Measure(charset, units, 1)
    segments, room = 1, _JOINED[charset]
    for size in sizes:
        if size > room:
            segments, room = segments + 1, _JOINED[charset]
        room -= size
    return Measure(charset, units, segments)


def _even(charset: Charset, units: int) -> Measure:
    """Measure nearly every text: each character is one unit, and none can straddle two segments."""
    alone = units <= _ALONE[charset]
    return Measure(charset, units, 1 if alone else -(-units // _JOINED[charset]))


def _size(character: str, charset: Charset) -> int:
    if charset is Charset.GSM7:
        return 2 if character in _EXTENSION else 1
    return 2 if character > _LAST_UNIT else 1
