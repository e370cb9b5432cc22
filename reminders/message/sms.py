"""SMS text: which alphabet it needs and how many segments it takes (GSM 03.38, 3GPP 23.038)."""

from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_REPAIRS = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "’": "'",
        "‘": "'",
        "´": "'",
        "`": "'",
        "–": "-",
        "—": "-",
        "−": "-",
        "…": "...",
        "•": "-",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u00ad": None,
        "\u200b": None,
    }
)


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


def repair(text: str) -> str:
    """Return the text with typographic signs that would triple its cost made plain."""
    lines = text.translate(_REPAIRS).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def outside_gsm(text: str) -> list[str]:
    """Return the characters that GSM-7 does not have, each once, in order."""
    return list(dict.fromkeys(c for c in text if c not in _BASIC and c not in _EXTENSION))


def measure(text: str) -> Measure:
    """Count a text's segments; an escape pair or a surrogate pair never straddles two."""
    charset = Charset.UCS2 if outside_gsm(text) else Charset.GSM7
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


def _size(character: str, charset: Charset) -> int:
    if charset is Charset.GSM7:
        return 2 if character in _EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1  # noqa: PLR2004 - the end of one UTF-16 unit
