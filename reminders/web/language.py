"""The words of the pages: English as they stand in the source, and a catalogue for each other."""

import functools
import gettext
import io
from importlib import resources

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup

from reminders.errors import RemindersError

LANGUAGES = {"sv": "Svenska", "en": "English"}
DEFAULT = "sv"

Words = gettext.NullTranslations


@functools.cache
def words(language: str) -> Words:
    """Return the catalogue of a language; one without a catalogue is English."""
    source = resources.files("reminders.web") / "texts" / f"{language}.po"
    if language not in LANGUAGES or not source.is_file():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes()), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Speaking:
    """Says the sentences of the pages in one language. Values are escaped; sentences are ours."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._words = words(language)

    def text(self, sentence: str, **values: object) -> Markup:
        """Return a sentence with `%(name)s` filled in."""
        return Markup(self._words.gettext(sentence)) % values  # noqa: S704 - our own words

    def error(self, error: RemindersError) -> Markup:
        """Return what an error says."""
        sentence = error.sentence if error.values else error.sentence.replace("%", "%%")
        return self.text(sentence, **error.values)

    def plural(self, one: str, many: str, count: int, **values: object) -> Markup:
        """Return one of two sentences, as the number asks; `%(count)s` is the number."""
        said = Markup(self._words.ngettext(one, many, count))  # noqa: S704 - our own words
        return said % {"count": count, **values}


def known(language: str | None) -> str:
    """Return the language if the pages have it, else the default."""
    return language if language in LANGUAGES else DEFAULT


def N_(text: str) -> str:  # noqa: N802 - the name that extractors look for
    """Mark a sentence for translation where it is written; it is translated where it is shown."""
    return text
