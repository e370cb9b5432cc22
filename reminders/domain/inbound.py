"""What an answer says: the word it is, as anybody writes it. Pure, and total over any text."""

import re
import unicodedata
from enum import StrEnum


class Signal(StrEnum):
    """What the provider has itself understood, and acted on, in a text."""

    STOP = "stop"
    START = "start"
    HELP = "help"


class Keyword(StrEnum):
    """What a text asks for. OTHER is all that is not one of the words alone."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    YES = "yes"
    NO = "no"
    OTHER = "other"


_WORDS: dict[Keyword, frozenset[str]] = {
    Keyword.STOP: frozenset(
        {"stopp", "stop", "stoppa", "avsluta", "stopall", "stop all", "unsubscribe", "optout"}
    ),
    Keyword.START: frozenset({"start", "starta", "unstop"}),
    Keyword.HELP: frozenset({"hjälp", "hjalp", "help"}),
    Keyword.YES: frozenset({"ja", "yes"}),
    Keyword.NO: frozenset({"nej", "no", "avboka", "cancel"}),
}
_POLITE = frozenset({"tack", "please", "thanks", "snälla"})
_WORD = re.compile(r"\w+")
LONGEST_KEYWORD = 60
"""A longer text is a letter: it is read by a person, whatever its first word is."""


def read_keyword(text: str, signal: Signal | None = None) -> Keyword:
    """Return what a text asks for, whatever its case, signs and spaces.

    The whole text has to be the word, but for a 'tack' or 'please': "stop by at three" is no STOP.
    A provider's signal goes before the words, except that who wrote CANCEL, or a YES that is taken
    for START, meant the visit.
    """
    plain = unicodedata.normalize("NFKC", text[: LONGEST_KEYWORD * 4]).casefold()
    words = _WORD.findall(unicodedata.normalize("NFC", plain))
    said = " ".join(word for word in words if word not in _POLITE)
    fits = len(text.strip()) <= LONGEST_KEYWORD
    found = next((k for k, known in _WORDS.items() if fits and said in known), Keyword.OTHER)
    of_the_visit = found is Keyword.NO or (found is Keyword.YES and signal is Signal.START)
    if signal is None or of_the_visit:
        return found
    return Keyword(signal.value)
