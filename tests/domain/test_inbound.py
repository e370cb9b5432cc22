"""What an answer says, as people write it on a phone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.domain.inbound import Keyword, Signal, read_keyword


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("STOPP", Keyword.STOP),
        ("Stopp!", Keyword.STOP),
        (" stop. ", Keyword.STOP),
        ("\u200bStop\u200b", Keyword.STOP),
        ("ＳＴＯＰ", Keyword.STOP),
        ("AVSLUTA", Keyword.STOP),
        ("Stopp tack", Keyword.STOP),
        ("stop\n\nplease", Keyword.STOP),
        ("STOP ALL", Keyword.STOP),
        ("START", Keyword.START),
        ("hjälp", Keyword.HELP),
        ("HJA\u0308LP!!", Keyword.HELP),
        ("Help", Keyword.HELP),
        ("Ja", Keyword.YES),
        ("ja tack 😊", Keyword.YES),
        ("NEJ", Keyword.NO),
        ("Avboka.", Keyword.NO),
        ("", Keyword.OTHER),
        ("😊", Keyword.OTHER),
        ("tack", Keyword.OTHER),
        ("Ja men vi blir sena", Keyword.OTHER),
        ("Stop by at three?", Keyword.OTHER),
        ("stoppa inte", Keyword.OTHER),
        ("Starta om mobilen hjälper inte", Keyword.OTHER),
        ("ST OP", Keyword.OTHER),
        ("0701740605", Keyword.OTHER),
        ("STOP" + " " * 500, Keyword.STOP),
        ("STOP" + "!" * 500, Keyword.OTHER),
    ],
)
def test_what_a_text_asks_for(text: str, keyword: Keyword):
    """A text is a keyword only if it is nothing but the word, in whatever shape."""
    assert read_keyword(text) is keyword


@pytest.mark.parametrize("signal", Signal)
def test_the_providers_signal_goes_first(signal: Signal):
    """What the provider has acted on counts, whatever the words are."""
    assert read_keyword("adjö", signal) == signal.value


def test_who_writes_cancel_means_the_visit():
    """A provider takes CANCEL for STOP; here it is still an answer about the visit."""
    assert read_keyword("Cancel", Signal.STOP) is Keyword.NO


def test_who_writes_yes_means_the_visit():
    """A provider takes YES for START; here it is still the answer that our own text invites."""
    assert read_keyword("Yes!", Signal.START) is Keyword.YES
    assert read_keyword("Yes", Signal.HELP) is Keyword.HELP


@given(st.text())
def test_any_text_is_something(text: str):
    """Any text gives a keyword, and no text with a digit or a question in it is a STOP."""
    keyword = read_keyword(text)
    assert keyword is not Keyword.STOP or not any(sign.isdigit() for sign in text)
