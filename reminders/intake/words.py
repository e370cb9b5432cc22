"""Words of a cell, in Swedish or English: yes and no, statuses, roles, languages."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import time
from functools import lru_cache

from reminders.domain.appointment import VisitStatus
from reminders.domain.contact import Channel, Consent, Role
from reminders.domain.quiet import QuietHours

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_QUOTED_CONSTANT = re.compile(r'="([^"]*)"')


def clean(cell: str) -> str:
    """Return the cell without spaces around it, invisible characters, and Excel's text marks.

    A leading apostrophe and `="0701"` are how a spreadsheet keeps digits as text.
    """
    text = cell if cell.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFC", cell))
    text = text.strip()
    if text.startswith("="):
        constant = _QUOTED_CONSTANT.fullmatch(text)
        text = constant[1].strip() if constant else text
    return text.removeprefix("'")


@lru_cache(maxsize=4096)
def plain_word(text: str) -> str:
    """Return the text's letters and digits alone, in small letters, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if c.isalnum())


def _plain(*words: str) -> frozenset[str]:
    return frozenset(map(plain_word, words))


_YES = _plain("ja", "j", "yes", "y", "x", "1", "true", "sant", "t", "ok")
_NO = _plain("nej", "n", "no", "0", "false", "falskt", "f")

_PROTECTED_WORDS = _plain(
    "skyddad",
    "skyddad identitet",
    "skyddade personuppgifter",
    "skyddad folkbokföring",
    "sekretess",
    "sekretessmarkering",
    "sekretessmarkerad",
    "protected",
)
_OWN_LOGIN_WORDS = _plain("bankid", "mobilt bankid", "freja", "freja eid", "freja eid plus")
_CONSENT_WORDS = _plain("given", "lämnat", "samtycker", "samtycke", "godkänt", "accepted")
_REFUSAL_WORDS = _plain(
    "refused",
    "avböjt",
    "avböjer",
    "nekat",
    "nekar",
    "vägrat",
    "vill ej",
    "vill inte",
    "samtycker ej",
    "samtycker inte",
    "ej samtycke",
    "återkallat",
    "withdrawn",
    "declined",
)
_BOOKED_WORDS = _plain(
    "bokad",
    "bokat",
    "booked",
    "planerad",
    "planerat",
    "scheduled",
    "bekräftad",
    "bekräftat",
    "confirmed",
    "aktiv",
    "active",
    "ny",
    "new",
    "inbokad",
    "inbokat",
    "kallad",
    "kallat",
    "ankommen",
    "ankommit",
    "anlänt",
    "incheckad",
    "incheckat",
    "arrived",
    "checked in",
    "pågår",
    "pågående",
    "påbörjad",
    "påbörjat",
    "ongoing",
    "in progress",
)
"""Words for a visit that stands: it is to come, its patient is here, or it is being held."""
_OVER_WORDS = _plain(
    "klar",
    "klart",
    "ej kommit",
    "har ej kommit",
    "inte kommit",
    "kom ej",
    "kom inte",
    "done",
    "did not come",
    "attended",
    "missed",
)
_OVER_BEGINNINGS = tuple(
    sorted(
        _plain(
            "genomför",
            "utförd",
            "utfört",
            "slutför",
            "avslutad",
            "avslutat",
            "utebl",
            "complete",
            "fulfil",
            "finished",
            "no show",
            "did not attend",
        )
    )
)
_CANCELLED_BEGINNINGS = tuple(
    sorted(_plain("avbok", "inställ", "återbud", "cancel", "struk", "makuler", "borttag"))
)
_ROLES: Mapping[Role, frozenset[str]] = {
    Role.PATIENT: _plain(
        "patient", "patienten", "barn", "barnet", "ungdom", "själv", "child", "self"
    ),
    Role.GUARDIAN: _plain(
        "vårdnadshavare",
        "vh",
        "vårdnadshavare 1",
        "vårdnadshavare 2",
        "vh1",
        "vh2",
        "guardian",
        "guardian 1",
        "guardian 2",
        "förälder",
        "parent",
        "målsman",
        "mamma",
        "mor",
        "mother",
        "pappa",
        "far",
        "father",
        "god man",
        "ombud",
    ),
}
_CHANNELS: Mapping[Channel, frozenset[str]] = {
    Channel.SMS: _plain("sms", "mobil", "mobilen", "text", "text message", "mobile", "telefon"),
    Channel.EMAIL: _plain("e-post", "epost", "email", "mejl", "mail"),
}
_CLOCK = r"(?:kl\.?\s*)?(?P<hour{n}>[01]?\d|2[0-4])(?:[:.](?P<minute{n}>[0-5]\d))?"
_HOURS = re.compile(_CLOCK.format(n=1) + r"\s*(?:-|–|till?|to)\s*" + _CLOCK.format(n=2))
_LANGUAGES: Mapping[str, str] = {
    "sv": "svenska swedish swe",
    "en": "engelska english eng",
    "ar": "arabiska arabic ara العربية",
    "so": "somaliska somali soomaali som",
    "ti": "tigrinja tigrinska tigrinya tir ትግርኛ",
    "prs": "dari fa-af",
    "fa": "persiska farsi persian fas فارسی",
    "ru": "ryska russian rus русский",
    "uk": "ukrainska ukrainian українська",
    "pl": "polska polish polski",
    "fi": "finska finnish suomi",
    "no": "norska norwegian norsk",
    "da": "danska danish dansk",
    "de": "tyska german deutsch",
    "fr": "franska french français",
    "es": "spanska spanish español",
    "pt": "portugisiska portuguese português",
    "it": "italienska italian italiano",
    "tr": "turkiska turkish türkçe",
    "ku": "kurdiska kurdish kurdî kurmanji",
    "ckb": "sorani",
    "bs": "bosniska bosnian",
    "hr": "kroatiska croatian",
    "sr": "serbiska serbian",
    "sq": "albanska albanian",
    "ro": "rumänska romanian",
    "el": "grekiska greek",
    "hu": "ungerska hungarian",
    "am": "amhariska amharic",
    "ur": "urdu",
    "ps": "pashto",
    "hi": "hindi",
    "bn": "bengali",
    "th": "thailändska thai",
    "vi": "vietnamesiska vietnamese",
    "zh": "kinesiska chinese mandarin",
}
_LANGUAGE_OF = {
    plain_word(word): code for code, names in _LANGUAGES.items() for word in [code, *names.split()]
}


def language_code(text: str) -> str | None:
    """Return the ISO 639 code of a language by name or code ('svenska', 'sv-SE'), or None."""
    word = plain_word(text)
    subtag = plain_word(re.split("[-_]", text, maxsplit=1)[0])
    return _LANGUAGE_OF.get(word) or _LANGUAGE_OF.get(subtag)


def role_of(text: str) -> Role | None:
    """Return the role that a word tells, or None."""
    word = plain_word(text)
    return next((role for role, words in _ROLES.items() if word in words), None)


def status_of(text: str, own: Mapping[str, VisitStatus]) -> VisitStatus | None:
    """Return the status that a word tells, or None. A clinic's `own` words, plain, go first."""
    word = plain_word(text)
    if word in own:
        return own[word]
    if word.startswith(_CANCELLED_BEGINNINGS):
        return VisitStatus.CANCELLED
    return VisitStatus.BOOKED if word in _BOOKED_WORDS else None


def is_over(text: str) -> bool:
    """Tell whether a word says that a visit has taken place, or that nobody came to it."""
    word = plain_word(text)
    return word in _OVER_WORDS or word.startswith(_OVER_BEGINNINGS)


def yes_or_no(text: str) -> bool | None:
    """Return what a yes or a no says, or None."""
    word = plain_word(text)
    if word in _YES:
        return True
    return False if word in _NO else None


def is_protected(text: str) -> bool | None:
    """Return whether a cell says that the patient's identity is protected; None if unclear."""
    return True if plain_word(text) in _PROTECTED_WORDS else yes_or_no(text)


def has_own_login(text: str) -> bool | None:
    """Return whether a cell says that the patient has a login of their own; None if unclear."""
    return True if plain_word(text) in _OWN_LOGIN_WORDS else yes_or_no(text)


def consent_of(text: str) -> Consent | None:
    """Return the consent that a word tells, or None."""
    word = plain_word(text)
    if word in _YES or word in _CONSENT_WORDS:
        return Consent.GIVEN
    return Consent.REFUSED if word in _NO or word in _REFUSAL_WORDS else None


def channel_of(text: str) -> Channel | None:
    """Return the way to be contacted that a word tells, or None."""
    word = plain_word(text)
    return next((channel for channel, known in _CHANNELS.items() if word in known), None)


def hours_of(text: str) -> QuietHours | None:
    """Return the span of hours that '08:00-15:00', '8-15' or 'kl 8.30 till 15' tells, or None."""
    match = _HOURS.fullmatch(text.strip().casefold())
    if match is None:
        return None
    first, second = ((int(match[f"hour{n}"]) % 24, int(match[f"minute{n}"] or 0)) for n in (1, 2))
    return None if first == second else QuietHours(time(*first), time(*second))
